"""Pruning while a student trains: what will be cut is chosen early and shrinks until it is.

Weights that only the marked channels and directions need decay ever faster (L2 shrinkage that
grows, as in Wang et al., "Neural Pruning via Growing Regularization", ICLR 2021), so that training
moves what they do into the others, and the cut at the end takes little.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mobile_nelf.cameras import Intrinsics, OrbitLimits
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import InputError
from mobile_nelf.pruning.calibration import calibration_rays, comparison_rays
from mobile_nelf.pruning.cut import Knowledge, cut, know
from mobile_nelf.pruning.layers import anatomy, working_network
from mobile_nelf.pruning.plan import FLOOR, greedy_path, tried_factors
from mobile_nelf.pruning.statistics import measure
from mobile_nelf.pruning.widths import Widths
from mobile_nelf.students import StudentConfig
from mobile_nelf.students.products import MIX

__all__ = ["Mark", "Pruning", "check_prunable", "first_step", "marks", "pruned", "shrink"]

#: Share of the steps after which channels are marked.
MARKED = 2 / 3

#: What is left of a marked weight at the end, as a power of e, were it not for training.
DECAY = 10.0


@dataclass(frozen=True)
class Pruning:
    """How far a student is pruned while it trains, and where it is looked at from meanwhile.

    Attributes:
        keep: share of the parameters that stay.
        intrinsics: of the pictures.
        orbit: where random poses come from.
    """

    keep: float
    intrinsics: Intrinsics
    orbit: OrbitLimits

    def checkpoint(self, student: StudentConfig, weights: dict[str, Tensor]) -> Checkpoint:
        """Returns a student in training as others know students."""
        return Checkpoint(
            student=student, intrinsics=self.intrinsics, orbit=self.orbit, weights=weights
        )


@dataclass(frozen=True, eq=False)
class Mark:
    """What shrinks of a parameter.

    Attributes:
        name: of the parameter.
        axis: that of the channels.
        projector: [n, n] onto what will be cut.
    """

    name: str
    axis: int
    projector: Tensor


def check_prunable(student: StudentConfig, keep: float) -> None:
    """Refuses what cannot be pruned while it trains.

    Raises:
        InputError: a share that no path reaches; a student with BatchNorm.
    """
    if not FLOOR <= keep < 1.0:
        raise InputError(
            f"prune_to is the share of the parameters to keep, from {FLOOR:g} to below 1, found "
            f"{keep:g}",
            arguments=["prune_to"],
        )
    if student.batchnorm and student.architecture == "mobiler2l":
        raise InputError(
            "prune_to needs a student without BatchNorm, as the presets train; leave it out, and "
            "compress the student when it is trained",
            arguments=["prune_to"],
        )


def first_step(steps: int) -> int:
    """Returns how many of `steps` are done when channels are marked."""
    return int(MARKED * steps)


def marks(checkpoint: Checkpoint, keep: float) -> tuple[Widths, list[Mark]]:
    """Returns the widths to come, and what has to shrink until then.

    Args:
        checkpoint: without BatchNorm.
        keep: share of the parameters that stay; the path's end where that is not reached.
    """
    student = checkpoint.student
    rays = calibration_rays(checkpoint)
    network = working_network(checkpoint)
    knowledge = know(anatomy(network, student), measure(network, student, rays))
    factors = tried_factors(checkpoint, knowledge, rays, comparison_rays(checkpoint))
    path = greedy_path(student, knowledge, factors)
    wanted = keep * path[0].parameters
    widths = next((point for point in path if point.parameters <= wanted), path[-1]).widths
    return widths, _marks(checkpoint, knowledge, widths)


def _marks(checkpoint: Checkpoint, knowledge: Knowledge, widths: Widths) -> list[Mark]:
    parts = anatomy(working_network(checkpoint), checkpoint.student)
    found: list[Mark] = []

    def outputs(name: str, transposed: bool, projector: Tensor) -> None:
        if projector.any():
            found.append(Mark(f"{name}.weight", int(transposed), projector))
            found.append(Mark(f"{name}.bias", 0, projector))

    def inputs(name: str, transposed: bool, projector: Tensor) -> None:
        if projector.any():
            found.append(Mark(f"{name}.weight", int(not transposed), projector))

    head = _channels(knowledge.head.order, widths.head)
    outputs(parts.head.name, False, head)
    if parts.products is not None and head.any():
        found.append(Mark(MIX, 0, head))
    inner = iter(zip(knowledge.blocks, widths.inner, strict=True))
    before = head
    for section, basis, width in zip(parts.sections, knowledge.bases, widths.streams, strict=True):
        dropped = basis[:, width:].float()
        stream = dropped @ dropped.T
        if section.entry is not None:
            inputs(section.entry.name, section.entry.transposed, before)
            outputs(section.entry.name, section.entry.transposed, stream)
        for block in section.blocks:
            removal, kept = next(inner)
            gone = _channels(removal.order, kept)
            inputs(block.first.name, False, stream)
            outputs(block.first.name, False, gone)
            inputs(block.last.name, False, gone)
            outputs(block.last.name, False, stream)
        before = stream
    inputs(parts.output.name, parts.output.transposed, before)
    return found


def _channels(order: Tensor, kept: int) -> Tensor:
    """Returns the projector [n, n] onto the channels that go first."""
    gone = torch.zeros(len(order))
    gone[order[: len(order) - kept]] = 1.0
    return torch.diag(gone)


def shrink(parameter: Tensor, mark: Mark, step: int, steps: int) -> None:
    """Makes the marked part of a parameter smaller, by more with every step.

    Args:
        parameter: changed in place.
        mark: of it.
        step: number of the step that was just taken.
        steps: of the stage.
    """
    begin = first_step(steps)
    # The sum over all steps is DECAY.
    share = DECAY * (2 * (step - begin) + 1) / (steps - begin) ** 2
    part = torch.tensordot(mark.projector, parameter, ([1], [mark.axis])).movedim(0, mark.axis)
    parameter.sub_(part, alpha=min(share, 1.0))


def pruned(checkpoint: Checkpoint, widths: Widths) -> Checkpoint:
    """Returns the student that is left; what shrank is what goes.

    Args:
        checkpoint: without BatchNorm, at the end of its training.
        widths: that were chosen when it was marked.
    """
    rays, network = calibration_rays(checkpoint), working_network(checkpoint)
    statistics = measure(network, checkpoint.student, rays)
    knowledge = know(anatomy(network, checkpoint.student), statistics)
    return cut(checkpoint, widths, knowledge, rays)
