from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobile_nelf.cameras import Camera, OrbitLimits, look_at
from mobile_nelf.scenes import Scene
from mobile_nelf.training.views.pseudo_cameras import (
    BEYOND,
    LOOK_AT_JITTER,
    MARGIN,
    RADIUS_JITTER,
    PseudoCameras,
)
from tests.helpers.ball import LENS, around, grey_picture, in_front, scene_of

COUNT = 200
#: A deviation beyond so many of its standard deviations happens once in ten million.
SIGMAS = 5.5
EXACT = 1e-12


def scene_with(folder: Path, cameras: Sequence[Camera]) -> Scene:
    """A scene of what is all around; new cameras are mixed from the photos' cameras."""
    return scene_of(folder, cameras, picture=grey_picture, extent="unbounded")


def object_with(folder: Path, cameras: Sequence[Camera]) -> Scene:
    """An object with alpha; new cameras are anywhere on the orbit of the photos' cameras."""
    scene = scene_of(folder, cameras, picture=grey_picture, extent="bounded")
    return replace(scene, orbit=OrbitLimits.from_cameras(cameras, target=(0, 0, 0)))


def drawn(scene: Scene, seed: int = 0) -> list[Camera]:
    cameras = PseudoCameras(scene, seed)
    return [cameras.camera(index) for index in range(COUNT)]


def positions(cameras: Sequence[Camera]) -> np.ndarray:
    return np.stack([camera.position for camera in cameras])


