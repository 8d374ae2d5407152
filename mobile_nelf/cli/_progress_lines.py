"""Progress where there is no terminal: a line at least every half minute."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from types import TracebackType

import click

__all__ = ["EVERY_SECONDS", "ProgressLines", "Stage", "pace_text"]

#: Longest time without a line while work is under way.
EVERY_SECONDS = 30.0


@dataclass(frozen=True)
class Stage:
    """How far a stage is.

    Attributes:
        name: name of the stage.
        first: steps done when this process began the stage; more than 0 after a resume.
        began: time at which this process began the stage, in seconds of `time.monotonic`.
        done: steps done.
        total: steps in all.
        detail: result of the last step, such as decibels.
    """

    name: str
    first: int
    began: float
    done: int
    total: int
    detail: str = ""

    def line(self, now: float) -> str:
        """Returns step, rate, time left and detail at the time `now`."""
        seconds, steps = now - self.began, self.done - self.first
        parts = [f"{self.name}: step {self.done:,} of {self.total:,}"]
        if steps > 0 and seconds > 0.0:
            rate = steps / seconds
            parts += [pace_text(1.0 / rate), f"ETA {_clock((self.total - self.done) / rate)}"]
        else:
            parts.append(f"{_clock(seconds)} so far")
        return ", ".join([*parts, self.detail] if self.detail else parts)


class ProgressLines:
    """Prints a line to stderr about the stage under way every `EVERY_SECONDS`.

    A thread prints the lines, since a single step may take longer than that.
    """

    def __init__(self) -> None:
        """Prints nothing until the context is entered and a stage is reported."""
        self._stage: Stage | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._print_lines, daemon=True)

    def __enter__(self) -> ProgressLines:
        """Starts the thread."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the thread."""
        self._over.set()
        self._thread.join()

    def report(self, stage: str, done: int, total: int, detail: str = "") -> None:
        """Takes note that `done` of `total` steps of a stage are over, and of their result."""
        known = self._stage
        # A stage of the same name may follow, as the views of the next one do. The number of steps
        # of one that has some minutes changes while it goes.
        if known is None or known.name != stage or done < known.done:
            known = Stage(stage, done, time.monotonic(), done, total)
        self._stage = replace(known, done=done, total=total, detail=detail)

    def _print_lines(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            stage = self._stage
            if stage is not None and stage.done < stage.total:
                click.echo(stage.line(time.monotonic()), err=True)


def pace_text(seconds_a_step: float) -> str:
    """Returns the speed of steps, in the unit that suits it."""
    fast = seconds_a_step <= 1.0
    return f"{1.0 / seconds_a_step:.3g} steps/s" if fast else f"{seconds_a_step:.3g} s a step"


def _clock(seconds: float) -> str:
    """Returns a duration as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
