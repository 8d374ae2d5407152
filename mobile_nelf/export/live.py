"""What a page shows that is rendered elsewhere: by the process that serves it."""

from __future__ import annotations

from dataclasses import dataclass

from mobile_nelf.cameras import Intrinsics, OrbitLimits
from mobile_nelf.pictures import ByteImage

__all__ = ["LiveView"]


@dataclass(frozen=True, eq=False)
class LiveView:
    """A light field that a page cannot compute by itself.

    Attributes:
        name: for people.
        intrinsics: lens of the whole picture, on its pixel grid.
        orbit: where cameras may go, world frame.
        poster: [height, width, 3] of the first pose.
        changes: whether it becomes another meanwhile, as in training; the page then looks again.
    """

    name: str
    intrinsics: Intrinsics
    orbit: OrbitLimits
    poster: ByteImage
    changes: bool = False
