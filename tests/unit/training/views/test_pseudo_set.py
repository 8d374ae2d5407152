"""Pseudo sets on disk: what they hold, and that they are whole or not there."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_nelf.cameras import Camera
from mobile_nelf.errors import InputError, OutputError, SceneError
from mobile_nelf.metrics import psnr_db
from mobile_nelf.scenes import Scene, read_scene
from mobile_nelf.teachers.files import TrainedTeacher
from mobile_nelf.teachers.teacher import Rendering
from mobile_nelf.training.views.pseudo_set import (
    PseudoSetConfig,
    pseudo_views,
    read_pseudo_set,
    write_pseudo_set,
)
from mobile_nelf.training.views.sources import PhotoViews
from tests.helpers.sphere import LENS, Sphere, rendered, sphere_scene, start

CONFIG = PseudoSetConfig(views=5, seed=3)

#: Neither centred nor with square pixels.
CROOKED = replace(LENS, fx=LENS.fx * 1.1, cx=LENS.cx + 1.5, cy=LENS.cy - 0.75)

#: Of Blender's world against that of the official teacher.
OFFICIAL_SCALE = 4.031128857175551 / 1.5

#: Of a small ball with hard edges, which WebP stores with half the resolution of colour.
LOSSY_DB = 25.0


@dataclass(frozen=True)
class NotedSphere(Sphere):
    """Notes each rendering in a file, and may kill its process at one."""

    note: Path = Path()
    kill_at: int | None = None

    def render(self, camera: Camera) -> Rendering:
        if len(rendered(self.note)) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        with self.note.open("a") as file:
            file.write("1\n")
        return super().render(camera)


class TrainedSphere(TrainedTeacher):
    """The ball as a teacher's file would hold it."""

    def sha256(self) -> str:
        return "ball"


SPHERE = TrainedSphere(Sphere())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    plain = sphere_scene(tmp_path / "ball")
    train = tuple(
        replace(view, camera=Camera(view.camera.cam_to_world, CROOKED)) for view in plain.train
    )
    return replace(plain, train=train)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def on_white(pixels: np.ndarray) -> np.ndarray:
    scaled = pixels.astype(np.float64) / 255.0
    return scaled[..., :3] * scaled[..., 3:] + 1.0 - scaled[..., 3:]


@pytest.mark.parametrize("quality", [90, 100])
def test_a_set_holds_the_views_of_the_stream(scene: Scene, tmp_path: Path, quality: int) -> None:
    config = replace(CONFIG, quality=quality)
    write_pseudo_set(SPHERE, scene, config, tmp_path / "set")
    stream = pseudo_views(SPHERE, scene, config.seed)
    views = read_pseudo_set(tmp_path / "set")
    assert len(views) == 5
    for index, view in enumerate(views):
        camera, pixels = stream.view(index)
        assert np.array_equal(view.camera.cam_to_world, camera.cam_to_world)
        assert view.camera.intrinsics == camera.intrinsics == CROOKED
        found = view.rgba()
        assert np.array_equal(found[..., 3], pixels[..., 3])
        if quality == 100:
            assert np.array_equal(on_white(found), on_white(pixels))
        else:
            assert LOSSY_DB < psnr_db(on_white(found), on_white(pixels)) < 60.0
    with Image.open(views[0].path) as image:
        assert image.format == "WEBP"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ball", "set"]
    assert PhotoViews(views).size == (LENS.width, LENS.height)


def test_any_reader_of_blender_scenes_reads_a_set(scene: Scene, tmp_path: Path) -> None:
    """Our own takes the lens of each frame; others find at least an angle and poses."""
    write_pseudo_set(SPHERE, scene, CONFIG, tmp_path / "set")
    views = read_pseudo_set(tmp_path / "set")
    again = read_scene(tmp_path / "set")
    assert len(again.train) == len(views)
    for view, other in zip(again.train, views, strict=True):
        assert view.path.samefile(other.path)
        assert np.array_equal(view.camera.cam_to_world, other.camera.cam_to_world)
        assert view.camera.intrinsics == other.camera.intrinsics
    content = json.loads((tmp_path / "set" / "transforms_train.json").read_text())
    assert content["camera_angle_x"] == pytest.approx(
        2 * np.arctan(0.5 * CROOKED.width / CROOKED.fx)
    )


def test_seeds_and_teachers_and_cameras_are_told_apart(scene: Scene) -> None:
    class Other(TrainedTeacher):
        def sha256(self) -> str:
            return "cube"

    fewer = replace(scene, train=scene.train[1:])
    identities = {
        pseudo_views(SPHERE, scene, 0).identity(),
        pseudo_views(SPHERE, scene, 1).identity(),
        pseudo_views(SPHERE, fewer, 0).identity(),
        pseudo_views(Other(Sphere()), scene, 0).identity(),
    }
    assert len(identities) == 4
    assert pseudo_views(SPHERE, scene, 1).identity() in identities


