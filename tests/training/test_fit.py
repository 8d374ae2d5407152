from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mobile_nelf.cameras import Camera, Intrinsics, OrbitLimits
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.encoding import encode
from mobile_nelf.errors import InputError, OutputError, SceneError
from mobile_nelf.metrics import psnr_db
from mobile_nelf.rays import ray_grid, sample_depths, sample_points
from mobile_nelf.scenes import Scene, View
from mobile_nelf.students import EncoderConfig, StudentConfig
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.fit import FitProgress, Photos, fit_student

ORBIT = OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (20, 20), (4, 4))
STUDENT = StudentConfig(
    EncoderConfig(2.0, 6.0, samples=3, frequencies=2),
    depth=4,
    width=8,
    sr_widths=(4,),
    sr_blocks=1,
    ray_width=6,
    ray_height=5,
)
#: Saves at steps 4 and 8; interruptions at 6 lose two steps that a resumed run has to repeat.
FIT = FitConfig(steps=10, patches=2, patch_rays=4, warmup_steps=3, save_every=4, seed=5)

#: The best constant image has 8.5 dB in colour and 6.1 dB in alpha; 200 steps give 21 and 28 dB.
FITTED_DB = 15.0


def make_scene(root: Path, seed: int = 0, width: int = 12) -> Scene:
    """Six views of a disc that changes colour with the azimuth, on a transparent ground."""
    root.mkdir(exist_ok=True)
    lens = Intrinsics.centred(width, 10, 15.0)
    u, v = np.meshgrid(np.arange(width) - width / 2 + 0.5, np.arange(10) - 4.5)
    views = []
    for index in range(6):
        rgba = np.zeros((10, width, 4), np.uint8)
        rgba[u**2 + v**2 < 16] = (40 * index, 200 - 30 * index, 10 + seed, 255)
        file = root / f"{index}.png"
        Image.fromarray(rgba, "RGBA").save(file)
        views.append(View(file, Camera(ORBIT.pose(60.0 * index, 20.0, 4.0), lens)))
    return Scene(root, tuple(views), (), 2.0, 6.0, ORBIT)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return make_scene(tmp_path / "disc")


def assert_same_weights(first: Checkpoint, second: Checkpoint) -> None:
    assert list(first.weights) == list(second.weights)
    for name, value in first.weights.items():
        assert torch.equal(value, second.weights[name]), name


class StoppedError(Exception):
    """Stands for whatever stops a run."""


def stop_at(step: int) -> Callable[[FitProgress], None]:
    def on_progress(progress: FitProgress) -> None:
        if progress.step == step:
            raise StoppedError

    return on_progress


def test_the_loss_falls(scene: Scene, tmp_path: Path) -> None:
    psnr: list[float] = []
    config = replace(FIT, steps=120, learning_rate=1e-2, save_every=1000)
    fit_student(scene, STUDENT, config, tmp_path / "state", lambda p: psnr.append(p.psnr_db))
    # It starts at 7.9 dB, no better than a grey image, and ends at 16.
    assert np.mean(psnr[-20:]) > np.mean(psnr[:5]) + 5.0


def test_the_checkpoint_describes_the_run(scene: Scene, tmp_path: Path) -> None:
    checkpoint = fit_student(scene, STUDENT, FIT, tmp_path / "state")
    assert checkpoint.student == STUDENT
    assert checkpoint.intrinsics == scene.train[0].camera.intrinsics
    assert checkpoint.orbit == ORBIT
    assert checkpoint.background == (1.0, 1.0, 1.0)
    assert checkpoint.provenance["scene"] == "disc"
    assert checkpoint.provenance["steps"] == "10"
    assert all(value.is_contiguous() for value in checkpoint.weights.values())
    encoded = torch.zeros(1, STUDENT.encoder.channels, 5, 6)
    assert checkpoint.network()(encoded).shape == (1, 3, 10, 12)


