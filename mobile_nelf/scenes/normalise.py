"""One similarity that makes the world of any scene look like that of the Blender scenes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mobile_nelf.cameras import FloatArray

__all__ = ["RADIUS", "Similarity", "world_similarity"]

#: Median distance of the cameras from the target, world units; the Blender scenes have 4.03.
RADIUS = 4.0
#: Where the upper sides of photos point in all directions, their mean is shorter than this.
UP_CANCELS = 0.1


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
        """Returns a [3, 4] pose in the new world; its axes stay unit vectors."""
        position = self.scale * self.rotation @ (cam_to_world[:, 3] - self.origin)
        return np.concatenate([self.rotation @ cam_to_world[:, :3], position[:, None]], 1)


def world_similarity(poses: FloatArray, target: FloatArray) -> Similarity:
    """Puts `target` at the origin, the cameras' mean up along +z and the cameras at `RADIUS`.

    The azimuth of the mean camera becomes 0, so that a scene seen from one side has its middle
    there and not at the seam.

    Args:
        poses: [N, 3, 4] `cam_to_world` of the cameras.
        target: [3] point that they look at.

    Raises:
        ValueError: the cameras have no common up, or stand on the target.
    """
    distance = float(np.median(np.linalg.norm(poses[:, :, 3] - target, axis=1)))
    if distance < 1e-9:
        raise ValueError("an orbit needs cameras around an object, found one at its centre")
    up = _common_up(poses)
    toward = poses[:, :, 3].mean(0) - target
    toward -= up * (toward @ up)
    if np.linalg.norm(toward) < 1e-6 * distance:  # all round: any direction will do
        toward = np.cross(up, [1.0, 0.0, 0.0] if abs(up[0]) < 0.9 else [0.0, 1.0, 0.0])
    toward /= np.linalg.norm(toward)
    rotation = np.stack([toward, np.cross(up, toward), up])
    return Similarity(rotation, np.asarray(target, np.float64), RADIUS / distance)


def _common_up(poses: FloatArray) -> FloatArray:
    """The mean of the photos' upper sides, [3]; if they cancel out, against where they look.

    They cancel out in pictures from above that are turned in all directions.
    """
    for axis in (1, 2):
        up = poses[:, :, axis].mean(0)
        length = float(np.linalg.norm(up))
        if length > UP_CANCELS:
            return np.asarray(up / length, np.float64)
    raise ValueError("the cameras have no common up direction")
