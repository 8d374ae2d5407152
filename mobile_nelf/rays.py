"""Rays of a camera's pixels and the points sampled along them.

The unnormalised direction of a pinhole ray is affine in the pixel, d(u, v) = d0 + u·du + v·dv.
Those nine numbers and the origin are all that a camera means to a student: pose, intrinsics, crop
and aspect are in them. Directions keep z = −1 in the camera frame, so `depth` is measured along the
optical axis.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mobile_nelf.cameras import Camera, FloatArray

__all__ = ["RayMap", "ray_grid", "ray_map", "sample_depths", "sample_points"]


class RayMap(NamedTuple):
    """The rays of a camera as an affine map of the pixel, world frame.

    Attributes:
        origin: [3] camera centre.
        d0: [3] direction of the pixel in column 0, row 0.
        du: [3] change of direction from one column to the next.
        dv: [3] change of direction from one row to the next.
    """

    origin: FloatArray
    d0: FloatArray
    du: FloatArray
    dv: FloatArray

    def flat(self) -> FloatArray:
        """Returns the 12 numbers in field order, the upload of the `camera` layout."""
        return np.concatenate(self)


def ray_map(camera: Camera) -> RayMap:
    """Returns the affine ray map of `camera` on its own pixel grid, in float64."""
    right, up, back = camera.cam_to_world[:, :3].T
    lens = camera.intrinsics
    du = right / lens.fx
    dv = -up / lens.fy
    d0 = (0.5 - lens.cx) * du + (0.5 - lens.cy) * dv - back
    return RayMap(camera.position, d0, du, dv)


def ray_grid(camera: Camera) -> FloatArray:
    """Returns [6, height, width]: origin and unnormalised direction of every pixel, world frame."""
    rays = ray_map(camera)
    columns = np.arange(camera.intrinsics.width, dtype=np.float64)
    rows = np.arange(camera.intrinsics.height, dtype=np.float64)
    directions = (
        rays.d0[:, None, None]
        + rays.du[:, None, None] * columns[None, None, :]
        + rays.dv[:, None, None] * rows[None, :, None]
    )
    origins = np.broadcast_to(rays.origin[:, None, None], directions.shape)
    return np.concatenate([origins, directions])


def sample_depths(near: float, far: float, count: int) -> FloatArray:
    """Returns `count` depths from `near` to `far`, both included, along the optical axis."""
    return np.linspace(near, far, count)


def sample_points(rays: FloatArray, depths: FloatArray) -> FloatArray:
    """Returns points o + z_k·d of [6, h, w] rays at [K] depths: [3·K, h, w], channel 3·k + xyz."""
    points = rays[None, :3] + depths[:, None, None, None] * rays[None, 3:]  # [K, 3, h, w]
    return points.reshape(-1, *rays.shape[1:])
