"""Occupancy-guided ray marching and compositing (Müller et al., SIGGRAPH 2022, section 5.4)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mobile_nelf.compute import is_apple_gpu, reduced_precision
from mobile_nelf.teachers.field import Field
from mobile_nelf.teachers.spaces import Space

__all__ = ["OccupancyGrid", "Samples", "cell_corners", "composite", "distortion", "march"]

#: Rows of the occupancy grid along each axis.
CELLS = 64
#: A cell is occupied where a step through it would absorb more than this share of the light.
OPACITY = 0.05
#: What a cell remembers of its density from one refresh to the next.
DECAY = 0.95
#: Steps that are tried together.
GROUP = 8
#: Perspective puts points beside its camera at any distance; so far outside of the cube they stay.
OUTSIDE = 0.125
#: Points that are looked at together when the occupancy is refreshed.
BATCH = 1 << 17


class Samples(NamedTuple):
    """Points to evaluate, packed ray after ray.

    Attributes:
        ray: [S] which ray a sample belongs to, ascending.
        depth: [S] along the ray's direction.
        points: [S, 3] in the unit cube.
        lengths: [S] of the steps, in the unit cube.
    """

    ray: Tensor
    depth: Tensor
    points: Tensor
    lengths: Tensor


class OccupancyGrid:
    """Where in the unit cube anything is.

    Attributes:
        density: [CELLS³] decaying maximum of the densities seen in each cell.
        mask: [CELLS³] whether a cell is worth a sample.
    """

    def __init__(self, visible: Tensor) -> None:
        """Starts with every cell occupied that a training camera sees, [CELLS³]."""
        self.visible = visible
        self.density = torch.zeros(CELLS**3, device=visible.device)
        self.mask = visible.clone()
        self._grown: tuple[Tensor, dict[int, Tensor]] | None = None

    @torch.no_grad()
    def refresh(self, field: Field, step_length: float, rng: torch.Generator) -> None:
        """Looks at a random point of every cell that anything can be in.

        Args:
            field: the present field.
            step_length: of the march, in the unit cube.
            rng: of the points.
        """
        cells = self.visible.nonzero()[:, 0]
        corners = cell_corners(cells)
        places = torch.rand(corners.shape, generator=rng, device=rng.device).to(corners.device)
        points = (corners + places) / CELLS
        with reduced_precision(points.device):
            fresh = torch.cat([field.density(part)[0] for part in torch.split(points, BATCH)])
        self.density[cells] = torch.maximum(self.density[cells] * DECAY, fresh)
        self.mask = self.visible & (self.density * step_length > OPACITY)

    def occupied(self, points_unit: Tensor, reach: int = 0) -> Tensor:
        """Returns whether [..., 3] points lie within `reach` cells of an occupied one."""
        # A border of empty cells stands for all that is outside of the cube.
        border = reach + 1
        side = CELLS + 2 * border
        cells = (points_unit * CELLS + border).clamp(0, side - 1).long()
        index = (cells[..., 2] * side + cells[..., 1]) * side + cells[..., 0]
        return self._dilated(reach)[index]

    def _dilated(self, reach: int) -> Tensor:
        """The mask with its border, grown by `reach` cells; flat."""
        if self._grown is None or self._grown[0] is not self.mask:
            self._grown = (self.mask, {})
        masks = self._grown[1]
        if reach not in masks:
            cube = self.mask.view(1, 1, CELLS, CELLS, CELLS).float()
            padded = F.pad(cube, [reach + 1] * 6)
            side = padded.shape[-1]
            for _ in range(3):  # separable, so the cost does not grow with the cube of `reach`
                # In two dimensions, since Macs pool no volumes; then the next axis is the last.
                rows = padded.reshape(1, 1, side * side, side)
                grown = F.max_pool2d(rows, (1, 2 * reach + 1), 1, (0, reach))
                padded = grown.view(side, side, side).permute(2, 0, 1)
            masks[reach] = padded.flatten() > 0.0
        return masks[reach]


def cell_corners(cells: Tensor) -> Tensor:
    """Returns the lower corners [N, 3] of cells [N], in cells."""
    return torch.stack([cells % CELLS, cells // CELLS % CELLS, cells // CELLS**2], 1).float()


def march(
    space: Space,
    grid: OccupancyGrid,
    origins: Tensor,
    directions: Tensor,
    steps: int,
    jitter: Tensor | None = None,
    part: tuple[int, int] | None = None,
) -> Samples:
    """Finds the samples of rays that lie in occupied cells.

    Args:
        space: of the scene.
        grid: its occupancy.
        origins: [N, 3], world frame.
        directions: [N, 3], world frame, unnormalised.
        steps: steps a ray over its whole extent.
        jitter: [N] shift of all samples of a ray, in steps, within [0, 1); a half if None.
        part: first and last step to take; all if None.
    """
    first, last = part or (0, steps)
    shift = torch.full_like(origins[:, 0], 0.5) if jitter is None else jitter
    # Most of a ray is empty, so groups of steps are tried first, against a dilated occupancy.
    groups = torch.arange(first, last, GROUP, device=origins.device)
    ends = torch.stack([groups, groups + GROUP], 1) / steps  # [G, 2]
    depths = space.depths(origins, directions, ends.flatten().expand(len(origins), -1))
    edges = space.to_unit(origins[:, None] + depths[..., None] * directions[:, None])
    edges = edges.clamp(-OUTSIDE, 1.0 + OUTSIDE)
    edges = edges.view(len(origins), len(groups), 2, 3)  # [N, G, 2, 3]
    extents = (edges[:, :, 1] - edges[:, :, 0]).abs()
    reach = float(extents.amax()) / 2 if extents.numel() else 0.0
    near = grid.occupied(edges.mean(2), math.ceil(reach * CELLS))
    ray, group = near.nonzero(as_tuple=True)

    fractions = (groups[group, None] + torch.arange(GROUP, device=origins.device)).to(shift)
    fractions = (fractions + shift[ray, None]) / steps  # [H, GROUP]
    depths = space.depths(origins[ray], directions[ray], fractions)
    points = space.to_unit(origins[ray, None] + depths[..., None] * directions[ray, None])
    row, index = (grid.occupied(points) & (fractions < last / steps)).nonzero(as_tuple=True)
    lower = index.clamp_max(GROUP - 2)
    lengths = (points[row, lower + 1] - points[row, lower]).norm(dim=-1)
    return Samples(ray[row], depths[row, index], points[row, index], lengths)


def composite(density: Tensor, samples: Samples, rays: int) -> tuple[Tensor, Tensor]:
    """Returns each sample's share of its ray's light [S] and each ray's transmittance [N].

    The volume rendering quadrature of NeRF (Mildenhall et al., ECCV 2020, equation 3).
    """
    thickness = density * samples.lengths
    before, all_of_ray = _sums_before(thickness, samples, rays)
    clear = torch.exp(-before).float()
    return clear * (1.0 - torch.exp(-thickness)), torch.exp(-all_of_ray).float()


def distortion(weights: Tensor, samples: Samples, rays: int) -> Tensor:
    """Returns how far the light of each ray is spread along it, [N].

    The regularizer of mip-NeRF 360 (Barron et al., CVPR 2022, equation 15) against fog, which fills
    scenes that are seen from few sides and makes every ray long. Distances are in the unit cube.
    """
    counts = torch.bincount(samples.ray, minlength=rays)
    first = (counts.cumsum(0) - counts)[samples.ray]
    place = (samples.points - samples.points[first]).norm(dim=1)
    lighter, _ = _sums_before(weights, samples, rays)
    nearer, _ = _sums_before(weights * place, samples, rays)
    between = 2.0 * weights * (place * lighter - nearer).float()
    within = weights.square() * samples.lengths / 3.0
    return weights.new_zeros(rays).index_add(0, samples.ray, between + within)


def _sums_before(values: Tensor, samples: Samples, rays: int) -> tuple[Tensor, Tensor]:
    """Sums of `values` [S] over the earlier samples of the same ray [S], and over each ray [N].

    In double precision, since one sum runs on over all rays and differences are taken of it. The
    GPU of a Mac has none, and sums each ray by itself.
    """
    if is_apple_gpu(values.device):
        return _sums_by_ray(values, samples, rays)
    sums = torch.cat([values.new_zeros(1, dtype=torch.float64), values.double().cumsum(0)])
    ends = torch.bincount(samples.ray, minlength=rays).cumsum(0)
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    return sums[:-1] - sums[starts[samples.ray]], sums[ends] - sums[starts]


def _sums_by_ray(values: Tensor, samples: Samples, rays: int) -> tuple[Tensor, Tensor]:
    """`_sums_before` in the precision of `values`, with a row for each ray."""
    counts = torch.bincount(samples.ray, minlength=rays)
    place = (
        torch.arange(len(values), device=values.device) - (counts.cumsum(0) - counts)[samples.ray]
    )
    longest = int(counts.max()) if rays else 0
    table = values.new_zeros(rays, longest + 1)
    table = table.index_put((samples.ray, place + 1), values)  # what is before the first is 0
    sums = table.cumsum(1)
    return sums[samples.ray, place], sums[:, -1]
