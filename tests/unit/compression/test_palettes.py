"""Rounding onto tables that makes up for its own errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.compression.palettes import (
    BITS,
    large_layers,
    mixed_bits,
    palettized,
    round_columns,
    rounded_for,
)
from mobile_nelf.pruning.calibration import calibration_rays
from mobile_nelf.pruning.layers import folded, working_network
from mobile_nelf.pruning.plan import mean_error
from mobile_nelf.pruning.statistics import measure
from mobile_nelf_exporters.coreml.compress import palette
from tests.helpers import ROOT
from tests.helpers.students import random_checkpoint


def distinct(tensor):
    return len(torch.unique(tensor))


def test_columns_make_up_for_each_other():
    generator = torch.Generator().manual_seed(0)
    # Columns that say much the same, as the channels of a network do.
    x = torch.randn(500, 8, generator=generator, dtype=torch.float64)
    x = x @ torch.randn(8, 24, generator=generator, dtype=torch.float64)
    x = x + 0.1 * torch.randn(500, 24, generator=generator, dtype=torch.float64)
    matrix = torch.randn(16, 24, generator=generator, dtype=torch.float64)
    gram = x.T @ x / len(x)
    rounded = round_columns(matrix, gram, 4)
    assert distinct(rounded) <= 16
    assert torch.equal(rounded, rounded.half().double())
    table, places = palette(matrix.numpy().astype(np.float16), 4)
    nearest = torch.from_numpy(table.astype(np.float64)[places].reshape(16, 24))

    def loss(other):
        error = (other - matrix) @ x.T
        return float(error.square().mean())

    assert loss(rounded) < 0.5 * loss(nearest)


@pytest.fixture(scope="module")
def mic():
    checkpoint = folded(load_checkpoint(ROOT / "examples" / "mic.pt"))
    rays = calibration_rays(checkpoint)
    return checkpoint, measure(working_network(checkpoint), checkpoint.student, rays)


def test_four_bits_lose_less_than_half_of_k_means(mic):
    checkpoint, statistics = mic
    names = large_layers(checkpoint)
    rounded = palettized(checkpoint, dict.fromkeys(names, 4), statistics=statistics)
    nearest = dict(checkpoint.weights)
    for name in names:
        weight = checkpoint.weights[f"{name}.weight"]
        assert distinct(rounded.weights[f"{name}.weight"]) <= 16
        table, places = palette(weight.half().numpy(), 4)
        values = torch.from_numpy(table[places].astype(np.float32))
        nearest[f"{name}.weight"] = values.reshape(weight.shape)
    plain = type(checkpoint)(**{**vars(checkpoint), "weights": nearest})
    others = calibration_rays(checkpoint, 4, seed=1)
    assert mean_error(rounded, checkpoint, others) < 0.5 * mean_error(plain, checkpoint, others)


def test_a_block_that_no_pixel_opens_is_rounded_as_it_stands():
    """Training can leave a ReLU shut for good; what reads it sees nothing but zeros."""
    checkpoint = folded(random_checkpoint(depth=6, sr_widths=(8, 4), width=48, batchnorm=False))
    checkpoint.weights["body.0.conv_block.0.bias"].fill_(-1e3)
    rounded = palettized(checkpoint, {"body.0.conv_block.3": 4})
    weight = rounded.weights["body.0.conv_block.3.weight"]
    assert distinct(weight) <= 16
    assert (weight - checkpoint.weights["body.0.conv_block.3.weight"]).abs().max() < 0.1
    assert mean_error(rounded, checkpoint, calibration_rays(checkpoint, 2)) < 1e-8


@pytest.mark.slow
def test_mixed_bits_lose_less_than_the_same_bits_everywhere(mic):
    checkpoint, statistics = mic
    counts = large_layers(checkpoint)
    bits = mixed_bits(checkpoint, statistics, 6.0)
    assert set(bits) == set(counts)
    assert set(bits.values()) <= set(BITS)
    used = sum(bits[name] * count for name, count in counts.items())
    assert used <= 6.0 * sum(counts.values())
    others = calibration_rays(checkpoint, 4, seed=1)
    mixed, even = (
        mean_error(palettized(checkpoint, chosen, statistics=statistics), checkpoint, others)
        for chosen in (bits, dict.fromkeys(counts, 6))
    )
    assert mixed < even


def test_what_is_rounded_already_stays_as_it_is():
    checkpoint = random_checkpoint(width=64, sr_widths=(8,))
    forms = ("fp16", "palette6", "palette-mixed")
    rounded = rounded_for(checkpoint, forms)
    assert tuple(rounded) == forms
    assert rounded["fp16"] is checkpoint
    for form in forms[1:]:
        weight = rounded[form].weights["body.0.conv_block.0.weight"]
        assert distinct(weight) <= 256
        again = rounded_for(rounded[form], (form,))[form]
        assert again.weights_sha256() == rounded[form].weights_sha256()
    # The same poses and probes each time.
    other = rounded_for(checkpoint, ("palette6",))["palette6"]
    assert other.weights_sha256() == rounded["palette6"].weights_sha256()
