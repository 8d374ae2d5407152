"""An object in a room: how far it reaches, and how high it is to be."""

from __future__ import annotations

import math

import numpy as np

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import shown_ball_radius
from mobile_nelf.errors import InputError
from mobile_nelf.rendering import student_frame_function
from mobile_nelf.vocabulary import Experience

__all__ = ["check_size_cm", "object_span"]

#: A house is larger, but not in a living room.
MAX_SIZE_CM = 1000.0

#: Pixels whose alpha, or distance from the background, is larger are of the object.
OBJECT_LEVEL = 0.1


def object_span(checkpoint: Checkpoint, poses: int = 4) -> tuple[float, float]:
    """Returns how far below and above the orbit's target the object reaches, in world units.

    Measured in the student's own pictures from as level as photos were taken; what the object is
    deep along the line of sight is not known and left out. Of a student that shows nothing there,
    it is the whole ball.
    """
    orbit, lens = checkpoint.orbit, checkpoint.intrinsics
    frame = student_frame_function(checkpoint)
    elevation = min(max(0.0, orbit.elevation[0]), orbit.elevation[1])
    distance = sum(orbit.radius) / 2
    first, last = orbit.azimuth
    foot, head = -math.inf, -math.inf
    for index in range(poses):
        azimuth = first + (last - first) * (index + 0.5) / poses
        picture = frame(checkpoint.ray_camera(orbit.pose(azimuth, elevation, distance)))
        if picture.shape[2] == 4:
            seen = picture[..., 3] > OBJECT_LEVEL
        else:
            seen = np.abs(picture - np.array(checkpoint.background)).max(axis=2) > OBJECT_LEVEL
        rows = np.flatnonzero(seen.any(axis=1))
        if rows.size:
            upright = distance / lens.fy / math.cos(math.radians(elevation))
            foot = max(foot, (rows[-1] + 1 - lens.cy) * upright)
            head = max(head, (lens.cy - rows[0]) * upright)
    # Nothing was trained beyond the ball.
    ball = shown_ball_radius(checkpoint)
    if not foot + head > 0:
        return ball, ball
    return min(foot, ball), min(head, ball)


def check_size_cm(size_cm: float | None, experience: Experience) -> None:
    """Checks the height that was asked for, if one was.

    Raises:
        InputError: nothing can be so high, or the object stands in no room.
    """
    if size_cm is None:
        return
    if experience != "world":
        raise InputError(
            "size_cm is for experience world; an object under the finger fills the screen",
            arguments=["size_cm"],
        )
    if not 0.0 < size_cm <= MAX_SIZE_CM:
        raise InputError(
            f"size_cm is {size_cm:g}, expected up to {MAX_SIZE_CM:g} centimetres",
            arguments=["size_cm"],
        )
