from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobile_nelf.cameras import OrbitLimits
from mobile_nelf.errors import InputError, SceneError
from mobile_nelf.rays import ray_grid
from mobile_nelf.scenes import read_scene
from mobile_nelf.scenes.readers.blender import read_blender

ORBIT = OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (-30, 60), (4, 4))
RADIUS = 4.031128857175551
ANGLE_X = 0.6911112070083618

#: Poses are written as decimal text of float64, so nothing but a few sums is rounded.
EXACT = 1e-12


def pixels(index: int, width: int = 8, height: int = 6) -> np.ndarray:
    rng = np.random.default_rng(index)
    return rng.integers(0, 256, (height, width, 4), dtype=np.uint8)


def write_split(
    root: Path, split: str, count: int, *, extension: str = "", **extra: Any
) -> list[np.ndarray]:
    """Writes `count` RGBA images on a full turn and their camera file; returns the 4×4 poses."""
    (root / split).mkdir()
    poses, frames = [], []
    for index in range(count):
        pose = np.eye(4)
        elevation = -30.0 + 90.0 * index / max(count - 1, 1)
        pose[:3] = ORBIT.pose(360.0 * index / count, elevation, RADIUS)
        Image.fromarray(pixels(index), "RGBA").save(root / split / f"r_{index}.png")
        name = f"./{split}/r_{index}{extension}"
        frames.append({"file_path": name, "rotation": 0.01, "transform_matrix": pose.tolist()})
        poses.append(pose)
    data = {"camera_angle_x": ANGLE_X, "frames": frames, **extra}
    (root / f"transforms_{split}.json").write_text(json.dumps(data))
    return poses


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_split(tmp_path, "train", 10)
    write_split(tmp_path, "test", 3)
    return tmp_path


def edit(folder: Path, split: str, change: Callable[[dict[str, Any]], None]) -> None:
    file = folder / f"transforms_{split}.json"
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def test_views_and_poses_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    poses = write_split(tmp_path, "train", 10)
    write_split(tmp_path, "test", 3)
    scene = read_scene(tmp_path)
    assert scene.path == tmp_path
    assert (len(scene.train), len(scene.test), scene.missing) == (10, 3, ())
    assert scene.views("train") == scene.train
    assert scene.views("test") == scene.test
    for index, view in enumerate(scene.train):
        assert view.path.name == f"r_{index}.png"
        np.testing.assert_array_equal(view.camera.cam_to_world, poses[index][:3])


def test_colours_and_alpha_are_kept(folder: Path) -> None:
    for index, view in enumerate(read_scene(folder).train):
        assert view.rgba().dtype == np.uint8
        np.testing.assert_array_equal(view.rgba(), pixels(index))


def test_an_image_without_alpha_is_opaque(folder: Path) -> None:
    Image.fromarray(pixels(0)[..., :3], "RGB").save(folder / "train" / "r_0.png")
    rgba = read_scene(folder).train[0].rgba()
    np.testing.assert_array_equal(rgba[..., :3], pixels(0)[..., :3])
    assert (rgba[..., 3] == 255).all()


def test_the_field_of_view_spans_the_image_from_edge_to_edge(folder: Path) -> None:
    camera = read_scene(folder).train[0].camera
    directions = ray_grid(camera)[3:]
    in_camera = np.einsum("ji,jhw->ihw", camera.cam_to_world[:, :3], directions)
    half = math.tan(ANGLE_X / 2)  # half the image's width at depth 1
    pixel = 2 * half / 8  # pixels are square
    for v, u in [(0, 0), (0, 7), (5, 0), (5, 7)]:
        expected = [-half + (u + 0.5) * pixel, pixel * 3 - (v + 0.5) * pixel, -1.0]
        np.testing.assert_allclose(in_camera[:, v, u], expected, atol=EXACT, rtol=0)


