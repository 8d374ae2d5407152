"""What torch.compile, DistributedDataParallel and torch.nn.utils.prune do to a state dict."""

from __future__ import annotations

import pytest
import torch
from torch.nn.utils import prune

from mobile_nelf.checkpoints import load_checkpoint


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_wrappers(official, prefix):
    file = official()
    expected = load_checkpoint(file.path).weights_sha256()
    state = file.content["network_fn_state_dict"]
    file.content["network_fn_state_dict"] = {prefix + name: value for name, value in state.items()}
    assert load_checkpoint(file.rewrite()).weights_sha256() == expected


def test_a_compiled_part(official):
    file = official()
    expected = load_checkpoint(file.path).weights_sha256()
    file.network.body[0] = torch.compile(file.network.body[0])
    file.content["network_fn_state_dict"] = file.network.state_dict()
    del file.content["network_fn"]
    assert any("body.0._orig_mod." in name for name in file.content["network_fn_state_dict"])
    assert load_checkpoint(file.rewrite()).weights_sha256() == expected


@pytest.mark.parametrize("wrapped", [False, True])
def test_masks_are_applied(official, wrapped):
    file = official()
    layers = [(m, "weight") for m in file.network.modules() if isinstance(m, torch.nn.Conv2d)]
    prune.global_unstructured(layers, prune.L1Unstructured, amount=0.5)
    state = file.network.state_dict()
    assert "head.0.weight_orig" in state
    assert "head.0.weight" not in state
    prefix = "module." if wrapped else ""
    file.content["network_fn_state_dict"] = {prefix + name: v for name, v in state.items()}
    checkpoint = load_checkpoint(file.rewrite())
    x = torch.randn(1, 312, 2, 2)
    with torch.no_grad():
        assert torch.equal(checkpoint.network()(x), file.network(x))
    assert float(checkpoint.provenance["zeros"].removesuffix(" %")) > 30.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("head.0.weight_mask"), "was pruned and has no mask; save it again after"),
        (
            lambda s: s.update({"head.0.weight_mask": torch.ones(3)}),
            "was pruned and has a mask of shape [3]",
        ),
        (
            lambda s: s.update({"head.0.weight": torch.ones(12, 312, 1, 1)}),
            "and the weight itself beside it",
        ),
        (
            lambda s: s.update({"_orig_mod.head.0.bias": torch.ones(12)}),
            "has the same name with and without _orig_mod or module",
        ),
    ],
)
def test_masks_that_do_not_fit(official, refusal, change, message):
    file = official()
    prune.l1_unstructured(file.network.head[0], "weight", 0.5)
    state = dict(file.network.state_dict())
    change(state)
    file.content["network_fn_state_dict"] = state
    assert message in refusal(file.rewrite())


@pytest.mark.parametrize("architecture", ["mobiler2l", "r2l"])
def test_blocks_that_somebody_has_cut_load_by_their_shapes(official, architecture):
    file = official(architecture=architecture)
    state = file.content["network_fn_state_dict"]
    first = "body.1.conv_block.{}" if architecture == "mobiler2l" else "body.1.body.{}"
    for name, value in list(state.items()):
        if name.startswith((first.format(0), first.format(1))) and value.dim():
            state[name] = value[:7]
        if name == first.format(3 if architecture == "mobiler2l" else 2) + ".weight":
            state[name] = value[:, :7]
    checkpoint = load_checkpoint(file.rewrite())
    student = checkpoint.student
    assert student.inner_widths == (12, 7, *student.block_widths[2:])
    image = checkpoint.network()(torch.rand(1, student.encoder.channels, 3, 2))
    assert bool(image.isfinite().all())
