"""The in-graph part of each input layout, as modules that are traced with the network.

All yield the grouped channel order of `encoding`, since that is what batched arithmetic gives.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mobile_nelf.rays import sample_depths
from mobile_nelf.students import EncoderConfig, StudentConfig

__all__ = ["CameraEncoder", "ExpandedFactoredEncoder", "FactoredEncoder", "RayEncoder"]


def _sampling_weights(encoder: EncoderConfig) -> tuple[Tensor, Tensor]:
    """Weights of the 1×1 convs from a ray [o, d] to points and to phases, [C or P, 6, 1, 1].

    o + z·d and 2ˡ·(o + z·d) are linear in origin and direction. Rounded once, from float64.
    """
    depths = sample_depths(encoder.near, encoder.far, encoder.samples)
    eye = np.eye(3)
    points = np.concatenate([np.concatenate([eye, z * eye], axis=1) for z in depths])
    octaves = 2.0 ** np.arange(encoder.frequencies)
    phases = np.concatenate([octave * points for octave in octaves])
    return (
        torch.from_numpy(points).float()[:, :, None, None],
        torch.from_numpy(phases).float()[:, :, None, None],
    )


class RayEncoder(nn.Module):
    """Sampling and phases as one 1×1 conv each, then sines and cosines."""

    def __init__(self, encoder: EncoderConfig) -> None:
        """Computes the conv weights from the depth samples."""
        super().__init__()
        self.points: Tensor
        self.phases: Tensor
        points, phases = _sampling_weights(encoder)
        self.register_buffer("points", points)
        self.register_buffer("phases", phases)

    def forward(self, rays: Tensor) -> Tensor:
        """Maps rays [1, 6, h, w] to the grouped encoding."""
        phases = F.conv2d(rays, self.phases)
        return torch.cat([phases.sin(), phases.cos(), F.conv2d(rays, self.points)], dim=1)


class CameraEncoder(nn.Module):
    """Ray directions from the affine map, then as `RayEncoder`."""

    def __init__(self, student: StudentConfig) -> None:
        """Lays out the pixel indices for all three axes, so that products broadcast H and W only.

        SnapML's table allows broadcasting along the channel or along H and W, not both at once.
        """
        super().__init__()
        self.columns: Tensor
        self.rows: Tensor
        self.origin_points: Tensor
        self.origin_phases: Tensor
        self.direction_points: Tensor
        self.direction_phases: Tensor
        shape = (1, 3, student.ray_height, student.ray_width)
        columns = torch.arange(student.ray_width, dtype=torch.float32)
        rows = torch.arange(student.ray_height, dtype=torch.float32)[:, None]
        self.register_buffer("columns", columns.expand(shape).clone())
        self.register_buffer("rows", rows.expand(shape).clone())
        for name, weights in zip(
            ("points", "phases"), _sampling_weights(student.encoder), strict=True
        ):
            self.register_buffer(f"origin_{name}", weights[:, :3].clone())
            self.register_buffer(f"direction_{name}", weights[:, 3:].clone())

    def forward(self, camera: Tensor) -> Tensor:
        """Maps the twelve numbers [1, 12, 1, 1] to the grouped encoding."""
        origin, d0, du, dv = camera[:, 0:3], camera[:, 3:6], camera[:, 6:9], camera[:, 9:12]
        directions = self.columns * du + self.rows * dv + d0
        # The origin is the same for every pixel, so its share stays one pixel until the sum.
        phases = F.conv2d(directions, self.direction_phases) + F.conv2d(origin, self.origin_phases)
        points = F.conv2d(directions, self.direction_points) + F.conv2d(origin, self.origin_points)
        return torch.cat([phases.sin(), phases.cos(), points], dim=1)


class FactoredEncoder(nn.Module):
    """Angle sums over rows and columns, with plain broadcasting."""

    def forward(
        self,
        sin_columns: Tensor,
        cos_columns: Tensor,
        point_columns: Tensor,
        sin_rows: Tensor,
        cos_rows: Tensor,
        point_rows: Tensor,
    ) -> Tensor:
        """Maps the tables to the grouped encoding."""
        sine = sin_columns * cos_rows + cos_columns * sin_rows
        cosine = cos_columns * cos_rows - sin_columns * sin_rows
        return torch.cat([sine, cosine, point_columns + point_rows], dim=1)


class ExpandedFactoredEncoder(nn.Module):
    """`FactoredEncoder` from convs, Mul, Add and Concat only, without broadcasting or Sub.

    SnapML's documented table allows those on every back-end. A table is repeated along the missing
    axis by a depthwise conv of ones, as tall (or wide) as the grid and padded by one less, so each
    output cell sees the table's one row (or column) exactly once. Minus comes from a weight of −1.
    """

    def __init__(self, student: StudentConfig) -> None:
        """Builds the weights of ones."""
        super().__init__()
        self.tall: Tensor
        self.tall_minus: Tensor
        self.tall_points: Tensor
        self.wide: Tensor
        self.wide_points: Tensor
        coords = student.encoder.coords
        phases = coords * student.encoder.frequencies
        height, width = student.ray_height, student.ray_width
        self.padding_tall = (height - 1, 0)
        self.padding_wide = (0, width - 1)
        self.register_buffer("tall", torch.ones(phases, 1, height, 1))
        self.register_buffer("tall_minus", -torch.ones(phases, 1, height, 1))
        self.register_buffer("tall_points", torch.ones(coords, 1, height, 1))
        self.register_buffer("wide", torch.ones(phases, 1, 1, width))
        self.register_buffer("wide_points", torch.ones(coords, 1, 1, width))

    def _repeat(self, table: Tensor, ones: Tensor, padding: tuple[int, int]) -> Tensor:
        return F.conv2d(table, ones, padding=padding, groups=table.shape[1])

    def forward(
        self,
        sin_columns: Tensor,
        cos_columns: Tensor,
        point_columns: Tensor,
        sin_rows: Tensor,
        cos_rows: Tensor,
        point_rows: Tensor,
    ) -> Tensor:
        """Maps the tables to the grouped encoding."""
        sin_u = self._repeat(sin_columns, self.tall, self.padding_tall)
        minus_sin_u = self._repeat(sin_columns, self.tall_minus, self.padding_tall)
        cos_u = self._repeat(cos_columns, self.tall, self.padding_tall)
        sin_v = self._repeat(sin_rows, self.wide, self.padding_wide)
        cos_v = self._repeat(cos_rows, self.wide, self.padding_wide)
        points = self._repeat(point_columns, self.tall_points, self.padding_tall) + self._repeat(
            point_rows, self.wide_points, self.padding_wide
        )
        return torch.cat(
            [sin_u * cos_v + cos_u * sin_v, cos_u * cos_v + minus_sin_u * sin_v, points], dim=1
        )
