"""What all readers ask of poses, and how they hold views out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import FloatArray
from mobile_nelf.errors import SceneError

__all__ = ["HOLD_OUT", "checked_pose", "held_out"]

#: Formats without a test split keep every so many views for testing, the first among them.
HOLD_OUT = 8
#: Largest deviation of a rotation from an orthogonal matrix; files have six digits or so.
ROTATION_TOLERANCE = 1e-3

T = TypeVar("T")


def checked_pose(matrix: npt.ArrayLike, where: str) -> FloatArray:
    """Returns the [3, 4] `cam_to_world` of a [3, 4] or [4, 4] matrix.

    Args:
        matrix: as the file has it, in the OpenGL frame.
        where: file and frame, for messages.

    Raises:
        SceneError: another shape, numbers that are not finite, or no rotation: depths are measured
            along camera axes, so scaled or mirrored axes would bend every ray.
    """
    try:
        pose = np.asarray(matrix, np.float64)
    except (ValueError, TypeError) as error:
        raise SceneError(f"{where}: expected a matrix of numbers ({error})") from error
    if pose.shape not in ((3, 4), (4, 4)) or not np.isfinite(pose).all():
        raise SceneError(
            f"{where}: expected a pose of 3×4 or 4×4 finite numbers, found shape {pose.shape}"
        )
    rotation = pose[:3, :3]
    error = np.abs(rotation.T @ rotation - np.eye(3)).max()
    if error > ROTATION_TOLERANCE or np.linalg.det(rotation) < 0.0:
        raise SceneError(f"{where}: its axes are no rotation: {rotation.round(4).tolist()}")
    return pose[:3]


def held_out(views: Sequence[T]) -> tuple[list[T], list[T]]:
    """Returns the views to train on and, every eighth, those to test with."""
    train = [view for index, view in enumerate(views) if index % HOLD_OUT]
    return train, list(views[::HOLD_OUT])
