"""What shrinks while a student trains is what the cut takes, so that the cut takes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import InputError
from mobile_nelf.pruning.calibration import comparison_rays
from mobile_nelf.pruning.layers import folded
from mobile_nelf.pruning.plan import mean_error
from mobile_nelf.pruning.shrink import (
    DECAY,
    check_prunable,
    first_step,
    marks,
    pruned,
    shrink,
)
from mobile_nelf.pruning.widths import Widths, parameters
from tests.helpers.students import random_checkpoint

STEPS = 300


@pytest.fixture(scope="module")
def whole() -> Checkpoint:
    return folded(random_checkpoint(depth=8, width=24, sr_widths=(8, 4)))


def shrunk(whole: Checkpoint, keep: float, *, steps: int = STEPS) -> tuple[Widths, Checkpoint]:
    """The student after its last third without any training."""
    widths, found = marks(whole, keep)
    weights = {name: value.clone() for name, value in whole.weights.items()}
    for step in range(first_step(steps), steps):
        for mark in found:
            shrink(weights[mark.name], mark, step, steps)
    return widths, replace(whole, weights=weights)


@pytest.mark.parametrize("keep", [0.7, 0.4])
def test_a_cut_of_what_has_shrunk_changes_nothing(whole: Checkpoint, keep: float) -> None:
    widths, small = shrunk(whole, keep)
    assert small.student == whole.student
    rays = comparison_rays(whole)
    left = pruned(small, widths)
    assert parameters(left.student) <= keep * parameters(whole.student)
    assert Widths.of(left.student) == replace(
        widths, inner=tuple(width for width in widths.inner if width)
    )
    # Everything was marked: the inside of blocks, streams, and the head.
    before = Widths.of(whole.student)
    assert widths.streams != before.streams
    assert widths.inner != before.inner
    at_once = pruned(whole, widths)
    assert mean_error(left, small, rays) < 1e-3 * mean_error(at_once, whole, rays)


def test_a_marked_weight_decays_and_the_others_stay(whole: Checkpoint) -> None:
    _, found = marks(whole, 0.6)
    _, small = shrunk(whole, 0.6)
    for mark in found:
        if sum(other.name == mark.name for other in found) > 1:
            continue
        old, new = (
            (student.weights[mark.name].movedim(mark.axis, 0)).flatten(1)
            if student.weights[mark.name].ndim > 1
            else student.weights[mark.name][:, None]
            for student in (whole, small)
        )
        gone, stayed = mark.projector, mark.projector.new_ones(len(old)).diag() - mark.projector
        assert (gone @ new).norm() <= 1.2 * 2.718**-DECAY * (gone @ old).norm() + 1e-6
        assert (stayed @ (new - old)).norm() <= 1e-4 * old.norm() + 1e-6


def test_the_last_steps_shrink_most(whole: Checkpoint) -> None:
    _, found = marks(whole, 0.6)
    mark = found[0]
    sizes = []
    for step in (first_step(STEPS), STEPS - 1):
        weight = whole.weights[mark.name].clone()
        shrink(weight, mark, step, STEPS)
        sizes.append(float((weight - whole.weights[mark.name]).norm()))
    assert sizes[1] > 50 * sizes[0] > 0.0


@pytest.mark.parametrize("keep", [0.0, 0.1, 1.0, 2.0])
def test_shares_that_no_student_reaches(whole: Checkpoint, keep: float) -> None:
    with pytest.raises(InputError, match=r"share of the parameters to keep, from 0\.15 to below 1"):
        check_prunable(whole.student, keep)


def test_batchnorm_is_refused() -> None:
    with pytest.raises(InputError, match="prune_to needs a student without BatchNorm"):
        check_prunable(random_checkpoint().student, 0.5)
