"""How large an object is in the room, and which rays a lens computes for slow phones."""

from __future__ import annotations

from dataclasses import dataclass

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.room import ObjectSpan, check_size_cm, object_span
from mobile_nelf.vocabulary import Experience

__all__ = [
    "DEGREES_A_SCREEN",
    "PHONE_FOV_DEG",
    "WORLD_DISTANCE_CM",
    "RoomSize",
    "room_size",
    "smaller_checkpoint",
]

#: Vertical field of view of the phone's camera in Lens Studio's own scenes, in degrees.
PHONE_FOV_DEG = 63.541019

#: Turn of the object for a drag from one edge of the screen to the other.
DEGREES_A_SCREEN = 180.0

#: How far in front of the phone the object appears, as far as the photos were taken from it.
WORLD_DISTANCE_CM = 100.0

#: Rays along each axis of the smaller picture against the full one: half of the work.
SMALLER = 0.7


#: Nobody wants an object at arm's length or in the next room; true sizes may ask for either.
NEAREST_CM, FURTHEST_CM = 40.0, 300.0


@dataclass(frozen=True)
class RoomSize:
    """How large the object is in the room, and where it stands at the start.

    Attributes:
        units_per_cm: of the photos' world.
        distance_cm: from the phone to the orbit's target.
        foot: how far below the target the object ends, world units.
        height: from there to its upper end, world units.
        reach: how far the object reaches sideways, world units.
    """

    units_per_cm: float
    distance_cm: float
    foot: float
    height: float
    reach: float

    @property
    def size_cm(self) -> float:
        """Height of the object in the room."""
        return self.height / self.units_per_cm

    @classmethod
    def of(
        cls,
        contract: Contract,
        size_cm: float | None = None,
        span: ObjectSpan | None = None,
    ) -> RoomSize:
        """Returns the size of an object.

        Args:
            contract: of its model.
            size_cm: its height; if `None` its true size, or as large as the photos show it from a
                metre where nobody knows that.
            span: see `deploy.room.object_span`; the whole ball that photos show if `None`.
        """
        radius = sum(contract.orbit.radius) / 2
        ball = contract.ball_radius
        span = span or ObjectSpan(ball, ball, ball)
        height = span.foot + span.head
        measured = (span.foot, height, span.reach)
        if size_cm is not None:
            units = height / size_cm
        elif contract.metres_per_unit is not None:
            units = 0.01 / contract.metres_per_unit
        else:
            return cls(radius / WORLD_DISTANCE_CM, WORLD_DISTANCE_CM, *measured)
        return cls(units, min(max(radius / units, NEAREST_CM), FURTHEST_CM), *measured)


def room_size(
    checkpoint: Checkpoint, contract: Contract, experience: Experience, size_cm: float | None
) -> RoomSize | None:
    """Size of the object in the room; None for a lens that is elsewhere.

    Raises:
        InputError: the size is none, or the lens is elsewhere.
    """
    check_size_cm(size_cm, experience)
    if experience != "world":
        return None
    return RoomSize.of(contract, size_cm, object_span(checkpoint))


def smaller_checkpoint(checkpoint: Checkpoint) -> Checkpoint:
    """Returns the student on a coarser grid with the same view: less work, less detail."""
    student = checkpoint.student
    columns, rows = (
        max(round(SMALLER * side), 1) for side in (student.ray_width, student.ray_height)
    )
    size = (columns * student.scale, rows * student.scale)
    return checkpoint.on_grid(columns, rows, checkpoint.intrinsics.resized(*size))
