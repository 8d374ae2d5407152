"""The ONNX writer against the network that it was given, and against the stock exporter."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import shape_inference

from mobile_nelf.deploy.contract import CONTRACT_KEY
from mobile_nelf.deploy.form import ACTIVATION_FORMS, deploy_form
from mobile_nelf.deploy.layouts import LAYOUTS, find_layout
from mobile_nelf.errors import DeployError, MissingExtraError
from mobile_nelf.extras import import_extra
from mobile_nelf_exporters.onnx.build import build_onnx
from mobile_nelf_exporters.onnx.lowering import lower_to_onnx
from mobile_nelf_exporters.onnx.runtime import frame_function, with_fp16_weights
from tests.helpers.students import random_checkpoint

#: Same float32 arithmetic in another order, on images in [0, 1].
SAME_ARITHMETIC = 2e-6

SHAPES = {
    "x8": {"sr_widths": (8, 8, 4)},
    "x12": {"sr_widths": (8, 8, 4), "last_scale": 3},
    "no super-resolution": {"sr_widths": ()},
    "rgba": {"sr_widths": (8,), "out_channels": 4},
    "relu": {"sr_widths": (8,), "activation": "relu"},
    "r2l": {"architecture": "r2l", "sr_widths": (), "activation": "relu"},
}


def _uploads(layout, checkpoint, pose):
    host = layout.host(checkpoint.ray_camera(pose), checkpoint.student.encoder)
    return {name: array.astype(np.float32) for name, array in host.items()}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("expand", [False, True])
def test_the_graph_computes_what_the_deploy_form_computes(shape, layout, expand):
    checkpoint = random_checkpoint(**SHAPES[shape])
    activation = ACTIVATION_FORMS[checkpoint.student.activation][0]
    model, contract = build_onnx(checkpoint, layout, activation, expand=expand)
    uploads = _uploads(layout, checkpoint, checkpoint.orbit.pose(30, 40, 4))
    form = deploy_form(checkpoint, layout, activation, expand=expand)
    with torch.inference_mode():
        wanted = form(*(torch.from_numpy(uploads[spec.name]) for spec in contract.inputs)).numpy()
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (image,) = session.run([contract.output.name], uploads)
    assert image.shape == contract.output.shape
    assert wanted.std() > 1e-3, "a constant image would hide every mistake"
    np.testing.assert_allclose(image, wanted, atol=SAME_ARITHMETIC)


@pytest.mark.parametrize("activation", ACTIVATION_FORMS["gelu"])
def test_activation_forms_compute_their_own_function(activation):
    layout = find_layout("embedded")
    checkpoint = random_checkpoint(sr_widths=(8,))
    model, contract = build_onnx(checkpoint, layout, activation, expand=False)
    pose = checkpoint.orbit.pose(30, 40, 4)
    form = deploy_form(checkpoint, layout, activation, expand=False)
    uploads = _uploads(layout, checkpoint, pose)
    with torch.inference_mode():
        wanted = form(torch.from_numpy(uploads["input"]))[0].permute(1, 2, 0).numpy()
    frame = frame_function(model, contract)(checkpoint.ray_camera(pose))
    np.testing.assert_allclose(frame, wanted, atol=SAME_ARITHMETIC)


def test_activation_forms_use_the_operators_that_they_promise():
    checkpoint = random_checkpoint(sr_widths=(8,))
    layout = find_layout("embedded")

    def operators(activation):
        model, _ = build_onnx(checkpoint, layout, activation, expand=False)
        return {node.op_type for node in model.graph.node}

    plain = {"Conv", "ConvTranspose", "Add", "Sigmoid"}
    assert operators("erf") == {*plain, "Div", "Erf", "Mul"}
    assert operators("tanh") == {*plain, "Tanh", "Mul"}
    assert operators("relu") == {*plain, "Relu"}
    assert operators("gelusnap") == {*plain, "GeluSnap"}


def test_onnx_runtime_fuses_the_erf_form_into_one_operator(tmp_path):
    checkpoint = random_checkpoint(sr_widths=(8,))
    model, _ = build_onnx(checkpoint, find_layout("embedded"), "erf", expand=False)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(model.SerializeToString(), options)
    optimized = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    erfs = sum(node.op_type == "Erf" for node in model.graph.node)
    assert erfs == optimized.count("Gelu") > 0
    assert "Erf" not in optimized


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_tensor_is_static_and_of_rank_4(layout):
    checkpoint = random_checkpoint(sr_widths=(8, 8))
    model, contract = build_onnx(checkpoint, layout, "tanh", expand=True)
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 11)]
    inferred = shape_inference.infer_shapes(model, strict_mode=True).graph
    values = [*inferred.input, *inferred.value_info, *inferred.output]
    assert len(values) >= len(inferred.node)
    for value in values:
        dims = value.type.tensor_type.shape.dim
        assert len(dims) == 4, value.name
        assert all(dim.dim_value > 0 for dim in dims), value.name
    assert [value.name for value in inferred.input] == [spec.name for spec in contract.inputs]
    for tensor in inferred.initializer:
        # Slice takes its bounds as vectors of one; the rest are weights, biases and constants.
        assert len(tensor.dims) in (1, 4), tensor.name


@pytest.mark.parametrize("shape", ["x8", "x12", "relu"])
def test_the_stock_exporter_agrees(shape):
    checkpoint = random_checkpoint(**SHAPES[shape])
    activation = ACTIVATION_FORMS[checkpoint.student.activation][0]
    layout = find_layout("rays")
    model, contract = build_onnx(checkpoint, layout, activation, expand=False)
    form = deploy_form(checkpoint, layout, activation, expand=False)
    example = tuple(torch.zeros(spec.shape) for spec in contract.inputs)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Deprecated upstream, and the only stock exporter that still writes opset 11.
        warnings.simplefilter("ignore")
        torch.onnx.export(form, example, buffer, opset_version=11, dynamo=False)
    stock = onnxruntime.InferenceSession(buffer.getvalue())
    uploads = _uploads(layout, checkpoint, checkpoint.orbit.pose(30, 40, 4))
    (wanted,) = stock.run(None, {stock.get_inputs()[0].name: uploads["rays"]})
    (image,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, uploads)
    np.testing.assert_allclose(image, wanted, atol=SAME_ARITHMETIC)


def test_two_exports_have_the_same_bytes_and_carry_the_contract():
    checkpoint = random_checkpoint(sr_widths=(8,))
    layout = find_layout("factored")
    first, second = (
        build_onnx(checkpoint, layout, "erf", expand=True)[0].SerializeToString(deterministic=True)
        for _ in range(2)
    )
    assert first == second
    metadata = {entry.key: entry.value for entry in onnx.load_from_string(first).metadata_props}
    assert checkpoint.weights_sha256() in metadata[CONTRACT_KEY]
    assert len(metadata["mobile_nelf.deployed_weights_sha256"]) == 64


def test_fp16_weights_round_weights_and_nothing_else():
    checkpoint = random_checkpoint(sr_widths=(8,))
    model, _ = build_onnx(checkpoint, find_layout("embedded"), "tanh", expand=False)
    rounded = with_fp16_weights(model)
    before = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    after = {t.name: onnx.numpy_helper.to_array(t) for t in rounded.graph.initializer}
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert any(name.endswith("weight") for name in changed)
    assert not any(name.startswith("constant") for name in changed)
    for name in changed:
        np.testing.assert_array_equal(after[name], before[name].astype(np.float16))


def test_an_operator_without_lowering_is_named():
    checkpoint = random_checkpoint(sr_widths=(8,))
    layout = find_layout("embedded")
    _, contract = build_onnx(checkpoint, layout, "erf", expand=False)
    form = deploy_form(checkpoint, layout, "erf", expand=False)
    form.encoder = torch.nn.Softplus()
    with pytest.raises(DeployError, match=r"aten\.softplus\.default has no ONNX lowering"):
        lower_to_onnx(form, contract.inputs, ["output"], "erf")


def test_an_activation_that_does_not_fit_is_refused():
    checkpoint = random_checkpoint(sr_widths=(8,), activation="relu")
    with pytest.raises(DeployError, match="'erf' cannot stand for the trained relu"):
        build_onnx(checkpoint, find_layout("rays"), "erf", expand=False)


def test_a_missing_extra_is_named():
    with pytest.raises(MissingExtraError, match=r'pip install "mobile-nelf\[lens\]"'):
        import_extra("onnx_that_nobody_has", "lens")


def test_the_weights_hash_sees_a_single_weight():
    checkpoint = random_checkpoint(sr_widths=(8,))
    weights = {name: value.clone() for name, value in checkpoint.weights.items()}
    weights["head.0.bias"][0] += 1e-3
    assert replace(checkpoint, weights=weights).weights_sha256() != checkpoint.weights_sha256()
