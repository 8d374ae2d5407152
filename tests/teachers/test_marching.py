from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from teachers.ball_for_tests import (
    DISTANCE,
    LENS,
    SPACES,
    around,
    in_front,
    in_mask,
    rays_of,
)
from torch import Tensor

from mobile_nelf.cameras import Camera, look_at
from mobile_nelf.teachers.marching import (
    CELLS,
    DECAY,
    GROUP,
    OPACITY,
    OccupancyGrid,
    Samples,
    composite,
    distortion,
    march,
)
from mobile_nelf.teachers.spaces import Space

#: A float32 point this near to the face of a cell (in cells) may be on either side of it.
BESIDE_A_FACE = 1e-3
#: Depths in float32 against float64, relative: at the horizon a 64th of the disparity is left, and
#: its rounding is 64 times as large.
DEPTH_ROUNDING = 1e-5
#: Shares of light in float32 against float64.
LIGHT_ROUNDING = 1e-6


def random_mask(share: float) -> Tensor:
    rng = torch.Generator().manual_seed(round(1e6 * share))
    return torch.rand(CELLS**3, generator=rng) < share


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


# Occupancy


def test_points_are_occupied_by_the_cell_they_lie_in() -> None:
    mask = random_mask(0.3)
    grid = OccupancyGrid(mask)
    rng = torch.Generator().manual_seed(3)
    points = torch.rand(2000, 3, generator=rng) * 1.4 - 0.2
    wanted = [in_mask(mask, point) for point in points.tolist()]
    assert grid.occupied(points).tolist() == wanted
    assert 100 < sum(wanted) < 1900


