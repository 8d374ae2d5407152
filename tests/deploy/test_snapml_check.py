"""The SnapML check against the 360 template's own table, and a graph that breaks each rule."""

from __future__ import annotations

import json
from typing import get_args

import numpy as np
import onnx
import pytest
import torch
from deploy.onnx_for_tests import graph_model, node_model
from onnx import TensorProto, helper, numpy_helper

from benchmarks.official_chain import official_chain
from mobile_nelf.cameras import Intrinsics
from mobile_nelf.config import to_dict
from mobile_nelf.deploy.operators import OPERATORS, operator
from mobile_nelf.deploy.operators_schema import BACKENDS, Rule
from mobile_nelf.deploy.snapml_check import SNAPML_BUDGET_BYTES, check_snapml
from mobile_nelf.errors import DeployError
from mobile_nelf.students import EncoderConfig, StudentConfig, build_student
from mobile_nelf.students.rewrite import fold_batchnorm

#: Predicted against known import sizes; the format around the numbers is not modelled.
SIZE_TOLERANCE = 0.01
#: The sampler's constants deflate differently with the focal length, which is not known.
SAMPLER_SIZE_TOLERANCE = 0.1

ALL = set(BACKENDS)
NPU = {"iphone_npu"}
ANDROID = {"android_gpu"}

NOT_SUPPORTED = "The layer type is not supported by backend"


def _weights(*shape):
    return np.zeros(shape, np.float32)


# The official graphs ------------------------------------------------------------------------------

#: Layers of one embedder, one sampler and seven networks, and how many of them each back-end
#: refuses with which words, as Lens Studio recorded it.
TEMPLATE = {
    "conv": (504, {}),
    "deconv": (21, {}),
    "gelu": (252, {"android_gpu": (252, NOT_SUPPORTED)}),
    "eltwise": (256, {}),
    "sigmoid": (7, {}),
    "batchnorm": (7, {}),
    "concat": (6, {"iphone_npu": (3, "Only concat along channel is supported")}),
    "constant": (3, {"iphone_npu": (3, NOT_SUPPORTED)}),
    "sin": (1, {"iphone_npu": (1, NOT_SUPPORTED)}),
    "cos": (1, {"iphone_npu": (1, NOT_SUPPORTED)}),
    "permute": (9, {"iphone_npu": (9, NOT_SUPPORTED)}),
    "reshape": (5, {"iphone_npu": (5, NOT_SUPPORTED)}),
    "reduce": (1, {"iphone_npu": (1, NOT_SUPPORTED)}),
}


@pytest.fixture(scope="module")
def reports():
    """Sampler, embedder and network of D60-SR3; only shapes matter."""
    torch.manual_seed(0)
    student = StudentConfig(EncoderConfig(2.0, 6.0))
    network = fold_batchnorm(build_student(student))
    lens = Intrinsics.centred(100, 100, 138.9)
    sampler, embedder, main = official_chain(network, student, lens, "snap")
    return (
        check_snapml(sampler, output_scaled=False),
        check_snapml(embedder, output_scaled=False),
        check_snapml(main),
    )


def test_template_table_is_reproduced(reports):
    counts, refused = {}, {}
    for report, copies in zip(reports, (1, 1, 7), strict=True):
        for row in report.layers:
            counts[row.layer] = counts.get(row.layer, 0) + copies * row.count
            for backend, verdict in row.verdicts.items():
                if verdict.failing:
                    before, _ = refused.get((row.layer, backend), (0, ""))
                    entry = (before + copies * verdict.failing, verdict.reason)
                    refused[row.layer, backend] = entry
    assert counts == {layer: count for layer, (count, _) in TEMPLATE.items()}
    assert refused == {
        (layer, backend): entry
        for layer, (_, entries) in TEMPLATE.items()
        for backend, entry in entries.items()
    }


def test_layers_of_each_official_graph(reports):
    assert [sum(row.count for row in report.layers) for report in reports] == [24, 6, 149]


def test_backends_of_the_official_graphs(reports):
    sampler, embedder, main = reports
    assert sampler.complete_backends == embedder.complete_backends
    assert sampler.complete_backends == ("cpu", "iphone_gpu", "android_gpu")
    assert main.complete_backends == ("cpu", "iphone_gpu", "iphone_npu")
    assert main.lacking["android_gpu"] == ("gelu",)
    assert all(report.passed and not report.problems for report in reports)