def test_progress_counts_every_step(scene: Scene, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    fit_student(scene, STUDENT, FIT, tmp_path / "state", lambda p: steps.append((p.step, p.steps)))
    assert steps == [(step, 10) for step in range(1, 11)]


@pytest.mark.parametrize("stop", [2, 4, 6, 9])
def test_a_resumed_run_ends_in_the_weights_of_an_unbroken_one(
    scene: Scene, tmp_path: Path, stop: int
) -> None:
    unbroken = fit_student(scene, STUDENT, FIT, tmp_path / "unbroken")

    state = tmp_path / "broken"
    with pytest.raises(StoppedError):
        fit_student(scene, STUDENT, FIT, state, stop_at(stop))
    torch.rand(17)  # the global generator must not matter
    seen: list[int] = []
    resumed = fit_student(scene, STUDENT, FIT, state, lambda p: seen.append(p.step))
    assert seen[0] == stop // FIT.save_every * FIT.save_every + 1
    assert_same_weights(unbroken, resumed)


def test_a_finished_run_is_not_run_again(scene: Scene, tmp_path: Path) -> None:
    first = fit_student(scene, STUDENT, FIT, tmp_path / "state")
    second = fit_student(scene, STUDENT, FIT, tmp_path / "state", stop_at(1))
    assert_same_weights(first, second)


RUN_FOR_EVER = """
import sys
from pathlib import Path
from test_fit import FIT, STUDENT, make_scene
from mobile_nelf.training.fit import fit_student
import torch

torch.set_num_threads(1)
scene = make_scene(Path(sys.argv[1]))

def on_progress(progress):
    print(progress.step, flush=True)
    if progress.step == 6:
        sys.stdin.read()

fit_student(scene, STUDENT, FIT, Path(sys.argv[2]), on_progress)
"""


def test_a_run_killed_by_the_system_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    scene = make_scene(tmp_path / "disc")
    state = tmp_path / "killed"
    paths = [str(Path(__file__).parent), *(path for path in sys.path if path)]
    process = subprocess.Popen(
        [sys.executable, "-c", RUN_FOR_EVER, str(tmp_path / "disc"), str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            if line.strip() == "6":
                break
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL

    seen: list[int] = []
    resumed = fit_student(scene, STUDENT, FIT, state, lambda p: seen.append(p.step))
    assert seen[0] == 5
    assert_same_weights(resumed, fit_student(scene, STUDENT, FIT, tmp_path / "unbroken"))


def test_a_state_half_written_is_never_read(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "state.partial").write_bytes(b"half a state")
    fit_student(scene, STUDENT, FIT, tmp_path / "state")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disc", "state"]


@pytest.mark.parametrize("other", ["steps", "seed", "student", "photos", "cameras"])
def test_the_state_of_another_run_is_refused(scene: Scene, tmp_path: Path, other: str) -> None:
    state = tmp_path / "state"
    fit_student(scene, STUDENT, replace(FIT, steps=1), state)
    student, config = STUDENT, replace(FIT, steps=1)
    if other == "steps":
        config = FIT
    elif other == "seed":
        config = replace(config, seed=6)
    elif other == "student":
        student = replace(STUDENT, activation="relu")
    elif other == "photos":
        scene = make_scene(tmp_path / "other", seed=1)
    else:
        scene = replace(scene, train=scene.train[::-1])
    before = state.read_bytes()
    with pytest.raises(InputError, match="state: is the state of a run with other settings"):
        fit_student(scene, student, config, state)
    assert state.read_bytes() == before


def test_a_file_that_is_no_state_is_refused_and_kept(scene: Scene, tmp_path: Path) -> None:
    state = tmp_path / "state"
    for content in (b"", b"no state", b"PK\x03\x04 a broken zip"):
        state.write_bytes(content)
        with pytest.raises(InputError, match="state: cannot be read as the state of a run"):
            fit_student(scene, STUDENT, FIT, state)
        assert state.read_bytes() == content
    torch.save({"weights": {}}, state)
    with pytest.raises(InputError, match="state: holds something else than the state of a run"):
        fit_student(scene, STUDENT, FIT, state)


def test_a_missing_folder_is_reported_before_the_first_step(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere: no such folder"):
        fit_student(scene, STUDENT, FIT, tmp_path / "nowhere" / "state", stop_at(1))


def test_photos_of_another_size_than_the_student_renders_are_refused(
    scene: Scene, tmp_path: Path
) -> None:
    with pytest.raises(SceneError) as caught:
        fit_student(scene, replace(STUDENT, ray_width=7), FIT, tmp_path / "state")
    assert str(caught.value) == (
        f"{scene.path}: images are 12×10, the student renders 14×10; choose a ray grid of 6×5 or "
        "another size"
    )


def test_photos_of_different_sizes_are_refused(scene: Scene, tmp_path: Path) -> None:
    other = make_scene(tmp_path / "wide", width=14)
    mixed = replace(scene, train=(*scene.train, View(other.train[0].path, scene.train[0].camera)))
    with pytest.raises(SceneError, match=r"0\.png: is 14×10, but the first image"):
        fit_student(mixed, STUDENT, FIT, tmp_path / "state")


def test_a_student_with_alpha_renders_colour_and_alpha_of_a_training_view(
    scene: Scene, tmp_path: Path
) -> None:
    student = replace(STUDENT, out_channels=4, width=16)
    config = replace(FIT, steps=200, learning_rate=2e-2, ema_decay=0.9, save_every=1000)
    checkpoint = fit_student(scene, student, config, tmp_path / "state")
    view, encoder = scene.train[1], student.encoder
    points = sample_points(ray_grid(view.camera.resized(6, 5)), sample_depths(2.0, 6.0, 3))
    encoded = encode(torch.from_numpy(points)[None], encoder.frequencies).float()
    with torch.inference_mode():
        image = checkpoint.network()(encoded)[0].permute(1, 2, 0).numpy()
    photo = view.rgba().astype(np.float32) / np.float32(255)
    colour = photo[..., :3] * photo[..., 3:] + 1 - photo[..., 3:]
    assert psnr_db(image[..., :3], colour) > FITTED_DB
    assert psnr_db(image[..., 3:], photo[..., 3:]) > FITTED_DB


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "must be positive"),
        ({"save_every": 0}, "must be positive"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive"),
        ({"warmup_steps": -1}, "warmup_steps not negative"),
        ({"ema_decay": 1.0}, r"ema_decay must lie in \[0, 1\), found 1.0"),
    ],
)
def test_runs_that_cannot_learn_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(FIT, **change)


def test_a_patch_shows_the_pixels_that_its_rays_go_through(tmp_path: Path):
    """Photos whose colours are their own pixel numbers say where a patch was taken."""
    student = replace(STUDENT, sr_widths=(4, 4))
    lens = Intrinsics(24, 20, 30.0, 28.0, 11.0, 9.5)
    rows, columns = np.mgrid[0:20, 0:24]
    rgba = np.stack([columns, rows, 0 * rows, 255 + 0 * rows], axis=-1).astype(np.uint8)
    Image.fromarray(rgba, "RGBA").save(tmp_path / "0.png")
    view = View(tmp_path / "0.png", Camera(ORBIT.pose(30.0, 20.0, 4.0), lens))
    scene = Scene(tmp_path, (view,), (), 2.0, 6.0, ORBIT)
    offsets = set()
    for step in range(20):
        encoded, target = Photos(scene, student).batch(step, replace(FIT, patch_rays=3))
        for patch, pixels in zip(encoded, target, strict=True):
            # The pixel centres of the block that belongs to each ray, averaged.
            centres = 255.0 * pixels[:2].reshape(2, 3, 4, 3, 4).mean(dim=(2, 4)).numpy() + 0.5
            points = (
                patch[4::5].reshape(3, 3, 3, 3).numpy()
            )  # the coordinates themselves, [K, xyz, h, w]
            camera = view.camera.cam_to_world
            local = np.einsum(
                "xc,kxhw->kchw", camera[:, :3], points - camera[:, 3][None, :, None, None]
            )
            local /= -local[:, 2:]
            wanted = (centres[0] - lens.cx) / lens.fx, -(centres[1] - lens.cy) / lens.fy
            for axis in (0, 1):
                np.testing.assert_allclose(
                    local[:, axis], np.broadcast_to(wanted[axis], (3, 3, 3)), atol=1e-5
                )
            offsets.add(int(pixels[0, 0, 0] * 255.0 + 0.5) % 4)
    assert offsets == {0, 1, 2, 3}, "patches begin at any pixel, not only at those of the ray grid"
