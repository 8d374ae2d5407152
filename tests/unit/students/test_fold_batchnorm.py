"""BatchNorms fold into the layer before, and only where that changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from mobile_nelf.students import EncoderConfig, StudentConfig, build_student
from mobile_nelf.students.rewrite import fold_batchnorm
from tests.helpers.rewrites import (
    BATCHNORMS,
    EXACT,
    FLOAT32,
    assert_unchanged,
    randomized,
    snapshot,
)


def batchnorms(network: nn.Module) -> int:
    return sum(isinstance(module, BATCHNORMS) for module in network.modules())


IMAGE = (2, 6, 5, 4)

FOLDABLE: dict[str, tuple[Any, tuple[int, ...]]] = {
    "conv": (lambda: nn.Sequential(nn.Conv2d(6, 8, 3), nn.BatchNorm2d(8)), IMAGE),
    "conv without bias": (
        lambda: nn.Sequential(nn.Conv2d(6, 8, 1, bias=False), nn.BatchNorm2d(8)),
        IMAGE,
    ),
    "grouped conv": (
        lambda: nn.Sequential(nn.Conv2d(6, 4, 3, groups=2, padding=1), nn.BatchNorm2d(4)),
        IMAGE,
    ),
    "conv1d": (lambda: nn.Sequential(nn.Conv1d(6, 4, 3), nn.BatchNorm1d(4)), (2, 6, 5)),
    "conv3d": (lambda: nn.Sequential(nn.Conv3d(6, 4, 1), nn.BatchNorm3d(4)), (2, 6, 3, 2, 2)),
    "transposed, stride and padding": (
        lambda: nn.Sequential(nn.ConvTranspose2d(6, 4, 4, 2, 1), nn.BatchNorm2d(4)),
        IMAGE,
    ),
    "transposed, as many outputs as inputs": (
        lambda: nn.Sequential(nn.ConvTranspose2d(6, 6, 3, 3, bias=False), nn.BatchNorm2d(6)),
        IMAGE,
    ),
    "transposed, groups": (
        lambda: nn.Sequential(
            nn.ConvTranspose2d(6, 9, 3, 2, 1, output_padding=1, groups=3), nn.BatchNorm2d(9)
        ),
        IMAGE,
    ),
    "transposed 1d, groups": (
        lambda: nn.Sequential(nn.ConvTranspose1d(6, 4, 3, groups=2), nn.BatchNorm1d(4)),
        (2, 6, 5),
    ),
    "linear": (lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8)), (3, 6)),
    "no gain": (
        lambda: nn.Sequential(nn.Conv2d(6, 8, 1), nn.BatchNorm2d(8, affine=False, eps=0.1)),
        IMAGE,
    ),
    "two in a row": (
        lambda: nn.Sequential(nn.Conv2d(6, 8, 1), nn.BatchNorm2d(8), nn.BatchNorm2d(8)),
        IMAGE,
    ),
    "one after two convs": (
        lambda: nn.Sequential(
            nn.Conv2d(6, 6, 1), norm := nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 1), norm
        ),
        IMAGE,
    ),
}


@pytest.mark.parametrize(("build", "shape"), FOLDABLE.values(), ids=list(FOLDABLE))
def test_foldable_batchnorms_vanish_and_the_function_stays(
    build: Any, shape: tuple[int, ...]
) -> None:
    network = randomized(build())
    network.train()  # folding must evaluate a network that is still in training mode
    before = snapshot(network)
    folded = fold_batchnorm(network)
    assert network.training
    assert_unchanged(network, before)
    assert not folded.training
    assert batchnorms(folded) == 0
    x = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(folded(x), network.eval()(x), atol=EXACT, rtol=0)


def test_running_statistics_are_folded_to_known_numbers() -> None:
    """y = (3·x + 1 − 5)/√(4) · 10 + 7 = 15·x − 13."""
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, eps=0.0))
    values = {"0.weight": 3, "0.bias": 1, "1.running_mean": 5, "1.running_var": 4}
    values |= {"1.weight": 10, "1.bias": 7}
    for name, value in values.items():
        network.state_dict()[name].fill_(value)
    conv = fold_batchnorm(network).get_submodule("0")
    assert isinstance(conv, nn.Conv2d)
    assert conv.weight.item() == 15.0
    assert conv.bias is not None
    assert conv.bias.item() == -13.0


class ReadTwice(nn.Module):
    """The conv's output goes around the BatchNorm, too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 6, 1)
        self.norm = nn.BatchNorm2d(6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        normed: Tensor = self.norm(x)
        return normed + x


class ConvUsedTwice(nn.Module):
    """The conv runs once more, without a BatchNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 6, 1)
        self.norm = nn.BatchNorm2d(6)

    def forward(self, x: Tensor) -> Tensor:
        colours: Tensor = self.conv(self.norm(self.conv(x)).relu())
        return colours


class ConvsShareWeight(nn.Module):
    """Another conv reads the same weight."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 6, 1)
        self.norm = nn.BatchNorm2d(6)
        self.other = nn.Conv2d(6, 6, 1)
        self.other.weight = self.conv.weight

    def forward(self, x: Tensor) -> Tensor:
        colours: Tensor = self.other(self.norm(self.conv(x)).relu())
        return colours


class WeightReadDirectly(nn.Module):
    """The forward itself reads the conv's weight."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 6, 1)
        self.norm = nn.BatchNorm2d(6)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(self.norm(self.conv(x)), self.conv.weight)


class RegisteredInAnotherOrder(nn.Module):
    """By registration the BatchNorm follows the conv; by data flow it comes before."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 6, 1)
        self.norm = nn.BatchNorm2d(6)

    def forward(self, x: Tensor) -> Tensor:
        colours: Tensor = self.conv(self.norm(x))
        return colours


class NormalizingConv(nn.Conv2d):
    """A conv that normalizes its weight, so that scaling the weight does nothing."""

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight / self.weight.norm(), self.bias)


