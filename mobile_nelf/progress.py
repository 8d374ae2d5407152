"""How work that takes seconds says how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

__all__ = ["Progress", "counted", "silent"]

#: Called with a stage's name, steps done and steps in all.
Progress = Callable[[str, int, int], None]

T = TypeVar("T")


def silent(stage: str, done: int, total: int) -> None:
    """Ignores progress."""


def counted(stage: str, items: Sequence[T], on_progress: Progress) -> Iterator[T]:
    """Yields `items` and reports after each is dealt with."""
    on_progress(stage, 0, len(items))
    for index, item in enumerate(items):
        yield item
        on_progress(stage, index + 1, len(items))
