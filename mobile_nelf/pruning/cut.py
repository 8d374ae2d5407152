"""Cuts a student down to other widths, and re-fits what is left in closed form.

Each layer is re-fitted so that the *stream* after it is the one of the uncut student, given the
stream before it as the layers before left it. A layer that was fitted to its own old output would
leave their errors where they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.pruning.layers import (
    Anatomy,
    Block,
    Layer,
    Section,
    anatomy,
    with_network,
    working_network,
)
from mobile_nelf.pruning.scores import Removal, removal_order, stream_losses
from mobile_nelf.pruning.statistics import Statistics
from mobile_nelf.pruning.widths import Widths
from mobile_nelf.seeding import seeded
from mobile_nelf.students import build_student
from mobile_nelf.students.products import MIX

__all__ = ["Knowledge", "Refit", "cut", "know"]

#: Ridge of a re-fit, relative to the mean diagonal; it pulls towards the old weights.
RIDGE = 1e-3

#: Pixels that a layer is fitted on at most.
MAX_PIXELS = 50_000

#: What a layer is fitted to: the uncut student's stream, its own old output, or nothing.
Refit = Literal["stream", "own", "none"]


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What decides which channels go.

    Attributes:
        head: channels of the head.
        blocks: inner channels of each block, the body's first.
        bases: of each section, [n, n] orthonormal columns, the most needed direction first.
        streams: of each section, [n + 1] predicted squared error of the picture by how many
            directions are gone.
        means: of each block, the mean of the stream that it reads.
        rows: weight of each pixel in the output of a layer, by the layer's name.
        head_rows: weight of each pixel of what the head's activation gives.
    """

    head: Removal
    blocks: tuple[Removal, ...]
    bases: tuple[Tensor, ...]
    streams: tuple[Tensor, ...]
    means: tuple[Tensor, ...]
    rows: dict[str, Tensor]
    head_rows: Tensor


def know(parts: Anatomy, statistics: Statistics) -> Knowledge:
    """Returns the orders in which channels and directions of a student go."""
    entry = parts.sections[0].entry
    moments = statistics.head
    if entry is None:
        matrix = torch.eye(len(moments.mean), dtype=torch.float64)
    else:
        matrix, moments = entry.matrix(), statistics.layers[entry.name]
    blocks = [block for section in parts.sections for block in section.blocks]
    places = [_places(section, statistics) for section in parts.sections]
    bases = [_basis(seen) for seen in places]
    return Knowledge(
        removal_order(moments.covariance, matrix, moments.metric),
        tuple(
            removal_order(m.covariance, block.last.matrix(), m.metric)
            for block in blocks
            for m in [statistics.layers[block.last.name]]
        ),
        tuple(bases),
        tuple(stream_losses(*found) for found in zip(bases, places, strict=True)),
        tuple(statistics.streams[block.first.name].mean for block in blocks),
        {name: moments.rows for name, moments in statistics.layers.items()},
        statistics.head.rows,
    )


def _places(section: Section, statistics: Statistics) -> list[tuple[Tensor, Tensor]]:
    """Covariance and metric of a stream where its blocks read it."""
    moments = [statistics.streams[block.first.name] for block in section.blocks]
    return [(found.covariance, found.metric) for found in moments]


