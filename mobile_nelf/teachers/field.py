"""The radiance field in plain PyTorch: dense feature grids and two small networks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from mobile_nelf.compute import is_apple_gpu

__all__ = [
    "DenseGridField",
    "Field",
    "VolumeLookup",
    "direction_harmonics",
    "grid_shapes",
]

#: Width of the hidden layers, and of the features that the density network hands on.
HIDDEN = 64
FEATURES = 15
#: By how much points may leave the boxes that `DenseGridField.keep_rows` was told of: rounding.
MARGIN = 1e-5
#: Lookups whose gradients are spread together; they fit into a core's cache.
PIECE = 1 << 13


class Field(Protocol):
    """A radiance field over the unit cube."""

    def density(self, points_unit: Tensor) -> tuple[Tensor, Tensor]:
        """Returns density [N], per length of the unit cube, and features [N, F] at [N, 3]."""
        ...

    def colour(self, features: Tensor, directions: Tensor) -> Tensor:
        """Returns RGB [N, 3] in [0, 1] of features seen along unit directions [N, 3]."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """Returns what is trained."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Returns what is saved."""
        ...

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """Takes what `state_dict` returned."""
        ...


class DenseGridField(nn.Module):
    """Feature grids of several resolutions, read by trilinear interpolation.

    On a CPU this beats a hash grid: neighbouring points share cache lines, and all levels are
    read by one `embedding_bag`, whose bag is the eight corners of a cell. A GPU has a kernel of its
    own for volumes.
    """

    def __init__(
        self, resolutions: tuple[int, ...], channels: int, proportions: tuple[float, ...]
    ) -> None:
        """Builds fresh grids and networks.

        Args:
            resolutions: cells a side of each level, if the space were a cube.
            channels: features a level.
            proportions: of the axes; each level keeps the number of cells of its cube.
        """
        super().__init__()
        self.shapes = grid_shapes(resolutions, proportions)
        sizes = torch.tensor(self.shapes)  # [L, 3]
        counts = sizes.prod(1)
        strides = torch.stack([torch.ones_like(counts), sizes[:, 0], sizes[:, 0] * sizes[:, 1]], 1)
        self.register_buffer("sizes", sizes, persistent=False)
        self.register_buffer("strides", strides, persistent=False)
        self.register_buffer("offsets", counts.cumsum(0) - counts, persistent=False)
        corners = torch.tensor([[corner >> axis & 1 for corner in range(8)] for axis in range(3)])
        self.register_buffer("corners", strides @ corners, persistent=False)  # [L, 8]
        self.register_buffer("kept", None, persistent=False)
        self.sizes: Tensor
        self.strides: Tensor
        self.offsets: Tensor
        self.corners: Tensor
        #: While rows are dropped: where each row [V] lies in the table, 0 for those that do not.
        self.kept: Tensor | None
        self.table = nn.Parameter((torch.rand(int(counts.sum()), channels) - 0.5) * 0.2)
        width = len(resolutions) * channels
        self.density_net = nn.Sequential(
            nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1 + FEATURES)
        )
        self.colour_net = nn.Sequential(
            nn.Linear(FEATURES + 9, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, 3),
        )

    @torch.no_grad()
    def keep_rows(self, lower: Tensor, upper: Tensor) -> None:
        """Drops the rows of the table that no point of some boxes reads; `all_rows` ends that.

        Most of a scene around an object is empty. What is left fits the caches of a CPU, and
        neither optimizer nor state of a run carries the rest along.

        Args:
            lower: corners of the boxes, [N, 3] in the unit cube; at least one.
            upper: the opposite corners, near by.
        """
        needed = torch.zeros(len(self.table), dtype=torch.bool, device=lower.device)
        for shape, offset in zip(self.shapes, self.offsets.tolist(), strict=True):
            sizes = lower.new_tensor(shape)
            first = ((lower - MARGIN).clamp(0.0, 1.0) * (sizes - 1)).floor()
            first = torch.minimum(first, sizes - 2).long()
            last = ((upper + MARGIN).clamp(0.0, 1.0) * (sizes - 1)).floor()
            last = torch.minimum(last, sizes - 2).long() + 1
            spans = [range(int(span) + 1) for span in (last - first).amax(0)]
            for step in itertools.product(*spans):
                x, y, z = torch.minimum(first + first.new_tensor(step), last).unbind(1)
                needed[offset + (z * shape[1] + y) * shape[0] + x] = True
        self.kept = (needed.cumsum(0) - 1).clamp_min(0)
        self.table = nn.Parameter(self.table[needed])
        self._needed = needed

    @torch.no_grad()
    def all_rows(self) -> None:
        """Brings dropped rows back, as zeros."""
        if self.kept is None:
            return
        table = self.table.new_zeros(len(self.kept), self.table.shape[1])
        table[self._needed] = self.table
        self.table, self.kept = nn.Parameter(table), None

    def density(self, points_unit: Tensor) -> tuple[Tensor, Tensor]:
        """See `Field`."""
        out = self.density_net(self._features(points_unit)).float()
        return torch.exp(out[:, 0].clamp(max=12.0)), out[:, 1:]

    def colour(self, features: Tensor, directions: Tensor) -> Tensor:
        """See `Field`."""
        out: Tensor = self.colour_net(torch.cat([features, direction_harmonics(directions)], 1))
        return torch.sigmoid(out.float())

    def _features(self, points_unit: Tensor) -> Tensor:
        """Interpolated features [N, L·channels]."""
        if points_unit.is_cuda:
            shapes = tuple(self.shapes)
            volumes: Tensor = VolumeLookup.apply(  # type: ignore[no-untyped-call]  # untyped in torch
                self.table, points_unit, shapes
            )
            return volumes
        index, weight = self.cells(points_unit)
        levels, index = len(self.sizes), index.flatten(0, 1)
        if self.kept is not None:
            index = self.kept.index_select(0, index.flatten()).view_as(index)
        read: Tensor = _Lookup.apply(  # type: ignore[no-untyped-call]  # untyped in torch
            self.table, index, weight.flatten(0, 1)
        )
        return read.view(len(points_unit), levels * self.table.shape[1])

    def cells(self, points_unit: Tensor) -> tuple[Tensor, Tensor]:
        """Returns rows of the table and their weights, each [N, L, 8], for [N, 3] points."""
        last = (self.sizes - 1).to(points_unit)
        x = points_unit.clamp(0.0, 1.0)[:, None] * last  # [N, L, 3]
        low = torch.minimum(x.floor(), last - 1.0)
        part = x - low
        base = (low.long() * self.strides).sum(-1) + self.offsets  # [N, L]
        index = base[..., None] + self.corners  # [N, L, 8]
        sides = torch.stack([1.0 - part, part], -1)  # [N, L, 3, 2]
        weight = (
            sides[..., 2, :, None, None]
            * sides[..., 1, None, :, None]
            * sides[..., 0, None, None, :]
        ).flatten(2)
        return index, weight


