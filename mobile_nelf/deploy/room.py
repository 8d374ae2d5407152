"""An object in a room: how far it reaches, and how high it is to be."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import shown_ball_radius
from mobile_nelf.errors import InputError
from mobile_nelf.rendering import student_frame_function
from mobile_nelf.vocabulary import Experience

__all__ = ["ObjectSpan", "check_size_cm", "object_span"]

#: A house is larger, but not in a living room.
MAX_SIZE_CM = 1000.0

#: Pixels whose alpha, or distance from the background, is larger are of the object.
OBJECT_LEVEL = 0.1


@dataclass(frozen=True)
class ObjectSpan:
    """How far an object reaches from the orbit's target, in world units.

    Attributes:
        foot: downwards.
        head: upwards.
        reach: sideways, from the vertical through the target.
    """

    foot: float
    head: float
    reach: float


def object_span(checkpoint: Checkpoint, poses: int = 4) -> ObjectSpan:
    """Returns how far from the orbit's target the object reaches.

    Measured in the student's own pictures from as level as photos were taken. Seen from above, what
    is nearer than the target looks lower than it is, and how near it is is not known: of all
    pictures, the one whose foot is highest is nearest to the truth. Of a student that shows nothing
    there, it is the whole ball.
    """
    orbit, lens = checkpoint.orbit, checkpoint.intrinsics
    frame = student_frame_function(checkpoint)
    elevation = min(max(0.0, orbit.elevation[0]), orbit.elevation[1])
    distance = sum(orbit.radius) / 2
    first, last = orbit.azimuth
    foot, head, reach = math.inf, -math.inf, 0.0
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
            foot = min(foot, (rows[-1] + 1 - lens.cy) * upright)
            head = max(head, (lens.cy - rows[0]) * upright)
            columns = np.flatnonzero(seen.any(axis=0))
            aside = max(columns[-1] + 1 - lens.cx, lens.cx - columns[0])
            reach = max(reach, aside * distance / lens.fx)
    # Nothing was trained beyond the ball.
    ball = shown_ball_radius(checkpoint)
    if not 0 < foot + head < math.inf:
        return ObjectSpan(ball, ball, ball)
    return ObjectSpan(float(min(foot, ball)), float(min(head, ball)), float(min(reach, ball)))


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
