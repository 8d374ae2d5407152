"""Cameras that cannot be what their file says are refused by cause, unusual ones are noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_nelf.cameras import look_at
from mobile_nelf.errors import SceneError
from mobile_nelf.scenes import read_scene
from tests.helpers.scenes import (
    LENS,
    Elsewhere,
    arc,
    edit,
    save_photos,
    write_colmap,
    write_llff,
    write_transforms,
)

FLIP = np.diag([1.0, -1.0, -1.0, 1.0])


def write(root: Path, change: Callable[[np.ndarray], np.ndarray], elsewhere: bool = True) -> None:
    world = Elsewhere.random(3)
    poses = [world.pose(pose) if elsewhere else pose for pose in arc(range(-170, 190, 20))]
    write_transforms(root, poses)

    def matrices(data: dict) -> None:
        for frame in data["frames"]:
            frame["transform_matrix"] = change(np.array(frame["transform_matrix"])).tolist()

    edit(root / "transforms.json", matrices)


def rotation_transposed(m: np.ndarray) -> np.ndarray:
    changed = m.copy()
    changed[:3, :3] = m[:3, :3].T
    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.T, r"transposed \(column-major\).*transpose the matrix"),
        (np.linalg.inv, r"are world-to-camera matrices \(extrinsics\).*invert each"),
        (lambda m: np.linalg.inv(m @ FLIP), "world-to-camera matrices with OpenCV axes.*negate"),
        (rotation_transposed, "matrices whose rotation is transposed"),
        (lambda m: m @ np.diag([2.5, 2.5, 2.5, 1.0]), r"scaled by 2\.5: divide"),
        (lambda m: m @ np.diag([1.0, 1.0, -1.0, 1.0]), r"left-handed \(mirrored\)"),
        (lambda m: m + np.diag([0, 0, 0, 1.0]), r"last row of its pose is \[0.0, 0.0, 0.0, 2.0\]"),
        (lambda m: m @ FLIP, r"36 of 36 cameras look away .* OpenCV axes .* negate the second and"),
    ],
)
def test_conventions_are_named(
    tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], message: str
) -> None:
    write(tmp_path, change)
    with pytest.raises(SceneError, match=rf"transforms\.json: .*{message}"):
        read_scene(tmp_path)


def test_true_poses_earn_no_word(tmp_path: Path) -> None:
    write(tmp_path, lambda m: m)
    assert read_scene(tmp_path).notices == ()


def outward() -> list[np.ndarray]:
    places = [pose[:, 3] for pose in arc(range(-170, 190, 20))]
    return [look_at(0.08 * place, place) for place in places]


def test_a_room_from_its_middle(tmp_path: Path) -> None:
    write_transforms(tmp_path / "a", outward())
    with pytest.raises(SceneError, match=r"look away .*inside-out"):
        read_scene(tmp_path / "a")
    # COLMAP's axes are known, so they are no cause.
    write_colmap(tmp_path / "b/sparse/0", outward(), np.zeros((1, 3)))
    save_photos(tmp_path / "b/images", 36)
    with pytest.raises(SceneError, match="look away") as caught:
        read_scene(tmp_path / "b")
    assert "OpenCV" not in str(caught.value)


def test_some_that_look_away(tmp_path: Path) -> None:
    poses = arc(range(-170, 190, 20))
    for pose in poses[:14]:
        pose[:, 0] *= -1
        pose[:, 2] *= -1
    write_transforms(tmp_path, poses)
    assert any("cameras look away" in notice for notice in read_scene(tmp_path).notices)


def test_forward_cameras_without_a_common_point_are_fine(tmp_path: Path) -> None:
    """Side by side and slightly outward: the axes meet behind, as by chance."""
    rng = np.random.default_rng(0)
    places = [(5.0, y, z) for y in np.linspace(-1, 1, 5) for z in np.linspace(-1, 1, 4)]
    poses = [
        look_at(place, np.array([-100.0, 0.0, 0.0]) + rng.normal(0, 12, 3)) for place in places
    ]
    write_llff(tmp_path, poses, (2.0, 9.0))
    assert read_scene(tmp_path).extent == "forward"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cx": 0.5, "cy": 0.5}, "principal point cx 0.5, cy 0.5 is the corner.*about 8, 6"),
        ({"cx": 0.0, "cy": 0.0}, "principal point"),
        ({"fl_x": 0.6, "fl_y": 0.6}, "focal length fx of 0.6 pixels over 16.*expected pixels"),
        ({"camera_angle_x": 1.6}, "fl_x 20.0 and camera_angle_x 1.6 contradict"),
        ({"camera_angle_y": 1.6}, "fl_y 21.0 and camera_angle_y 1.6 contradict"),
        ({"ftheta_p1": 0.007}, "ftheta_p1 belongs to a lens model that is not supported"),
        ({"latlong": True}, "latlong belongs to a lens model"),
        ({"xi": 0.9}, "xi belongs to a lens model"),
        ({"k7": 0.1}, "k7 belongs to a lens model"),
        ({"distortion_params": [0.1, 0.2]}, "distortion_params belongs to a lens model"),
        ({"camera_type": "fisheye"}, "camera_type belongs to a lens model"),
        ({"k5": 0.1}, "k5 belongs to camera_model FULL_OPENCV, found OPENCV"),
        ({"fl_x": 10**400}, "expected fl_x"),
        ({"k1": -3.0}, "model OPENCV .* folds inside the photo"),
    ],
)
def test_lenses_that_cannot_be(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    write_transforms(tmp_path, arc(), **values)
    with pytest.raises(SceneError, match=rf"photo_0\d\.png: .*{message}"):
        read_scene(tmp_path)


@pytest.mark.parametrize(
    "values",
    [
        {"camera_angle_x": 2 * np.arctan(8 / 20.0)},
        {"ftheta_p1": 0.0, "latlong": False, "rolling_shutter": [0, 0, 0, 0]},
        {"camera_type": "perspective", "aabb_scale": 16, "k1": None},
        {"fisheye_crop_radius": 8.0},
    ],
)
def test_keys_that_say_nothing_else(tmp_path: Path, values: dict[str, Any]) -> None:
    write_transforms(tmp_path, arc(), **values)
    scene = read_scene(tmp_path)
    assert scene.train[0].camera.intrinsics == LENS
    assert scene.notices == ()


def test_a_lens_for_photos_of_twice_the_size(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc(), fl_x=40.0, fl_y=42.0, cx=16.0, cy=12.0)
    edit(tmp_path / "transforms.json", lambda data: [data.pop(key) for key in "wh"])
    with pytest.raises(SceneError, match=r"are for photos of about 32×24.*give the size w, h"):
        read_scene(tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cx": 15.0}, "principal point of 12 photos is far from the middle: 15, 5.5"),
        ({"fl_x": 400.0, "fl_y": 400.0}, "field of view of 12 photos is unusual: 2.29°"),
        ({"fl_y": 30.0}, "focal lengths of 12 photos differ across and down: fx 20 and fy 30"),
    ],
)
def test_unusual_lenses_are_noticed(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    write_transforms(tmp_path, arc(), **values)
    assert any(message in notice for notice in read_scene(tmp_path).notices)


def test_the_aspect_counts_in_llff_too(tmp_path: Path) -> None:
    write_llff(tmp_path, arc((-9, -6, -3, 3, 6, 9), (-4, 4)), (2.0, 9.0))
    save_photos(tmp_path / "images", 12, width=12, height=12)
    with pytest.raises(SceneError, match=r"is 12×12, but its lens is for 16×12.*another aspect"):
        read_scene(tmp_path)


@pytest.mark.parametrize(
    ("turn", "scale", "message"),
    [
        ([[1, 0, 0], [0, 0, 1], [0, -1, 0]], 1.0, "up is +y by the cameras"),
        ([[1, 0, 0], [0, 0, -1], [0, 1, 0]], 1.0, "up is −y by the cameras"),
        ([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], 1.0, "up is +x by the cameras"),
        (np.eye(3), 100.0, "400 units from their target.*about 4"),
        (np.eye(3), 0.01, "0.04 units from their target.*about 4"),
    ],
)
def test_worlds_unlike_blenders(tmp_path: Path, turn: Any, scale: float, message: str) -> None:
    poses = arc(range(-170, 190, 20), (20, 50))
    changed = [np.array(turn) @ pose * [1, 1, 1, scale] for pose in poses]
    write_transforms(tmp_path, changed)
    (tmp_path / "transforms.json").rename(tmp_path / "transforms_train.json")
    (notice,) = read_scene(tmp_path).notices
    before, _, after = message.partition(".*")
    assert before in notice
    assert after in notice
    # The mend that it names works.
    (tmp_path / "transforms_train.json").rename(tmp_path / "transforms.json")
    scene = read_scene(tmp_path)
    np.testing.assert_allclose(scene.orbit.elevation, (20, 50), atol=1e-6)
    assert scene.orbit.radius[1] < 5.0
