from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mobile_nelf.cameras import Intrinsics, look_at
from mobile_nelf.rays import ray_grid
from mobile_nelf.scenes import Scene
from mobile_nelf.teachers.spaces import (
    HORIZON,
    BoxSpace,
    ContractedSpace,
    NdcSpace,
    Space,
    scene_space,
)
from tests.helpers.ball import BOX, SPACES, grey_picture, in_front, scene_of

#: A few roundings of a double.
EXACT = 1e-12
#: Beside the horizon the maps stretch by its square, and the roundings with them.
STRETCHED = EXACT * HORIZON**2


def random_points(count: int, low: float, high: float) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return low + (high - low) * torch.rand(count, 3, generator=rng, dtype=torch.float64)


def random_rays(count: int) -> tuple[Tensor, Tensor]:
    """Rays of all directions, from inside and outside of the spaces; some along an axis."""
    origins = random_points(count, -4.0, 4.0)
    origins[: count // 3] *= 0.1
    directions = random_points(count, -1.0, 1.0).flip(0)
    directions[::7, 0] = 0.0
    directions[::21, 1] = 0.0
    return origins, directions


@pytest.mark.parametrize("kind", SPACES)
def test_the_maps_undo_each_other_in_the_cube(kind: str) -> None:
    space = SPACES[kind]
    # The last 64th of the contracted and projective cubes is the horizon, and has no way back.
    margin = 0.0 if kind == "box" else 1.0 / HORIZON
    unit = random_points(2000, margin, 1.0 - margin)
    torch.testing.assert_close(space.to_unit(space.to_world(unit)), unit, atol=STRETCHED, rtol=0.0)


def test_the_contraction_undoes_itself_inside_and_outside_of_its_cube() -> None:
    space = SPACES["contracted"]
    for reach in (1.0, 5.0, 60.0):
        world = random_points(500, -reach, reach)
        torch.testing.assert_close(
            space.to_world(space.to_unit(world)), world, atol=STRETCHED, rtol=STRETCHED
        )


def test_the_contraction_has_the_values_of_its_formula() -> None:
    space = ContractedSpace((1.0, 2.0, 3.0), 2.0, 0.5)
    in_half_sides = {
        (0.0, 0.0, 0.0): (0.0, 0.0, 0.0),
        (0.5, -0.25, 1.0): (0.5, -0.25, 1.0),
        (2.0, 0.0, 0.0): (1.5, 0.0, 0.0),
        (0.0, 0.0, -4.0): (0.0, 0.0, -1.75),
        (2.0, 1.0, 0.0): (1.5, 0.75, 0.0),
        (-10.0, 10.0, 5.0): (-1.9, 1.9, 0.95),
    }
    for x, contracted in in_half_sides.items():
        world = torch.tensor([1.0, 2.0, 3.0]) + 2.0 * torch.tensor(x)
        wanted = (torch.tensor(contracted) + 2.0) / 4.0
        torch.testing.assert_close(space.to_unit(world), wanted)
    far = space.to_unit(torch.tensor([1e30, 2.0, 3.0]))
    torch.testing.assert_close(far, torch.tensor([1.0, 0.5, 0.5]))
    edge = space.to_world(torch.tensor([1.0, 0.5, 0.5], dtype=torch.float64))
    torch.testing.assert_close(edge, edge.new_tensor([1.0 + 2.0 * HORIZON, 2.0, 3.0]))


def test_ndc_is_the_projection_of_an_opengl_camera() -> None:
    """A 4×4 matrix with its far plane at infinity, the division by w, and [−1, 1] to [0, 1]."""
    space = SPACES["ndc"]
    assert isinstance(space, NdcSpace)
    across, up = space.tangents
    projection = np.array(
        [[1 / across, 0, 0, 0], [0, 1 / up, 0, 0], [0, 0, -1, -2 * space.near], [0, 0, -1, 0]]
    )
    cam_to_world = np.vstack([np.reshape(space.cam_to_world, (3, 4)), [0, 0, 0, 1]])
    world = random_points(500, -6.0, 6.0)
    homogeneous = np.concatenate([world.numpy(), np.ones((500, 1))], 1)
    clip = homogeneous @ np.linalg.inv(cam_to_world).T @ projection.T
    ahead = torch.from_numpy(clip[:, 3] > 0.0)
    assert 0 < int(ahead.sum()) < 500, "points before and behind the camera are tried"
    wanted = (clip[ahead, :3] / clip[ahead, 3:] + 1.0) / 2.0
    np.testing.assert_allclose(space.to_unit(world)[ahead], wanted, atol=1e-10, rtol=1e-10)
    behind = space.to_unit(world)[~ahead]
    assert bool((behind[:, 2] < 0.0).all()), "behind the camera is outside of the cube"


def test_a_ray_enters_and_leaves_the_box_at_its_faces() -> None:
    space = SPACES["box"]
    origins, directions = random_rays(400)
    ends = torch.tensor([[0.0, 1.0]], dtype=torch.float64).expand(400, 2)
    depths = space.depths(origins, directions, ends)
    fine = torch.linspace(0.0, 20.0, 4001, dtype=torch.float64)
    hits = 0
    for origin, direction, (enter, leave) in zip(origins, directions, depths, strict=True):
        unit = space.to_unit(origin + fine[:, None] * direction)
        inside = ((unit > 0.0) & (unit < 1.0)).all(1)
        if not bool(inside.any()):
            assert float(leave - enter) <= float(fine[1]), "a ray that misses is not sampled"
            continue
        hits += 1
        first, last = fine[inside][[0, -1]]
        assert first - fine[1] - EXACT <= enter <= first + EXACT
        if last < fine[-1]:
            assert last - EXACT <= leave <= last + fine[1] + EXACT
        for depth in (enter, leave):
            point = space.to_unit(origin + depth * direction)
            assert bool(((point > -1e-6) & (point < 1.0 + 1e-6)).all())
            to_face = torch.minimum(point.abs(), (point - 1.0).abs()).min()
            assert float(depth) == 0.0 or float(to_face) < 1e-6
    assert 50 < hits < 350, "rays that hit and rays that miss are tried"


@pytest.mark.parametrize("kind", SPACES)
def test_depths_ascend_over_the_whole_extent(kind: str) -> None:
    space = SPACES[kind]
    origins, directions = random_rays(50)
    fractions = torch.linspace(0.0, 1.0, 33, dtype=torch.float64).expand(50, -1)
    depths = space.depths(origins, directions, fractions).expand(50, -1)
    assert bool((depths >= 0.0).all())
    assert bool((depths.diff(dim=1) >= 0.0).all())
    if isinstance(space, ContractedSpace):
        torch.testing.assert_close(depths[:, 0], depths.new_full((50,), space.near))
        torch.testing.assert_close(depths[:, -1], depths.new_full((50,), HORIZON * space.half))
        ratios = depths[:, 1:] / depths[:, :-1]
        torch.testing.assert_close(ratios, ratios[:1, :1].expand(50, 32))
    elif isinstance(space, NdcSpace):
        torch.testing.assert_close(depths[:, 0], depths.new_full((50,), space.near))
        torch.testing.assert_close(depths[:, -1], depths.new_full((50,), HORIZON * space.near))
        disparity = (1.0 / depths).diff(dim=1)
        torch.testing.assert_close(disparity, disparity[:1, :1].expand(50, 32))
    else:
        gaps = depths.diff(dim=1)
        torch.testing.assert_close(gaps, gaps[:, :1].expand(50, 32))


def test_steps_beyond_the_last_one_stay_ahead() -> None:
    """A group of steps may end after the last; its depths must not wrap round to behind."""
    fractions = torch.linspace(0.0, 2.0, 41, dtype=torch.float64)[None]
    depths = SPACES["ndc"].depths(torch.zeros(1, 3), torch.ones(1, 3), fractions)
    assert bool((depths > 0.0).all())
    assert bool((depths.diff(dim=1) >= 0.0).all())


def test_each_extent_has_its_space(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, in_front())
    assert scene_space(scene) == BoxSpace(BOX.lower, BOX.upper)
    around_all = scene_space(replace(scene, extent="unbounded"))
    assert isinstance(around_all, ContractedSpace)
    corners = around_all.to_unit(torch.tensor([BOX.lower, BOX.upper], dtype=torch.float64))
    assert float((corners - 0.5).abs().max()) == pytest.approx(0.25), "the box is the inner cube"
    torch.testing.assert_close(
        around_all.to_unit(torch.tensor([BOX.lower, BOX.upper]).mean(0)), torch.full((3,), 0.5)
    )
    assert around_all.near < scene.near
    forward = scene_space(replace(scene, extent="forward"))
    assert isinstance(forward, NdcSpace)
    assert forward.near < scene.near


WIDE = Intrinsics(30, 20, 21.0, 24.0, 13.0, 11.5)


@pytest.mark.parametrize("lens", [None, WIDE], ids=["narrow", "wide and off-centre"])
@pytest.mark.parametrize("towards", [0.0, 0.3, 1.0])
def test_every_pixel_lies_in_the_frustum_of_a_forward_facing_scene(
    tmp_path: Path, lens: Intrinsics | None, towards: float
) -> None:
    cameras = in_front(towards=towards) if lens is None else in_front(lens, towards=towards)
    scene = scene_of(tmp_path, cameras, picture=grey_picture, extent="forward", near=2.5, far=12.0)
    check_in_cube(scene_space(scene), scene)


def test_a_lens_of_its_own_for_each_photo_fits_into_the_frustum(tmp_path: Path) -> None:
    cameras = [
        replace(camera, intrinsics=replace(WIDE, fx=21.0 - index, fy=24.0 - 0.5 * index))
        for index, camera in enumerate(in_front(WIDE))
    ]
    scene = scene_of(tmp_path, cameras, picture=grey_picture, extent="forward", far=12.0)
    check_in_cube(scene_space(scene), scene)


def check_in_cube(space: Space, scene: Scene) -> None:
    for view in scene.train:
        rays = torch.from_numpy(ray_grid(view.camera)).flatten(1).T
        for depth in np.linspace(scene.near, scene.far, 9):
            unit = space.to_unit(rays[:, :3] + depth * rays[:, 3:])
            assert bool(((unit >= 0.0) & (unit <= 1.0)).all()), (view.path.name, depth)


def test_the_frustum_is_no_wider_than_the_photos(tmp_path: Path) -> None:
    """One lens, parallel cameras: the rim of the photos lies at the rim of the cube."""
    cameras = in_front(towards=0.0)
    scene = scene_of(tmp_path, cameras, extent="forward", near=2.5, far=12.0)
    space = scene_space(scene)
    rays = torch.from_numpy(np.stack([ray_grid(view.camera) for view in scene.train]))
    rays = rays.flatten(2).transpose(1, 2).flatten(0, 1)
    unit = space.to_unit(rays[:, :3] + 2.5 * rays[:, 3:])[:, :2]
    assert float(unit.max()) > 0.95
    assert float(unit.min()) < 0.05


@pytest.mark.parametrize(
    "make",
    [
        lambda: BoxSpace((0.0, 0.0, 0.0), (1.0, 0.0, 1.0)),
        lambda: BoxSpace((0.0, 0.0, 0.0), (1.0, -1.0, 1.0)),
        lambda: BoxSpace((0.0, 0.0, 0.0), (1.0, float("nan"), 1.0)),
        lambda: BoxSpace((0.0, 0.0, 0.0), (1.0, float("inf"), 1.0)),
        lambda: ContractedSpace((0.0, 0.0, 0.0), 0.0, 1.0),
        lambda: ContractedSpace((0.0, 0.0, 0.0), 1.0, -1.0),
        lambda: ContractedSpace((0.0, 0.0, float("nan")), 1.0, 1.0),
        lambda: NdcSpace((1.0,) * 11, (1.0, 1.0), 1.0),
        lambda: NdcSpace((1.0,) * 12, (0.0, 1.0), 1.0),
        lambda: NdcSpace((1.0,) * 12, (1.0, 1.0), float("inf")),
        lambda: NdcSpace((float("nan"),) * 12, (1.0, 1.0), 1.0),
    ],
)
def test_spaces_without_extent_are_refused(make: Callable[[], Space]) -> None:
    with pytest.raises(ValueError, match="space"):
        make()


def test_proportions_follow_the_sides() -> None:
    assert BoxSpace((0.0, 0.0, 0.0), (1.0, 2.0, 4.0)).proportions() == (1.0, 2.0, 4.0)
    assert SPACES["contracted"].proportions() == (1.0, 1.0, 1.0)
    across, up, depth = SPACES["ndc"].proportions()
    assert across / up == pytest.approx(0.5 / 0.4)
    assert depth < min(across, up)


def test_the_overview_looks_where_the_cameras_look(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, in_front(), extent="forward")
    space = scene_space(scene)
    assert isinstance(space, NdcSpace)
    pose = np.reshape(space.cam_to_world, (3, 4))
    np.testing.assert_allclose(pose[:, :3].T @ pose[:, :3], np.eye(3), atol=EXACT)
    assert np.linalg.det(pose[:, :3]) == pytest.approx(1.0)
    mean = look_at((0.0, -4.0, 0.0), (0.0, 0.0, 0.0))
    np.testing.assert_allclose(pose[:, :3], mean[:, :3], atol=0.02)
    for view in scene.train:
        ahead = (pose[:, 3] - view.camera.position) @ pose[:, 2]
        assert ahead >= -EXACT, "no camera stands behind it"
