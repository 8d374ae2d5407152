"""Layers as matrices, and students taken apart."""

from __future__ import annotations

import pytest
import torch

from mobile_nelf.deploy.cost import model_cost
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.pruning.layers import Layer, anatomy, folded, with_network, working_network
from mobile_nelf.pruning.widths import Widths, macs, parameters
from mobile_nelf_exporters.onnx.build import build_onnx
from tests.helpers.students import random_checkpoint

STUDENTS = {
    "paper's": {"sr_widths": (8, 4)},
    "times 12": {"sr_widths": (8, 4), "last_scale": 3},
    "new recipe": {"sr_widths": (8, 4), "batchnorm": False, "direct_output": True},
    "new recipe, times 12": {
        "sr_widths": (8,),
        "batchnorm": False,
        "direct_output": True,
        "last_scale": 3,
    },
    "no super-resolution": {"sr_widths": ()},
    "narrowed": {"sr_widths": (8, 4), "head_width": 9, "inner_widths": (5, 16, 3, 8, 4, 1)},
    "learnt products": {"sr_widths": (8, 4), "products": 2},
    "learnt products, narrowed": {"sr_widths": (8,), "products": 1, "head_width": 9},
    "r2l": {"architecture": "r2l", "sr_widths": (), "activation": "relu"},
    "r2l, narrowed": {
        "architecture": "r2l",
        "sr_widths": (),
        "head_width": 9,
        "inner_widths": (5, 16),
    },
}


@pytest.mark.parametrize(
    "conv",
    [
        torch.nn.Conv2d(5, 7, 1),
        torch.nn.ConvTranspose2d(5, 7, 4, stride=2, padding=1),
        torch.nn.ConvTranspose2d(5, 7, 3, stride=3),
    ],
    ids=["1×1", "×2", "×3"],
)
def test_a_layer_is_a_matrix(conv):
    layer = Layer("thing", conv.double())
    x = torch.randn(2, 5, 4, 6, dtype=torch.float64)
    with torch.no_grad():
        wanted = layer.outputs(layer(x))
        product = layer.columns(x) @ layer.matrix().T + layer.bias.repeat(layer.phases)
        assert torch.allclose(product, wanted, rtol=0, atol=1e-12)
        before = conv.weight.clone()
        matrix = layer.matrix()
        layer.assign(torch.zeros_like(matrix))
        assert not conv.weight.any()
        layer.assign(matrix)
        assert torch.equal(conv.weight, before)


@pytest.mark.parametrize("name", STUDENTS)
def test_the_parts_are_the_whole(name):
    checkpoint = random_checkpoint(**STUDENTS[name])
    plain = folded(checkpoint)
    assert not any("running_mean" in name for name in plain.weights)
    x = torch.rand(1, checkpoint.student.encoder.channels, 6, 7)
    parts = anatomy(working_network(plain), plain.student)
    with torch.no_grad():
        y = parts.begin(x)
        for index, section in enumerate(parts.sections):
            y = y if section.entry is None else section.entry(y)
            begin = y
            for block in section.blocks:
                y = block(y)
            y = y + begin if index == 0 else y
        picture = torch.sigmoid(parts.output(y))
        assert torch.allclose(picture, checkpoint.network()(x), rtol=0, atol=1e-5)
        assert torch.equal(picture, plain.network().as_conv()(x))
    names = [f"{layer.name}.weight" for layer in parts.layers()]
    own = [name for name in plain.weights if not name.startswith("products.")]
    assert names == [name for name in own if name.endswith(".weight")]
    again = with_network(plain, working_network(plain))
    assert again.weights_sha256() == plain.weights_sha256()


@pytest.mark.parametrize("name", STUDENTS)
def test_size_and_work_are_counted_exactly(name):
    checkpoint = folded(random_checkpoint(**STUDENTS[name]))
    student = checkpoint.student
    assert parameters(student) == sum(value.numel() for value in checkpoint.weights.values())
    model, _ = build_onnx(
        checkpoint,
        find_layout("embedded"),
        "relu" if student.activation == "relu" else "erf",
        expand=False,
    )
    assert macs(student) == model_cost(model).macs


@pytest.mark.parametrize("name", STUDENTS)
def test_widths_of_a_student_give_it_again(name):
    student = folded(random_checkpoint(**STUDENTS[name])).student
    assert Widths.of(student).student(student) == student
