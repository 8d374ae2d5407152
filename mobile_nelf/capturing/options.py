"""What a capture is told."""

from __future__ import annotations

import os
from dataclasses import dataclass

from mobile_nelf.capturing.board import SQUARE_MM

__all__ = ["CaptureOptions"]


@dataclass(frozen=True)
class CaptureOptions:
    """Settings of a capture.

    Attributes:
        size: longer side of the scene's images in pixels; smaller photos keep their size.
        masks: folder of masks, white where the object is; None without.
        object: make masks of what all photos have in their middle; those in `masks` are kept then,
            and need not be of all photos.
        turntable: the object turned before a still camera and a still background.
        background: photo of that background alone; None takes the median of the photos.
        frames: of videos, about so many in all.
        refine: start from the poses that came with the photos.
        square_mm: side of a square of the printed board, if photos show it.
        threads: of structure from motion, all processors if None. One thread gives the same scene
            each time; more do not.
        seed: of everything random.
    """

    size: int = 1600
    frames: int = 120
    masks: str | None = None
    object: bool = False
    turntable: bool = False
    background: str | None = None
    refine: bool = False
    square_mm: float = SQUARE_MM
    threads: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses numbers that mean nothing."""
        if not 64 <= self.size <= 8192:
            raise ValueError(f"size must be 64 to 8192 pixels, found {self.size}")
        if not 3 <= self.frames <= 2000:
            raise ValueError(f"frames must be 3 to 2000, found {self.frames}")
        if self.background is not None and not self.turntable:
            raise ValueError("background is for a turntable")
        if self.turntable and self.masks is not None:
            raise ValueError("turntable makes masks; masks takes those of another tool")
        if self.turntable and self.object:
            raise ValueError("turntable makes masks of what moves; object of what stands still")
        if not 1.0 <= self.square_mm <= 1000.0:
            raise ValueError(f"square_mm must be 1 to 1000 millimetres, found {self.square_mm:g}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be at least 1, found {self.threads}")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed must be 0 to 2³¹ − 1, found {self.seed}")

    @property
    def used_threads(self) -> int:
        """Threads that are used on this machine."""
        if self.threads is not None:
            return self.threads
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity else os.cpu_count() or 1
