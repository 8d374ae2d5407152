"""What the pickled module of an official file says beyond the weights."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
import torch
from torch import nn

from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.checkpoints.official import module
from mobile_nelf.checkpoints.safe import read_file
from tests.helpers import ROOT

GOLDEN = ROOT / "tests" / "golden" / "mobiler2l"


def test_a_file_of_the_published_code_gives_its_output():
    checkpoint = load_checkpoint(GOLDEN / "ckpt.tar")
    assert checkpoint.student.activation == "relu"
    encoder = checkpoint.student.encoder
    assert (encoder.samples, encoder.frequencies) == (4, 2)
    assert "guessed" not in checkpoint.provenance
    x = torch.sin(torch.arange(60 * 36, dtype=torch.float32)).reshape(1, 60, 6, 6)
    with torch.no_grad():
        output = checkpoint.network()(x)
    assert torch.equal(output, torch.from_numpy(np.load(GOLDEN / "output.npy")))


@pytest.mark.parametrize("kind", ["relu", "gelu"])
def test_the_activation_is_that_of_the_layers(official, kind):
    file = official(activation_fn=kind)
    checkpoint = load_checkpoint(file.path)
    x = torch.randn(1, 312, 2, 2)
    with torch.no_grad():
        assert torch.equal(checkpoint.network()(x), file.network(x))
    assert "guessed" not in checkpoint.provenance


def test_an_activation_that_contradicts_the_file_is_refused(official, refusal):
    file = official(activation_fn="relu")
    message = refusal(file.path, trained_activation="gelu")
    assert message.startswith("its module says that it was trained with relu, not gelu")
    assert load_checkpoint(file.path, trained_activation="relu").student.activation == "relu"


def test_without_a_module_all_is_called_a_guess(official):
    file = official(intrinsics={"H": 5, "W": 6, "focal": 8.5, "near": 2, "far": 6})
    del file.content["network_fn"]
    guessed = load_checkpoint(file.rewrite()).provenance["guessed"]
    assert guessed == (
        "8 samples, 6 frequencies, activation gelu, camera convention openGL; the file does not say"
    )


def test_what_is_told_is_not_guessed(official):
    file = official()
    del file.content["network_fn"]
    loaded = load_checkpoint(file.rewrite(), trained_activation="relu")
    assert loaded.student.activation == "relu"
    assert loaded.provenance["guessed"] == "camera convention openGL; the file does not say"


def test_samples_are_those_of_the_module(official):
    file = official(samples=4, frequencies=3, intrinsics={"H": 5, "W": 6, "focal": 8.5,
                                                          "near": 2, "far": 6})  # fmt: skip
    encoder = load_checkpoint(file.path).student.encoder
    assert (encoder.samples, encoder.frequencies) == (4, 3)


def test_samples_that_contradict_the_intrinsics(official, refusal):
    file = official(n_sample_per_ray=6)
    assert refusal(file.path).startswith(
        "was trained with 6 samples (n_sample_per_ray), its intrinsics.json says 8"
    )


def _layer(place, new):
    """Puts another layer into the module and leaves its weights as they are."""

    def change(network):
        *outer, last = place.split(".")
        parent = network.get_submodule(".".join(outer))
        setattr(parent, last, new)

    return change


def _setting(place, name, value):
    return lambda network: setattr(network.get_submodule(place), name, value)


class Unknown(nn.GELU):
    """A layer of somebody's own."""

    __module__ = "model.layers"
    __qualname__ = "swish_like"


