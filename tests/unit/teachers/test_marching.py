"""Marching rays through occupied cells, against a march of one ray and one step at a time."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from mobile_nelf.cameras import Camera, look_at
from mobile_nelf.teachers.marching import CELLS, GROUP, OccupancyGrid, Samples, march
from mobile_nelf.teachers.spaces import Space
from tests.helpers.ball import (
    DISTANCE,
    LENS,
    SPACES,
    around,
    in_front,
    in_mask,
    random_mask,
    rays_of,
)

#: A float32 point this near to the face of a cell (in cells) may be on either side of it.
BESIDE_A_FACE = 1e-3
#: Depths in float32 against float64, relative: at the horizon a 64th of the disparity is left, and
#: its rounding is 64 times as large.
DEPTH_ROUNDING = 1e-5


def marched_rays(kind: str, count: int) -> tuple[Tensor, Tensor]:
    """Some pixels of a few cameras around the space, or in front of it."""
    cameras = in_front() if kind == "ndc" else around(3)
    rays = [torch.cat(rays_of(camera), 1) for camera in cameras]
    every = torch.cat(rays)
    rng = torch.Generator().manual_seed(0)
    chosen = every[torch.randperm(len(every), generator=rng)[:count]]
    return chosen[:, :3], chosen[:, 3:]


Found = dict[tuple[int, int], float]


def slow_march(
    space: Space,
    mask: Tensor,
    origins: Tensor,
    directions: Tensor,
    steps: int,
    jitter: Tensor,
) -> tuple[Found, set[tuple[int, int]]]:
    """Every step of every ray in float64: those in marked cells, and those beside a face."""
    fractions = (torch.arange(steps) + jitter.double()[:, None]) / steps
    depths = space.depths(origins.double(), directions.double(), fractions)
    depths = depths.expand(len(origins), -1)
    points = space.to_unit(origins[:, None].double() + depths[..., None] * directions[:, None])
    in_cells = CELLS * points.numpy()  # [N, steps, 3]
    around_cube = ((in_cells > -0.5) & (in_cells < CELLS + 0.5)).all(-1)
    close = (np.abs(in_cells - np.rint(in_cells)) < BESIDE_A_FACE).any(-1) & around_cube
    found = {
        (ray, step): float(depths[ray, step])
        for ray, step in zip(*np.nonzero(around_cube), strict=True)
        if in_mask(mask, points[ray, step].tolist())
    }
    return found, set(zip(*np.nonzero(close), strict=True))


def steps_of(
    space: Space, samples: Samples, origins: Tensor, directions: Tensor, steps: int, jitter: Tensor
) -> Found:
    """Which step of its ray each sample is, told by its depth."""
    fractions = (torch.arange(steps) + jitter.double()[:, None]) / steps
    depths = space.depths(origins.double(), directions.double(), fractions)
    depths = depths.expand(len(origins), -1)
    found = {}
    for ray, depth in zip(samples.ray.tolist(), samples.depth.tolist(), strict=True):
        step = int((depths[ray] - depth).abs().argmin())
        assert (ray, step) not in found, "no sample comes twice"
        found[ray, step] = depth
    return found


def assert_same_samples(found: Found, wanted: Found, beside: set[tuple[int, int]]) -> None:
    assert set(found) - beside == set(wanted) - beside
    for key in set(found) & set(wanted):
        assert found[key] == pytest.approx(wanted[key], rel=DEPTH_ROUNDING, abs=DEPTH_ROUNDING)


@pytest.mark.parametrize("share", [0.003, 0.03, 0.6, 1.0])
@pytest.mark.parametrize("kind", SPACES)
def test_a_march_finds_every_step_in_an_occupied_cell(kind: str, share: float) -> None:
    space, steps = SPACES[kind], 100  # no multiple of a group
    origins, directions = marched_rays(kind, 60)
    jitter = torch.rand(60, generator=torch.Generator().manual_seed(1))
    grid = OccupancyGrid(random_mask(share))
    samples = march(space, grid, origins, directions, steps, jitter)
    wanted, beside = slow_march(space, grid.mask, origins, directions, steps, jitter)
    found = steps_of(space, samples, origins, directions, steps, jitter)
    assert_same_samples(found, wanted, beside)
    assert len(beside) < 0.02 * 60 * steps
    assert len(wanted) > (2 if share == 0.003 else 50)
    keys = list(zip(samples.ray.tolist(), samples.depth.tolist(), strict=True))
    assert keys == sorted(keys), "packed ray after ray, front to back"
    points = origins[samples.ray] + samples.depth[:, None] * directions[samples.ray]
    torch.testing.assert_close(samples.points, space.to_unit(points))


@pytest.mark.parametrize("kind", SPACES)
def test_a_ray_alone_finds_what_it_finds_among_others(kind: str) -> None:
    """How far a group looks is decided for all rays at once, which must not hide a mistake."""
    space, steps = SPACES[kind], 96
    origins, directions = marched_rays(kind, 12)
    jitter = torch.full((1,), 0.5)
    grid = OccupancyGrid(random_mask(0.05))
    total = 0
    for origin, direction in zip(origins[:, None], directions[:, None], strict=True):
        samples = march(space, grid, origin, direction, steps)
        wanted, beside = slow_march(space, grid.mask, origin, direction, steps, jitter)
        found = steps_of(space, samples, origin, direction, steps, jitter)
        assert_same_samples(found, wanted, beside)
        total += len(found)
    assert total > 10


@pytest.mark.parametrize("bounds", [(0, 48, 96, 144, 192), (0, 37, 90, 90, 192), (0, 1, 192)])
@pytest.mark.parametrize("kind", SPACES)
def test_the_parts_of_a_march_are_the_whole(kind: str, bounds: tuple[int, ...]) -> None:
    space = SPACES[kind]
    origins, directions = marched_rays(kind, 200)
    jitter = torch.rand(200, generator=torch.Generator().manual_seed(2))
    grid = OccupancyGrid(random_mask(0.1))
    whole = march(space, grid, origins, directions, 192, jitter)
    assert len(whole.ray) > 500
    parts = [
        march(space, grid, origins, directions, 192, jitter, part) for part in pairwise(bounds)
    ]
    joined = Samples(*(torch.cat(columns) for columns in zip(*parts, strict=True)))
    order = joined.ray.argsort(stable=True)  # parts are front to back already
    assert torch.equal(joined.ray[order], whole.ray)
    assert torch.equal(joined.depth[order], whole.depth)
    assert torch.equal(joined.points[order], whole.points)


@pytest.mark.parametrize("kind", SPACES)
def test_lengths_are_those_of_the_steps(kind: str) -> None:
    space, steps = SPACES[kind], 192
    origins, directions = marched_rays(kind, 100)
    grid = OccupancyGrid(torch.ones(CELLS**3, dtype=torch.bool))
    samples = march(space, grid, origins, directions, steps)
    fractions = (torch.arange(steps + 1) + 0.5) / steps
    depths = space.depths(origins, directions, fractions.expand(100, -1)).expand(100, -1)
    points = space.to_unit(origins[:, None] + depths[..., None] * directions[:, None])
    steps_taken = points.diff(dim=1).norm(dim=-1)  # [N, steps]
    step = (depths[samples.ray, :-1] - samples.depth[:, None]).abs().argmin(1)
    to_next = steps_taken[samples.ray, step]
    # The last of a group has its neighbour's length, for its own next is not at hand.
    from_previous = steps_taken[samples.ray, (step - 1).clamp_min(0)]
    last = step % GROUP == GROUP - 1
    wanted = torch.where(last, from_previous, to_next)
    torch.testing.assert_close(samples.lengths, wanted, atol=1e-5, rtol=1e-3)
    assert bool((samples.lengths > 0.0).all())
    if kind == "box":
        # In a box every step of a ray is as long, so a whole crossing adds up to the ray in it.
        total = torch.zeros(100).index_add(0, samples.ray, samples.lengths)
        ends = space.depths(origins, directions, torch.tensor([[0.0, 1.0]]).expand(100, 2))
        ends = space.to_unit(origins[:, None] + ends[..., None] * directions[:, None])
        through = (ends[:, 1] - ends[:, 0]).norm(dim=1)
        hit = torch.bincount(samples.ray, minlength=100) == steps
        assert int(hit.sum()) > 20
        torch.testing.assert_close(total[hit], through[hit], atol=1e-4, rtol=1e-4)


def test_rays_that_miss_have_no_samples() -> None:
    grid = OccupancyGrid(torch.ones(CELLS**3, dtype=torch.bool))
    away = Camera(look_at((0.0, -DISTANCE, 0.0), (0.0, -2 * DISTANCE, 0.0)), LENS)
    assert not len(march(SPACES["box"], grid, *rays_of(away), 192).ray)
    empty = OccupancyGrid(torch.zeros(CELLS**3, dtype=torch.bool))
    for kind, space in SPACES.items():
        assert not len(march(space, empty, *marched_rays(kind, 50), 192).ray)
        none = march(space, grid, torch.zeros(0, 3), torch.zeros(0, 3), 192)
        assert none.points.shape == (0, 3)


@pytest.mark.parametrize("turn", [40.0, 75.0, 180.0])
def test_a_camera_that_looks_beside_a_forward_facing_scene_is_no_harm(turn: float) -> None:
    """Perspective puts its points at any distance, or behind: memory must not follow."""
    angle = math.radians(turn)
    ahead = (4.0 * math.sin(angle), 4.0 * math.cos(angle) - 4.0, 0.0)
    origins, directions = rays_of(Camera(look_at((0.0, -4.0, 0.0), ahead), LENS.resized(5, 5)))
    grid = OccupancyGrid(random_mask(0.2))
    samples = march(SPACES["ndc"], grid, origins, directions, 96)
    jitter = torch.full((25,), 0.5)
    wanted, beside = slow_march(SPACES["ndc"], grid.mask, origins, directions, 96, jitter)
    found = steps_of(SPACES["ndc"], samples, origins, directions, 96, jitter)
    assert_same_samples(found, wanted, beside)
