"""ONNX files of anybody: sizes, names and shapes that no runtime takes, and lost weights."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from mobile_nelf.export.check import check_path
from mobile_nelf_exporters.onnx.contradictions import contradictions
from tests.helpers.onnx_models import IMAGE, graph_model, node_model

CONV = {"w": np.full((4, 4, 1, 1), 0.1)}


def _conv(source="x", result="y", name="", weight="w"):
    return helper.make_node("Conv", [source, weight], [result], name=name)


def _model(*nodes, inputs=IMAGE, outputs=IMAGE, constants=CONV):
    return graph_model(nodes, {"x": inputs}, {"y": outputs}, constants)


GOOD = {
    "conv": _model(_conv()),
    "free batch": _model(_conv(), inputs=("n", 4, 8, 8), outputs=("n", 4, 8, 8)),
    "no stated output": node_model("Relu", [IMAGE]),
    "own operator": node_model("GeluSnap", [IMAGE]),
    "other domain": node_model("Gelu", [IMAGE], domain="com.microsoft"),
    "grouped": _model(
        helper.make_node("Conv", ["x", "w"], ["y"], group=2), constants={"w": np.ones((4, 2, 1, 1))}
    ),
    "unnamed nodes": _model(_conv(result="c"), helper.make_node("Relu", ["c"], ["y"])),
}


@pytest.mark.parametrize("name", GOOD)
def test_sound_graphs(name):
    assert contradictions(GOOD[name]) == ()


def _named_twice():
    return _model(_conv(result="c", name="a"), _conv("c", name="a"))


BAD = {
    "input size -1": (
        _model(_conv(), inputs=(1, 4, -1, -1)),
        "Input 'x' has size -1 on axis 2, -1 on axis 3",
    ),
    "output size -1": (_model(_conv(), outputs=(1, 4, -1, 8)), "Output 'y' has size -1 on axis 2"),
    "batch 0": (_model(_conv(), inputs=(0, 4, 8, 8)), "Input 'x' has size 0 on axis 0"),
    "read and never made": (_model(_conv("nope")), "Conv 'y' reads 'nope', which nothing"),
    "made too late": (
        _model(helper.make_node("Relu", ["c"], ["y"]), _conv(result="c")),
        "Relu 'y' reads 'c' before node 'c' makes it",
    ),
    "made twice": (
        _model(_conv(), helper.make_node("Relu", ["x"], ["y"])),
        "Relu 'y' makes 'y', which is there already",
    ),
    "made over an input": (_model(_conv(result="x")), "makes 'x', which is there already"),
    "output of nowhere": (_model(_conv(result="c")), "Output 'y' is made by no node"),
    "name twice": (_named_twice(), "2 nodes have the name 'a'"),
    "channels": (
        _model(_conv(), constants={"w": np.ones((4, 3, 1, 1))}),
        "Conv 'y' has a weight 'w' for 3 channels, its input 'x' has 4",
    ),
    "channels back": (
        _model(
            helper.make_node("ConvTranspose", ["x", "w"], ["y"]),
            constants={"w": np.ones((3, 4, 1, 1))},
        ),
        "ConvTranspose 'y' has a weight 'w' for 3 channels, its input 'x' has 4",
    ),
    "other size": (_model(_conv(), outputs=(1, 4, 16, 16)), "The graph contradicts itself: "),
    "other rank": (_model(_conv(), outputs=(1, 4)), "The graph contradicts itself: "),
    "product": (
        graph_model(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            {"x": (1, 8)},
            {"y": (1, 4)},
            {"w": np.ones((7, 4))},
        ),
        "The graph contradicts itself: ",
    ),
    "large product": (
        graph_model(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            {"x": (1, 80)},
            {"y": (1, 40)},
            {"w": np.ones((70, 40))},
        ),
        "The graph contradicts itself: ",
    ),
}


@pytest.mark.parametrize("target", ["lens", "onnx"])
@pytest.mark.parametrize("name", BAD)
def test_contradictions_are_refused_by_both_targets(tmp_path, name, target):
    model, text = BAD[name]
    onnx.save(model, tmp_path / "model.onnx")
    result = check_path(tmp_path / "model.onnx", target=target)
    assert not result.passed
    assert any(text in problem for problem in result.inspection.problems), result.inspection


def test_what_the_channels_of_a_weight_mean_is_what_onnx_runtime_runs():
    """The one rule that neither checker nor runtime apply when they load a graph."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    bad, good = (
        onnxruntime.InferenceSession(model.SerializeToString(), options)
        for model in (BAD["channels"][0], GOOD["grouped"])
    )
    x = np.zeros(IMAGE, np.float32)
    with pytest.raises(Fail, match=r"Input channels C is not equal to kernel channels \* group"):
        bad.run(None, {"x": x})
    assert np.isfinite(good.run(None, {"x": x})[0]).all()


def test_an_output_that_is_only_named_is_dynamic_for_a_lens(tmp_path):
    onnx.save(_model(_conv(), outputs=("a", "b", "c", "d")), tmp_path / "model.onnx")
    result = check_path(tmp_path / "model.onnx", target="lens")
    assert any("'y' is dynamic along axis 1, 2, 3" in p for p in result.inspection.problems)
    assert check_path(tmp_path / "model.onnx", target="onnx").passed


