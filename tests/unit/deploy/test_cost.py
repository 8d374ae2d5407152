"""MACs by hand and peak memory by brute force."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from onnx import helper

from benchmarks.official_chain import official_chain
from mobile_nelf.cameras import Intrinsics
from mobile_nelf.deploy.cost import Cost, model_cost, tensor_shapes
from mobile_nelf.errors import DeployError
from mobile_nelf.students import EncoderConfig, StudentConfig, build_student
from mobile_nelf.students.rewrite import fold_batchnorm
from tests.helpers.onnx_models import graph_model, node_model
from tests.helpers.students import random_checkpoint


def _weights(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("model", "macs"),
    [
        # 8 channels out of 5, kernel 3×2, on a 4×6 output.
        (
            node_model("Conv", [(1, 5, 6, 7)], _weights(8, 5, 3, 2), kernel_shape=[3, 2]),
            8 * 4 * 6 * 5 * 3 * 2,
        ),
        # Depthwise: each of 4 channels sees itself only.
        (node_model("Conv", [(1, 4, 5, 5)], _weights(4, 1, 3, 3), group=4), 4 * 3 * 3 * 9),
        # The whole 4×4 kernel for each of 5×6 inputs, whatever the padding cuts off.
        (
            node_model(
                "ConvTranspose", [(1, 3, 5, 6)], _weights(3, 7, 4, 4), strides=[2, 2], pads=[1] * 4
            ),
            3 * 5 * 6 * 7 * 16,
        ),
        (node_model("Gemm", [(2, 3)], _weights(3, 5)), 2 * 3 * 5),
        (node_model("Gemm", [(3, 2)], _weights(5, 3), transA=1, transB=1), 2 * 3 * 5),
        (node_model("MatMul", [(1, 4, 2, 3), (1, 4, 3, 5)]), 4 * 2 * 3 * 5),
        (node_model("Add", [(1, 4, 2, 3), (1, 4, 2, 3)]), 0),
    ],
)
def test_macs_by_hand(model, macs):
    assert model_cost(model).macs == macs


def test_macs_of_the_full_student():
    student = StudentConfig(EncoderConfig(2.0, 6.0))
    network = fold_batchnorm(build_student(student))
    main = official_chain(network, student, Intrinsics.centred(100, 100, 138.9), "snap")[2]
    cost = model_cost(main)
    assert round(cost.macs / 1e9, 1) == 50.6
    # The residual branch at full size: what it started from, a conv's input and its output.
    assert cost.peak_activation_bytes == 3 * 4 * 16 * 800 * 800


def _brute_force_peak(model):
    """Sums, at every node, all tensors made by then and needed then or later."""
    graph = model.graph
    shapes = tensor_shapes(model)
    constants = {tensor.name for tensor in graph.initializer}
    outputs = {info.name for info in graph.output}
    steps = [[info.name for info in graph.input], *([*node.output] for node in graph.node)]
    peak = 0
    for now in range(len(steps)):
        total = 0
        for made, names in enumerate(steps[: now + 1]):
            for name in names:
                later = any(name in node.input for node in graph.node[max(now - 1, 0) :])
                never_read = made == 0 and not any(name in node.input for node in graph.node)
                if made == now or later or name in outputs or never_read:
                    total += 0 if name in constants else 4 * math.prod(shapes[name])
        peak = max(peak, total)
    return peak


@pytest.mark.parametrize("seed", range(20))
def test_peak_against_brute_force(seed):
    rng = random.Random(seed)
    shapes = {"a": (1, 2, 3, 4), "b": (1, 5, 3, 4), "unread": (1, 1, 1, 50)}
    nodes, names = [], ["a", "b"]
    for index in range(12):
        name = f"t{index}"
        if rng.random() < 0.5:
            parts = rng.choices(names, k=rng.randint(1, 3))
            nodes.append(helper.make_node("Concat", parts, [name], axis=1))
        else:
            nodes.append(helper.make_node("Relu", [rng.choice(names)], [name]))
        names.append(name)
    outputs = dict.fromkeys({rng.choice(names[2:]), names[-1]})
    model = graph_model(nodes, shapes, outputs)
    assert model_cost(model).peak_activation_bytes == _brute_force_peak(model)


def test_peak_by_hand():
    nodes = [
        helper.make_node("Concat", ["x", "x"], ["wide"], axis=1),  # x 10 + wide 20
        helper.make_node("Conv", ["wide", "w"], ["y"]),  # x 10 + wide 20 + y 10
        helper.make_node("Add", ["x", "y"], ["z"]),  # x 10 + y 10 + z 10
    ]
    x = (1, 1, 2, 5)
    model = graph_model(nodes, {"x": x}, {"z": x}, {"w": _weights(1, 2, 1, 1)})
    assert model_cost(model) == Cost(macs=20, peak_activation_bytes=4 * 40)


def test_gelusnap_and_free_batch_do_not_hide_shapes():
    torch.manual_seed(0)
    checkpoint = random_checkpoint()
    network = fold_batchnorm(checkpoint.network())
    lens = Intrinsics.centred(7, 6, 9.0)
    erf, snap = (
        official_chain(network, checkpoint.student, lens, gelu)[2] for gelu in ("erf", "snap")
    )
    assert tensor_shapes(snap)["output"] == (1, 3, 48, 56)
    assert model_cost(snap).macs == model_cost(erf).macs
    # Inference works on a copy.
    assert snap.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch_size"
    assert "GeluSnap" in {node.op_type for node in snap.graph.node}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (node_model("Relu", [(1, 3, "height", 4)]), "'x0'"),
        (node_model("NoSuchOperator", [(1, 3, 4, 4)]), "'node'"),
        (node_model("Conv", [(1, 3, 4, 4)]), "'node'"),
    ],
)
def test_open_shapes_are_refused_by_name(model, name):
    with pytest.raises(DeployError, match=name):
        model_cost(model)
