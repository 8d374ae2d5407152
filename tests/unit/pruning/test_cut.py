"""Cuts: exact where nothing is lost, and the re-fit to the stream the best where something is."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.pruning.calibration import calibration_rays
from mobile_nelf.pruning.cut import cut, know
from mobile_nelf.pruning.layers import anatomy, folded, with_network, working_network
from mobile_nelf.pruning.plan import Factors, greedy_path, mean_error
from mobile_nelf.pruning.statistics import measure
from mobile_nelf.pruning.widths import Widths
from tests.helpers import ROOT
from tests.helpers.students import random_checkpoint

#: Squared error of two orders of float32 sums.
EXACT = 1e-9


def known(checkpoint, poses=4):
    rays = calibration_rays(checkpoint, poses)
    network = working_network(checkpoint)
    statistics = measure(network, checkpoint.student, rays)
    return know(anatomy(network, checkpoint.student), statistics), rays


@pytest.mark.parametrize(
    "shape",
    [
        {"sr_widths": (8, 4)},
        {"sr_widths": (8,), "last_scale": 3, "direct_output": True},
        {"architecture": "r2l", "sr_widths": ()},
        {"sr_widths": (8,), "products": 2},
    ],
    ids=["paper's", "new recipe, times 12", "r2l", "learnt products"],
)
def test_a_cut_of_nothing_changes_nothing(shape):
    checkpoint = folded(random_checkpoint(**shape))
    knowledge, rays = known(checkpoint)
    same = cut(checkpoint, Widths.of(checkpoint.student), knowledge, rays)
    assert same.student == checkpoint.student
    assert mean_error(same, checkpoint, rays) < EXACT


def test_products_are_cut_with_the_channels_that_they_are_added_to():
    checkpoint = random_checkpoint(sr_widths=(8,), products=2, head_width=12, batchnorm=False)
    dead, weights = torch.tensor([2, 3, 7]), dict(checkpoint.weights)
    for name in ("head.0.weight", "head.0.bias", "products.mix.weight"):
        weights[name] = weights[name].index_fill(0, dead, 0.0)
    checkpoint = replace(checkpoint, weights=weights)
    knowledge, rays = known(checkpoint)
    widths = replace(Widths.of(checkpoint.student), head=9)
    small = cut(checkpoint, widths, knowledge, rays)
    assert small.student.head_width == 9
    assert small.student.products == 2
    assert mean_error(small, checkpoint, rays) < EXACT


def widened(checkpoint, width, stage):
    """The same function with its streams in larger spaces, at random angles."""
    student = checkpoint.student
    wide = replace(student, width=width, sr_widths=(stage, *student.sr_widths[1:]))
    wide = replace(wide, inner_widths=student.block_inner_widths)
    other = random_checkpoint(
        depth=student.depth,
        width=width,
        sr_widths=wide.sr_widths,
        head_width=student.head_width,
        inner_widths=wide.inner_widths,
        batchnorm=False,
        activation=student.activation,
    )
    network = working_network(other).requires_grad_(False)
    old = anatomy(working_network(checkpoint), student)
    new = anatomy(network, other.student)
    torch.manual_seed(5)
    bases = [
        torch.linalg.qr(torch.randn(big, small, dtype=torch.float64)).Q
        for big, small in ((width, student.width), (stage, student.sr_widths[0]))
    ]
    bases.append(torch.eye(student.sr_widths[1], dtype=torch.float64))
    new.head.assign(old.head.matrix(), old.head.bias)
    before = torch.eye(student.head_width, dtype=torch.float64)
    for basis, section, into in zip(bases, old.sections, new.sections, strict=True):
        pixels = section.entry.matrix().shape[1] // before.shape[1]
        matrix = section.entry.matrix().reshape(section.entry.phases, basis.shape[1], -1, pixels)
        turned = torch.einsum("no,poiq,mi->pnmq", basis, matrix, before)
        into.entry.assign(turned.flatten(0, 1).flatten(1), basis @ section.entry.bias)
        for block, wider in zip(section.blocks, into.blocks, strict=True):
            wider.first.assign(block.first.matrix() @ basis.T, block.first.bias)
            wider.last.assign(basis @ block.last.matrix(), basis @ block.last.bias)
        before = basis
    new.output.assign(old.output.matrix(), old.output.bias)
    return with_network(other, network)


def test_a_change_of_basis_that_loses_no_direction_is_exact():
    checkpoint = folded(random_checkpoint(width=12, sr_widths=(6, 4), head_width=10))
    wide = widened(checkpoint, 16, 8)
    knowledge, rays = known(wide)
    assert mean_error(wide, checkpoint, rays) < EXACT
    widths = replace(Widths.of(wide.student), streams=(12, 6, 4))
    for refit in ("none", "stream"):
        narrow = cut(wide, widths, knowledge, rays, refit)
        assert (narrow.student.width, narrow.student.sr_widths) == (12, (6, 4))
        assert mean_error(narrow, wide, rays) < EXACT


def test_channels_that_nobody_reads_go_first_and_cost_nothing():
    checkpoint = folded(random_checkpoint(sr_widths=(8, 4)))
    dead = [1, 4, 9]
    weights = {name: value.clone() for name, value in checkpoint.weights.items()}
    weights["body.1.conv_block.3.weight"][:, dead] = 0.0
    checkpoint = replace(checkpoint, weights=weights)
    knowledge, rays = known(checkpoint)
    removal = knowledge.blocks[1]
    assert set(removal.order[:3].tolist()) == set(dead)
    assert removal.losses[3] == 0.0
    whole = Widths.of(checkpoint.student)
    widths = replace(whole, inner=(whole.inner[0], 13, *whole.inner[2:]))
    for refit in ("none", "stream"):
        assert mean_error(cut(checkpoint, widths, knowledge, rays, refit), checkpoint, rays) < EXACT


def test_a_block_is_dropped_and_its_neighbour_makes_up_for_it():
    checkpoint = folded(random_checkpoint(depth=8, sr_widths=(8, 4)))
    knowledge, rays = known(checkpoint)
    whole = Widths.of(checkpoint.student)
    for dropped in range(3):
        inner = tuple(0 if index == dropped else n for index, n in enumerate(whole.inner))
        fitted, plain = (
            cut(checkpoint, replace(whole, inner=inner), knowledge, rays, refit)
            for refit in ("stream", "none")
        )
        assert fitted.student.depth == 6
        errors = [mean_error(small, checkpoint, rays) for small in (fitted, plain)]
        assert errors[0] < 0.8 * errors[1]


def test_the_stream_is_the_best_target_of_a_re_fit():
    """On a trained student: to the stream beats to the layer's own output, which beats none."""
    checkpoint = folded(load_checkpoint(ROOT / "examples" / "mic.pt"))
    knowledge, rays = known(checkpoint, poses=6)
    path = greedy_path(checkpoint.student, knowledge, Factors(body=1e9, head=1e9, stages=1e9))
    widths = next(p.widths for p in path if p.parameters <= 0.65 * path[0].parameters)
    assert widths.streams == Widths.of(checkpoint.student).streams
    stream, own, none = (
        mean_error(cut(checkpoint, widths, knowledge, rays, refit), checkpoint, rays)
        for refit in ("stream", "own", "none")
    )
    assert 1.1 * stream < own < 0.5 * none
    # As many channels of every block alike lose more.
    whole = Widths.of(checkpoint.student)
    left = sum(widths.inner) / sum(whole.inner)
    even = replace(whole, inner=tuple(round(left * n) for n in whole.inner))
    assert stream < 0.7 * mean_error(cut(checkpoint, even, knowledge, rays), checkpoint, rays)
