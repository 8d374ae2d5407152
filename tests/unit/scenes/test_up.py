"""Up is across the cameras' x axes, whatever part of the round they cover."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mobile_nelf.cameras import OrbitLimits, look_at
from mobile_nelf.errors import SceneError
from mobile_nelf.scenes import Scene, read_scene
from mobile_nelf.scenes.world import common_up
from tests.helpers.scenes import Elsewhere, write_transforms

ORBIT = OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (-90, 90), (4, 4))


def rolled(pose: np.ndarray, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turned = pose.copy()
    turned[:, :3] = pose[:, :3] @ [[c, -s, 0], [s, c, 0], [0, 0, 1]]
    return turned


def arc_from_above(degrees: float, roll: float = 0.0) -> list[np.ndarray]:
    """Cameras at elevations of 20, 45 and 70 degrees in turn, held by hand if `roll` is given."""
    rng = np.random.default_rng(0)
    return [
        rolled(ORBIT.pose(degrees * i / 24, (20, 45, 70)[i % 3], 4.0), rng.normal(0.0, roll))
        for i in range(24)
    ]


def scene_of(folder: Path, poses: list[np.ndarray], seed: int = 1) -> Scene:
    elsewhere = Elsewhere.random(seed)
    write_transforms(folder, [elsewhere.pose(pose) for pose in poses])
    return read_scene(folder)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("degrees", [40, 120, 180, 240, 360])
def test_an_arc_from_above_is_level(tmp_path: Path, degrees: float, seed: int) -> None:
    scene = scene_of(tmp_path, arc_from_above(degrees), seed)
    for view in (*scene.train, *scene.test):
        assert view.camera.cam_to_world[2, 0] == pytest.approx(0.0, abs=1e-9)
        assert view.camera.cam_to_world[2, 1] > 0.0
    np.testing.assert_allclose(scene.orbit.elevation, (20, 70), atol=1e-6)
    assert scene.notices == ()


@pytest.mark.parametrize("degrees", [120, 180, 360])
def test_cameras_held_by_hand(tmp_path: Path, degrees: float) -> None:
    scene = scene_of(tmp_path, arc_from_above(degrees, roll=3.0))
    np.testing.assert_allclose(scene.orbit.elevation, (20, 70), atol=4.0)


def test_forward_cameras_that_look_down_are_level(tmp_path: Path) -> None:
    """The mean of their own ups would lean by the 23 degrees that they look down."""
    places = [(8.0, 0.5 * (i % 5 - 2), 3.4 + 0.3 * (i // 5)) for i in range(20)]
    scene = scene_of(tmp_path, [look_at(place, (0, 0, 0)) for place in places])
    assert scene.extent == "forward"
    assert max(abs(v.camera.cam_to_world[2, 0]) for v in scene.train) < 1e-9
    elevations = [np.degrees(np.arctan2(z, np.hypot(x, y))) for x, y, z in places]
    assert scene.orbit.elevation[0] == pytest.approx(min(elevations), abs=0.5)


def test_pictures_from_above_turned_in_all_directions() -> None:
    """Their own ups cancel out, so that they only say that the cameras look down."""
    poses = [rolled(ORBIT.pose(30.0 * i, 89.0, 4.0), 47.0 * i) for i in range(36)]
    up = common_up(np.stack(poses)[:, :, :3])
    np.testing.assert_allclose(up.direction, (0, 0, 1), atol=0.01)
    assert up.known


@pytest.mark.parametrize("kind", ["parallel", "turned at random"])
def test_where_x_axes_do_not_tell_the_photos_do(tmp_path: Path, kind: str) -> None:
    if kind == "parallel":
        tilts = np.radians(3.0 * np.sin(np.arange(25)))
        poses = [
            np.array([[1, 0, 0, i % 5], [0, c, -s, i // 5], [0, s, c, 6.0]])
            for i, (c, s) in enumerate(zip(np.cos(tilts), np.sin(tilts), strict=True))
        ]
        true = (0.0, 1.0, 0.0)
    else:
        poses = [rolled(pose, 60 * (i % 3 - 1)) for i, pose in enumerate(arc_from_above(360))]
        true = (0.0, 0.0, 1.0)
    up = common_up(np.stack(poses)[:, :, :3])
    assert not up.known
    np.testing.assert_allclose(up.direction, true, atol=0.02)
    (notice,) = scene_of(tmp_path, poses).notices
    assert notice.startswith("up is the mean of the photos' upper sides")


def test_no_up_at_all() -> None:
    opposite = [np.eye(3), np.diag([1.0, -1.0, -1.0])]
    with pytest.raises(ValueError, match="no common up direction"):
        common_up(np.stack(opposite))


def test_a_file_that_knows_its_up_and_its_size_is_believed(tmp_path: Path) -> None:
    """As captures of the printed board write it: cameras that all lean tell another up."""
    elsewhere = Elsewhere.random(3)
    poses = [elsewhere.pose(rolled(pose, 20.0)) for pose in arc_from_above(120)]
    up = 3.0 * elsewhere.rotation[:, 2]
    write_transforms(tmp_path, poses, up=up.tolist(), metres_per_unit=0.25)
    scene = read_scene(tmp_path)
    np.testing.assert_allclose(scene.orbit.elevation, (20, 70), atol=1e-6)
    assert scene.metres_per_unit == pytest.approx(0.25 * elsewhere.scale)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"metres_per_unit": 0}, "metres_per_unit is 0, expected a length in metres"),
        ({"metres_per_unit": "1 m"}, "metres_per_unit is '1 m', expected a length"),
        ({"up": [0, 0, 0]}, r"up is \[0, 0, 0\], expected a direction of three numbers"),
        ({"up": "z"}, "up is 'z', expected a direction"),
    ],
)
def test_sizes_and_ups_that_are_none_are_refused(tmp_path: Path, values, message) -> None:
    write_transforms(tmp_path, arc_from_above(120), **values)
    with pytest.raises(SceneError, match=message):
        read_scene(tmp_path)