@pytest.mark.parametrize("reach", [1, 2, 5])
def test_a_reach_finds_occupied_cells_near_by(reach: int) -> None:
    mask = random_mask(0.002)
    mask[0] = mask[-1] = mask[CELLS - 1] = True  # three corners, for what is outside
    grid = OccupancyGrid(mask)
    cells = mask.nonzero()[:, 0]
    marked = torch.stack([cells % CELLS, cells // CELLS % CELLS, cells // CELLS**2], 1)
    rng = torch.Generator().manual_seed(4)
    points = torch.rand(1000, 3, generator=rng) * 1.4 - 0.2
    points = torch.cat([points, torch.tensor([[-1.5 / 64, 0.5 / 64, -0.2 / 64], [9.0, 9.0, 9.0]])])
    home = (points * CELLS).floor()
    wanted = ((home[:, None] - marked[None]).abs().amax(2) <= reach).any(1)
    assert torch.equal(grid.occupied(points, reach), wanted)
    assert bool(wanted[-2]) == (reach >= 2), "a corner is near although the point is outside"


def test_nothing_is_outside_of_the_cube() -> None:
    grid = OccupancyGrid(torch.ones(CELLS**3, dtype=torch.bool))
    outside = torch.tensor(
        [[-1e-6, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, 1.0001], [-1e9, 0.5, 0.5], [2.0, 2.0, 1e30]]
    )
    for _ in range(2):
        assert not bool(grid.occupied(outside).any())
        # Growing for a reach must not change what is outside without one.
        far = torch.tensor([[-1.0, 0.5, 0.5], [0.5, 1.0 + 4.0 / CELLS, 0.5], [1e30, 0.5, 0.5]])
        assert not bool(grid.occupied(far, 3).any())
        assert bool(grid.occupied(torch.tensor([[-3.0 / CELLS, 0.5, 0.5]]), 3).all())


@dataclass
class Blob:
    """A field that is dense in a ball around the middle of the cube."""

    density_inside: float = 1000.0
    points: int = 0

    def density(self, points_unit: Tensor) -> tuple[Tensor, Tensor]:
        self.points += len(points_unit)
        inside = (points_unit - 0.5).norm(dim=1) < 0.2
        return inside.float() * self.density_inside, torch.zeros(len(points_unit), 15)


def cell_distances() -> Tensor:
    """Distance [CELLS³] of each cell's centre from the middle of the cube."""
    axis = (torch.arange(CELLS) + 0.5) / CELLS - 0.5
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    return torch.stack([x, y, z]).norm(dim=0).flatten()


def refresh(grid: OccupancyGrid, field: Any, seed: int = 0, step: float = 1.0 / 192) -> None:
    grid.refresh(field, step, torch.Generator().manual_seed(seed))


def test_a_refresh_keeps_what_the_field_says_is_dense() -> None:
    grid = OccupancyGrid(torch.ones(CELLS**3, dtype=torch.bool))
    assert bool(grid.mask.all())
    field = Blob()
    refresh(grid, field)
    assert field.points == CELLS**3
    distance = cell_distances()
    half_diagonal = 0.5 * math.sqrt(3.0) / CELLS
    assert bool(grid.mask[distance < 0.2 - half_diagonal].all())
    assert not bool(grid.mask[distance > 0.2 + half_diagonal].any())
    # What has been asked before is asked of the new mask now.
    assert grid.occupied(torch.tensor([[0.5, 0.5, 0.5], [0.1, 0.1, 0.1]])).tolist() == [True, False]
    assert not bool(grid.occupied(torch.tensor([[0.1, 0.1, 0.1]]), 2).any())


def test_an_occupancy_is_up_to_date_after_each_refresh() -> None:
    grid = OccupancyGrid(torch.ones(CELLS**3, dtype=torch.bool))
    corner = torch.tensor([[0.1, 0.1, 0.1]])
    assert bool(grid.occupied(corner).all())
    assert bool(grid.occupied(corner, 2).all())
    refresh(grid, Blob())
    assert not bool(grid.occupied(corner).any())
    assert not bool(grid.occupied(corner, 2).any())


def test_a_refresh_forgets_slowly_and_never_fills_what_nobody_sees() -> None:
    visible = (cell_distances() > 0.1) & (cell_distances() < 0.25)
    grid = OccupancyGrid(visible)
    refresh(grid, Blob())
    assert not bool(grid.mask[~visible].any())
    assert not bool(grid.density[~visible].any())
    full = grid.mask.clone()
    emptied = Blob(0.0)
    # Density × step = 1000/192 falls by DECAY a refresh until it is below OPACITY.
    remembered = math.floor(math.log(OPACITY * 192 / 1000.0) / math.log(DECAY))
    for _ in range(remembered):
        refresh(grid, emptied)
    assert torch.equal(grid.mask, full)
    refresh(grid, emptied)
    assert not bool(grid.mask.any())
    assert torch.equal(grid.visible, visible)


# Compositing


def slow_composite(
    density: list[float], length: list[float], ray: list[int], rays: int
) -> tuple[list[float], list[float]]:
    light = [1.0] * rays
    weights = []
    for sigma, delta, index in zip(density, length, ray, strict=True):
        opacity = 1.0 - math.exp(-sigma * delta)
        weights.append(light[index] * opacity)
        light[index] *= 1.0 - opacity
    return weights, light


def packed(counts: list[int], density_scale: float) -> tuple[Tensor, Samples]:
    """Rays with so many samples each, some of them without any."""
    total = sum(counts)
    rng = torch.Generator().manual_seed(5)
    ray = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    density = torch.rand(total, generator=rng) * density_scale
    lengths = torch.rand(total, generator=rng) * 0.01
    return density, Samples(ray, torch.zeros(total), torch.zeros(total, 3), lengths)


COUNTS = [0, 3, 0, 40, 1, 192, 0, 0, 25, 0]


@pytest.mark.parametrize("density_scale", [1.0, 100.0, 1e5])
def test_compositing_is_the_quadrature_ray_by_ray(density_scale: float) -> None:
    density, samples = packed(COUNTS, density_scale)
    weights, clear = composite(density, samples, len(COUNTS))
    wanted_weights, wanted_clear = slow_composite(
        density.double().tolist(),
        samples.lengths.double().tolist(),
        samples.ray.tolist(),
        len(COUNTS),
    )
    np.testing.assert_allclose(weights, wanted_weights, atol=LIGHT_ROUNDING, rtol=0.0)
    np.testing.assert_allclose(clear, wanted_clear, atol=LIGHT_ROUNDING, rtol=0.0)
    sums = torch.zeros(len(COUNTS)).index_add(0, samples.ray, weights) + clear
    torch.testing.assert_close(sums, torch.ones(len(COUNTS)), atol=1e-5, rtol=0.0)
    assert clear[[0, 2, 6, 7, 9]].tolist() == [1.0] * 5, "empty rays are clear"


def test_a_ray_is_composited_as_well_behind_opaque_ones() -> None:
    """Sums run on over all rays; a thin one must not drown in those before it."""
    walls = packed([192] * 300, 1e6)
    thin_density, thin = packed([10], 1.0)
    density = torch.cat([walls[0], thin_density])
    samples = Samples(
        torch.cat([walls[1].ray, thin.ray + 300]),
        *(torch.cat([a, b]) for a, b in zip(walls[1][1:], thin[1:], strict=True)),
    )
    weights, clear = composite(density, samples, 301)
    alone_weights, alone_clear = composite(thin_density, thin, 1)
    torch.testing.assert_close(weights[-10:], alone_weights, atol=LIGHT_ROUNDING, rtol=0.0)
    torch.testing.assert_close(clear[-1:], alone_clear, atol=LIGHT_ROUNDING, rtol=0.0)


def test_gradients_are_those_of_the_quadrature() -> None:
    density, samples = packed(COUNTS, 50.0)
    colour = torch.sin(torch.arange(len(density)).float())
    background = torch.linspace(0.2, 0.9, len(COUNTS))

    fast = density.clone().requires_grad_()
    weights, clear = composite(fast, samples, len(COUNTS))
    (weights @ colour + clear @ background).backward()

    slow = density.double().requires_grad_()
    light = [torch.ones((), dtype=torch.float64)] * len(COUNTS)
    total = torch.zeros((), dtype=torch.float64)
    for i, ray in enumerate(samples.ray.tolist()):
        passed = torch.exp(-slow[i] * samples.lengths[i].double())
        total = total + light[ray] * (1.0 - passed) * colour[i].double()
        light[ray] = light[ray] * passed
    (total + torch.stack(light) @ background.double()).backward()
    assert fast.grad is not None
    assert slow.grad is not None
    torch.testing.assert_close(fast.grad.double(), slow.grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("counts", [[0, 0, 0], [0, 5, 0], []])
@pytest.mark.parametrize("density_scale", [0.0, 1e6])
def test_empty_and_opaque_rays_have_finite_gradients(
    counts: list[int], density_scale: float
) -> None:
    density, samples = packed(counts or [0], density_scale)
    density.requires_grad_()
    weights, clear = composite(density, samples, len(counts))
    assert weights.shape == (sum(counts),)
    assert clear.shape == (len(counts),)
    (weights.square().sum() + clear.square().sum()).backward()
    assert density.grad is not None
    assert bool(torch.isfinite(density.grad).all())


def test_distortion_is_the_spread_of_the_light_along_a_ray() -> None:
    """Twice the light of each pair of samples by their distance, and a third of each by itself."""
    density, samples = packed(COUNTS, 100.0)
    rng = torch.Generator().manual_seed(6)
    starts, along = torch.rand(2, len(COUNTS), 3, generator=rng)
    along /= along.norm(dim=1, keepdim=True)
    place = torch.zeros(len(density))
    for ray in range(len(COUNTS)):
        mine = samples.ray == ray
        place[mine] = 0.002 + samples.lengths[mine].cumsum(0)
    points = starts[samples.ray] + place[:, None] * along[samples.ray]
    samples = samples._replace(points=points)
    weights, _ = composite(density, samples, len(COUNTS))

    wanted = [0.0] * len(COUNTS)
    for i, ray in enumerate(samples.ray.tolist()):
        for j in (samples.ray == ray).nonzero()[:, 0].tolist():
            wanted[ray] += float(weights[i] * weights[j] * (points[i] - points[j]).norm())
        wanted[ray] += float(weights[i] ** 2 * samples.lengths[i]) / 3.0
    found = distortion(weights, samples, len(COUNTS))
    assert max(wanted) > 0.005
    np.testing.assert_allclose(found, wanted, atol=1e-7, rtol=1e-3)
    assert found[[0, 2, 6, 7, 9]].tolist() == [0.0] * 5


def test_distortion_has_finite_gradients() -> None:
    for counts in ([0, 0, 0], COUNTS):
        density, samples = packed(counts, 1e4)
        density.requires_grad_()
        weights, _ = composite(density, samples, len(counts))
        distortion(weights, samples, len(counts)).sum().backward()
        assert density.grad is not None
        assert bool(torch.isfinite(density.grad).all())
