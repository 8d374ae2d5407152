"""What a teacher is made of and how it is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mobile_nelf.plain import check_choices
from mobile_nelf.vocabulary import TeacherBackend

__all__ = ["TeacherConfig"]

#: A file of a teacher is input like any other; these keep one frame within memory and minutes.
MAX_RESOLUTION = 1024
MAX_LEVELS = 16
MAX_CHANNELS = 64
MAX_MARCH_STEPS = 4096
MAX_SAMPLES = 1 << 26


@dataclass(frozen=True)
class TeacherConfig:
    """A teacher and its training.

    Attributes:
        backend: of the field: `torch` runs everywhere, `tinycudann` on NVIDIA GPUs.
        resolutions: cells a side of each dense feature grid (back-end `torch`).
        channels: features a grid (back-end `torch`).
        steps: optimizer steps; of a finished teacher those that it took.
        minutes: wall time of the training, from which `training.length` works out the steps; None
            for `steps`.
        samples: points a step; the number of rays adapts to it.
        march_steps: steps a ray through the whole scene.
        render_steps: the same in a view that is rendered, of scenes that have a box of their own;
            None for `march_steps`.
        distortion: weight of `marching.distortion` beside the squared error, in scenes that have no
            box of their own.
        learning_rate: peak; it falls to a thirtieth along half a cosine.
        seed: of weights, rays and jitter; each step derives its own from it.
        save_every: steps between two saved states; 0 for none.
    """

    backend: TeacherBackend = "torch"
    resolutions: tuple[int, ...] = (24, 56, 128)
    channels: int = 8
    steps: int = 1500
    minutes: float | None = None
    samples: int = 1 << 16
    march_steps: int = 96
    render_steps: int | None = None
    distortion: float = 0.005
    learning_rate: float = 1e-2
    seed: int = 0
    save_every: int = 200

    def __post_init__(self) -> None:
        """Refuses runs that cannot take a step."""
        check_choices(self)
        if not self.resolutions or min(self.resolutions) < 2 or self.channels < 1:
            raise ValueError(
                f"need grids of at least 2 cells and a channel, found {self.resolutions} and "
                f"{self.channels}"
            )
        if (
            max(self.resolutions) > MAX_RESOLUTION
            or len(self.resolutions) > MAX_LEVELS
            or self.channels > MAX_CHANNELS
        ):
            raise ValueError(
                f"need at most {MAX_LEVELS} grids of {MAX_RESOLUTION} cells and {MAX_CHANNELS} "
                f"channels, found {self.resolutions} and {self.channels}"
            )
        if self.march_steps > MAX_MARCH_STEPS or self.samples > MAX_SAMPLES:
            raise ValueError(
                f"need march_steps of at most {MAX_MARCH_STEPS} and samples of at most "
                f"{MAX_SAMPLES}, found {self.march_steps} and {self.samples}"
            )
        if self.render_steps is not None and not 1 <= self.render_steps <= MAX_MARCH_STEPS:
            raise ValueError(
                f"need render_steps of 1 to {MAX_MARCH_STEPS}, found {self.render_steps}"
            )
        if min(self.steps, self.march_steps) < 1:
            raise ValueError("steps and march_steps must be positive")
        if self.minutes is not None and not 0.0 < self.minutes < math.inf:
            raise ValueError(f"minutes must be positive, found {self.minutes}")
        if self.save_every < 0:
            raise ValueError(f"save_every must not be negative, found {self.save_every}")
        if self.samples < self.march_steps:
            raise ValueError("samples must be at least march_steps, or a step could have no ray")
        if not 0.0 <= self.distortion < math.inf:
            raise ValueError(f"distortion must not be negative, found {self.distortion}")
        if not self.learning_rate > 0.0:
            raise ValueError(f"learning_rate must be positive, found {self.learning_rate}")