def write_noted(scene: Path, output: Path, note: Path, kill_at: int | None = None) -> None:
    trained = TrainedSphere(NotedSphere(note=note, kill_at=kill_at))
    write_pseudo_set(trained, read_scene(scene), CONFIG, output)


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    sphere_scene(tmp_path / "ball")
    note, output = tmp_path / "note", tmp_path / "set"
    write_noted(tmp_path / "ball", tmp_path / "unbroken", tmp_path / "other")
    for kill_at in (0, 3):
        process = start(write_noted, tmp_path / "ball", output, note, kill_at)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert not output.exists()
        with pytest.raises(InputError, match="is not a pseudo set"):
            read_pseudo_set(tmp_path / "set.run")
        with pytest.raises(SceneError):
            read_scene(tmp_path / "set.run")
    # What a power failure or a kill in the middle of a file leaves.
    (tmp_path / "set.run" / "train" / "r_00003.webp.partial").write_bytes(b"RIFF")
    write_noted(tmp_path / "ball", output, note)
    assert len(rendered(note)) == 5, "no view is rendered twice"
    assert files_of(output) == files_of(tmp_path / "unbroken")
    assert not (tmp_path / "set.run").exists()


def test_a_run_of_other_settings_does_not_go_on(scene: Scene, tmp_path: Path) -> None:
    output, folder = tmp_path / "set", tmp_path / "set.run"
    write_pseudo_set(SPHERE, scene, CONFIG, output)
    output.rename(folder)
    with pytest.raises(
        InputError, match=r"set.run: belongs to a pseudo set .* \(source, views, seed\)"
    ):
        write_pseudo_set(SPHERE, scene, PseudoSetConfig(6, seed=4), output)
    before = files_of(folder)
    write_pseudo_set(SPHERE, scene, CONFIG, output)
    assert files_of(output) == before
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        write_pseudo_set(SPHERE, scene, CONFIG, output, force=True)
    assert files_of(folder) == {"mine.txt": b"mine"}
    (folder / "pseudo_set.json").write_text("{")
    with pytest.raises(InputError, match="is cut off or not JSON"):
        write_pseudo_set(SPHERE, scene, CONFIG, output, force=True)


def test_only_a_pseudo_set_is_replaced(scene: Scene, tmp_path: Path) -> None:
    output = tmp_path / "set"
    write_pseudo_set(SPHERE, scene, CONFIG, output)
    with pytest.raises(OutputError, match="set: exists already"):
        write_pseudo_set(SPHERE, scene, CONFIG, output)
    write_pseudo_set(SPHERE, scene, replace(CONFIG, views=2), output, force=True)
    assert len(read_pseudo_set(output)) == 2
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "cat.txt").write_text("cat")
    with pytest.raises(OutputError, match="cats: is not a pseudo set, so force does not replace"):
        write_pseudo_set(SPHERE, scene, CONFIG, tmp_path / "cats", force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ball", "cats", "set"]


def test_sets_of_the_official_teacher_are_read(scene: Scene, tmp_path: Path) -> None:
    """A colour image and a position a view, in a world that is smaller than Blender's."""
    stream = pseudo_views(SPHERE, scene, 0)
    info = {
        "downscaled_width": 6,
        "downscaled_height": 6,
        "downscaled_focal": LENS.fx / 2,
        "dataset_type": "blender",
        "ff": False,
    }
    for folder in ("set/sphere_rgb", "set/poses", "set/hwf"):
        (tmp_path / folder).mkdir(parents=True)
    cameras = [Camera(stream.view(index)[0].cam_to_world, LENS) for index in range(3)]
    for index, camera in enumerate(cameras):
        image = Sphere().render(camera).on_white()
        np.save(tmp_path / "set" / "sphere_rgb" / f"rendered_rgb_{index:05d}.npy", image)
        position = camera.position / OFFICIAL_SCALE
        np.save(tmp_path / "set" / "poses" / f"c2w_{index:05d}.npy", position)
    (tmp_path / "set" / "hwf" / "dataset_info.json").write_text(json.dumps(info))
    views = read_pseudo_set(tmp_path / "set")
    assert len(views) == 3
    for view, camera in zip(views, cameras, strict=True):
        assert view.camera.position == pytest.approx(camera.position)
        assert view.camera.intrinsics == LENS
        wanted = Sphere().render(camera).on_white()
        assert np.abs(on_white(view.rgba()) - wanted).max() <= 0.5 / 255.0 + 1e-6
    info |= {"dataset_type": "colmap"}
    (tmp_path / "set" / "hwf" / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(InputError, match="is in a world of its own"):
        read_pseudo_set(tmp_path / "set")


def test_a_damaged_set_is_refused(scene: Scene, tmp_path: Path) -> None:
    output = tmp_path / "set"
    write_pseudo_set(SPHERE, scene, CONFIG, output)
    cameras = output / "transforms_train.json"
    whole = cameras.read_text()
    for damage in (whole[:200], "[]", whole.replace('"fl_y"', '"fl_z"'), '{"frames": 3}'):
        cameras.write_text(damage)
        with pytest.raises(InputError, match=r"transforms_train.json: expected frames with a lens"):
            read_pseudo_set(output)
    cameras.write_text(whole)
    (output / "train" / "r_00002.webp").unlink()
    with pytest.raises(SceneError, match=r"r_00002.webp: is missing"):
        read_pseudo_set(output)
    with pytest.raises(InputError, match="ball: is not a pseudo set"):
        read_pseudo_set(tmp_path / "ball")


@pytest.mark.parametrize("wrong", [{"views": 0}, {"quality": 0}, {"quality": 101}, {"seed": -1}])
def test_settings_that_make_no_set(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(CONFIG, **wrong)