def hull_distance(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """How far points [N, 3] lie outside of the convex hull of [C, 3], at least.

    The widest gap over many directions between a point and the plane that touches the hull.
    """
    directions = np.random.default_rng(0).standard_normal((4000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    touching = (corners @ directions.T).max(0)
    return (points @ directions.T - touching).max(1)


ARRANGEMENTS = {
    "all round": around(24),
    "few": around(5),
    "forward": in_front(),
    "parallel": in_front(towards=0.0),
    "arc": [
        Camera(OrbitLimits((0, 0, 0), (0, 0, 1), (0, 90), (5, 30), (4, 4)).pose(a, e, r), LENS)
        for a, e, r in [(0, 5, 4), (20, 30, 4.4), (40, 10, 3.6), (60, 25, 4), (80, 5, 4)]
    ],
}


@pytest.fixture(params=ARRANGEMENTS)
def arranged(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    return scene_with(tmp_path, ARRANGEMENTS[request.param])


def test_a_camera_depends_on_seed_and_index_alone(arranged: Scene) -> None:
    first = PseudoCameras(arranged, 3)
    again = PseudoCameras(arranged, 3)
    backwards = [again.camera(index) for index in (7, 2**40, 5, 7, 0)]
    for index, camera in zip((7, 2**40, 5, 7, 0), backwards, strict=True):
        wanted = first.camera(index)
        assert np.array_equal(camera.cam_to_world, wanted.cam_to_world)
        assert camera.intrinsics == wanted.intrinsics
    poses = [camera.cam_to_world for camera in drawn(arranged, 3)]
    assert len({pose.tobytes() for pose in poses}) == COUNT
    other = [camera.cam_to_world for camera in drawn(arranged, 4)]
    assert not {pose.tobytes() for pose in poses} & {pose.tobytes() for pose in other}


def test_rotations_are_rotations(arranged: Scene) -> None:
    for camera in drawn(arranged):
        rotation = camera.cam_to_world[:, :3]
        np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=EXACT)
        assert np.linalg.det(rotation) == pytest.approx(1.0)
        assert camera.intrinsics == LENS


def test_cameras_stay_where_the_photos_were_taken(arranged: Scene) -> None:
    """Within the shell of the distances and near to the hull of the bearings from the target."""
    train, new = (positions(cameras) for cameras in (cameras_of(arranged), drawn(arranged)))
    train_radius, radius = (np.linalg.norm(points, axis=1) for points in (train, new))
    # A mix goes beyond the largest part by a fifteenth of the spread, and is jittered then.
    slack = BEYOND * np.ptp(train_radius)
    jitter = SIGMAS * RADIUS_JITTER
    assert radius.max() <= (train_radius.max() + slack) * (1.0 + jitter)
    assert radius.min() >= (train_radius.min() - slack) * (1.0 - jitter)
    # Against the cone of the training bearings, which a normalised mix can leave by BEYOND only.
    bearings = train / train_radius[:, None]
    widest = np.linalg.norm(bearings[:, None] - bearings[None], axis=2).max()
    cone = np.concatenate([bearings, 3.0 * bearings, 0.0 * bearings])
    assert hull_distance(new / radius[:, None], cone).max() <= BEYOND * widest


def cameras_of(scene: Scene) -> list[Camera]:
    return [view.camera for view in scene.train]


@pytest.mark.parametrize("towards", [0.0, 0.3])
def test_forward_facing_cameras_stay_in_front(tmp_path: Path, towards: float) -> None:
    scene = scene_with(tmp_path, in_front(towards=towards))
    train, new = (positions(cameras) for cameras in (cameras_of(scene), drawn(scene)))
    low, high = train.min(0), train.max(0)
    margin = BEYOND * (high - low)
    # Along the way to the target the radius has its jitter, of four units here.
    margin += np.array([0.1, 1.0, 0.1]) * SIGMAS * RADIUS_JITTER * 4.0
    assert np.all(new >= low - margin)
    assert np.all(new <= high + margin)
    spread = np.ptp(new, axis=0)
    assert np.all(spread[[0, 2]] > 0.7 * (high - low)[[0, 2]]), "they fill the plane"


def passes_by(cameras: Sequence[Camera]) -> np.ndarray:
    """How far the optical axes pass by the target, which is the origin."""
    back = np.stack([camera.cam_to_world[:, 2] for camera in cameras])
    offset = positions(cameras)
    return np.linalg.norm(offset - back * np.sum(offset * back, 1, keepdims=True), axis=1)


def test_cameras_look_where_the_photos_look(arranged: Scene) -> None:
    cameras = drawn(arranged)
    farthest = passes_by(cameras_of(arranged)).max()
    jitter = LOOK_AT_JITTER * 4.4 * np.sqrt(3.0) * SIGMAS
    assert passes_by(cameras).max() <= (1.0 + BEYOND) * farthest + jitter
    assert np.median(passes_by(cameras)) <= farthest + LOOK_AT_JITTER * 4.4 * 2.0
    for camera in cameras:
        assert camera.position @ camera.cam_to_world[:, 2] > 0.0, "the target is ahead"


def test_parallel_cameras_stay_parallel(tmp_path: Path) -> None:
    scene = scene_with(tmp_path, in_front(towards=0.0))
    back = np.stack([camera.cam_to_world[:, 2] for camera in drawn(scene)])
    assert np.abs(back - (0.0, -1.0, 0.0)).max() < 2.0 * SIGMAS * LOOK_AT_JITTER


@pytest.mark.parametrize("kind", [kind for kind in ARRANGEMENTS if kind != "few"])
def test_the_roll_is_upright(tmp_path: Path, kind: str) -> None:
    """The photos' x axes are level, and so are the new ones, as far as a mix of ups can tell."""
    scene = scene_with(tmp_path, ARRANGEMENTS[kind])
    assert max(abs(camera.cam_to_world[2, 0]) for camera in cameras_of(scene)) < EXACT
    cameras = drawn(scene)
    level = np.array([abs(camera.cam_to_world[2, 0]) for camera in cameras])
    upward = np.array([camera.cam_to_world[2, 1] for camera in cameras])
    assert upward.min() > 0.5
    assert np.degrees(np.arcsin(np.median(level))) < 4.0
    assert np.degrees(np.arcsin(level.max())) < 20.0


def test_a_roll_that_all_photos_have_is_kept(tmp_path: Path) -> None:
    """Photos on their sides make new views on their sides."""
    turned = [
        Camera(look_at(camera.position, np.zeros(3), (1.0, 0.0, 0.3)), LENS)
        for camera in in_front()
    ]
    for camera in drawn(scene_with(tmp_path, turned)):
        assert camera.cam_to_world[0, 1] > 0.9


def test_new_views_are_spread_over_all_photos(tmp_path: Path) -> None:
    scene = scene_with(tmp_path, around(24))
    new = positions(drawn(scene))
    distance = np.linalg.norm(new[:, None] - positions(cameras_of(scene))[None], axis=2)
    nearest = np.bincount(distance.argmin(1), minlength=24)
    assert nearest.min() >= 2
    assert nearest.max() <= COUNT / 6


def test_each_camera_has_the_lens_of_a_photo(tmp_path: Path) -> None:
    lenses = [replace(LENS, fx=LENS.fx + index) for index in range(5)]
    cameras = [
        replace(camera, intrinsics=lens) for camera, lens in zip(around(5), lenses, strict=True)
    ]
    seen = {camera.intrinsics for camera in drawn(scene_with(tmp_path, cameras))}
    assert seen == set(lenses)


@pytest.mark.parametrize(
    "cameras",
    [
        around(1),
        around(2),
        [Camera(look_at((4.0, 0.0, 0.0), (0, 0, 0)), LENS)] * 2,
        [Camera(look_at((4.0, 0.0, 1.0), (0, 0, 0)), LENS)] * 3 + around(2),
        [Camera(look_at((x, 0.0, 0.0), (0, 0, 0)), LENS) for x in (4.0, -4.0)],
        [Camera(look_at((0.1 * x, 0.0, 4.0), (0, 0, 0)), LENS) for x in (1.0, 0.0, -1.0)],
    ],
    ids=["one", "two", "the same twice", "thrice among others", "face to face", "from above"],
)
def test_the_least_of_scenes_has_cameras(tmp_path: Path, cameras: list[Camera]) -> None:
    scene = scene_with(tmp_path, cameras)
    radii = np.linalg.norm(positions(cameras), axis=1)
    for camera in drawn(scene):
        assert np.isfinite(camera.cam_to_world).all()
        rotation = camera.cam_to_world[:, :3]
        np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=EXACT)
        radius = np.linalg.norm(camera.position)
        slack = SIGMAS * RADIUS_JITTER * radii.max()
        assert radii.min() - slack <= radius <= radii.max() + slack


def on_the_sphere(cameras: Sequence[Camera]) -> np.ndarray:
    """Azimuth and elevation of cameras round the origin in degrees, [N, 2]."""
    x, y, z = positions(cameras).T
    return np.degrees(np.stack([np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))], axis=1))


