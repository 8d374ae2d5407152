"""Which cells of a grid are occupied, and what a refresh makes of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from mobile_nelf.teachers.marching import CELLS, DECAY, OPACITY, OccupancyGrid
from tests.helpers.ball import in_mask, random_mask


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