CHANGES = {
    "leaky": (_layer("head.1", nn.LeakyReLU()), "(head.1) is LeakyReLU; supported are GELU and"),
    "tanh form": (
        _layer("head.1", nn.GELU(approximate="tanh")),
        "its layer head.1 (GELU) has approximate tanh",
    ),
    "another one in a block": (
        _layer("body.1.conv_block.2", nn.ReLU()),
        "has ReLU as its layer body.1.conv_block.2, where GELU is expected",
    ),
    "last activation": (
        _layer("tail.10", nn.Tanh()),
        "has Tanh as its layer tail.10, where Sigmoid is expected",
    ),
    "no last activation": (
        lambda network: network.tail.__delitem__(10),
        "has no layer tail.10 (Sigmoid)",
    ),
    "no activation": (lambda network: network.head.__delitem__(1), "(head.1) is missing"),
    "one more": (
        lambda network: network.body[1].add_module("outact", nn.ReLU()),
        "has a layer body.1.outact (torch.nn.modules.activation.ReLU)",
    ),
    "scaled residual": (
        _setting("body.0", "res_scale", 0.1),
        "scales its residuals (res_scale 0.1 in body.0)",
    ),
    "other stride": (
        _setting("tail.0", "stride", (4, 4)),
        "its layer tail.0 (ConvTranspose2d) has stride (4, 4), which is not supported",
    ),
    "other epsilon": (
        _setting("body.0.conv_block.1", "eps", 1e-3),
        "its layer body.0.conv_block.1 (BatchNorm2d) has eps 0.001",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_other_layers_are_refused_by_name(official, refusal, name):
    change, message = CHANGES[name]
    file = official()
    change(file.network)
    assert message in refusal(file.rewrite())


OPTIONS = {
    "camera_convention": "openCV",
    "ndc": True,
    "ff": True,
    "use_residual": False,
    "linear_tail": True,
    "trial": types.SimpleNamespace(res_scale=0.5),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_other_options_are_refused_by_name(official, refusal, name):
    file = official(**{name: OPTIONS[name]})
    message = refusal(file.path)
    assert message.startswith(f"was trained with {name}")
    assert "which is not supported" in message


def test_layers_that_do_nothing_once_trained(official):
    file = official()
    expected = load_checkpoint(file.path).weights_sha256()
    file.network.body[0].add_module("drop", nn.Dropout(0.5))
    file.network.body[1].res_scale = torch.tensor(1.0)
    file.content["network_fn"] = nn.SyncBatchNorm.convert_sync_batchnorm(file.network)
    assert load_checkpoint(file.rewrite()).weights_sha256() == expected


@pytest.fixture
def strangers(monkeypatch):
    """Makes a class in lower case importable, so that pickle writes its name."""
    package = types.ModuleType("model.layers")
    package.swish_like = Unknown
    monkeypatch.setitem(sys.modules, "model.layers", package)


@pytest.mark.usefixtures("strangers")
def test_an_unknown_class_beside_the_weights_is_not_an_accusation(official):
    file = official()
    expected = load_checkpoint(file.path).weights_sha256()
    file.content["network_fn"] = Unknown()
    checkpoint = load_checkpoint(file.rewrite())
    assert checkpoint.weights_sha256() == expected
    assert "activation gelu" in checkpoint.provenance["guessed"]


@pytest.mark.usefixtures("strangers")
def test_an_unknown_class_whose_weights_fit_is_a_guess(official):
    file = official()
    file.network.body[0].conv_block[2] = Unknown()
    guessed = load_checkpoint(file.rewrite()).provenance["guessed"]
    assert guessed.startswith("model.layers.swish_like to compute what MobileR2L does")


@pytest.mark.usefixtures("strangers")
def test_an_unknown_class_whose_weights_do_not_fit(official, refusal):
    file = official()
    for block in file.network.body:
        conv, norm, act, *rest = block.conv_block
        block.conv_block = nn.Sequential(nn.BatchNorm2d(12), Unknown(), conv, norm, act, *rest)
    file.content["network_fn_state_dict"] = file.network.state_dict()
    message = refusal(file.rewrite())
    assert "layers of model.layers.swish_like, an architecture that is not supported" in message
    assert "do not open" not in message


def test_a_module_that_holds_itself(official, refusal, monkeypatch):
    monkeypatch.setattr(module, "MAX_LAYERS", 500)
    file = official()
    file.network.body._modules["0"]._modules["again"] = file.network.body
    assert "network_fn has more than 500 layers" in refusal(file.rewrite())


def test_options_of_any_type(official):
    file = official(multires=[1], use_residual=None, lrate={"a": {}})
    assert load_checkpoint(file.path).student.activation == "gelu"


def test_nothing_is_built(official):
    content = read_file(official().path)
    assert content["network_fn"].name == "model.R2L.R2L"
    assert "easydict" not in sys.modules
