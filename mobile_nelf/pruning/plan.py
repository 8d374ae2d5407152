"""One greedy path from a whole student to a small one; every point of it is a candidate.

Size and work of a student are exact formulas, and what a move costs the picture is predicted, so
that each step takes the move with the least predicted loss for what it saves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.pruning.cut import Knowledge, cut
from mobile_nelf.pruning.widths import Widths, macs, parameters, runtime_work
from mobile_nelf.students import StudentConfig

__all__ = ["FLOOR", "Factors", "Point", "greedy_path", "mean_error", "tried_factors"]

#: Share of the parameters at which a path ends; nothing useful is left below.
FLOOR = 0.15

#: Pictures that are rendered together.
BATCH = 4

#: Share that stays of what a trial narrows.
TRIED = 0.75


@dataclass(frozen=True)
class Factors:
    """What a trial lost, relative to what was predicted, for each kind of move."""

    inner: float = 1.0
    head: float = 1.0
    body: float = 1.0
    stages: float = 1.0


@dataclass(frozen=True)
class Point:
    """A student on the path.

    Attributes:
        widths: its widths.
        parameters: weights and biases.
        macs: multiply-accumulates of a frame.
        time: of a frame in ONNX Runtime, see `runtime_work`.
        predicted: squared error of the picture right after the cut.
    """

    widths: Widths
    parameters: int
    macs: int
    time: int
    predicted: float


def greedy_path(
    student: StudentConfig,
    knowledge: Knowledge,
    factors: Factors,
    *,
    multiple: int = 8,
    by_parameters: float = 1.0,
    by_macs: float = 1.0,
    by_time: float = 0.0,
) -> list[Point]:
    """Returns the path, the whole student first.

    Args:
        student: without BatchNorm.
        knowledge: of it.
        factors: of the predictions.
        multiple: what widths are a multiple of; narrow stages go in quarters.
        by_parameters: how much a share of the parameters that is saved counts.
        by_macs: likewise for a share of the multiply-accumulates.
        by_time: likewise for a share of the time in ONNX Runtime on a CPU.
    """
    whole = Widths.of(student)
    size, work, time = parameters(student), macs(student), runtime_work(student)

    def point(widths: Widths) -> Point:
        shape = widths.student(student)
        lost = _predicted(whole, widths, knowledge, factors)
        return Point(widths, parameters(shape), macs(shape), runtime_work(shape), lost)

    path = [point(whole)]
    while path[-1].parameters > FLOOR * size:
        here = path[-1]
        best: tuple[float, Point] | None = None
        for widths in _moves(whole, here.widths, student.blocks, multiple):
            there = point(widths)
            saved = by_parameters * (here.parameters - there.parameters) / size
            saved += by_macs * (here.macs - there.macs) / work
            saved += by_time * (here.time - there.time) / time
            if saved > 0.0:
                price = (there.predicted - here.predicted) / saved
                if best is None or price < best[0]:
                    best = (price, there)
        if best is None:
            break
        path.append(best[1])
    return path


def _moves(whole: Widths, here: Widths, body: int, multiple: int) -> Iterator[Widths]:
    """Yields what is one step narrower in one place."""
    lower = _narrower(here.head, whole.head, multiple)
    if lower:
        yield replace(here, head=lower)
    for index, (width, full) in enumerate(zip(here.streams, whole.streams, strict=True)):
        lower = _narrower(width, full, multiple)
        if lower:
            yield replace(here, streams=_with(here.streams, index, lower))
    left = sum(width > 0 for width in here.inner[:body])
    for index, (width, full) in enumerate(zip(here.inner, whole.inner, strict=True)):
        lower = _narrower(width, full, multiple)
        # A block of which nothing is left goes as a whole, but for the last one of the body.
        if lower or (width and index < body and left > 1):
            yield replace(here, inner=_with(here.inner, index, lower))


def _narrower(width: int, full: int, multiple: int) -> int:
    step = min(multiple, max(full // 4, 1))
    return max((width - 1) // step * step, 0)


def _with(widths: tuple[int, ...], index: int, width: int) -> tuple[int, ...]:
    return (*widths[:index], width, *widths[index + 1 :])


def _predicted(whole: Widths, here: Widths, knowledge: Knowledge, factors: Factors) -> float:
    lost = factors.head * _at(knowledge.head.losses, whole.head - here.head)
    scales = (factors.body, *[factors.stages] * (len(here.streams) - 1))
    for losses, full, width, scale in zip(
        knowledge.streams, whole.streams, here.streams, scales, strict=True
    ):
        lost += scale * _at(losses, full - width)
    for block, full, width in zip(knowledge.blocks, whole.inner, here.inner, strict=True):
        lost += factors.inner * _at(block.losses, full - width)
    return lost


def _at(losses: Tensor, gone: int) -> float:
    return float(losses[gone])


def tried_factors(
    checkpoint: Checkpoint, knowledge: Knowledge, rays: Tensor, others: Tensor
) -> Factors:
    """Cuts one kind of width at a time, and returns how the losses compare with the predictions.

    Args:
        checkpoint: without BatchNorm.
        knowledge: of it.
        rays: the ones that `knowledge` was taken from.
        others: of other poses, on which the loss is measured.
    """
    whole = Widths.of(checkpoint.student)
    narrow = Widths(
        round(TRIED * whole.head),
        tuple(round(TRIED * width) for width in whole.streams),
        tuple(max(round(TRIED * width), 1) for width in whole.inner),
    )
    trials = {
        "inner": replace(whole, inner=narrow.inner),
        "head": replace(whole, head=narrow.head),
        "body": replace(whole, streams=(narrow.streams[0], *whole.streams[1:])),
        "stages": replace(whole, streams=(whole.streams[0], *narrow.streams[1:])),
    }
    found = {}
    for kind, widths in trials.items():
        predicted = _predicted(whole, widths, knowledge, Factors())
        if predicted > 0.0:
            tried = cut(checkpoint, widths, knowledge, rays)
            found[kind] = mean_error(tried, checkpoint, others) / predicted
    return Factors(**found)


@torch.no_grad()
def mean_error(checkpoint: Checkpoint, exact: Checkpoint, rays: Tensor) -> float:
    """Returns the mean squared difference of two students' pictures.

    Args:
        checkpoint: the one.
        exact: the other.
        rays: [N, C, h, w] network input.
    """
    first, second = checkpoint.network(), exact.network()
    errors = [
        float((first(part) - second(part)).double().square().mean())
        for part in torch.split(rays, BATCH)
    ]
    return sum(errors) / len(errors)
