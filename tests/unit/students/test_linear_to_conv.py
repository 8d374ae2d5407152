"""Fully connected layers to 1×1 convs: the same function on a grid."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from mobile_nelf.students.rewrite import linear_to_conv
from tests.helpers.rewrites import EXACT, assert_unchanged, snapshot


class Tree(nn.Module):
    """Linears in a Sequential, in a ModuleList, in a ModuleDict, with and without bias."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(5, 8, bias=False)
        self.branch = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Linear(8, 8), nn.Tanh()))
        self.several = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8, bias=False)])
        self.named = nn.ModuleDict({"last": nn.Linear(8, 3)})
        self.unused = None

    def forward(self, x: Tensor) -> Tensor:
        x = self.branch(self.first(x))
        for layer in self.several:
            x = x + layer(x).sigmoid()
        colours: Tensor = self.named["last"](x)
        return colours


class UsedTwice(nn.Module):
    """One Linear under two names and called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(6, 6)
        self.two = nn.Sequential(self.one, nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        colours: Tensor = self.two(self.one(x))
        return colours


class SharedWeight(nn.Module):
    """Two Linears with biases of their own that read one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(6, 6)
        self.two = nn.Linear(6, 6)
        self.two.weight = self.one.weight

    def forward(self, x: Tensor) -> Tensor:
        colours: Tensor = self.two(self.one(x).relu())
        return colours


class Doubled(nn.Linear):
    """A Linear that computes something else with its weight."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(2.0 * input)


def weight_normed() -> nn.Module:
    return nn.Sequential(*(parametrizations.weight_norm(nn.Linear(6, 6)) for _ in range(6)))


FC_NETWORKS: dict[str, tuple[Any, int]] = {
    "root is a Linear": (lambda: nn.Linear(5, 3), 5),
    "root is a Linear without bias": (lambda: nn.Linear(5, 3, bias=False), 5),
    "Sequential": (lambda: nn.Sequential(nn.Linear(5, 7), nn.GELU(), nn.Linear(7, 3)), 5),
    "nested": (Tree, 5),
    "used twice": (UsedTwice, 6),
    "shared weight": (SharedWeight, 6),
    "computed weights": (weight_normed, 6),
}


@pytest.mark.parametrize(("build", "channels"), FC_NETWORKS.values(), ids=list(FC_NETWORKS))
def test_linear_to_conv_is_the_same_function_on_a_grid(build: Any, channels: int) -> None:
    torch.manual_seed(0)
    network: nn.Module = build().double()
    before = snapshot(network)
    conv = linear_to_conv(network)

    grid = torch.randn(1, channels, 4, 3, dtype=torch.float64)
    rows = grid[0].flatten(1).T  # [12, C], row-major pixels
    expected = network(rows).T.reshape(1, -1, 4, 3)
    torch.testing.assert_close(conv(grid), expected, atol=EXACT, rtol=0)

    assert not any(isinstance(module, nn.Linear) for module in conv.modules())
    assert {parameter.dtype for parameter in conv.parameters()} == {torch.float64}
    assert_unchanged(network, before)


def test_linear_to_conv_shares_nothing_with_the_original() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm2d(2))
    conv = linear_to_conv(network)
    assert not {p.data_ptr() for p in conv.parameters()} & {
        p.data_ptr() for p in network.parameters()
    }


def test_a_layer_under_two_names_stays_one_layer() -> None:
    conv = linear_to_conv(UsedTwice())
    assert conv.get_submodule("one") is conv.get_submodule("two.0")


def test_a_shared_weight_stays_shared_and_biases_stay_apart() -> None:
    conv = linear_to_conv(SharedWeight())
    assert conv.get_parameter("one.weight") is conv.get_parameter("two.weight")
    assert conv.get_parameter("one.bias") is not conv.get_parameter("two.bias")


def test_frozen_weights_and_evaluation_mode_survive() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).eval()
    network[0].weight.requires_grad_(False)
    conv = linear_to_conv(network)
    assert [p.requires_grad for p in conv.parameters()] == [False, True, True, True]
    assert not any(module.training for module in conv.modules())


def test_a_linear_with_a_forward_of_its_own_is_left_alone() -> None:
    conv = linear_to_conv(nn.Sequential(Doubled(4, 4), nn.Linear(4, 4)))
    assert [type(module) for module in conv.children()] == [Doubled, nn.Conv2d]
