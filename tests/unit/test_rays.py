from __future__ import annotations

import numpy as np
import pytest

from mobile_nelf.cameras import Camera, Intrinsics, look_at
from mobile_nelf.rays import ray_grid, ray_map, sample_depths, sample_points
from tests.helpers.oracles import LENSES, POSE, slow_direction

#: Float64 arithmetic of a few operations on numbers below 10.
EXACT = 1e-13


@pytest.fixture(params=LENSES.values(), ids=list(LENSES))
def camera(request: pytest.FixtureRequest) -> Camera:
    return Camera(POSE, request.param)


def test_ray_grid_is_the_definition_pixel_by_pixel(camera: Camera) -> None:
    grid = ray_grid(camera)
    lens = camera.intrinsics
    assert grid.dtype == np.float64
    assert grid.shape == (6, lens.height, lens.width)
    for v in range(lens.height):
        for u in range(lens.width):
            np.testing.assert_array_equal(grid[:3, v, u], camera.cam_to_world[:, 3])
            np.testing.assert_allclose(
                grid[3:, v, u], slow_direction(camera, u, v), atol=EXACT, rtol=0
            )


def test_ray_map_gives_every_direction(camera: Camera) -> None:
    rays = ray_map(camera)
    for u, v in [(0, 0), (3, 0), (0, 2), (5, 2)]:
        np.testing.assert_allclose(
            rays.d0 + u * rays.du + v * rays.dv, slow_direction(camera, u, v), atol=EXACT, rtol=0
        )


def test_flat_is_origin_d0_du_dv(camera: Camera) -> None:
    rays = ray_map(camera)
    flat = rays.flat()
    assert flat.shape == (12,)
    for position, vector in enumerate((rays.origin, rays.d0, rays.du, rays.dv)):
        np.testing.assert_array_equal(flat[3 * position : 3 * position + 3], vector)


def test_a_pixel_projects_back_onto_itself(camera: Camera) -> None:
    grid = ray_grid(camera)
    lens = camera.intrinsics
    rotation, position = camera.cam_to_world[:, :3], camera.cam_to_world[:, 3]
    for v in range(lens.height):
        for u in range(lens.width):
            point_world = grid[:3, v, u] + 2.7 * grid[3:, v, u]
            x, y, z = rotation.T @ (point_world - position)
            # Depth is measured along the optical axis.
            assert z == pytest.approx(-2.7, abs=EXACT)
            assert lens.cx + lens.fx * x / -z == pytest.approx(u + 0.5)
            assert lens.cy - lens.fy * y / -z == pytest.approx(v + 0.5)


def test_a_crop_window_sees_the_same_rays_as_the_whole_image() -> None:
    whole = ray_grid(Camera(POSE, Intrinsics.centred(100, 100, 138.9)))
    window = ray_grid(Camera(POSE, LENSES["crop window"]))
    np.testing.assert_allclose(window, whole[:, 10:15, 40:46], atol=EXACT, rtol=0)


def test_rows_run_downwards_and_columns_to_the_right() -> None:
    # A level camera on the x axis that looks at the origin: right is +y, up is +z.
    grid = ray_grid(Camera(look_at((4, 0, 0), (0, 0, 0)), Intrinsics.centred(4, 4, 4.0)))
    assert grid[3 + 1, 0, 3] > grid[3 + 1, 0, 0]
    assert grid[3 + 2, 0, 0] > grid[3 + 2, 3, 0]


def test_depths_include_both_ends() -> None:
    np.testing.assert_allclose(
        sample_depths(2.0, 6.0, 8), [2 + 4 * k / 7 for k in range(8)], atol=EXACT
    )
    np.testing.assert_array_equal(sample_depths(2.0, 6.0, 2), [2.0, 6.0])


def test_points_are_o_plus_z_d_channel_by_channel(camera: Camera) -> None:
    depths = sample_depths(0.7, 5.1, 3)
    points = sample_points(ray_grid(camera), depths)
    lens = camera.intrinsics
    assert points.shape == (9, lens.height, lens.width)
    for v in range(lens.height):
        for u in range(lens.width):
            direction = slow_direction(camera, u, v)
            for sample in range(3):
                for axis in range(3):
                    expected = camera.cam_to_world[axis, 3] + depths[sample] * direction[axis]
                    assert abs(points[3 * sample + axis, v, u] - expected) < EXACT