def all_but_a_sector() -> list[Camera]:
    """Cameras round an object, at two heights, and none between azimuth 0 and 40."""
    limits = OrbitLimits((0, 0, 0), (0, 0, 1), (40, 360), (0, 40), (4, 4))
    return [
        Camera(limits.pose(azimuth, elevation, 4.0), LENS)
        for azimuth in range(45, 360, 10)
        for elevation in (0, 40)
    ]


def test_round_an_object_the_gaps_between_the_photos_are_filled(tmp_path: Path) -> None:
    cameras = all_but_a_sector()
    azimuth, _ = on_the_sphere(drawn(object_with(tmp_path, cameras))).T
    in_the_gap = np.mean((azimuth > 0.0) & (azimuth < 40.0))
    # The wrong way round the orbit would leave it at nothing, and mixing at a few per cent.
    assert in_the_gap == pytest.approx(40 / 360, abs=0.07)
    mixed, _ = on_the_sphere(drawn(scene_with(tmp_path, cameras))).T
    assert np.mean((mixed > 10.0) & (mixed < 30.0)) < 0.02


def test_round_an_object_they_cover_the_orbit_and_its_margin_evenly(tmp_path: Path) -> None:
    _, elevation = on_the_sphere(drawn(object_with(tmp_path, all_but_a_sector()))).T
    assert elevation.min() >= -MARGIN - 1e-9
    assert elevation.max() <= 40.0 + MARGIN + 1e-9
    assert elevation.min() < 0.0
    assert elevation.max() > 40.0
    # Evenly on the sphere is evenly in the sine: the median is where half of the area is below.
    half = np.sin(np.radians([-MARGIN, 40.0 + MARGIN])).mean()
    assert np.mean(np.sin(np.radians(elevation)) < half) == pytest.approx(0.5, abs=0.12)


def test_round_an_object_an_arc_stays_an_arc(tmp_path: Path) -> None:
    azimuth, _ = on_the_sphere(drawn(object_with(tmp_path, ARRANGEMENTS["arc"]))).T
    assert azimuth.min() >= -1e-9
    assert azimuth.max() <= 80.0 + 1e-9


def test_round_an_object_distance_and_axis_are_those_of_the_photos_beside(tmp_path: Path) -> None:
    """Photos from one half are twice as far, and look past the object."""
    beside = np.array([0.0, 0.0, 0.5])
    cameras = []
    for azimuth in range(0, 360, 10):
        near = azimuth < 180
        radius, looked_at = (3.0, 0.0 * beside) if near else (6.0, beside)
        angle = np.radians(azimuth)
        position = radius * np.array([np.cos(angle), np.sin(angle), 0.1])
        cameras.append(Camera(look_at(position, looked_at), LENS))
    new = drawn(object_with(tmp_path, cameras))
    azimuth, _ = on_the_sphere(new).T
    radius = np.linalg.norm(positions(new), axis=1)
    past = passes_by(new)
    near, far = (azimuth > 20.0) & (azimuth < 160.0), (azimuth < -20.0) & (azimuth > -160.0)
    assert near.sum() > 40
    assert far.sum() > 40
    np.testing.assert_allclose(radius[near], 3.0, rtol=SIGMAS * RADIUS_JITTER)
    np.testing.assert_allclose(radius[far], 6.0, rtol=SIGMAS * RADIUS_JITTER)
    assert past[near].max() < 3.0 * SIGMAS * LOOK_AT_JITTER * np.sqrt(3.0)
    assert past[far].min() > 0.2


@pytest.mark.parametrize("cameras", [around(24), around(5)], ids=["many", "few"])
def test_round_an_object_cameras_are_upright_rotations(
    tmp_path: Path, cameras: list[Camera]
) -> None:
    scene = object_with(tmp_path, cameras)
    first, again = drawn(scene, 3), drawn(scene, 3)
    assert [c.cam_to_world.tobytes() for c in first] == [c.cam_to_world.tobytes() for c in again]
    assert len({camera.cam_to_world.tobytes() for camera in first}) == COUNT
    for camera in first:
        rotation = camera.cam_to_world[:, :3]
        np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=EXACT)
        assert np.linalg.det(rotation) == pytest.approx(1.0)
        assert camera.cam_to_world[2, 1] > 0.3
        assert camera.intrinsics == LENS