def test_known_import_sizes(reports):
    sampler, embedder, main = reports
    assert sampler.import_bytes == pytest.approx(29_424, rel=SAMPLER_SIZE_TOLERANCE)
    assert embedder.import_bytes == pytest.approx(5_677, rel=SIZE_TOLERANCE)
    assert main.import_bytes == pytest.approx(0.490 * 17_114_351, rel=SIZE_TOLERANCE)


def test_cost_and_upload_of_the_official_network(reports):
    assert [report.upload_bytes for report in reports] == [48, 960_000, 12_480_000]
    assert round(reports[2].cost.macs / 1e9, 1) == 50.6


def test_report_is_json(reports):
    for report in reports:
        plain = json.loads(json.dumps(to_dict(report)))
        assert plain["passed"] is True
        assert set(plain["layers"][0]["verdicts"]) == ALL


def test_exact_gelu_is_no_snapml_layer():
    student = StudentConfig(EncoderConfig(2.0, 6.0), depth=6, width=8, ray_width=5, ray_height=5)
    network = fold_batchnorm(build_student(student))
    main = official_chain(network, student, Intrinsics.centred(5, 5, 6.0), "erf")[2]
    report = check_snapml(main)
    assert not report.passed
    assert report.complete_backends == ()
    assert any("Erf" in problem and "GeluSnap" in problem for problem in report.problems)
    # The three scalars of the formula, which the exporter writes with rank 0.
    assert any("3 tensor(s) of rank 0" in problem for problem in report.problems)


# The documentation --------------------------------------------------------------------------------

#: The documentation's rows by the ONNX operators they stand for, with the ✗ columns.
DOCUMENTED = {
    "Absolute": (["Abs"], set()),
    "Argmax": (["ArgMax"], NPU),
    "Argmin": (["ArgMin"], NPU),
    "Batch Matrix Multiplication": (["MatMul"], NPU | ANDROID),
    "Batch Normalization": (["BatchNormalization"], set()),
    "Concat": (["Concat"], set()),
    "Constant": (["Constant"], NPU),
    "Convolution": (["Conv"], set()),
    "Transposed Convolution": (["ConvTranspose"], set()),
    "Cos": (["Cos"], NPU),
    "Eltwise Add": (["Add"], set()),
    "Eltwise Div": (["Div"], NPU),
    "Eltwise Max": (["Max"], set()),
    "Eltwise Min": (["Min"], set()),
    "Eltwise Mul": (["Mul"], set()),
    "Eltwise Sub": (["Sub"], NPU),
    "Elu": (["Elu"], set()),
    "Exponential": (["Exp"], NPU),
    "Flatten": (["Flatten"], NPU),
    "Fully Connected": (["Gemm"], set()),
    "Instance Normalization": (["InstanceNormalization"], NPU),
    "Inverse": (["Reciprocal"], NPU),
    "Leaky ReLU": (["LeakyRelu"], set()),
    "Log": (["Log"], set()),
    "LSTM": (["LSTM"], NPU | ANDROID),
    "Padding": (["Pad"], set()),
    "Permute": (["Transpose"], NPU),
    "Pooling Average": (["AveragePool"], set()),
    "Pooling Global Average": (["GlobalAveragePool"], set()),
    "Pooling Max": (["MaxPool"], set()),
    "Power": (["Pow"], set()),
    "Parametric ReLU": (["PRelu"], set()),
    "Reduce Mean": (["ReduceMean"], NPU),
    "Reduce Max": (["ReduceMax"], NPU),
    "ReLU": (["Relu"], set()),
    "ReLU6": (["Clip"], set()),
    "Reshape": (["Reshape"], NPU),
    "Resize Bilinear, Nearest": (["Resize", "Upsample"], set()),
    "RNN": (["RNN"], NPU | ANDROID),
    "Sigmoid": (["Sigmoid"], set()),
    "Sin": (["Sin"], NPU),
    "Slice": (["Slice"], NPU),
    "Softmax": (["Softmax"], set()),
    "Softplus": (["Softplus"], NPU),
    "Softsign": (["Softsign"], NPU),
    "Square Root": (["Sqrt"], NPU),
    "Tanh": (["Tanh"], set()),
}

#: Known from elsewhere than the documentation.
UNDOCUMENTED = {"GeluSnap", "ReduceSum", "Identity", "Dropout"}


def test_table_agrees_with_the_documentation():
    documented = {op: missing for ops, missing in DOCUMENTED.values() for op in ops}
    supported = {row.op for row in OPERATORS.values() if row.layer is not None}
    assert supported == set(documented) | UNDOCUMENTED
    assert {op: set(OPERATORS[op].missing) for op in documented} == documented


