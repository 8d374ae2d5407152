"""What the importer makes of a node, and what stops the import altogether."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mobile_nelf.errors import DeployError
from mobile_nelf_exporters.snapml.check import SNAPML_BUDGET_BYTES, check_snapml
from mobile_nelf_exporters.snapml.schema import BACKENDS
from tests.helpers.onnx_models import IMAGE, constant_reader, graph_model, node_model, weights

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


def test_constants_are_layers_unless_they_areweights():
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["a"]),
        helper.make_node("Mul", ["a", "c"], ["m"]),
        helper.make_node("Add", ["m", "c"], ["y"]),
    ]
    constants = {"w": weights(4, 4, 1, 1), "b": weights(4), "c": weights(1, 4, 1, 1)}
    model = graph_model(nodes, {"x": IMAGE}, {"y": IMAGE}, constants)
    assert _kinds(model, output_scaled=False) == {"conv": 1, "constant": 1, "eltwise": 2}


# What stops the import ----------------------------------------------------------------------------


def _free_rank():
    model = node_model("Relu", [IMAGE])
    model.graph.input[0].type.tensor_type.ClearField("shape")
    return model


def _external():
    model = node_model("Conv", [IMAGE], weights(64, 4, 3, 3))
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
    "constant of rank 3": (node_model("Mul", [IMAGE], weights(4, 1, 1)), "1 tensor(s) of rank 3"),
    "unknown operator": (node_model("NoSuchOperator", [IMAGE]), "NoSuchOperator is unknown"),
    "foreign domain": (
        node_model("Gelu", [IMAGE], domain="com.microsoft"), "com.microsoft.Gelu is not of ONNX"
    ),
    "no such layer": (node_model("HardSwish", [IMAGE]), "HardSwish has no SnapML layer: write"),
    "outside weights": (_external(), "1 weight(s) lie in another file: 'c0'"),
    "half input": (_half_input(), "'x0' is float16"),
    "no tensor": (_sequence_input(), "'s' is not a tensor"),
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
    prelu = check_snapml(node_model("PRelu", [IMAGE], weights(4, 1, 1)))
    assert prelu.problems == ()
    assert prelu.passed


def test_free_batch_without_a_name_counts_as_one():
    report = check_snapml(node_model("Relu", [(None, 3, 8, 8)]))
    assert report.problems == ()
    assert report.upload_bytes == 4 * 3 * 8 * 8
    assert report.cost is not None


def test_restriction_on_the_cpu_fails_the_whole():
    report = check_snapml(node_model("Conv", [IMAGE], weights(3, 4, 3, 3), strides=[2, 1]))
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
    model = node_model("Conv", [IMAGE], weights(3, 4, 3, 3))
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]
    return model


def _retyped_constant():
    model = constant_reader("Mul")
    model.graph.node[0].attribute[0].t.data_type = TensorProto.FLOAT16
    return model


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (_retyped_constant(), "'c' is not valid ONNX"),
        (_without_output(), "no output"),
        (_damaged_name(), "not text"),
        (_short_weight(), "constant 'c0' is not valid ONNX"),
        (node_model("Conv", [IMAGE]), "'node' is not valid ONNX"),
        (node_model("Conv", [IMAGE], weights(3, 4, 3, 3), strides=1.0), "'node' is not valid ONNX"),
    ],
)
def test_broken_graph_is_refused(model, text):
    with pytest.raises(DeployError, match=text):
        check_snapml(model)
