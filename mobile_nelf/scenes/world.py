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
    "Up",
    "checked_pose",
    "common_up",
    "faces_forward",
    "world_similarity",
]

#: Median distance of the cameras from the target, world units; the Blender scenes have 4.03.
RADIUS = 4.0
#: Where the upper sides of photos point in all directions, their mean is shorter than this.
UP_CANCELS = 0.1
#: The x axes of level cameras span the horizon. They tell it if they are spread in it by this much,
#: as the root of the mean square, and out of it by at most this share of that.
LEAST_SPREAD = 0.02
LARGEST_TILT = 0.5

#: Turns camera axes right, down, ahead (OpenCV, COLMAP) into right, up, back.
FROM_OPENCV = np.diag([1.0, -1.0, -1.0])

#: Largest deviation of a rotation from an orthogonal matrix; files have six digits or so.
ROTATION_TOLERANCE = 1e-3
#: Of a 4×4 pose.
LAST_ROW = np.array([0.0, 0.0, 0.0, 1.0])
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


class Up(NamedTuple):
    """The up direction of a scene.

    Attributes:
        direction: [3] unit vector, world frame.
        known: whether the cameras' x axes tell it; otherwise it is a mean of camera axes.
    """

    direction: FloatArray
    known: bool


def common_up(axes: FloatArray) -> Up:
    """Returns the direction across all cameras' x axes, which lie in the horizon.

    The mean of the cameras' own ups is wrong unless they stand all round: all of them lean the same
    way. It only signs the direction, and stands in where the x axes span no plane: in pictures that
    are all taken straight ahead, or turned at random. Where the ups cancel out, as in pictures from
    above that are turned in all directions, cameras look down.

    Args:
        axes: [N, 3, 3] camera axes right, up, back as columns, of the pictures as they are shown.

    Raises:
        ValueError: the cameras have no common up.
    """
    across = axes[:, :, 0]
    _, values, directions = np.linalg.svd(across, full_matrices=True)
    spread = np.zeros(3)
    spread[: len(values)] = values / np.sqrt(len(across))
    known = bool(spread[1] >= LEAST_SPREAD and spread[2] <= LARGEST_TILT * spread[1])
    for axis in (1, 2):
        mean = axes[:, :, axis].mean(0)
        up = directions[2] * np.sign(directions[2] @ mean) if known else mean
        if abs(float(up @ mean)) > UP_CANCELS * float(np.linalg.norm(up)):
            return Up(np.asarray(up / np.linalg.norm(up), np.float64), known)
    raise ValueError("the cameras have no common up direction")


def world_similarity(poses: FloatArray, target: FloatArray, up: FloatArray) -> Similarity:
    """Puts `target` at the origin, `up` along +z and the cameras at `RADIUS`.

    The azimuth of the mean camera becomes 0, so that a scene seen from one side has its middle
    there and not at the seam.

    Args:
        poses: [N, 3, 4] `cam_to_world` of the cameras.
        target: [3] point that they look at.
        up: [3] unit vector.

    Raises:
        ValueError: the cameras stand on the target.
    """
    distance = float(np.median(np.linalg.norm(poses[:, :, 3] - target, axis=1)))
    if distance < 1e-9:
        raise ValueError("an orbit needs cameras around an object, found one at its centre")
    toward = poses[:, :, 3].mean(0) - target
    toward -= up * (toward @ up)
    if np.linalg.norm(toward) < 1e-6 * distance:  # all round: any direction will do
        toward = np.cross(up, [1.0, 0.0, 0.0] if abs(up[0]) < 0.9 else [0.0, 1.0, 0.0])
    toward /= np.linalg.norm(toward)
    rotation = np.stack([toward, np.cross(up, toward), up])
    return Similarity(rotation, np.asarray(target, np.float64), RADIUS / distance)


def checked_pose(matrix: npt.ArrayLike | None, where: str) -> FloatArray:
    """Returns the [3, 4] `cam_to_world` of a [3, 4] or [4, 4] matrix.

    Args:
        matrix: as the file has it, in the OpenGL frame.
        where: file and frame, for messages.

    Raises:
        SceneError: another shape, numbers that are not finite, or not a rotation: depths are
            measured along camera axes, so scaled or mirrored axes would bend every ray.
    """
    try:
        pose = np.asarray([] if matrix is None else matrix, np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise SceneError(f"{where}: expected a pose of 3×4 or 4×4 numbers ({error})") from error
    if pose.shape not in ((3, 4), (4, 4)):
        raise SceneError(
            f"{where}: expected a pose of 3×4 or 4×4 numbers, found shape {list(pose.shape)}"
        )
    if not np.isfinite(pose).all():
        raise SceneError(f"{where}: its pose has numbers that are not finite")
    off = np.abs(pose[3] - LAST_ROW).max() if len(pose) == 4 else 0.0
    if off > ROTATION_TOLERANCE and np.abs(pose[:, 3] - LAST_ROW).max() <= ROTATION_TOLERANCE:
        raise SceneError(
            f"{where}: its pose is transposed (column-major): its last column, not its last row, "
            "is 0, 0, 0, 1; transpose the matrix of each frame"
        )
    rotation = pose[:3, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        product = rotation.T @ rotation
        deviation = float(np.abs(product - np.eye(3)).max())
    if deviation <= ROTATION_TOLERANCE and np.linalg.det(rotation) > 0.0:
        if off > ROTATION_TOLERANCE:
            raise SceneError(
                f"{where}: the last row of its pose is {pose[3].round(4).tolist()}, expected "
                "0, 0, 0, 1"
            )
        return pose[:3]
    scale = float(np.sqrt(np.trace(product) / 3.0))
    why = ""
    if np.isfinite(scale) and scale > 0.0:
        uniform = bool(np.abs(product / scale**2 - np.eye(3)).max() <= ROTATION_TOLERANCE)
        mirrored = bool(np.linalg.det(rotation / scale) < 0.0)
        if uniform and mirrored:
            why = "; its axes are left-handed (mirrored)"
        elif uniform:
            why = (
                f"; its axes are scaled by {scale:.4g}: divide the first three columns of each "
                "pose by that"
            )
    raise SceneError(f"{where}: its pose is not a rotation: {rotation.round(4).tolist()}{why}")


def faces_forward(poses: FloatArray) -> bool:
    """Whether cameras [N, 3, 4] all look in about the same direction."""
    axes = poses[:, :, 2]
    mean = axes.mean(0)
    cosines = axes @ mean
    return bool(cosines.min() > np.cos(np.radians(FORWARD_DEG)) * np.linalg.norm(mean) > 0.0)
