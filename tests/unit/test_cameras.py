from __future__ import annotations

import math

import numpy as np
import pytest

from mobile_nelf.cameras import Camera, Intrinsics, OrbitLimits, look_at

#: Float64 arithmetic of a few operations on numbers near 1.
EXACT = 1e-12
#: Angles come back through arcsin, which loses half the digits near ±90 degrees.
ANGLE_DEG = 1e-5

LENS = Intrinsics.centred(8, 6, 10.0)


def orbit(
    azimuth: tuple[float, float] = (-180.0, 180.0),
    target: tuple[float, float, float] = (0.0, 0.0, 0.0),
    up: tuple[float, float, float] = (0.0, 0.0, 1.0),
) -> OrbitLimits:
    return OrbitLimits(target, up, azimuth, (-20.0, 70.0), (3.0, 5.0))


def assert_right_handed_frame(cam_to_world: np.ndarray) -> None:
    rotation = cam_to_world[:, :3]
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=EXACT)
    np.testing.assert_allclose(np.cross(rotation[:, 0], rotation[:, 1]), rotation[:, 2], atol=EXACT)


@pytest.mark.parametrize(
    "up", [(0.0, 0.0, 1.0), (0.0, 2.0, 0.0), (1.0, 0.0, 0.0), (1.0, -2.0, 3.0)]
)
def test_look_at_is_a_right_handed_frame_that_looks_along_minus_z(
    up: tuple[float, float, float],
) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        position, target = rng.normal(size=3) * 4, rng.normal(size=3)
        pose = look_at(position, target, up)
        assert_right_handed_frame(pose)
        np.testing.assert_array_equal(pose[:, 3], position)
        distance = np.linalg.norm(target - position)
        # Going `distance` along −z of the camera arrives at the target.
        np.testing.assert_allclose(pose @ [0.0, 0.0, -distance, 1.0], target, atol=EXACT)
        # `up` has no share to the right on the screen and points to its upper half.
        assert abs(np.dot(pose[:, 0], up)) < EXACT
        assert np.dot(pose[:, 1], up) > 0.0


@pytest.mark.parametrize("height", [5.0, -5.0])
@pytest.mark.parametrize("up", [(0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)])
def test_look_at_from_straight_above_and_below(
    up: tuple[float, float, float], height: float
) -> None:
    pose = look_at(height * np.asarray(up), (0.0, 0.0, 0.0), up)
    assert_right_handed_frame(pose)
    np.testing.assert_allclose(pose[:, 2], math.copysign(1.0, height) * np.asarray(up), atol=EXACT)
    assert abs(np.dot(pose[:, 0], up)) < EXACT


def test_a_camera_cannot_look_at_its_own_position() -> None:
    with pytest.raises(ValueError, match="cannot look at its own position"):
        look_at((1.0, 2.0, 3.0), (1.0, 2.0, 3.0))


@pytest.mark.parametrize("up", [(0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.6, 0.0, 0.8)])
def test_pose_comes_back_as_azimuth_elevation_and_radius(up: tuple[float, float, float]) -> None:
    limits = orbit(target=(0.5, -1.0, 2.0), up=up)
    axis_0, axis_90, upright = limits.basis()
    for azimuth in (-170.0, -90.0, 0.0, 33.0, 179.0):
        for elevation in (-85.0, -10.0, 0.0, 45.0, 89.0):
            pose = limits.pose(azimuth, elevation, 4.0)
            assert_right_handed_frame(pose)
            offset = pose[:, 3] - limits.target
            assert math.degrees(math.atan2(offset @ axis_90, offset @ axis_0)) == pytest.approx(
                azimuth, abs=ANGLE_DEG
            )
            assert math.degrees(math.asin(offset @ upright / 4.0)) == pytest.approx(
                elevation, abs=ANGLE_DEG
            )
            assert np.linalg.norm(offset) == pytest.approx(4.0, abs=EXACT)
            np.testing.assert_allclose(
                pose, look_at(pose[:, 3], limits.target, up), atol=EXACT, rtol=0
            )


def test_azimuth_of_a_z_up_orbit_is_counted_from_x_to_y() -> None:
    limits = orbit()
    np.testing.assert_allclose(limits.pose(0, 0, 2)[:, 3], [2, 0, 0], atol=EXACT)
    np.testing.assert_allclose(limits.pose(90, 0, 2)[:, 3], [0, 2, 0], atol=EXACT)
    np.testing.assert_allclose(limits.pose(0, 30, 2)[:, 3], [3**0.5, 0, 1], atol=EXACT)


@pytest.mark.parametrize("azimuth", [0.0, 90.0, -135.0])
def test_the_picture_does_not_jump_at_the_pole(azimuth: float) -> None:
    below, above = (orbit().pose(azimuth, elevation, 4.0) for elevation in (89.999, 90.0))
    # A thousandth of a degree moves the camera by 4·1.7e-5.
    assert np.abs(below - above).max() < 1e-4
    assert_right_handed_frame(above)


