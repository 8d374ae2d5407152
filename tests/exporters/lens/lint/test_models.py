"""The linter on models, their metas, and what our script expects of them."""

from __future__ import annotations

import json

import onnx
import pytest
from onnx import TensorProto, helper

from mobile_nelf.deploy.contract import CONTRACT_KEY
from mobile_nelf_exporters.lens.lint.check import lint_lens_project
from mobile_nelf_exporters.lens.lint.models import TEXTURE_WHITE
from tests.helpers.lens.lint_projects import (
    IDS,
    MODEL,
    assert_reported,
    edited,
    generated_project,
    with_asset,
    without,
)

pytestmark = pytest.mark.usefixtures("quick_yaml")

# ---- Models -------------------------------------------------------------------------------------


def test_a_pointer_of_git_lfs(good):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    assert_reported({**good, MODEL: pointer}, MODEL, "pointer of Git LFS")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\xff" * 50])
def test_a_model_that_is_none(good, content):
    assert_reported({**good, MODEL: content}, MODEL, "not an ONNX model")


@pytest.mark.parametrize(
    ("pattern", "replacement", "problem"),
    [
        (r"Name: rays", "Name: ray", "Inputs are ray, the model has rays"),
        (r"Name: output", "Name: out", "Outputs are out, the model has output"),
        (
            r"x: 4.000000, y: 3.000000, z: 6",
            "x: 3.000000, y: 4.000000, z: 6",
            "'rays' is 3 × 4 × 6",
        ),
        (r"z: 6.000000", "z: 7.000000", "'rays' is 4 × 3 × 7, the model has 4 × 3 × 6"),
        (r"          - scale: 1.000000000\n.*\n", "", "'rays' has 5 normalisations"),
        (
            r"(?s)(Outputs:.*?scale: )1.000000",
            r"\g<1>255.000000",
            "'output' is scaled by 255 with bias 0, expected 1 and 0",
        ),
        (r"scale: 1.000000", "scale: 2.000000", "'rays' is scaled by 2"),
        (r"bias: 0.000000", "bias: 0.500000", "bias 0.5"),
        (r"scale: 1.000000", "scale: many", "not a number"),
        (r"flipY: false", "flipY: true", "flipY True"),
        (r"rotation: None", "rotation: Rotate90", "rotation 'Rotate90'"),
        (r'InputName: ""', "InputName: picture", "'picture' is not an input"),
    ],
)
def test_a_meta_that_disagrees_with_the_model(good, pattern, replacement, problem):
    assert_reported(edited(good, f"{MODEL}.meta", pattern, replacement), f"{MODEL}.meta", problem)


def test_a_model_of_another_shape(good):
    other = generated_project("rays", ray_width=5)
    assert_reported(
        {**good, MODEL: other[MODEL]}, f"{MODEL}.meta", "'rays' is 4 × 3 × 6, the model has 5"
    )


def _model(shape, operator="Sigmoid", opset=11, extra=()) -> bytes:
    graph = helper.make_graph(
        [helper.make_node(operator, ["rays", *(t.name for t in extra)], ["output"])],
        "g",
        [helper.make_tensor_value_info("rays", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
        initializer=list(extra),
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=6).SerializeToString()


def _constant(shape) -> onnx.TensorProto:
    size = 1
    for axis in shape:
        size *= axis
    return helper.make_tensor("k", TensorProto.FLOAT, shape, [0.5] * size)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (_model([1, 3, 2, 2], opset=13), "Opset 13"),
        (_model([1, "c", 2, 2]), "dynamic along axis 1"),
        (_model([3, 2, 2]), "rank 3, expected rank 4"),
        (_model([1, 3, 2, 2], "Erf"), "Operator Erf has no SnapML layer"),
        (_model([1, 3, 2, 2], "Mul", extra=[_constant([])]), "rank 0"),
        (_model([1, 3, 2, 2], "Mul", extra=[_constant([3, 1, 1])]), "rank 3"),
    ],
)
def test_a_model_that_lens_studio_does_not_import(good, content, problem):
    assert_reported({**good, MODEL: content}, MODEL, problem)