def _basis(places: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Principal directions of what the blocks read, each block with the same say."""
    mixed = torch.stack([covariance / covariance.trace() for covariance, _ in places]).sum(0)
    directions: Tensor = torch.linalg.eigh(mixed).eigenvectors
    return directions.flip(1)


def cut(
    checkpoint: Checkpoint,
    widths: Widths,
    knowledge: Knowledge,
    rays: Tensor,
    refit: Refit = "stream",
) -> Checkpoint:
    """Returns a student of other widths that does what the given one does as well as it can.

    Args:
        checkpoint: without BatchNorm.
        widths: of the result; a block of the body of which nothing is left is dropped.
        knowledge: of this checkpoint.
        rays: [N, C, h, w] network input, the ones that `knowledge` was taken from.
        refit: what layers are fitted to.
    """
    student = checkpoint.student
    network = working_network(checkpoint).requires_grad_(False)
    whole = anatomy(network, student)
    products = {name: w for name, w in checkpoint.weights.items() if name.startswith("products.")}
    if products:
        products[MIX] = products[MIX][knowledge.head.kept(widths.head)]
    narrow = replace(checkpoint, student=widths.student(student), weights=products)
    with seeded():
        built = build_student(narrow.student)
    built.load_state_dict(products, strict=False)
    small = built.as_conv().eval().requires_grad_(False)
    cutter = _Cutter(whole, anatomy(small, narrow.student), Widths.of(student), widths, knowledge)
    cutter.copy()
    if refit != "none":
        cutter.refit(rays, refit)
    return with_network(narrow, small)


class _Cutter:
    """One cut under way."""

    def __init__(
        self, whole: Anatomy, parts: Anatomy, old: Widths, new: Widths, knowledge: Knowledge
    ) -> None:
        self.whole, self.parts, self.new, self.knowledge = whole, parts, new, knowledge
        #: Of each section, [new, old]: turns the old stream into the new one.
        self.bases = [
            basis.T[:width] if width < before else _identity(before)
            for basis, width, before in zip(knowledge.bases, new.streams, old.streams, strict=True)
        ]
        self.head = knowledge.head.kept(new.head)

    def blocks(self, index: int) -> list[tuple[Block, Block, list[Block], int]]:
        """Returns what becomes of the blocks of a section.

        For each block that stays: the new one, the old one, the old blocks whose work it takes over
        (its own, that of dropped ones after it and, at first, before it), and its number.
        """
        start = sum(len(section.blocks) for section in self.whole.sections[:index])
        new = iter(self.parts.sections[index].blocks)
        found: list[tuple[Block, Block, list[Block], int]] = []
        before: list[Block] = []
        for number, block in enumerate(self.whole.sections[index].blocks, start):
            if self.new.inner[number]:
                found.append((next(new), block, [*before, block], number))
                before = []
            elif found:
                found[-1][2].append(block)
            else:
                before.append(block)
        return found

    def copy(self) -> None:
        """Takes over the weights that stay, in the new bases."""
        whole, parts = self.whole, self.parts
        parts.head.assign(whole.head.matrix()[self.head], whole.head.bias[self.head])
        for index, basis in enumerate(self.bases):
            old, new = whole.sections[index].entry, parts.sections[index].entry
            if index == 0 and new is not None:
                width = len(self.knowledge.head.order)
                matrix = _identity(width) if old is None else old.matrix()
                bias = torch.zeros(width).double() if old is None else old.bias
                new.assign(basis @ matrix[:, self.head], basis @ bias)
            elif new is not None and old is not None:
                new.assign(_turned(old, basis, self.bases[index - 1]), basis @ old.bias)
            for small, block, _, number in self.blocks(index):
                kept = self.knowledge.blocks[number].kept(self.new.inner[number])
                first, mean = block.first.matrix()[kept], self.knowledge.means[number]
                # What the new stream cannot hold still has a mean.
                lost = mean - basis.T @ (basis @ mean)
                small.first.assign(first @ basis.T, block.first.bias[kept] + first @ lost)
                small.last.assign(basis @ block.last.matrix()[:, kept], basis @ block.last.bias)
        colours = _identity(len(whole.output.bias))
        parts.output.assign(_turned(whole.output, colours, self.bases[-1]), whole.output.bias)

    @torch.no_grad()
    def refit(self, rays: Tensor, to: Refit) -> None:
        """Fits one layer after the other, from the head to the colours; both run side by side."""
        whole, parts = self.whole, self.parts
        x, y = whole.begin(rays), parts.begin(rays)
        for index, exact in enumerate(self.bases):
            basis = exact.float()
            old, new = whole.sections[index].entry, parts.sections[index].entry
            x = x if old is None else old(x)
            if new is not None:
                rows = self.knowledge.rows[old.name] if old else self.knowledge.head_rows
                _fit(new, y, _to_basis(basis, x), rows)
                y = new(y)
            begin_x, begin_y = x, y
            for small, block, work, _ in self.blocks(index):
                before = x
                for part in work:
                    x = part(x)
                wanted = _to_basis(basis, x) - y if to == "stream" else _to_basis(basis, x - before)
                _fit(small.last, small.inner(y), wanted, self.knowledge.rows[block.last.name])
                y = small(y)
            if index == 0:
                x, y = x + begin_x, y + begin_y
        _fit_colours(parts.output, y, whole.output(x))


def _identity(size: int) -> Tensor:
    return torch.eye(size, dtype=torch.float64)


def _turned(layer: Layer, rows: Tensor, columns: Tensor) -> Tensor:
    """Returns the matrix of a layer between other streams.

    Args:
        layer: transposed, or 1×1.
        rows: [new, old] basis of its output.
        columns: [new, old] basis of its input.
    """
    matrix = layer.matrix()
    phases, pixels = layer.phases, matrix.shape[1] // columns.shape[1]
    parts = matrix.reshape(phases, rows.shape[1], columns.shape[1], pixels)
    return torch.einsum("no,poiq,mi->pnmq", rows, parts, columns).flatten(0, 1).flatten(1)


def _to_basis(basis: Tensor, stream: Tensor) -> Tensor:
    return torch.einsum("no,bohw->bnhw", basis, stream)


def _fit(layer: Layer, x: Tensor, wanted: Tensor, rows: Tensor) -> None:
    """Fits a layer by least squares, from [N, C, h, w] to [N, D, h', w'] with weights of pixels."""
    columns, targets = layer.columns(x), layer.outputs(wanted)
    chosen = _some(len(columns))
    columns, targets, weights = columns[chosen].double(), targets[chosen].double(), rows[chosen]
    matrix, bias = _solved(columns, targets, weights.double(), layer.matrix())
    layer.assign(matrix, bias.reshape(layer.phases, -1).mean(0))


def _fit_colours(layer: Layer, x: Tensor, wanted: Tensor) -> None:
    """Fits the layer before the sigmoid, where a colour counts as much as the sigmoid lets it."""
    columns, targets = layer.columns(x), layer.outputs(wanted)
    chosen = _some(len(columns))
    columns, targets = columns[chosen].double(), targets[chosen].double()
    slopes = torch.sigmoid(targets) * (1.0 - torch.sigmoid(targets))
    old = layer.matrix()
    fitted = [
        _solved(columns, targets[:, row : row + 1], slopes[:, row].square(), old[row : row + 1])
        for row in range(len(old))
    ]
    layer.assign(
        torch.cat([matrix for matrix, _ in fitted]),
        torch.cat([bias for _, bias in fitted]).reshape(layer.phases, -1).mean(0),
    )


def _some(count: int) -> Tensor:
    """Returns up to MAX_PIXELS of `count` pixels, always the same ones."""
    if count <= MAX_PIXELS:
        return torch.arange(count)
    generator = torch.Generator().manual_seed(0)
    return torch.randperm(count, generator=generator)[:MAX_PIXELS].sort().values


def _solved(
    columns: Tensor, targets: Tensor, weights: Tensor, old: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns matrix [m, n] and bias [m] of the weighted ridge regression towards `old`."""
    weights = (weights / weights.sum())[:, None]
    mean, wanted = (weights * columns).sum(0), (weights * targets).sum(0)
    centred = columns - mean
    weighted = centred * weights
    gram = weighted.T @ centred
    ridge = RIDGE * gram.diagonal().mean().clamp_min(1e-30)
    gram = gram + ridge * _identity(len(gram))
    matrix = torch.linalg.solve(gram, weighted.T @ (targets - wanted) + ridge * old.T).T
    return matrix, wanted - matrix @ mean