def poses_to_cameras(limits: OrbitLimits, azimuths: list[float]) -> list[Camera]:
    elevations = [-20.0, 70.0, 10.0]
    radii = [3.0, 5.0, 4.0, 3.5]
    return [
        Camera(limits.pose(azimuth, elevations[i % 3], radii[i % 4]), LENS)
        for i, azimuth in enumerate(azimuths)
    ]


@pytest.mark.parametrize(
    ("azimuths", "arc"),
    [
        (list(range(-180, 180, 15)), (-180.0, 180.0)),
        (list(range(-30, 80, 10)), (-30.0, 70.0)),
        # Across ±180 degrees the arc continues beyond 180 instead of starting over.
        ([*range(150, 181, 10), *range(-170, -119, 10)], (150.0, 240.0)),
        (list(range(-175, 100, 25)), (-175.0, 75.0)),
    ],
)
@pytest.mark.parametrize("up", [(0.0, 0.0, 1.0), (0.0, 1.0, 0.0)])
def test_limits_are_recovered_from_cameras(
    azimuths: list[float], arc: tuple[float, float], up: tuple[float, float, float]
) -> None:
    made = orbit(target=(0.3, 0.2, -0.7), up=up)
    found = OrbitLimits.from_cameras(poses_to_cameras(made, azimuths), up)
    np.testing.assert_allclose(found.target, made.target, atol=EXACT)
    np.testing.assert_allclose(found.azimuth, arc, atol=ANGLE_DEG)
    np.testing.assert_allclose(found.elevation, made.elevation, atol=ANGLE_DEG)
    np.testing.assert_allclose(found.radius, made.radius, atol=EXACT)
    assert found.full_turn == (arc == (-180.0, 180.0))


def test_an_orbit_needs_different_directions() -> None:
    camera = Camera(orbit().pose(10, 20, 4), LENS)
    shifted = Camera(camera.cam_to_world + np.eye(3, 4, 3), LENS)
    for cameras in ([], [camera], [camera, shifted]):
        with pytest.raises(ValueError, match="two cameras that look in different directions"):
            OrbitLimits.from_cameras(cameras)


def test_cameras_that_turn_on_the_spot_are_no_orbit() -> None:
    turning = [orbit().pose(azimuth, 0, 4) for azimuth in (0, 60, 120)]
    for pose in turning:
        pose[:, 3] = 1.0
    with pytest.raises(ValueError, match="found one at its centre"):
        OrbitLimits.from_cameras([Camera(pose, LENS) for pose in turning])


def test_a_full_sweep_ends_one_step_before_its_start() -> None:
    poses = orbit().sweep(4)
    azimuths = [math.degrees(math.atan2(pose[1, 3], pose[0, 3])) % 360 for pose in poses]
    np.testing.assert_allclose(azimuths, [180, 270, 0, 90], atol=ANGLE_DEG)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_partial_sweep_stays_within_the_limits_and_reaches_both_ends(count: int) -> None:
    limits = orbit(azimuth=(150.0, 240.0))
    poses = limits.sweep(count)
    assert len(poses) == count
    azimuths, elevations = [], []
    for pose in poses:
        assert_right_handed_frame(pose)
        azimuths.append(math.degrees(math.atan2(pose[1, 3], pose[0, 3])) % 360)
        elevations.append(math.degrees(math.asin(pose[2, 3] / np.linalg.norm(pose[:, 3]))))
    assert min(azimuths) == pytest.approx(150.0)
    assert max(azimuths) == pytest.approx(240.0 if count > 1 else 150.0)
    assert limits.elevation[0] <= min(elevations)
    assert max(elevations) <= limits.elevation[1]


def test_resizing_keeps_the_directions_of_the_image_corners() -> None:
    lens = Intrinsics(800, 600, 1000.0, 900.0, 410.0, 280.0)
    small = lens.resized(100, 50)
    for u, v in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]:
        wide = ((u * 800 - lens.cx) / lens.fx, (v * 600 - lens.cy) / lens.fy)
        narrow = ((u * 100 - small.cx) / small.fx, (v * 50 - small.cy) / small.fy)
        assert narrow == pytest.approx(wide, abs=EXACT)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, 6, 1.0, 1.0, 0.0, 0.0), "need a pixel grid of 1 to 65536 a side, found 0×6"),
        (
            (8, 6, 0.0, 1.0, 0.0, 0.0),
            "need positive focal lengths in pixels, for a grid of 8×6, found fx 0.0",
        ),
        ((8, 6, 1.0, math.nan, 0.0, 0.0), "fy nan"),
        ((8, 6, 1.0, math.inf, 0.0, 0.0), "fy inf"),
        ((8, 6, 5e-324, 1.0, 0.0, 0.0), "fx 5e-324"),
        ((8, 6, 1.0, 1e7, 0.0, 0.0), "fy 10000000"),
        ((8, 6, 1.0, 1.0, math.nan, 0.0), "need a principal point near the grid of 8×6"),
        ((8, 6, 1.0, 1.0, 0.0, -1e6), "cy -1000000"),
        ((10**6, 10**6, 1e6, 1e6, 0.0, 0.0), "found 1000000×1000000"),
    ],
)
def test_lenses_that_cannot_be_are_refused(
    values: tuple[int, int, float, float, float, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Intrinsics(*values)
