"""Damaged and hostile files of every kind: an answer or a typed error, within time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mobile_nelf.bundles.create import create_bundle
from mobile_nelf.checkpoints import save_checkpoint
from mobile_nelf.runs import save_state
from mobile_nelf.surfaces.splat_files import write_splats
from mobile_nelf.surfaces.splats import Splats
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.teachers.files import TrainedTeacher, save_teacher
from mobile_nelf.teachers.marching import CELLS, OccupancyGrid
from mobile_nelf.teachers.ngp import NgpTeacher, build_field
from tests.helpers import ROOT
from tests.helpers.ball import SPACES
from tests.helpers.devices import packaged_bundle, synthetic_result
from tests.helpers.fuzz import MEMORY_BYTES, READERS, STATE_RUN, TINY, learner, reader_of
from tests.helpers.phone import LENS as PHONE
from tests.helpers.phone import ring
from tests.helpers.recordings import write_polycam, write_record3d
from tests.helpers.scenes import (
    LENS,
    arc,
    matrix,
    pixels,
    save_photos,
    write_colmap,
    write_llff,
    write_transforms,
)
from tests.helpers.students import random_checkpoint
from tests.unit.checkpoints.conftest import write_official

FEW, MANY = 200, 2000
#: Mutations of one process; it begins with seconds of imports.
AT_ONCE = 100
#: Of AT_ONCE mutations. One that hangs is stopped, and reported, much earlier.
SECONDS = 1200


def _photos(folder: Path, count: int) -> list[dict[str, Any]]:
    """RGBA photos on a full turn, and the frames of their camera file."""
    frames = []
    for index, pose in enumerate(arc(azimuths=range(-150, 180, 360 // count), elevations=(20,))):
        alpha = np.zeros((LENS.height, LENS.width, 1), np.uint8)
        alpha[4:-4, 6:-6] = 255
        photo = np.concatenate([pixels(index), alpha], 2)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo).save(folder / f"r_{index:05d}.png")
        name = f"./{folder.name}/r_{index:05d}.png"
        frames.append({"file_path": name, "transform_matrix": matrix(pose)})
    return frames


def _blender(folder: Path) -> None:
    frames = _photos(folder / "train", 6)
    data = {"camera_angle_x": 0.69, "frames": frames}
    (folder / "transforms_train.json").write_text(json.dumps(data))
    test = {**data, "frames": _photos(folder / "test", 6)[:2]}
    (folder / "transforms_test.json").write_text(json.dumps(test))


def _pseudo_set(folder: Path) -> None:
    lens = {"fl_x": LENS.fx, "fl_y": LENS.fy, "cx": LENS.cx, "cy": LENS.cy}
    size = {"w": LENS.width, "h": LENS.height}
    frames = [{**frame, **lens, **size} for frame in _photos(folder / "train", 6)]
    data = {"camera_angle_x": 0.69, "frames": frames}
    (folder / "transforms_train.json").write_text(json.dumps(data))
    (folder / "pseudo_set.json").write_text(json.dumps({"views": 6}))


def _pseudo_npy(folder: Path) -> None:
    for name in ("24x32_rgb", "poses", "hwf"):
        (folder / name).mkdir()
    info = {"downscaled_height": 6, "downscaled_width": 8, "downscaled_focal": 9.0, "ff": False}
    (folder / "hwf/dataset_info.json").write_text(json.dumps({**info, "dataset_type": "nerf"}))
    for index, pose in enumerate(arc(elevations=(20,))):
        image = pixels(index, 32, 24).astype(np.float32) / 255.0
        np.save(folder / f"24x32_rgb/rendered_rgb_{index:05d}.npy", image.reshape(-1, 3))
        np.save(folder / f"poses/c2w_{index:05d}.npy", pose[:, 3])


def _colmap(folder: Path, text: bool) -> None:
    save_photos(folder / "images", 12)
    write_colmap(folder / "sparse/0", arc(), np.eye(3) * 0.3, text=text)


def _teacher(folder: Path) -> None:
    config = TeacherConfig(resolutions=(3, 5), channels=2, march_steps=8)
    field = build_field(config, SPACES["box"], torch.device("cpu"))
    grid = OccupancyGrid(torch.ones(CELLS**3, dtype=torch.bool))
    teacher = NgpTeacher(config, SPACES["box"], field, grid).rounded()
    save_teacher(TrainedTeacher(teacher, {"test_psnr_db": 30.0}), folder / "ball.teacher")


def _walk() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Poses of a phone, and what it saw, which nobody looks at here."""
    cameras = ring(8)
    grey = np.full((PHONE.height, PHONE.width, 3), 128, np.uint8)
    return [camera.cam_to_world for camera in cameras], [grey] * len(cameras)


