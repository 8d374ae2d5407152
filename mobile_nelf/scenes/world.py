"""Poses and the world they stand in.

All readers check poses alike, and one similarity makes the world of any scene look like that of the
Blender scenes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import FloatArray
from mobile_nelf.errors import SceneError

__all__ = [
    "FROM_OPENCV",
    "RADIUS",
    "Similarity",
    "checked_pose",
    "faces_forward",
    "world_similarity",
]

#: Median distance of the cameras from the target, world units; the Blender scenes have 4.03.
RADIUS = 4.0
#: Where the upper sides of photos point in all directions, their mean is shorter than this.
UP_CANCELS = 0.1

#: Turns camera axes right, down, ahead (OpenCV, COLMAP) into right, up, back.
FROM_OPENCV = np.diag([1.0, -1.0, -1.0])

#: Largest deviation of a rotation from an orthogonal matrix; files have six digits or so.
ROTATION_TOLERANCE = 1e-3
#: Cameras that look within this angle of their mean direction see one side of something.
FORWARD_DEG = 35.0


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


def checked_pose(matrix: npt.ArrayLike | None, where: str) -> FloatArray:
    """Returns the [3, 4] `cam_to_world` of a [3, 4] or [4, 4] matrix.

    Args:
        matrix: as the file has it, in the OpenGL frame.
        where: file and frame, for messages.

    Raises:
        SceneError: another shape, numbers that are not finite, or no rotation: depths are measured
            along camera axes, so scaled or mirrored axes would bend every ray.
    """
    try:
        pose = np.asarray([] if matrix is None else matrix, np.float64)
    except (ValueError, TypeError) as error:
        raise SceneError(f"{where}: expected a pose of 3×4 or 4×4 numbers ({error})") from error
    if pose.shape not in ((3, 4), (4, 4)):
        raise SceneError(
            f"{where}: expected a pose of 3×4 or 4×4 numbers, found shape {list(pose.shape)}"
        )
    if not np.isfinite(pose).all():
        raise SceneError(f"{where}: its pose has numbers that are not finite")
    rotation = pose[:3, :3]
    deviation = np.abs(rotation.T @ rotation - np.eye(3)).max()
    if deviation > ROTATION_TOLERANCE or np.linalg.det(rotation) < 0.0:
        raise SceneError(f"{where}: its pose is no rotation: {rotation.round(4).tolist()}")
    return pose[:3]


def faces_forward(poses: FloatArray) -> bool:
    """Whether cameras [N, 3, 4] all look in about the same direction."""
    axes = poses[:, :, 2]
    mean = axes.mean(0)
    cosines = axes @ mean
    return bool(cosines.min() > np.cos(np.radians(FORWARD_DEG)) * np.linalg.norm(mean) > 0.0)