NOT_FOLDABLE: dict[str, tuple[Any, tuple[int, ...]]] = {
    "output read twice": (ReadTwice, IMAGE),
    "conv used twice": (ConvUsedTwice, IMAGE),
    "weight shared": (ConvsShareWeight, IMAGE),
    "weight read directly": (WeightReadDirectly, IMAGE),
    "norm before conv": (RegisteredInAnotherOrder, IMAGE),
    "activation between": (
        lambda: nn.Sequential(nn.Conv2d(6, 6, 1), nn.ReLU(), nn.BatchNorm2d(6)),
        IMAGE,
    ),
    "norm first": (lambda: nn.Sequential(nn.BatchNorm2d(6), nn.Conv2d(6, 6, 1)), IMAGE),
    "no running statistics": (
        lambda: nn.Sequential(nn.Conv2d(6, 6, 1), nn.BatchNorm2d(6, track_running_stats=False)),
        IMAGE,
    ),
    "linear on [N, L, C]": (lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(5)), (2, 5, 6)),
    "conv with a forward of its own": (
        lambda: nn.Sequential(NormalizingConv(6, 6, 1), nn.BatchNorm2d(6)),
        IMAGE,
    ),
    "computed weight": (
        lambda: nn.Sequential(
            parametrizations.spectral_norm(nn.Conv2d(6, 6, 1)), nn.BatchNorm2d(6)
        ),
        IMAGE,
    ),
}


@pytest.mark.parametrize(("build", "shape"), NOT_FOLDABLE.values(), ids=list(NOT_FOLDABLE))
def test_other_batchnorms_stay_and_so_does_the_function(build: Any, shape: tuple[int, ...]) -> None:
    network = randomized(build())
    folded = fold_batchnorm(network)
    assert batchnorms(folded) == 1
    x = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(folded(x), network(x), atol=EXACT, rtol=0)


class KeywordCall(nn.Module):
    """Calls its BatchNorm with a keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 6, 1)
        self.norm = nn.BatchNorm2d(6)

    def forward(self, x: Tensor) -> Tensor:
        colours: Tensor = self.norm(input=self.conv(x))
        return colours


def test_a_batchnorm_called_by_keyword_is_folded() -> None:
    network = randomized(KeywordCall())
    folded = fold_batchnorm(network)
    assert batchnorms(folded) == 0
    x = torch.randn(IMAGE, dtype=torch.float64)
    torch.testing.assert_close(folded(x), network(x), atol=EXACT, rtol=0)


@pytest.mark.parametrize("last_scale", [2, 3])
def test_a_folded_student_has_no_batchnorm_left(last_scale: Any) -> None:
    config = StudentConfig(
        EncoderConfig(2.0, 6.0), depth=6, width=16, sr_widths=(8, 4), last_scale=last_scale
    )
    network = randomized(build_student(config))
    assert batchnorms(network) == 2 * (2 + 4)
    x = torch.randn(1, 312, 4, 5, dtype=torch.float64)
    folded = fold_batchnorm(network)
    assert batchnorms(folded) == 0
    torch.testing.assert_close(folded(x), network(x), atol=EXACT, rtol=0)
    in_float32 = fold_batchnorm(network.float())
    torch.testing.assert_close(
        in_float32(x.float()).double(), network.double()(x), atol=FLOAT32, rtol=0
    )