def test_every_row_has_a_source_and_a_way_out():
    for op, row in OPERATORS.items():
        assert row.op == op
        assert row.source
        assert all(restriction.source for restriction in row.restrictions)
        assert (row.layer is None) == bool(row.advice), op
        assert all(operator(part) is not None for part in row.becomes or ())
        # Only operators that ONNX has, apart from SnapML's own.
        assert op == "GeluSnap" or onnx.defs.has(op)


# One graph that keeps each rule and one that breaks it --------------------------------------------

IMAGE = (1, 4, 8, 8)
WIDE = (1, 4, 8, 6)


def _constant_reader(op, *inputs):
    """A constant that is read by an operator beside the input `x`."""
    nodes = [
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(_weights(*IMAGE))),
        helper.make_node(op, ["x", "c"], ["y"], **({"axis": 1} if op == "Concat" else {})),
    ]
    return graph_model(nodes, {"x": IMAGE}, {"y": None})


#: rule, back-ends where it bites (not where the layer is missing anyway), part of the reason, a
#: graph that keeps it, one that breaks it.
CASES = {
    "conv stride": (
        "equal", ALL, "stride must be the same",
        node_model("Conv", [IMAGE], _weights(3, 4, 3, 3), strides=[2, 2]),
        node_model("Conv", [IMAGE], _weights(3, 4, 3, 3), strides=[2, 1]),
    ),
    "conv dilation": (
        "equal", ALL, "dilation must be the same",
        node_model("Conv", [IMAGE], _weights(3, 4, 3, 3), dilations=[2, 2]),
        node_model("Conv", [IMAGE], _weights(3, 4, 3, 3), dilations=[1, 2]),
    ),
    "conv group": (
        "group", ANDROID, "one group or depthwise",
        node_model("Conv", [IMAGE], _weights(4, 1, 3, 3), group=4),
        node_model("Conv", [IMAGE], _weights(4, 2, 3, 3), group=2),
    ),
    "conv padding": (
        "padding", ALL - NPU, "Padding cannot be larger",
        node_model("Conv", [IMAGE], _weights(3, 4, 1, 3), pads=[1, 3, 1, 3]),
        node_model("Conv", [IMAGE], _weights(3, 4, 1, 3), pads=[1, 3, 2, 3]),
    ),
    "conv weights": (
        "constant", ALL, "Weights must be constants",
        node_model("Conv", [IMAGE], _weights(3, 4, 3, 3)),
        node_model("Conv", [IMAGE, (3, 4, 3, 3)]),
    ),
    "deconv dilation": (
        "allowed", ALL, "dilation must be 1",
        node_model("ConvTranspose", [IMAGE], _weights(4, 3, 2, 2), dilations=[1, 1]),
        node_model("ConvTranspose", [IMAGE], _weights(4, 3, 2, 2), dilations=[2, 2]),
    ),
    "deconv kernel": (
        "equal", ALL, "kernel must be as high as wide",
        node_model("ConvTranspose", [IMAGE], _weights(4, 3, 4, 4), strides=[2, 2], pads=[1] * 4),
        node_model("ConvTranspose", [IMAGE], _weights(4, 3, 4, 2), strides=[2, 2], pads=[1] * 4),
    ),
    "deconv padding": (
        "equal", ALL, "padding must be the same",
        node_model("ConvTranspose", [IMAGE], _weights(4, 3, 4, 4), pads=[1, 1, 1, 1]),
        node_model("ConvTranspose", [IMAGE], _weights(4, 3, 4, 4), pads=[1, 0, 1, 0]),
    ),
    "deconv group": (
        "group", ALL, "one group or depthwise",
        node_model("ConvTranspose", [IMAGE], _weights(4, 1, 2, 2), group=4),
        node_model("ConvTranspose", [IMAGE], _weights(4, 1, 2, 2), group=2),
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
        node_model("Resize", [WIDE], _weights(0), np.float32([1, 1, 2, 2])),
        node_model("Resize", [WIDE], _weights(0), np.float32([1, 1, 2, 3])),
    ),
    "resize of channels": (
        "scale", ALL, "same factor",
        node_model("Resize", [WIDE], _weights(0), np.float32([1, 1, 3, 3])),
        node_model("Resize", [WIDE], _weights(0), np.float32([1, 2, 3, 3])),
    ),
    "resize mode": (
        "allowed", ALL, "nearest and linear",
        node_model("Resize", [WIDE], _weights(0), np.float32([1, 1, 2, 2]), mode="linear"),
        node_model("Resize", [WIDE], _weights(0), np.float32([1, 1, 2, 2]), mode="cubic"),
    ),
    "resize corners": (
        "allowed", NPU, "Align corners",
        node_model("Resize", [WIDE], _weights(0), np.float32([1, 1, 2, 2])),
        node_model(
            "Resize", [WIDE], _weights(0), np.float32([1, 1, 2, 2]), mode="linear",
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
        _constant_reader("Mul"),
        _constant_reader("Concat"),
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


# What the importer makes of a node ----------------------------------------------------------------


def _kinds(model, **options):
    return {row.layer: row.count for row in check_snapml(model, **options).layers}


def test_importer_expansions():
    reshape = node_model("Reshape", [IMAGE], [1, 8, 4, 8])
    assert _kinds(reshape, output_scaled=False) == {"permute": 2, "reshape": 1}
    kept = node_model("ReduceSum", [IMAGE], axes=[1], keepdims=1)
    assert _kinds(kept, output_scaled=False) == {"reduce": 1}
    squeezed = node_model("ReduceSum", [IMAGE], axes=[1], keepdims=0)
    assert _kinds(squeezed, output_scaled=False) == {"reduce": 1, "reshape": 1}
    assert _kinds(node_model("Relu", [IMAGE])) == {"relu": 1, "batchnorm": 1}
    assert _kinds(node_model("Identity", [IMAGE])) == {"batchnorm": 1}


def test_constants_are_layers_unless_they_are_weights():
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["a"]),
        helper.make_node("Mul", ["a", "c"], ["m"]),
        helper.make_node("Add", ["m", "c"], ["y"]),
    ]
    constants = {"w": _weights(4, 4, 1, 1), "b": _weights(4), "c": _weights(1, 4, 1, 1)}
    model = graph_model(nodes, {"x": IMAGE}, {"y": IMAGE}, constants)
    assert _kinds(model, output_scaled=False) == {"conv": 1, "constant": 1, "eltwise": 2}


# What stops the import ----------------------------------------------------------------------------


def _free_rank():
    model = node_model("Relu", [IMAGE])
    model.graph.input[0].type.tensor_type.ClearField("shape")
    return model


def _external():
    model = node_model("Conv", [IMAGE], _weights(64, 4, 3, 3))
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="not_there.bin")
    return model


