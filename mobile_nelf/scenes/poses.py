"""What all readers ask of poses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import FloatArray
from mobile_nelf.errors import SceneError

__all__ = ["FROM_OPENCV", "checked_pose", "faces_forward"]

#: Turns camera axes right, down, ahead (OpenCV, COLMAP) into right, up, back.
FROM_OPENCV = np.diag([1.0, -1.0, -1.0])

#: Largest deviation of a rotation from an orthogonal matrix; files have six digits or so.
ROTATION_TOLERANCE = 1e-3
#: Cameras that look within this angle of their mean direction see one side of something.
FORWARD_DEG = 35.0


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
