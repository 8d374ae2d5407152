"""Cells of a cube, and where photos show them: what hulls are carved of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import FloatArray
from mobile_nelf.capturing.model import PosedPhoto

__all__ = ["Places", "cube", "places"]

#: Pixels as indices into a flat picture, −1 for what it does not show.
Places = npt.NDArray[np.int32]

#: Beyond this tangent of the angle to the axis lies what no lens of a phone shows.
WIDEST = 3.0


def cube(centre: FloatArray, half: float, count: int) -> FloatArray:
    """Returns the centres [count³, 3] of the cells of a cube with half side `half`."""
    steps = (np.arange(count) + 0.5) / count * 2.0 - 1.0
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    return np.asarray(centre + half * grid, np.float64)


def places(photo: PosedPhoto, scale: float, shape: tuple[int, int], points: FloatArray) -> Places:
    """Returns where a photo shows points.

    Args:
        photo: its pose and lens.
        scale: pixels of the small picture a pixel of the photo.
        shape: height and width of the small picture.
        points: [N, 3] in the world of the photo.
    """
    pose = photo.cam_to_world
    local = (points - pose[:, 3]) @ pose[:, :3]
    depth = np.maximum(-local[:, 2], 1e-9)
    rays = (np.stack([local[:, 0], -local[:, 1]], 1) / depth[:, None]).clip(-WIDEST, WIDEST)
    pixels = np.floor(photo.lens.pixels(rays) * scale).astype(np.int32)
    height, width = shape
    seen = (local[:, 2] < 0) & (pixels >= 0).all(1) & (pixels < (width, height)).all(1)
    return np.where(seen, pixels[:, 1] * width + pixels[:, 0], -1).astype(np.int32)