def _splats(path: Path) -> None:
    rng = np.random.default_rng(0)
    turns = np.zeros((9, 4))
    turns[:, 0] = 1.0
    colours = rng.random((9, 3), np.float32)
    opacity = np.full(9, 0.9, np.float32)
    splats = Splats(rng.random((9, 3)), np.full((9, 3), 0.1), turns, opacity, colours)
    write_splats(path, splats, 1.0, "nine")


def _device(folder: Path) -> None:
    manifest = packaged_bundle(folder.parent / "measured")
    (folder / "result.json").write_text(json.dumps(synthetic_result(manifest)))


def _bundle(folder: Path, target: str) -> None:
    # `rays` has one input of few channels, which keeps files short.
    layout = {"layout": "rays"}
    create_bundle(random_checkpoint(**TINY), target=target, output=folder, options=layout)


MAKERS: dict[str, Callable[[Path], Any]] = {
    "native": lambda folder: save_checkpoint(random_checkpoint(**TINY), folder / "student.pt"),
    "official": lambda folder: write_official(folder),
    "teacher": _teacher,
    "state": lambda folder: save_state(
        folder / "fit.state", STATE_RUN, {"step": 3, **learner().state()}
    ),
    "blender": _blender,
    "transforms": lambda folder: write_transforms(folder, arc()),
    "llff": lambda folder: write_llff(folder, arc(), (2.0, 6.0)),
    "colmap": lambda folder: _colmap(folder, text=False),
    "colmap_text": lambda folder: _colmap(folder, text=True),
    "pseudo_npy": _pseudo_npy,
    "pseudo_set": _pseudo_set,
    "polycam": lambda folder: write_polycam(folder, *_walk()),
    "record3d": lambda folder: write_record3d(folder / "walk.r3d", *_walk()),
    "splats": lambda folder: _splats(folder / "splat.ply"),
    "spz": lambda folder: _splats(folder / "splat.spz"),
    "device": _device,
    "onnx": lambda folder: _bundle(folder, "onnx"),
    "lens": lambda folder: _bundle(folder, "lens"),
    "coreml": lambda folder: _bundle(folder, "coreml"),
}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good file or folder for each reader."""
    folder = tmp_path_factory.mktemp("samples")
    for name, make in MAKERS.items():
        if name not in ("onnx", "lens", "coreml"):
            (folder / name).mkdir()
        make(folder / name)
    return folder


def _outcomes(samples: Path, first: int, count: int) -> tuple[list[dict[str, Any]], int]:
    """What came of each mutation, and the bytes of memory that all of them took."""
    command = [sys.executable, "-m", "tests.helpers.fuzz", str(samples), str(first), str(count)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{ROOT}/exporters"}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
        said, failure = done.stdout, done.stderr
    except subprocess.TimeoutExpired as error:
        said, failure = (error.stdout or b"").decode(), f"hung: {error}"
    lines = [json.loads(line) for line in said.splitlines()]
    assert lines, failure[-2000:]
    assert "peak_bytes" in lines[-1], (lines[-1], failure[-2000:])
    ended = [line for line in lines[:-1] if line["outcome"] != "began"]
    assert [line["seed"] for line in ended] == list(range(first, first + count))
    return ended, lines[-1]["peak_bytes"]


def _check(samples: Path, first: int, count: int) -> None:
    for start in range(first, first + count, AT_ONCE):
        ended, peak_bytes = _outcomes(samples, start, min(AT_ONCE, first + count - start))
        bad = [line for line in ended if line["outcome"] not in ("read", "refused")]
        assert not bad, "\n".join(
            f"{line['seed']} {line['damage']}\n{line['outcome']}" for line in bad
        )
        assert peak_bytes < MEMORY_BYTES
        assert Counter(line["outcome"] for line in ended)["refused"] > len(ended) / 5


@pytest.mark.parametrize("name", READERS)
def test_the_undamaged_samples_are_read(samples: Path, name: str) -> None:
    READERS[name](samples / name)


def test_every_reader_gets_its_share() -> None:
    turns = Counter(reader_of(seed) for seed in range(FEW))
    assert turns.keys() == READERS.keys()
    assert min(turns.values()) >= 1


def test_damaged_files_are_read_or_refused(samples: Path) -> None:
    _check(samples, 0, FEW)


@pytest.mark.slow
def test_many_damaged_files_are_read_or_refused(samples: Path) -> None:
    _check(samples, FEW, MANY)
