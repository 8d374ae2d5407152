"""How long a stage of training is: so many steps, or as many as fit into some minutes.

With minutes a stage times its first steps and then plans how many it will take. The number is fixed
once and kept in the state of the run, so that a resumed run ends where the unbroken one does. Until
then the learning rate warms up and stays at its peak, where schedules of any length agree.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from mobile_nelf.training.config import FitConfig

__all__ = ["StageLength", "StepPlan"]

#: Steps that are not timed: memory is taken, kernels are chosen, the clock of a core rises.
SKIPPED = 3
#: Fewest steps that are timed, and the share of the time after which the plan is made.
FEWEST, SHARE = 5, 0.05
#: Steps of a stage that has no plan yet, for schedules: so many that nothing cools.
OPEN_END = 1 << 40


@dataclass(frozen=True)
class StepPlan:
    """What a stage of some minutes will do.

    Attributes:
        steps: in all.
        seconds_a_step: that were measured.
    """

    steps: int
    seconds_a_step: float


class StageLength:
    """The length of a stage under way.

    Attributes:
        plan: of a stage that has minutes, once it is made.
    """

    def __init__(self, steps: int, minutes: float | None) -> None:
        """Takes the steps of the stage, or its wall time, which goes first."""
        self._fixed = steps
        self._seconds = None if minutes is None else 60.0 * minutes
        self._start: tuple[int, float] | None = None
        self.plan: StepPlan | None = None

    @property
    def open(self) -> bool:
        """Whether the number of steps is still to be planned."""
        return self._seconds is not None and self.plan is None

    @property
    def steps(self) -> int:
        """Steps in all; `OPEN_END` while that is open."""
        if self.open:
            return OPEN_END
        return self._fixed if self.plan is None else self.plan.steps

    def take(self, done: int, seconds: float, extra: float = 0.0) -> bool:
        """Takes note of a step, and returns whether the plan was made now.

        Args:
            done: steps done; called after each of them from the first on.
            seconds: wall time of the stage so far.
            extra: seconds a step, on average, of what comes too rarely to be timed here.
        """
        if self._seconds is None or self.plan is not None:
            return False
        if seconds >= self._seconds:
            self.plan = StepPlan(done, seconds / done)
        elif self._start is None:
            self._start = (done, seconds) if done >= SKIPPED else None
        elif done - self._start[0] >= FEWEST and seconds >= SHARE * self._seconds:
            first, began = self._start
            pace = (seconds - began) / (done - first) + extra
            self.plan = StepPlan(done + math.floor((self._seconds - seconds) / pace), pace)
        return self.plan is not None

    def expected(self, done: int, seconds: float) -> int:
        """Returns how many steps there will be in all; an estimate while that is open."""
        if not self.open or self._seconds is None:
            return self.steps
        return max(done + 1, round(done * self._seconds / max(seconds, 1e-6)))

    def settings(self, config: FitConfig) -> FitConfig:
        """Returns those of a stage with the steps known so far, a tenth of which may warm up."""
        if self._seconds is None:
            return config
        warmup = min(config.warmup_steps, self.steps // 10)
        return replace(config, steps=self.steps, warmup_steps=warmup)

    def state(self) -> dict[str, Any] | None:
        """Returns the plan in plain values."""
        return None if self.plan is None else asdict(self.plan)

    def load(self, state: dict[str, Any] | None) -> None:
        """Takes what `state` returned.

        Raises:
            ValueError: it is a plan, and the stage has none, or no step.
        """
        self.plan = None if state is None else StepPlan(**state)
        if self.plan is not None and (self._seconds is None or self.plan.steps < 1):
            raise ValueError(f"a plan of {self.plan.steps} steps")
