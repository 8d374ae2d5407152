"""Slow, obvious float64 definitions of rays and encoding, one number at a time."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import Camera, Intrinsics, look_at

__all__ = ["LENSES", "POSE", "slow_direction", "slow_encoding", "slow_grouped_encoding"]

FloatArray = npt.NDArray[np.float64]

POSE = look_at((1.5, -2.5, 2.0), (0.2, 0.1, -0.3))
LENSES = {
    "centred": Intrinsics.centred(6, 6, 8.3),
    "non-square grid": Intrinsics.centred(7, 4, 8.3),
    "non-square pixels": Intrinsics(6, 5, 8.3, 11.9, 3.0, 2.5),
    "off-centre": Intrinsics(6, 5, 8.3, 8.3, 1.7, 4.2),
    # Columns 40 to 45 and rows 10 to 14 of a 100×100 image of focal 138.9.
    "crop window": Intrinsics(6, 5, 138.9, 138.9, 50.0 - 40.0, 50.0 - 10.0),
    "window beside the axis": Intrinsics(6, 5, 20.0, 20.0, -11.0, 30.0),
    "one column": Intrinsics(1, 3, 8.3, 8.3, 0.5, 1.5),
}


def slow_direction(camera: Camera, u: int, v: int) -> list[float]:
    """The definition: d = R · ((u + ½ − cx)/fx, −(v + ½ − cy)/fy, −1)."""
    lens = camera.intrinsics
    in_camera = ((u + 0.5 - lens.cx) / lens.fx, -(v + 0.5 - lens.cy) / lens.fy, -1.0)
    return [
        sum(float(camera.cam_to_world[row, axis]) * in_camera[axis] for axis in range(3))
        for row in range(3)
    ]


def _slow_coordinate(camera: Camera, u: int, v: int, depth: float, axis: int) -> float:
    return float(camera.cam_to_world[axis, 3]) + depth * slow_direction(camera, u, v)[axis]


def slow_encoding(
    camera: Camera, near: float, far: float, samples: int, frequencies: int
) -> FloatArray:
    """[3·K·(2L+1), h, w] in the order of the official networks.

    Channel coord·(2L+1) + j with coord = 3·sample + xyz; j counts sines, cosines, the coordinate.
    """
    lens = camera.intrinsics
    per_coord = 2 * frequencies + 1
    encoded = np.full((3 * samples * per_coord, lens.height, lens.width), np.nan)
    for v in range(lens.height):
        for u in range(lens.width):
            for sample in range(samples):
                depth = near + (far - near) * sample / (samples - 1)
                for axis in range(3):
                    x = _slow_coordinate(camera, u, v, depth, axis)
                    first = (3 * sample + axis) * per_coord
                    for level in range(frequencies):
                        encoded[first + level, v, u] = math.sin(2**level * x)
                        encoded[first + frequencies + level, v, u] = math.cos(2**level * x)
                    encoded[first + 2 * frequencies, v, u] = x
    return encoded


def slow_grouped_encoding(
    camera: Camera, near: float, far: float, samples: int, frequencies: int
) -> FloatArray:
    """The same numbers: all sines (level·C + coord), all cosines, all coordinates."""
    official = slow_encoding(camera, near, far, samples, frequencies)
    coords, per_coord = 3 * samples, 2 * frequencies + 1
    grouped = np.full_like(official, np.nan)
    for coord in range(coords):
        for level in range(frequencies):
            sine, cosine = level * coords + coord, (frequencies + level) * coords + coord
            grouped[sine] = official[coord * per_coord + level]
            grouped[cosine] = official[coord * per_coord + frequencies + level]
        grouped[2 * frequencies * coords + coord] = official[coord * per_coord + 2 * frequencies]
    return grouped
