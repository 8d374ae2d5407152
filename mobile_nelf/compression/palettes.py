"""Rounds the weights of layers to few values, so that each makes up for what was rounded before it.

Column by column to the nearest value of a table, with the error pushed into the columns that are
still to come (GPTQ, Frantar et al. 2022), towards a target that makes up for the drift of the
layers before. No training and no photo, and the file format of a palette stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.progress import Progress, silent
from mobile_nelf.pruning.calibration import calibration_rays
from mobile_nelf.pruning.layers import (
    Layer,
    anatomy,
    folded,
    side_by_side,
    with_network,
    working_network,
)
from mobile_nelf.pruning.statistics import Moments, Statistics, measure
from mobile_nelf.vocabulary import WeightForm

__all__ = [
    "BITS",
    "MIXED_BITS",
    "large_layers",
    "mixed_bits",
    "palettized",
    "round_columns",
    "rounded_for",
]

#: Sizes of a table that every version of the format has.
BITS = (8, 6, 4)

#: The largest table of a layer in each form that has tables, in bits.
PALETTES: dict[WeightForm, int] = {"palette6": 6, "palette4": 4, "palette-mixed": 8}

#: Bits a weight, on average, of what is rounded with mixed bits if nothing else is asked for.
MIXED_BITS = 4.75

#: Layers of up to so many weights are not rounded. They are the last ones, at the highest
#: resolution: little to store, and every error is in the picture at once.
LARGE = 2048

#: Ridges, relative to the mean diagonal: of the target that makes up for the drift, and of the
#: matrix that says where an error is pushed.
DRIFT_RIDGE = 1e-3
ROUNDING_RIDGE = 1e-2

#: Pixels that a layer's statistics are taken from at most.
MAX_PIXELS = 12_000

#: Rounds of k-means; it stands still long before.
MAX_ROUNDS = 100


def large_layers(checkpoint: Checkpoint) -> dict[str, int]:
    """Returns how many weights each layer has that is large enough to be rounded, by its name."""
    plain = folded(checkpoint)
    layers = anatomy(working_network(plain), plain.student).layers()
    counts = {layer.name: layer.conv.weight.numel() for layer in layers}
    return {name: count for name, count in counts.items() if count > LARGE}


def rounded_for(
    checkpoint: Checkpoint, forms: Sequence[WeightForm], on_progress: Progress = silent
) -> dict[WeightForm, Checkpoint]:
    """Returns the student whose weights each form stores, in the order of `forms`.

    For a palette they are rounded here, before any writer sees them, unless they have few enough
    values already; other forms store the student as it is.

    Args:
        checkpoint: the student.
        forms: how weights are stored.
        on_progress: called with the name of a step, parts done and parts in all.
    """
    found: dict[WeightForm, Checkpoint] = {}
    statistics: Statistics | None = None
    plain = folded(checkpoint)
    counts = large_layers(plain) if any(form in PALETTES for form in forms) else {}
    for form in forms:
        found[form] = checkpoint
        if form not in PALETTES or _values(plain, counts) <= 1 << PALETTES[form]:
            continue
        if statistics is None:
            rays, network = calibration_rays(plain), working_network(plain)
            statistics = measure(network, plain.student, rays, on_progress=on_progress)
        bits = dict.fromkeys(counts, PALETTES[form])
        if form == "palette-mixed":
            bits = mixed_bits(plain, statistics, on_progress=on_progress)
        found[form] = palettized(plain, bits, statistics=statistics, on_progress=on_progress)
    return found


def _values(checkpoint: Checkpoint, names: Collection[str]) -> int:
    """Returns how many different values the layer with most of them has; all must be fp16."""
    weights = [checkpoint.weights[f"{name}.weight"] for name in names]
    if any(not torch.equal(weight, weight.half().float()) for weight in weights):
        return 1 << 30
    return max((len(torch.unique(weight)) for weight in weights), default=0)


def palettized(
    checkpoint: Checkpoint,
    bits: Mapping[str, int],
    *,
    statistics: Statistics | None = None,
    on_progress: Progress = silent,
) -> Checkpoint:
    """Returns a student whose layers have at most 2^bits different weights, all exact in fp16.

    The same student gives the same result: poses and probes are fixed.

    Args:
        checkpoint: the student; BatchNorm is folded into the result.
        bits: of each layer by its name; the others stay as they are.
        statistics: of the folded student with the standard rays, if they are known.
        on_progress: called with the name of this step, layers done and layers in all.
    """
    plain = folded(checkpoint)
    rays = calibration_rays(plain)
    exact = working_network(plain)
    if statistics is None:
        statistics = measure(exact, plain.student, rays, on_progress=on_progress)
    rounded = working_network(plain).requires_grad_(False)
    whole, parts = anatomy(exact, plain.student), anatomy(rounded, plain.student)
    done = 0
    with torch.no_grad():
        for old, new, x, y in side_by_side(whole, parts, rays):
            if old.name in bits:
                on_progress("round weights", done, len(bits))
                done += 1
                _round(old, new, x, y, statistics.layers[old.name].rows, bits[old.name])
                if done == len(bits):
                    break
    on_progress("round weights", done, len(bits))
    return with_network(plain, rounded)


def _round(old: Layer, new: Layer, x: Tensor, y: Tensor, rows: Tensor, bits: int) -> None:
    """Rounds a layer that reads `y` in place of the `x` of the exact network."""
    exact, drifted = old.columns(x), new.columns(y)
    if len(exact) > MAX_PIXELS:
        generator = torch.Generator().manual_seed(0)
        chosen = torch.randperm(len(exact), generator=generator)[:MAX_PIXELS].sort().values
        exact, drifted, rows = exact[chosen], drifted[chosen], rows[chosen]
    weights = (rows.double() / rows.double().sum())[:, None]
    exact, drifted = exact.double(), drifted.double()
    mean, moved = (weights * exact).sum(0), (weights * drifted).sum(0)
    centred = drifted - moved
    gram = (weights * centred).T @ centred
    matrix = old.matrix()
    # Nothing varies behind a ReLU that never opens; then the target is what the layer has.
    scale = DRIFT_RIDGE * gram.diagonal().mean().clamp_min(1e-30)
    ridge = scale * torch.eye(len(gram), dtype=gram.dtype)
    across = (weights * centred).T @ (exact - mean)
    target = torch.linalg.solve(gram + ridge, across @ matrix.T + ridge @ matrix.T).T
    result = round_columns(target, gram, bits)
    shift = (matrix @ mean - result @ moved).reshape(old.phases, -1).mean(0)
    new.assign(result, old.bias + shift)


def round_columns(matrix: Tensor, gram: Tensor, bits: int) -> Tensor:
    """Returns [m, n] of at most 2^bits different fp16 values that does nearly what `matrix` does.

    Args:
        matrix: [m, n] float64.
        gram: [n, n] of the columns that it reads.
        bits: size of the table.
    """
    n = len(gram)
    table = _table(matrix, gram.diagonal().expand_as(matrix), bits)
    middles = (table[1:] + table[:-1]) / 2
    ridge = ROUNDING_RIDGE * gram.diagonal().mean().clamp_min(1e-30)
    order = gram.diagonal().argsort(descending=True, stable=True)
    damped = (gram + ridge * torch.eye(n, dtype=gram.dtype))[order][:, order]
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    upper = torch.linalg.cholesky(inverse, upper=True)
    left = matrix[:, order].clone()
    result = torch.empty_like(left)
    for column in range(n):
        result[:, column] = table[torch.bucketize(left[:, column].contiguous(), middles)]
        error = (left[:, column] - result[:, column]) / upper[column, column]
        left[:, column + 1 :] -= torch.outer(error, upper[column, column + 1 :])
    return result[:, order.argsort()]


def _table(values: Tensor, weights: Tensor, bits: int) -> Tensor:
    """Returns 2^bits values in ascending order, by weighted k-means; exact in fp16."""
    size = 1 << bits
    flat, order = values.flatten().sort(stable=True)
    heavy = weights.flatten()[order].clamp_min(1e-30)
    number, total = _from_zero(heavy.cumsum(0)), _from_zero((heavy * flat).cumsum(0))
    # As dense as the cube root of the density, which is best for many values.
    share = heavy.pow(1.0 / 3.0).cumsum(0)
    places = (torch.arange(size, dtype=share.dtype) + 0.5) / size * share[-1]
    table = flat[torch.searchsorted(share, places).clamp_max(len(flat) - 1)]
    ends = torch.tensor([0, len(flat)])
    borders = torch.zeros(0, dtype=torch.int64)
    for _ in range(MAX_ROUNDS):
        moved = torch.searchsorted(flat, (table[1:] + table[:-1]) / 2)
        if torch.equal(moved, borders):
            break
        borders = moved
        cuts = torch.cat([ends[:1], borders, ends[1:]])
        inside, sums = number[cuts].diff(), total[cuts].diff()
        # A value that stands for nothing stays where it is.
        table = torch.where(inside > 0, sums / inside.clamp_min(1e-300), table)
    return table.half().double().sort().values


def _from_zero(sums: Tensor) -> Tensor:
    return torch.cat([torch.zeros(1, dtype=sums.dtype), sums])


def mixed_bits(
    checkpoint: Checkpoint,
    statistics: Statistics,
    average: float = MIXED_BITS,
    on_progress: Progress = silent,
) -> dict[str, int]:
    """Returns the bits of each large layer that lose least at a number of bits on average.

    Greedy, from the most bits down: the layer that harms the picture least for each bit that it
    saves goes first.

    Args:
        checkpoint: without BatchNorm.
        statistics: of it.
        average: bits a weight that the large layers may take together.
        on_progress: called with the name of this step, layers done and layers in all.
    """
    counts = large_layers(checkpoint)
    layers = anatomy(working_network(checkpoint), checkpoint.student).layers()
    large = [layer for layer in layers if layer.name in counts]
    losses: dict[str, dict[int, float]] = {}
    for index, layer in enumerate(large):
        on_progress("choose bits", index, len(large))
        moments = statistics.layers[layer.name]
        losses[layer.name] = {bits: _loss(layer, moments, bits) for bits in BITS}
    on_progress("choose bits", len(large), len(large))
    chosen = dict.fromkeys(counts, BITS[0])
    while sum(chosen[name] * count for name, count in counts.items()) > average * sum(
        counts.values()
    ):
        lower = [
            (name, bits) for name, present in chosen.items() for bits in BITS if bits < present
        ]
        if not lower:
            break
        name, bits = min(
            lower,
            key=lambda move: (
                (losses[move[0]][move[1]] - losses[move[0]][chosen[move[0]]])
                / (counts[move[0]] * (chosen[move[0]] - move[1]))
            ),
        )
        chosen[name] = bits
    return chosen


def _loss(layer: Layer, moments: Moments, bits: int) -> float:
    """Returns the squared error of the picture if this layer alone were rounded."""
    matrix = layer.matrix().detach()
    wrong = round_columns(matrix, moments.covariance, bits) - matrix
    return float(((moments.metric @ wrong @ moments.covariance) * wrong).sum())