def test_two_models_that_are_too_large_together(good):
    weights = helper.make_tensor(
        "k", TensorProto.FLOAT, [1800, 1800, 1, 1], b"\x00\x00\x80\x3f" * 1800 * 1800, raw=True
    )
    graph = helper.make_graph(
        [helper.make_node("Conv", ["rays", "k"], ["output"])],
        "g",
        [helper.make_tensor_value_info("rays", TensorProto.FLOAT, [1, 1800, 1, 1])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1800, 1, 1])],
        initializer=[weights],
    )
    opsets = [helper.make_opsetid("", 11)]
    content = helper.make_model(graph, opset_imports=opsets, ir_version=6).SerializeToString()
    one = with_asset(good, "Assets/A.onnx", content, "FileMLAsset", "FileMLAssetImporter")
    assert not any("MB" in finding.problem for finding in lint_lens_project(one))
    two = with_asset(one, "Assets/B.onnx", content, "FileMLAsset", "FileMLAssetImporter", IDS[2:])
    assert_reported(two, "", "4 models of 12.7 MB after import")


def test_a_model_whose_white_is_one_is_scaled_by_its_meta(good):
    """As in bundles that were made before models computed the scale themselves."""
    model = onnx.load_from_string(good[MODEL])
    (entry,) = (entry for entry in model.metadata_props if entry.key == CONTRACT_KEY)
    contract = json.loads(entry.value)
    assert contract.pop("output_white") == TEXTURE_WHITE
    entry.value = json.dumps(contract)
    old = {**good, MODEL: model.SerializeToString()}
    assert_reported(old, f"{MODEL}.meta", "'output' is scaled by 1 with bias 0, expected 255 and 0")
    scaled = edited(old, f"{MODEL}.meta", r"(?s)(Outputs:.*?scale: )1.000000", r"\g<1>255.000000")
    for _ in range(2):
        scaled = edited(
            scaled,
            f"{MODEL}.meta",
            r"(?s)(Outputs:.*scale: 255.*?scale: )1.000000",
            r"\g<1>255.000000",
        )
    assert not lint_lens_project(scaled)


def test_a_foreign_model_in_the_unit_range_should_be_scaled(good):
    files = edited(
        good, f"{MODEL}.meta", r"Shape: {x: 10.000000, y: 8.0", "Shape: {x: 4.000000, y: 3.0"
    )
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["rays", "k"], ["c"]),
            helper.make_node("Sigmoid", ["c"], ["output"]),
        ],
        "g",
        [helper.make_tensor_value_info("rays", TensorProto.FLOAT, [1, 6, 3, 4])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3, 3, 4])],
        initializer=[helper.make_tensor("k", TensorProto.FLOAT, [3, 6, 1, 1], [0.5] * 18)],
    )
    opsets = [helper.make_opsetid("", 11)]
    content = helper.make_model(graph, opset_imports=opsets, ir_version=6).SerializeToString()
    files = {**files, MODEL: content}
    assert not [f for f in lint_lens_project(files) if f.severity == "error" and MODEL in f.path]
    assert_reported(files, f"{MODEL}.meta", "shown as a texture it is black", "warning")


# ---- What our script expects of its models ------------------------------------------------------


def _with_contract(files, **changes) -> dict[str, bytes]:
    entry = {
        "input": "model",
        "inputs": [{"name": "rays", "shape": [4, 3, 6]}],
        "output": {"name": "output", "shape": [10, 8, 3]},
        **changes,
    }
    source = "// Generated.\nmodule.exports = " + json.dumps({"models": [entry]}, indent=1) + ";\n"
    files = without(files, "Assets/NelfContract.js", "Assets/NelfContract.js.meta")
    return with_asset(
        files,
        "Assets/NelfContract.js",
        source.encode(),
        "JavaScriptAsset",
        "JavaScriptAssetImporter",
    )


def test_a_contract_that_fits_its_model(good):
    assert lint_lens_project(_with_contract(good)) == ()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"input": "other"}, "names a model 'other'"),
        ({"inputs": []}, "its inputs are , those of Assets/model.onnx are rays"),
        ({"inputs": [{"name": "rays", "shape": [3, 4, 6]}]}, r"'rays' is \[3, 4, 6\]"),
        ({"output": {"name": "picture", "shape": [8, 6, 3]}}, "no tensor 'picture'"),
    ],
)
def test_a_contract_that_does_not_fit_its_model(good, changes, problem):
    assert_reported(_with_contract(good, **changes), "Assets/NelfContract.js", problem)


@pytest.mark.parametrize(
    "source", [b"module.exports = {", b"module.exports = {a: 1};", b"print(1)"]
)
def test_a_contract_that_cannot_be_read(good, source):
    files = _with_contract(good)
    assert_reported({**files, "Assets/NelfContract.js": source}, "Assets/NelfContract.js", "object")
