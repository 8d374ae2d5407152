"""One similarity that makes the world of any scene look like that of the Blender scenes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mobile_nelf.cameras import FloatArray

__all__ = ["RADIUS", "Similarity", "world_similarity"]

#: Median distance of the cameras from the target, world units; the Blender scenes have 4.03.
RADIUS = 4.0


class Similarity(NamedTuple):
    """x ↦ scale · rotation · (x − origin).

    Attributes:
        rotation: [3, 3].
        origin: [3], in the old world.
        scale: new units an old unit.
    """

    rotation: FloatArray
    origin: FloatArray
    scale: float

    def pose(self, cam_to_world: FloatArray) -> FloatArray:
        """Returns a [3, 4] pose in the new world."""
        position = self.scale * self.rotation @ (cam_to_world[:, 3] - self.origin)
        return np.concatenate([self.rotation @ cam_to_world[:, :3], position[:, None]], 1)

    def points(self, points: FloatArray) -> FloatArray:
        """Returns points [N, 3] in the new world."""
        return self.scale * (points - self.origin) @ self.rotation.T


def world_similarity(poses: Sequence[FloatArray], target: FloatArray) -> Similarity:
    """Puts `target` at the origin, the cameras' mean up along +z and the cameras at `RADIUS`.

    The azimuth of the mean camera becomes 0, so that a scene seen from one side has its middle
    there and not at the seam.

    Args:
        poses: `cam_to_world` [3, 4] of the cameras.
        target: [3] point that they look at.

    Raises:
        ValueError: the cameras have no common up, or all stand on the target.
    """
    stacked = np.stack(poses)
    up = stacked[:, :, 1].mean(0)
    distance = float(np.median(np.linalg.norm(stacked[:, :, 3] - target, axis=1)))
    if np.linalg.norm(up) < 1e-6 or distance < 1e-9:
        raise ValueError("the cameras have no common up direction, or stand where they look at")
    up /= np.linalg.norm(up)
    toward = stacked[:, :, 3].mean(0) - target
    toward -= up * (toward @ up)
    if np.linalg.norm(toward) < 1e-6 * distance:  # all round: any direction will do
        toward = np.cross(up, [1.0, 0.0, 0.0] if abs(up[0]) < 0.9 else [0.0, 1.0, 0.0])
    toward /= np.linalg.norm(toward)
    rotation = np.stack([toward, np.cross(up, toward), up])
    return Similarity(rotation, np.asarray(target, np.float64), RADIUS / distance)