def test_onnx_runtime_has_the_last_word(tmp_path):
    model = _model(_conv())
    model.ir_version = 99
    onnx.save(model, tmp_path / "model.onnx")
    result = check_path(tmp_path / "model.onnx", target="onnx")
    assert any(p.startswith("ONNX Runtime does not load it: ") for p in result.inspection.problems)


# Weights ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "lens", "plain"),
    [
        (np.nan, "Weight 'w' of Conv 'y' has 16 of 16 values that are NaN", "Weight 'w' has 16 of"),
        (1e6, "16 of 16 values that are infinite in fp16 (the largest is 1e+06, fp16 ends at", ""),
        (65504.0, "", ""),
        (np.inf, "values that are infinite in fp16", ""),
    ],
)
def test_values(tmp_path, value, lens, plain):
    model = _model(_conv(), constants={"w": np.full((4, 4, 1, 1), value)})
    onnx.save(model, tmp_path / "model.onnx")
    for target, text in (("lens", lens), ("onnx", plain)):
        result = check_path(tmp_path / "model.onnx", target=target)
        assert result.passed == (not text)
        assert not text or any(text in p for p in result.inspection.problems)


@pytest.fixture
def outside(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(
        _model(_conv()),
        path,
        save_as_external_data=True,
        location="model.onnx.data",
        size_threshold=0,
    )
    return path


def test_weights_beside_the_file(outside):
    assert check_path(outside, target="onnx").passed
    problems = check_path(outside, target="lens").inspection.problems
    assert len(problems) == 1
    assert problems[0].startswith("1 weight(s) lie in 'model.onnx.data' beside the model; a Lens")
    # The advice works.
    onnx.save(onnx.load(outside), outside)
    assert check_path(outside, target="lens").passed


def test_values_beside_the_file_are_looked_at(outside):
    beside = outside.with_name("model.onnx.data")
    beside.write_bytes(np.full(16, np.nan, np.float32).tobytes())
    problems = check_path(outside, target="onnx").inspection.problems
    assert problems == (
        "Weight 'w' has 16 of 16 values that are NaN (not a number); training diverged, export an "
        "earlier checkpoint",
    )


def test_weights_that_are_not_beside_the_file(outside):
    outside.with_name("model.onnx.data").unlink()
    (problem,) = check_path(outside, target="onnx").inspection.problems
    assert "not beside the model or does not hold them: 'w' in 'model.onnx.data'" in problem
    assert not check_path(outside, target="lens").passed


@pytest.mark.parametrize(
    "change",
    [
        {"location": "../model.onnx.data"},
        {"location": "/etc/passwd"},
        {"location": ""},
        {"offset": "8"},
        {"length": "1000000000"},
        {"offset": "many"},
    ],
)
def test_nothing_but_the_weights_beside_the_file_is_read(outside, change):
    model = onnx.load(outside, load_external_data=False)
    beside = outside.with_name("model.onnx.data")
    (outside.parent.parent / beside.name).write_bytes(beside.read_bytes())
    entries = {e.key: e.value for e in model.graph.initializer[0].external_data} | change
    del model.graph.initializer[0].external_data[:]
    for key, value in entries.items():
        model.graph.initializer[0].external_data.add(key=key, value=value)
    outside.write_bytes(model.SerializeToString())
    (problem,) = check_path(outside, target="onnx").inspection.problems
    assert problem.startswith("1 weight(s) lie in another file, which is not beside the model")


def test_a_link_beside_the_file_is_not_followed(outside, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "weights"
    beside = outside.with_name("model.onnx.data")
    beside.rename(secret)
    beside.symlink_to(secret)
    assert not check_path(outside, target="onnx").passed


# Settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "inputs", "types", "text"),
    [
        ("Pad", ["x", "s"], TensorProto.INT64, "Pad 'y' takes 's' at run time"),
        ("Clip", ["x", "s"], TensorProto.FLOAT, "Clip 'y' takes 's' at run time"),
        ("Conv", ["x", "w", "s"], TensorProto.FLOAT, "Conv 'y' takes 's' at run time"),
    ],
)
def test_settings_at_run_time(tmp_path, op, inputs, types, text):
    sizes = {"Pad": [8], "Clip": [], "Conv": [4]}[op]
    model = _model(helper.make_node(op, inputs, ["y"]), outputs=None)
    model.graph.input.append(helper.make_tensor_value_info("s", types, sizes))
    onnx.save(model, tmp_path / "model.onnx")
    problems = check_path(tmp_path / "model.onnx", target="lens").inspection.problems
    assert any(text in problem for problem in problems), problems


def test_the_advice_on_exporting_works_with_this_torch(tmp_path):
    torch = pytest.importorskip("torch")
    model = _model(_conv())
    model.opset_import[0].version = 18
    onnx.save(model, tmp_path / "model.onnx")
    (problem,) = check_path(tmp_path / "model.onnx", target="lens").inspection.problems
    assert "torch.onnx.export(…, dynamo=False, opset_version=11)" in problem
    path = tmp_path / "again.onnx"
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.ReLU()).eval()
    torch.onnx.export(layers, (torch.zeros(1, 3, 4, 4),), path, dynamo=False, opset_version=11)
    assert check_path(path, target="lens").passed