def test_depth_range_and_limits_follow_from_the_orbit(folder: Path) -> None:
    scene = read_scene(folder)
    assert scene.near == pytest.approx(RADIUS / 2)
    assert scene.far == pytest.approx(RADIUS * 1.5)
    assert scene.orbit.full_turn
    np.testing.assert_allclose(scene.orbit.target, [0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(scene.orbit.elevation, (-30, 60), atol=1e-6)
    np.testing.assert_allclose(scene.orbit.radius, (RADIUS, RADIUS), atol=1e-9)


def test_file_paths_may_carry_the_extension(tmp_path: Path) -> None:
    write_split(tmp_path, "train", 4, extension=".png")
    assert len(read_scene(tmp_path).train) == 4


def test_frames_without_an_image_are_left_out_and_listed(folder: Path) -> None:
    (folder / "train" / "r_3.png").unlink()
    (folder / "test" / "r_1.png").unlink()
    scene = read_scene(folder)
    assert [view.path.name for view in scene.test] == ["r_0.png", "r_2.png"]
    assert len(scene.train) == 9
    assert scene.missing == ("./train/r_3", "./test/r_1")


def test_the_size_comes_from_the_first_image_that_exists(folder: Path) -> None:
    (folder / "train" / "r_0.png").unlink()
    lens = read_scene(folder).train[0].camera.intrinsics
    assert (lens.width, lens.height, lens.cx, lens.cy) == (8, 6, 4.0, 3.0)


def test_a_scene_without_test_views_can_be_trained_on(tmp_path: Path) -> None:
    write_split(tmp_path, "train", 4)
    scene = read_scene(tmp_path)
    assert scene.test == ()
    with pytest.raises(SceneError, match="has no test views"):
        scene.views("test")


def test_images_of_another_aspect_are_left_out(folder: Path) -> None:
    Image.fromarray(pixels(0, width=9), "RGBA").save(folder / "train" / "r_4.png")
    scene = read_scene(folder)
    assert "r_4.png" not in [view.path.name for view in scene.train]
    assert scene.notices == (
        "1 photos of 9×6 are left out: most are 8×6, of another aspect: r_4.png",
    )


@pytest.mark.parametrize("index", [0, 4])
def test_a_broken_image_is_named(folder: Path, index: int) -> None:
    file = folder / "train" / f"r_{index}.png"
    for content in (b"", b"no picture", file.read_bytes()[:60]):
        file.write_bytes(content)
        with pytest.raises(SceneError, match=rf"r_{index}\.png: not a readable image"):
            read_scene(folder).train[index].rgba()


def test_no_training_image_at_all_is_an_error(folder: Path) -> None:
    for image in (folder / "train").iterdir():
        image.unlink()
    with pytest.raises(SceneError, match="none of the 10 training images exists"):
        read_scene(folder)


@pytest.mark.parametrize("count", [1])
def test_one_view_is_no_scene(tmp_path: Path, count: int) -> None:
    write_split(tmp_path, "train", count)
    with pytest.raises(SceneError, match="two cameras that look in different directions"):
        read_scene(tmp_path)


def test_a_folder_that_is_no_scene(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="holds no camera file that is known here"):
        read_scene(tmp_path)
    with pytest.raises(SceneError, match="no such folder, expected a scene"):
        read_scene(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"transforms_train\.json: no such file"):
        read_blender(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"camera_angle_x": 0.7}',
        '{"camera_angle_x": 0.7, "frames": 3}',
        '{"camera_angle_x": 0.7, "frames": [7]}',
        '{"camera_angle_x": 0.7, "frames": [{"file_path": "a"}]}',
        '{"camera_angle_x": 0.7, "frames": [{"file_path": "a", "transform_matrix": [[1, 2]]}]}',
        '{"camera_angle_x": 0.7, "frames": [{"file_path": "a", "transform_matrix": [[1], []]}]}',
    ],
)
def test_a_malformed_camera_file_is_named(folder: Path, text: str) -> None:
    (folder / "transforms_train.json").write_text(text)
    with pytest.raises(SceneError, match=r"transforms_train\.json: "):
        read_scene(folder)


def test_a_camera_file_that_is_no_text(folder: Path) -> None:
    (folder / "transforms_test.json").write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(SceneError, match=r"transforms_test\.json: is cut off or not JSON"):
        read_scene(folder)


@pytest.mark.parametrize("angle", [0.0, -0.7, math.pi, 40.0, math.nan])
def test_an_impossible_field_of_view_is_refused(folder: Path, angle: float) -> None:
    edit(folder, "train", lambda data: data.update(camera_angle_x=angle))
    with pytest.raises(SceneError, match=r"camera_angle_x .*, which must lie between 0 and π"):
        read_scene(folder)


@pytest.mark.parametrize("factor", [0.0, 2.0, -1.0, math.nan])
def test_a_pose_that_is_no_rotation_is_refused(folder: Path, factor: float) -> None:
    def scale(data: dict[str, Any]) -> None:
        matrix = np.array(data["frames"][1]["transform_matrix"])
        matrix[:3, :3] *= factor
        data["frames"][1]["transform_matrix"] = matrix.tolist()

    edit(folder, "train", scale)
    with pytest.raises(SceneError, match="not finite" if factor != factor else "not a rotation"):
        read_scene(folder)
