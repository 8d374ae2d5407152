"""Positional encoding of ray samples, directly and in factored form.

Two channel orders occur. The *official* one is the student's: channel `coord·(2L+1) + j`, where j
counts L sines of 2⁰…2ᴸ⁻¹·x, L cosines, then x itself. The *grouped* one is what comes out of
batched arithmetic: all sines (channel `level·C + coord`), all cosines, all coordinates.
`official_to_grouped` converts the weights of a first layer once, so no graph has to reorder
activations.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mobile_nelf.cameras import FloatArray
from mobile_nelf.rays import RayMap

__all__ = ["FactoredTables", "encode", "factored_tables", "official_to_grouped"]


def encode(points: Tensor, frequencies: int) -> Tensor:
    """Returns the official encoding of sampled points, in the dtype of `points`.

    Args:
        points: [N, C, h, w] coordinates, world frame.
        frequencies: L, the number of octaves from 2⁰.

    Returns:
        [N, C·(2L+1), h, w] (NeRF equation 4 without π, plus the coordinate itself).
    """
    octaves = 2.0 ** torch.arange(frequencies, device=points.device, dtype=points.dtype)
    phases = points[:, :, None] * octaves[:, None, None]  # [N, C, L, h, w]
    parts = torch.cat([phases.sin(), phases.cos(), points[:, :, None]], dim=2)
    return parts.flatten(1, 2)


def official_to_grouped(coords: int, frequencies: int) -> npt.NDArray[np.int64]:
    """Returns the official channel that stands at each grouped position, [C·(2L+1)].

    `weight[:, official_to_grouped(C, L)]` turns a first layer trained on the official order into
    one that takes the grouped order.
    """
    per_coord = 2 * frequencies + 1
    base = np.arange(coords) * per_coord
    sines = [base + level for level in range(frequencies)]
    cosines = [base + frequencies + level for level in range(frequencies)]
    return np.concatenate([*sines, *cosines, base + 2 * frequencies])


class FactoredTables(NamedTuple):
    """Per-frame tables from which the encoding is exact products and sums.

    With P = L·C phases (channel `level·C + coord`), θ = column phase + row phase:
    sin θ = sin_columns·cos_rows + cos_columns·sin_rows, cos θ = cos_columns·cos_rows −
    sin_columns·sin_rows, and the point is point_columns + point_rows.
    """

    sin_columns: FloatArray  # [P, w]
    cos_columns: FloatArray  # [P, w]
    point_columns: FloatArray  # [C, w]
    sin_rows: FloatArray  # [P, h]
    cos_rows: FloatArray  # [P, h]
    point_rows: FloatArray  # [C, h]


def factored_tables(
    rays: RayMap, width: int, height: int, depths: FloatArray, frequencies: int
) -> FactoredTables:
    """Returns the tables of the `width`×`height` pixels of a ray map, in float64.

    A point is o + z·(d0 + u·du + v·dv): its column part o + z·(d0 + u·du), its row part z·v·dv.
    """
    origin = np.tile(rays.origin, len(depths))[:, None]  # [C, 1]
    d0, du, dv = (
        (depths[:, None] * vector).reshape(-1, 1) for vector in (rays.d0, rays.du, rays.dv)
    )
    columns = origin + d0 + du * np.arange(width)  # [C, w]
    rows = dv * np.arange(height)  # [C, h]
    octaves = 2.0 ** np.arange(frequencies)
    column_phases = (octaves[:, None, None] * columns).reshape(-1, width)  # [P, w]
    row_phases = (octaves[:, None, None] * rows).reshape(-1, height)  # [P, h]
    return FactoredTables(
        np.sin(column_phases),
        np.cos(column_phases),
        columns,
        np.sin(row_phases),
        np.cos(row_phases),
        rows,
    )