def _half_input():
    model = node_model("Relu", [IMAGE])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    return model


def _sequence_input():
    model = node_model("Relu", [IMAGE])
    model.graph.input.append(helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, [1, 3]))
    return model


PROBLEMS = {
    "opset": (
        graph_model([helper.make_node("Relu", ["x"], ["y"])], {"x": IMAGE}, {"y": IMAGE}, opset=18),
        "Opset 18",
    ),
    "dynamic height": (node_model("Relu", [(1, 3, "height", 8)]), "'x0' is dynamic along axis 2"),
    "two dynamic axes": (node_model("Relu", [(1, 3, None, "w")]), "dynamic along axis 2, 3"),
    "free rank": (_free_rank(), "'x0' has no known rank"),
    "batch": (node_model("Relu", [(2, 3, 8, 8)]), "'x0' has a batch of 2"),
    "rank 3": (node_model("Relu", [(1, 3, 8)]), "2 tensor(s) of rank 3"),
    "rank 5": (node_model("Relu", [(1, 3, 8, 8, 8)]), "2 tensor(s) of rank 5"),
    "constant of rank 0": (node_model("Mul", [IMAGE], np.float32(2)), "1 tensor(s) of rank 0"),
    "constant of rank 3": (node_model("Mul", [IMAGE], _weights(4, 1, 1)), "1 tensor(s) of rank 3"),
    "unknown operator": (node_model("NoSuchOperator", [IMAGE]), "NoSuchOperator is unknown"),
    "foreign domain": (
        node_model("Gelu", [IMAGE], domain="com.microsoft"), "com.microsoft.Gelu is not of ONNX"
    ),
    "no such layer": (node_model("HardSwish", [IMAGE]), "HardSwish has no SnapML layer: write"),
    "outside weights": (_external(), "1 weight(s) lie in another file: 'c0'"),
    "half input": (_half_input(), "'x0' is float16"),
    "no tensor": (_sequence_input(), "'s' is no tensor"),
    "empty": (onnx.ModelProto(), "no output"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROBLEMS)
def test_problem(name):
    model, text = PROBLEMS[name]
    report = check_snapml(model)
    assert any(text in problem for problem in report.problems), report.problems
    assert not report.passed


def test_what_the_official_files_do_is_no_problem():
    # A batch axis by name, an axis dropped by ReduceSum that a Reshape brings back, rank 2.
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], axes=[1], keepdims=0),
        helper.make_node("Reshape", ["sum", "flat"], ["two"]),
        helper.make_node("Reshape", ["two", "four"], ["y"]),
    ]
    shapes = {"flat": [8, 8], "four": [1, 1, 8, 8]}
    model = graph_model(nodes, {"x": ("batch", 4, 8, 8)}, {"y": ("batch", 1, 8, 8)}, shapes)
    report = check_snapml(model)
    assert report.problems == ()
    assert report.passed
    assert [w for w in report.warnings if "batch axis" in w] == list(report.warnings)