def grid_shapes(
    resolutions: tuple[int, ...], proportions: tuple[float, ...]
) -> list[tuple[int, ...]]:
    """Returns rows along x, y and z of each level, about as many in all as a cube's."""
    mean = math.prod(proportions) ** (1 / 3)
    return [tuple(max(2, round(r * p / mean)) for p in proportions) for r in resolutions]


class _Lookup(torch.autograd.Function):
    """Weighted sum of table rows; PyTorch's own backward sorts all indices first, which is slow."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
        """Reads [N, C] from [V, C] at [N, 8]."""
        ctx.save_for_backward(index, weight)
        ctx.table = table
        if is_apple_gpu(table.device):  # which has no `embedding_bag`
            return (table[index] * weight[..., None]).sum(1)
        return nn.functional.embedding_bag(index, table, per_sample_weights=weight, mode="sum")

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, None]:
        """Adds each output's gradient to the rows it was read from."""
        index, weight = ctx.saved_tensors
        (grad,) = grads
        table = ctx.table
        if table.grad is None:
            table.grad = torch.zeros_like(table)
        pieces = zip(*(torch.split(part, PIECE) for part in (index, weight, grad)), strict=True)
        for rows, shares, part in pieces:
            spread = shares[..., None] * part[:, None]  # [P, 8, C]
            table.grad.index_add_(0, rows.flatten(), spread.flatten(0, 1))
        return None, None, None


class VolumeLookup(torch.autograd.Function):
    """Trilinear interpolation of all levels, each as a volume of the table."""

    @staticmethod
    def forward(
        ctx: Any, table: Tensor, points_unit: Tensor, shapes: tuple[tuple[int, ...], ...]
    ) -> Tensor:
        """Reads [N, L·C] from the table [V, C], whose levels have `shapes`, at points [N, 3]."""
        grid = (2.0 * points_unit.clamp(0.0, 1.0) - 1.0)[None, :, None, None]  # [1, N, 1, 1, 3]
        ctx.save_for_backward(grid)
        ctx.table, ctx.shapes = table, shapes
        read = [
            nn.functional.grid_sample(level, grid, padding_mode="border", align_corners=True)
            for level in _levels(table.detach(), shapes)
        ]
        return torch.cat(read, 1)[0, :, :, 0, 0].T

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, None]:
        """Adds each output's gradient to the rows it was read from."""
        (grid,) = ctx.saved_tensors
        table, shapes = ctx.table, ctx.shapes
        if table.grad is None:
            table.grad = torch.zeros_like(table)
        parts = grads[0].T[None, :, :, None, None].contiguous().chunk(len(shapes), dim=1)
        levels = zip(
            _levels(table.detach(), shapes), _levels(table.grad, shapes), parts, strict=True
        )
        for level, into, part in levels:
            change, _ = torch.ops.aten.grid_sampler_3d_backward(
                part, level, grid, 0, 1, True, (True, False)
            )
            into += change
        return None, None, None


def _levels(table: Tensor, shapes: tuple[tuple[int, ...], ...]) -> list[Tensor]:
    """Views [1, C, z, y, x] of a table [V, C]."""
    rows = torch.split(table, [math.prod(shape) for shape in shapes])
    return [
        level.view(*shape[::-1], -1).permute(3, 0, 1, 2)[None]
        for level, shape in zip(rows, shapes, strict=True)
    ]


def direction_harmonics(directions: Tensor) -> Tensor:
    """Returns the nine real spherical harmonics up to degree 2 at unit directions [N, 3]."""
    x, y, z = directions.unbind(1)
    return torch.stack(
        [
            torch.full_like(x, 0.28209479),
            0.48860251 * y,
            0.48860251 * z,
            0.48860251 * x,
            1.09254843 * x * y,
            1.09254843 * y * z,
            0.94617470 * z * z - 0.31539157,
            1.09254843 * x * z,
            0.54627421 * (x * x - y * y),
        ],
        1,
    )
