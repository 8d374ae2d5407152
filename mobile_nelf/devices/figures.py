"""The figures of a run, each of which refuses what cannot have been measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from mobile_nelf.vocabulary import ThermalState

__all__ = [
    "Battery",
    "Latency",
    "Memory",
    "Placement",
    "SelfCheck",
    "Sustained",
    "Thermal",
    "check_counts",
    "check_filled",
    "check_positive",
]


#: Means and interpolated percentiles are rounded, and may leave their bounds by that much.
ROUNDING = 1e-9


def check_positive(holder: object, *names: str) -> None:
    """Refuses attributes that are neither None nor a finite number above zero."""
    for name in names:
        value = getattr(holder, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value}, expected a finite number above 0")


def check_counts(holder: object, *names: str) -> None:
    """Refuses attributes that are neither None nor zero or more."""
    for name in names:
        value = getattr(holder, name)
        if value is not None and value < 0:
            raise ValueError(f"{name} is {value}, expected 0 or more")


def check_filled(holder: object, *names: str) -> None:
    """Refuses attributes without a visible character."""
    for name in names:
        if not getattr(holder, name).strip():
            raise ValueError(f"{name} is empty, expected a text")


def _check_ascending(holder: object, *names: str) -> None:
    """Refuses attributes of which one is smaller than the one before it."""
    for low, high in pairwise(names):
        smaller, larger = getattr(holder, low), getattr(holder, high)
        if smaller > larger * (1.0 + ROUNDING):
            raise ValueError(f"{low} is {smaller} and {high} is {larger}, expected {low} <= {high}")


@dataclass(frozen=True)
class Latency:
    """Milliseconds from input to picture, over the frames after the warm-up.

    Attributes:
        count: frames timed.
        mean: of all frames.
        p50: median.
        p90: nine of ten frames take no longer.
        p99: 99 of 100 frames take no longer.
        min: fastest frame.
        max: slowest frame.
    """

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    min: float
    max: float

    def __post_init__(self) -> None:
        """Refuses what cannot be a statistic of times."""
        check_positive(self, "count", "mean", "p50", "p90", "p99", "min", "max")
        _check_ascending(self, "min", "p50", "p90", "p99", "max")
        _check_ascending(self, "min", "mean", "max")


@dataclass(frozen=True)
class Sustained:
    """A run without a pause, which shows what heat does to the speed.

    Attributes:
        seconds: its length.
        frames: rendered in that time.
        p50: median latency in milliseconds.
        p90: of the latency.
        p99: of the latency.
        fps: frames a second.
        frames_by_second: frames that ended in each whole second; empty in files of older apps.
        thermal_by_second: heat at the end of each of them.
    """

    seconds: float
    frames: int
    p50: float
    p90: float
    p99: float
    fps: float
    frames_by_second: tuple[int, ...] = ()
    thermal_by_second: tuple[ThermalState, ...] = ()

    def __post_init__(self) -> None:
        """Refuses what cannot be a statistic of times."""
        check_positive(self, "seconds", "frames", "p50", "p90", "p99", "fps")
        if sum(self.frames_by_second) > self.frames or min(self.frames_by_second, default=0) < 0:
            raise ValueError(
                f"frames_by_second adds up to {sum(self.frames_by_second)}, expected counts of at "
                f"most {self.frames} frames"
            )
        _check_ascending(self, "p50", "p90", "p99")


@dataclass(frozen=True)
class Memory:
    """Footprint of the whole app in bytes, as the system charges it.

    Attributes:
        before: the model is loaded.
        after_load: of the model.
        peak: the largest seen while rendering.
    """

    before: int
    after_load: int
    peak: int

    def __post_init__(self) -> None:
        """Refuses footprints that no app has."""
        check_positive(self, "before", "after_load", "peak")


@dataclass(frozen=True)
class Battery:
    """Charge at both ends of a run, 0 to 1.

    Attributes:
        start: before the run.
        end: after it.
        charging: at either end; a device that charges is warmer.
    """

    start: float
    end: float
    charging: bool

    def __post_init__(self) -> None:
        """Refuses charges that no battery has."""
        for name in ("start", "end"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 to 1")


@dataclass(frozen=True)
class Thermal:
    """The system's own word for how hot the device was.

    Attributes:
        start: before the run.
        end: after it.
    """

    start: ThermalState
    end: ThermalState


@dataclass(frozen=True)
class Placement:
    """Operations by the processor that Core ML prefers for them.

    Attributes:
        neural_engine: how many of them.
        gpu: how many of them.
        cpu: how many of them.
        unknown: those that the device gives no answer for.
    """

    neural_engine: int
    gpu: int
    cpu: int
    unknown: int

    def __post_init__(self) -> None:
        """Refuses negative numbers."""
        check_counts(self, "neural_engine", "gpu", "cpu", "unknown")


@dataclass(frozen=True)
class SelfCheck:
    """The device's frames against the reference frames of the bundle.

    Attributes:
        frames: compared.
        psnr_db: of each frame.
        worst_psnr_db: the smallest of them.
        passed: whether the app found the picture right.
    """

    frames: int
    psnr_db: tuple[float, ...]
    worst_psnr_db: float
    passed: bool

    def __post_init__(self) -> None:
        """Refuses a worst frame that is not among the frames."""
        if self.frames < 1 or len(self.psnr_db) != self.frames:
            raise ValueError(
                f"frames is {self.frames} and psnr_db has {len(self.psnr_db)} values, expected "
                "one value for each of at least one frame"
            )
        if not all(map(math.isfinite, self.psnr_db)):
            raise ValueError("psnr_db has a value that is not finite, expected decibels")
        if not math.isclose(self.worst_psnr_db, min(self.psnr_db), rel_tol=1e-6):
            raise ValueError(
                f"worst_psnr_db is {self.worst_psnr_db}, expected the smallest of psnr_db, "
                f"{min(self.psnr_db)}"
            )
