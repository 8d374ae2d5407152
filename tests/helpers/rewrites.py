"""Networks before and after a rewrite."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

__all__ = ["BATCHNORMS", "EXACT", "FLOAT32", "assert_unchanged", "randomized", "snapshot"]

#: Float64 sums of a few dozen products in another order.
EXACT = 1e-12
#: The same in float32, through a dozen layers with values near 1.
FLOAT32 = 2e-5

BATCHNORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def randomized(network: nn.Module, seed: int = 0) -> nn.Module:
    """Gives BatchNorms statistics and gains that a fold has to get right, also negative gains."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, BATCHNORMS) and module.running_mean is not None:
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.2, 3.0)
            if module.affine:
                nn.init.normal_(module.weight)
                nn.init.normal_(module.bias)
    return network.double().eval()


def snapshot(network: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(network.state_dict())


def assert_unchanged(network: nn.Module, before: dict[str, Tensor]) -> None:
    after = network.state_dict()
    assert list(after) == list(before)
    for name, value in before.items():
        assert torch.equal(after[name], value)
