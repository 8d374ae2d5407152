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
from mobile_nelf.scenes.plausibility import pose_notices
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


def captures(rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """Captures as people make them, each photo rolled by hand."""

    def sphere(azimuth: float, elevation: float, radius: float = 4.0) -> np.ndarray:
        a, e = np.radians([azimuth, elevation])
        return radius * np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])

    def drone(i: int) -> np.ndarray:
        place = np.array([i % 6 * 2.0, i // 6 * 2.0, 10.0])
        return look_at(place, place + np.array([*rng.normal(0.0, 0.03, 2), -1.0]))

    places = [sphere(9 * i, 20 + 10 * np.sin(i), rng.uniform(3.0, 5.0)) for i in range(40)]
    made = {
        "orbit": [look_at(p, rng.normal(0.0, 0.5, 3)) for p in places],
        "arc": [look_at(p, rng.normal(0.0, 0.2, 3)) for p in places[:12]],
        "spiral": [look_at(sphere(14 * i, 1.5 * i), rng.normal(0.0, 0.2, 3)) for i in range(50)],
        "closing in": [
            look_at((6 - 0.15 * i, *rng.normal(0.0, 0.3, 2)), (0, 0, 0)) for i in range(25)
        ],
        "along a wall": [
            look_at((0.3 * i, -4, 1), (0.3 * i, 0, rng.uniform(0, 1))) for i in range(25)
        ],
        "one side": [
            look_at((5, *rng.uniform(-1, 1, 2)), rng.normal(0.0, 0.3, 3)) for _ in range(25)
        ],
        "drone": [drone(i) for i in range(36)],
        "round a room": [
            look_at((3 * np.cos(a), 2 * np.sin(a), 1.5), (*rng.normal(0.0, 0.5, 2), 1.2))
            for a in np.linspace(0.0, 6.0, 40)
        ],
    }

    def rolled(pose: np.ndarray) -> np.ndarray:
        angle = np.radians(rng.normal(0.0, 3.0))
        c, s = np.cos(angle), np.sin(angle)
        return np.c_[pose[:, :3] @ [[c, -s, 0], [s, c, 0], [0, 0, 1]], pose[:, 3]]

    return {kind: [rolled(pose) for pose in poses] for kind, poses in made.items()}


@pytest.mark.parametrize("seed", range(8))
def test_real_captures_are_not_accused(seed: int) -> None:
    world = Elsewhere.random(seed)
    for kind, poses in captures(np.random.default_rng(seed)).items():
        for placed in (poses, [world.pose(pose) for pose in poses]):
            for known in (False, True):
                found = pose_notices(np.stack(placed), "f", own_axes=True, depths_known=known)
                assert found == [], (kind, found)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["orbit", "arc", "spiral", "round a room"])
def test_captures_with_opencv_axes_are_refused(kind: str, seed: int) -> None:
    poses = np.stack(captures(np.random.default_rng(seed))[kind])
    poses[:, :, 1:3] *= -1.0
    with pytest.raises(SceneError, match="OpenCV axes"):
        pose_notices(poses, "f", own_axes=True)


@pytest.mark.parametrize(
    ("undo", "said"),
    [(np.linalg.inv, "inverted;"), (rotation_transposed, "transposed in its rotation;")],
)
def test_formats_that_fix_their_axes_say_what_was_done(
    undo: Callable[[np.ndarray], np.ndarray], said: str
) -> None:
    world = Elsewhere.random(3)
    poses = [np.vstack([world.pose(p), [0, 0, 0, 1]]) for p in arc(range(-170, 190, 20))]
    with pytest.raises(SceneError, match=rf"look at one point only if each pose is {said}"):
        pose_notices(np.stack([undo(p)[:3] for p in poses]), "f", own_axes=False)


def test_a_fan_is_noticed_where_depths_are_known() -> None:
    """Side by side and outward; without depths it would be OpenCV axes as well."""
    rng = np.random.default_rng(0)
    places = np.c_[np.zeros(20), rng.uniform(-1.0, 1.0, (20, 2))]
    poses = np.stack([look_at(p, [-10.0, 4.0 * p[1], 4.0 * p[2]]) for p in places])
    (notice,) = pose_notices(poses, "f", own_axes=False, depths_known=True)
    assert "look away" in notice
    with pytest.raises(SceneError, match="look away"):
        pose_notices(poses, "f", own_axes=True)


def test_a_better_convention_is_noticed_where_both_fit_somewhat() -> None:
    """By hand, axes never meet so closely that another convention is sure."""
    world = Elsewhere.random(1)
    poses = captures(np.random.default_rng(1))["spiral"]
    whole = [np.vstack([world.pose(pose), [0, 0, 0, 1]]) for pose in poses]
    given = np.stack([np.linalg.inv(pose)[:3] for pose in whole])
    assert "more closely if the poses were world-to-camera" in " ".join(
        pose_notices(given, "f", own_axes=True)
    )
