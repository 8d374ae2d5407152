"""One graph that keeps each rule of the operator table, and one that breaks it."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from onnx import helper

from mobile_nelf_exporters.snapml.check import check_snapml
from mobile_nelf_exporters.snapml.schema import BACKENDS, Rule
from mobile_nelf_exporters.snapml.table import OPERATORS
from tests.helpers.onnx_models import IMAGE, constant_reader, graph_model, node_model, weights

ALL = set(BACKENDS)
NPU = {"iphone_npu"}
ANDROID = {"android_gpu"}

NOT_SUPPORTED = "The layer type is not supported by backend"


WIDE = (1, 4, 8, 6)


#: rule, back-ends where it bites (not where the layer is missing anyway), part of the reason, a
#: graph that keeps it, one that breaks it.
CASES = {
    "conv stride": (
        "equal", ALL, "stride must be the same",
        node_model("Conv", [IMAGE], weights(3, 4, 3, 3), strides=[2, 2]),
        node_model("Conv", [IMAGE], weights(3, 4, 3, 3), strides=[2, 1]),
    ),
    "conv dilation": (
        "equal", ALL, "dilation must be the same",
        node_model("Conv", [IMAGE], weights(3, 4, 3, 3), dilations=[2, 2]),
        node_model("Conv", [IMAGE], weights(3, 4, 3, 3), dilations=[1, 2]),
    ),
    "conv group": (
        "group", ANDROID, "one group or depthwise",
        node_model("Conv", [IMAGE], weights(4, 1, 3, 3), group=4),
        node_model("Conv", [IMAGE], weights(4, 2, 3, 3), group=2),
    ),
    "conv padding": (
        "padding", ALL - NPU, "Padding cannot be larger",
        node_model("Conv", [IMAGE], weights(3, 4, 1, 3), pads=[1, 3, 1, 3]),
        node_model("Conv", [IMAGE], weights(3, 4, 1, 3), pads=[1, 3, 2, 3]),
    ),
    "conv weights": (
        "constant", ALL, "Weights must be constants",
        node_model("Conv", [IMAGE], weights(3, 4, 3, 3)),
        node_model("Conv", [IMAGE, (3, 4, 3, 3)]),
    ),
    "deconv dilation": (
        "allowed", ALL, "dilation must be 1",
        node_model("ConvTranspose", [IMAGE], weights(4, 3, 2, 2), dilations=[1, 1]),
        node_model("ConvTranspose", [IMAGE], weights(4, 3, 2, 2), dilations=[2, 2]),
    ),
    "deconv kernel": (
        "equal", ALL, "kernel must be as high as wide",
        node_model("ConvTranspose", [IMAGE], weights(4, 3, 4, 4), strides=[2, 2], pads=[1] * 4),
        node_model("ConvTranspose", [IMAGE], weights(4, 3, 4, 2), strides=[2, 2], pads=[1] * 4),
    ),
    "deconv padding": (
        "equal", ALL, "padding must be the same",
        node_model("ConvTranspose", [IMAGE], weights(4, 3, 4, 4), pads=[1, 1, 1, 1]),
        node_model("ConvTranspose", [IMAGE], weights(4, 3, 4, 4), pads=[1, 0, 1, 0]),
    ),
    "deconv group": (
        "group", ALL, "one group or depthwise",
        node_model("ConvTranspose", [IMAGE], weights(4, 1, 2, 2), group=4),
        node_model("ConvTranspose", [IMAGE], weights(4, 1, 2, 2), group=2),
    ),
    "add along the channel": (
        "broadcast", ALL, "Only one operand may broadcast",
        node_model("Add", [IMAGE, (1, 1, 8, 8)]),
        node_model("Add", [IMAGE, (1, 4, 8, 1)]),
    ),
    "mul of a row and a column": (
        "broadcast", ALL, "Only one operand may broadcast",
        node_model("Mul", [(1, 4, 1, 1), IMAGE]),
        node_model("Mul", [(1, 4, 8, 1), (1, 4, 1, 8)]),
    ),
    "mul of a channel and an image": (
        "broadcast", ALL, "Only one operand may broadcast",
        node_model("Mul", [(1, 1, 1, 1), IMAGE]),
        node_model("Mul", [(1, 4, 1, 1), (1, 1, 8, 8)]),
    ),
    "div": (
        "broadcast", ALL - NPU, "first operand must be the largest",
        node_model("Div", [IMAGE, (1, 4, 1, 1)]),
        node_model("Div", [(1, 4, 1, 1), IMAGE]),
    ),
    "max": (
        "broadcast", ALL, "same shape",
        node_model("Max", [IMAGE, IMAGE]),
        node_model("Max", [IMAGE, (1, 4, 1, 1)]),
    ),
    "pow": (
        "constant", ALL, "exponent must be a constant",
        node_model("Pow", [IMAGE], np.float32(2)),
        node_model("Pow", [IMAGE, IMAGE]),
    ),
    "clip": (
        "clip", ALL, "clipping to 0 and 6",
        node_model("Clip", [IMAGE], np.float32(0), np.float32(6)),
        node_model("Clip", [IMAGE], np.float32(0), np.float32(1)),
    ),
    "softmax": (
        "axis", ALL, "Only the channel axis",
        node_model("Softmax", [IMAGE], axis=-3),
        node_model("Softmax", [IMAGE], axis=3),
    ),
    "argmax": (
        "axis", ALL - NPU, "Only the channel axis",
        node_model("ArgMax", [IMAGE], axis=1),
        node_model("ArgMax", [IMAGE]),
    ),
    "concat along height": (
        "axis", NPU, "Only concat along channel",
        node_model("Concat", [IMAGE, IMAGE], axis=1),
        node_model("Concat", [IMAGE, IMAGE], axis=2),
    ),
    "concat along width": (
        "axis", ALL - NPU, "batch, channel or height",
        node_model("Concat", [IMAGE, IMAGE], axis=1),
        node_model("Concat", [IMAGE, IMAGE], axis=3),
    ),
    "reduce over height": (
        "axes", ALL - NPU, "Only reduction along N, C",
        node_model("ReduceMean", [IMAGE], axes=[2, 3]),
        node_model("ReduceMean", [IMAGE], axes=[2]),
    ),
    "reduce over all but the batch": (
        "axes", ANDROID, "N, C or HW is",
        node_model("ReduceMean", [IMAGE], axes=[-1, -2]),
        node_model("ReduceMean", [IMAGE], axes=[-1, -2, -3]),
    ),
    "resize factor": (
        "scale", ALL, "same factor",
        node_model("Resize", [WIDE], weights(0), np.float32([1, 1, 2, 2])),
        node_model("Resize", [WIDE], weights(0), np.float32([1, 1, 2, 3])),
    ),
    "resize of channels": (
        "scale", ALL, "same factor",
        node_model("Resize", [WIDE], weights(0), np.float32([1, 1, 3, 3])),
        node_model("Resize", [WIDE], weights(0), np.float32([1, 2, 3, 3])),
    ),
    "resize mode": (
        "allowed", ALL, "nearest and linear",
        node_model("Resize", [WIDE], weights(0), np.float32([1, 1, 2, 2]), mode="linear"),
        node_model("Resize", [WIDE], weights(0), np.float32([1, 1, 2, 2]), mode="cubic"),
    ),
    "resize corners": (
        "allowed", NPU, "Align corners",
        node_model("Resize", [WIDE], weights(0), np.float32([1, 1, 2, 2])),
        node_model(
            "Resize", [WIDE], weights(0), np.float32([1, 1, 2, 2]), mode="linear",
            coordinate_transformation_mode="align_corners",
        ),
    ),
    "pad mode": (
        "allowed", ALL, "constant and reflect",
        node_model("Pad", [IMAGE], [0, 0, 1, 1, 0, 0, 1, 1], mode="reflect"),
        node_model("Pad", [IMAGE], [0, 0, 1, 1, 0, 0, 1, 1], mode="edge"),
    ),
    "pool padding": (
        "padding", ALL, "Padding cannot be larger",
        node_model("MaxPool", [IMAGE], kernel_shape=[2, 2], pads=[1] * 4),
        node_model("MaxPool", [IMAGE], kernel_shape=[2, 2], pads=[3] * 4),
    ),
    "reshape with a 0": (
        "shape", ALL - NPU, "not 0",
        node_model("Reshape", [IMAGE], [1, 8, 4, 8]),
        node_model("Reshape", [IMAGE], [0, 8, 4, 8]),
    ),
    "transpose": (
        "rank", ALL - NPU, "rank 4",
        node_model("Transpose", [IMAGE], perm=[0, 2, 3, 1]),
        node_model("Transpose", [(4, 8)], perm=[1, 0]),
    ),
    "constant on Android": (
        "readers", ANDROID, "elementwise operators only",
        constant_reader("Mul"),
        constant_reader("Concat"),
    ),
}  # fmt: skip


def _biting(model, text):
    """Back-ends that refuse some layer of a graph for a reason that holds `text`."""
    return {
        backend
        for row in check_snapml(model).layers
        for backend, verdict in row.verdicts.items()
        if text in verdict.reason
    }


@pytest.mark.parametrize("name", CASES)
def test_rule(name):
    _, backends, text, keeps, breaks = CASES[name]
    assert _biting(keeps, text) == set()
    assert _biting(breaks, text) == backends


def test_every_rule_kind_has_a_case():
    assert {rule for rule, *_ in CASES.values()} == set(get_args(Rule))
    used = {restriction.rule for row in OPERATORS.values() for restriction in row.restrictions}
    assert used == set(get_args(Rule))


def test_verdict_names_the_first_offending_node():
    nodes = [
        helper.make_node("Concat", ["x", "x"], ["a"], name="fine", axis=1),
        helper.make_node("Concat", ["a", "a"], ["b"], name="first", axis=2),
        helper.make_node("Concat", ["b", "b"], ["y"], name="second", axis=3),
    ]
    report = check_snapml(graph_model(nodes, {"x": IMAGE}, {"y": None}), output_scaled=False)
    (row,) = report.layers
    assert (row.layer, row.operators, row.count) == ("concat", ("Concat",), 3)
    assert (row.verdicts["iphone_npu"].failing, row.verdicts["iphone_npu"].node) == (2, "first")
    assert (row.verdicts["cpu"].failing, row.verdicts["cpu"].node) == (1, "second")