def test_parameters_of_a_layer_may_have_any_rank():
    prelu = check_snapml(node_model("PRelu", [IMAGE], _weights(4, 1, 1)))
    assert prelu.problems == ()
    assert prelu.passed


def test_free_batch_without_a_name_counts_as_one():
    report = check_snapml(node_model("Relu", [(None, 3, 8, 8)]))
    assert report.problems == ()
    assert report.upload_bytes == 4 * 3 * 8 * 8
    assert report.cost is not None


def test_restriction_on_the_cpu_fails_the_whole():
    report = check_snapml(node_model("Conv", [IMAGE], _weights(3, 4, 3, 3), strides=[2, 1]))
    assert report.problems == ()
    assert report.lacking["cpu"] == ("conv",)
    assert not report.passed


def test_budget():
    weights = np.random.default_rng(0).normal(size=(2400, 2400, 1, 1)).astype(np.float32)
    report = check_snapml(node_model("Conv", [(1, 2400, 1, 1)], weights))
    assert report.problems == ()
    assert report.complete_backends == BACKENDS
    assert report.import_bytes > report.budget_bytes == SNAPML_BUDGET_BYTES
    assert not report.passed


def test_unknown_shapes_are_a_warning_and_no_cost():
    nodes = [
        helper.make_node("NoSuchOperator", ["x"], ["a"]),
        helper.make_node("Concat", ["a", "a"], ["y"], axis=1),
    ]
    report = check_snapml(graph_model(nodes, {"x": IMAGE}, {"y": IMAGE}))
    assert report.cost is None
    assert any("1 tensor(s) have an unknown shape" in warning for warning in report.warnings)


def test_warnings_about_the_file():
    relu = [helper.make_node("Relu", ["x"], ["y"])]
    model = graph_model(relu, {"x": IMAGE}, {"y": IMAGE}, ir_version=10)
    assert any("IR version 10" in warning for warning in check_snapml(model).warnings)
    model = graph_model(relu, {"x": IMAGE}, {"y": IMAGE}, opset=8)
    assert any("Opset 8" in warning for warning in check_snapml(model).warnings)
    resize = [helper.make_node("Resize", ["x", "c"], ["y"])]
    scales = {"c": np.float32([1, 1, 2, 2])}
    model = graph_model(resize, {"x": IMAGE}, {"y": None}, scales, opset=9)
    assert any("Resize is known to be imported" in w for w in check_snapml(model).warnings)


def test_outside_weights_are_counted_all_the_same():
    assert check_snapml(_external()).import_bytes == pytest.approx(2 * 64 * 4 * 9, rel=0.05)


def _without_output():
    model = node_model("Relu", [IMAGE])
    del model.graph.node[0].output[:]
    return model


def _damaged_name():
    data = node_model("Relu", [IMAGE]).SerializeToString()
    return onnx.load_from_string(data.replace(b"\x04Relu", b"\x04Re\xff\xfe"))


def _short_weight():
    model = node_model("Conv", [IMAGE], _weights(3, 4, 3, 3))
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]
    return model


def _retyped_constant():
    model = _constant_reader("Mul")
    model.graph.node[0].attribute[0].t.data_type = TensorProto.FLOAT16
    return model


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (_retyped_constant(), "'c' is no valid ONNX"),
        (_without_output(), "no output"),
        (_damaged_name(), "no text"),
        (_short_weight(), "constant 'c0' is no valid ONNX"),
        (node_model("Conv", [IMAGE]), "'node' is no valid ONNX"),
        (node_model("Conv", [IMAGE], _weights(3, 4, 3, 3), strides=1.0), "'node' is no valid ONNX"),
    ],
)
def test_broken_graph_is_refused(model, text):
    with pytest.raises(DeployError, match=text):
        check_snapml(model)
