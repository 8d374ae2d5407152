"""Which student on a path meets the goals, and which goal decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mobile_nelf.compression.goals import Goals
from mobile_nelf.errors import InputError
from mobile_nelf.pruning.plan import Point

__all__ = ["RECOVERED", "by_quality", "by_size"]

#: Squared error right after a cut by that after fine-tuning: a first guess. It only says where to
#: begin; what is judged is measured.
RECOVERED = 5.0

#: Share of the work by which a student that is not fast enough yet is made smaller.
FASTER = 0.93


def by_size(
    path: Sequence[Point],
    goals: Goals,
    model_bytes: Callable[[Point], int],
    speed: Callable[[Point], float],
) -> tuple[int, str]:
    """Returns the first point that meets the goals on size and speed, and the goal that decided.

    Args:
        path: from the whole student to the smallest.
        goals: what was asked for.
        model_bytes: returns the size of the target's model.
        speed: returns how many times faster than the first point it runs here.

    Raises:
        InputError: no point does; the message names the nearest.
    """
    found = [(0, "")]
    if goals.keep is not None:
        wanted = goals.keep * path[0].parameters
        index = _first(path, lambda point: point.parameters <= wanted)
        if index is None:
            nearest = path[-1].parameters / path[0].parameters
            raise InputError(
                f"cannot keep {goals.keep:.1%} of the parameters, the nearest is {nearest:.1%}",
                arguments=["keep"],
            )
        found.append((index, "keep"))
    if goals.max_mb is not None:
        found.append((_small_enough(path, goals.max_mb, model_bytes), "max_mb"))
    if goals.speed is not None:
        found.append((_fast_enough(path, goals.speed, speed), "speed"))
    return max(found, key=lambda candidate: candidate[0])


def _first(path: Sequence[Point], holds: Callable[[Point], bool]) -> int | None:
    return next((index for index, point in enumerate(path) if holds(point)), None)


def _small_enough(path: Sequence[Point], max_mb: float, model_bytes: Callable[[Point], int]) -> int:
    """Bisects, since a model has to be made to know its size."""
    low, high = 0, len(path) - 1
    smallest = model_bytes(path[high])
    if smallest > 1e6 * max_mb:
        raise InputError(
            f"cannot get the model to {max_mb:g} MB, the nearest is {smallest / 1e6:.2f} MB",
            arguments=["max_mb"],
        )
    while low < high:
        middle = (low + high) // 2
        if model_bytes(path[middle]) <= 1e6 * max_mb:
            high = middle
        else:
            low = middle + 1
    return low


def _fast_enough(path: Sequence[Point], wanted: float, speed: Callable[[Point], float]) -> int:
    """Begins where the work is small enough, and ends where the time is."""
    index = _first(path, lambda point: wanted * point.macs <= path[0].macs)
    nearest = path[0].macs / path[-1].macs
    while index is not None:
        measured = speed(path[index])
        if measured >= wanted:
            return index
        nearest = measured
        work = FASTER * path[index].macs
        index = next((i for i, point in enumerate(path) if point.macs <= work), None)
    raise InputError(
        f"cannot be {wanted:g} times as fast, the nearest is {nearest:.2f} times",
        arguments=["speed"],
    )


def by_quality(path: Sequence[Point], error: float) -> int:
    """Returns the last point whose squared error is likely to be at most `error` once it is tuned.

    Args:
        path: from the whole student to the smallest.
        error: squared error of the picture.
    """
    return max(
        index for index, point in enumerate(path) if point.predicted <= RECOVERED * max(error, 0.0)
    )
