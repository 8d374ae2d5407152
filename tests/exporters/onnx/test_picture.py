"""Bordered and cut out pictures, executed and compared with NumPy on the trained network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.rendering import student_frame_function
from mobile_nelf_exporters.onnx.build import build_onnx
from mobile_nelf_exporters.onnx.picture import MASK_FLOOR, MATTE_FLOOR, MATTE_SLOPE
from mobile_nelf_exporters.onnx.runtime import frame_function
from mobile_nelf_exporters.snapml.check import check_snapml
from tests.helpers.students import random_checkpoint

#: The float32 encoding of the layout `factored`, through a random network.
ENCODED_IN_FLOAT32 = 2e-4

FACTORED = find_layout("factored")
#: Near what a random network draws, so that its matte is neither empty nor full.
BACKGROUND = (0.5, 0.35, 0.54)


def _build(activation="erf", out_channels=3, **shown):
    trained = "relu" if activation == "relu" else "gelu"
    checkpoint = random_checkpoint(sr_widths=(8,), out_channels=out_channels, activation=trained)
    checkpoint = replace(checkpoint, background=BACKGROUND)
    model, contract = build_onnx(checkpoint, FACTORED, activation, expand=True, **shown)
    return checkpoint, model, contract


def _run(checkpoint, model, contract, pose):
    """The whole output, [rows, columns, channels]."""
    return _outputs(checkpoint, model, contract, pose)[0]


def _outputs(checkpoint, model, contract, pose):
    host = FACTORED.host(checkpoint.ray_camera(pose), checkpoint.student.encoder)
    uploads = {name: array.astype(np.float32) for name, array in host.items()}
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found = session.run([spec.name for spec in contract.outputs], uploads)
    assert [array.shape for array in found] == [spec.shape for spec in contract.outputs]
    return [array[0].transpose(1, 2, 0) for array in found]


def _matte(rgb):
    """The alpha of a picture without one."""
    distance = np.abs(rgb - BACKGROUND).sum(axis=-1, keepdims=True)
    alpha = np.clip(MATTE_SLOPE * (distance - MATTE_FLOOR), 0.0, 1.0)
    assert 0.0 < alpha.mean() < 1.0, "an empty or full matte would hide every mistake"
    return alpha


@pytest.mark.parametrize("out_channels", [3, 4])
def test_a_border_has_the_colour_of_the_background(out_channels):
    checkpoint, model, contract = _build(out_channels=out_channels, bordered=True)
    pose = checkpoint.orbit.pose(30, 40, 4)
    image = _run(checkpoint, model, contract, pose)
    trained = student_frame_function(checkpoint)(checkpoint.ray_camera(pose))
    rows, columns, _ = trained.shape
    expected = np.empty((rows + 2, columns + 2, out_channels), np.float32)
    expected[:] = (*BACKGROUND, 0.0)[:out_channels]
    expected[1:-1, 1:-1] = trained
    np.testing.assert_allclose(image, expected, atol=ENCODED_IN_FLOAT32)
    cut = frame_function(model, contract)(checkpoint.ray_camera(pose))
    np.testing.assert_allclose(cut, trained, atol=ENCODED_IN_FLOAT32)


@pytest.mark.parametrize("shown", [{"bordered": True}, {"cut_out": True}], ids=str)
@pytest.mark.parametrize("activation", ["relu", "gelusnap"])
def test_pictures_run_on_every_back_end_that_runs_the_student(activation, shown):
    _, plain, _ = _build(activation)
    _, model, _ = _build(activation, **shown)
    assert check_snapml(model).lacking == check_snapml(plain).lacking
    names = {node.op_type for node in model.graph.node}
    assert ("GeluSnap" in names) == (activation == "gelusnap")
    assert "Softsign" not in names


@pytest.mark.parametrize("shown", [{}, {"bordered": True}, {"cut_out": True}], ids=str)
def test_white_is_a_number_of_ones_own(shown):
    """As a texture has it; nothing else of the picture changes, and the frame is the same."""
    checkpoint = replace(
        random_checkpoint(sr_widths=(8,), out_channels=4, activation="relu"), background=BACKGROUND
    )
    camera = checkpoint.ray_camera(checkpoint.orbit.pose(30, 40, 4))
    trained = student_frame_function(checkpoint)(camera)
    model, contract = build_onnx(checkpoint, FACTORED, "relu", expand=True, white=255.0, **shown)
    np.testing.assert_allclose(
        frame_function(model, contract)(camera), trained, atol=ENCODED_IN_FLOAT32
    )
    plain, ones = build_onnx(checkpoint, FACTORED, "relu", expand=True, **shown)
    assert (contract.white, ones.white) == (255.0, 1.0)
    pose = checkpoint.orbit.pose(30, 40, 4)
    bright = _run(checkpoint, model, contract, pose)
    np.testing.assert_allclose(
        bright, 255.0 * _run(checkpoint, plain, ones, pose), atol=255.0 * 1e-6
    )
    assert bright.max() > 100.0


def test_another_grid_renders_the_same_light_field():
    checkpoint = random_checkpoint(sr_widths=(8,))
    fine = checkpoint.on_grid(14, 12, checkpoint.intrinsics.resized(28, 24))
    assert fine.weights_sha256() == checkpoint.weights_sha256()
    pose = checkpoint.orbit.pose(30, 40, 4)
    frame = student_frame_function(fine)(fine.ray_camera(pose))
    assert frame.shape == (24, 28, 3)


#: A matte multiplies errors of the colour by its slope, three channels at a time.
BY_ALPHA = {3: 3 * MATTE_SLOPE * ENCODED_IN_FLOAT32, 4: ENCODED_IN_FLOAT32}


@pytest.mark.parametrize("out_channels", [3, 4])
def test_a_cut_out_picture_is_the_students_in_front_of_anything(out_channels):
    checkpoint, model, contract = _build("relu", out_channels, cut_out=True)
    pose = checkpoint.orbit.pose(30, 40, 4)
    cut = _run(checkpoint, model, contract, pose)
    trained = student_frame_function(checkpoint)(checkpoint.ray_camera(pose))
    rgb = trained[..., :3]
    alpha = trained[..., 3:] if out_channels == 4 else _matte(rgb)
    behind = np.random.default_rng(0).random(rgb.shape).astype(np.float32)
    # Over its background the student's colour is a mixture; `behind` takes the background's place.
    expected = rgb + (1 - alpha) * (behind - np.array(BACKGROUND))
    shown = cut[..., :3] + (1 - cut[..., 3:]) * behind
    np.testing.assert_allclose(shown, expected, atol=BY_ALPHA[out_channels])
    frame = frame_function(model, contract)(checkpoint.ray_camera(pose))
    assert frame.shape == trained.shape
    np.testing.assert_allclose(frame, trained, atol=ENCODED_IN_FLOAT32)
    assert check_snapml(model).refusals == ()


@pytest.mark.parametrize("out_channels", [3, 4])
def test_colours_and_mask_are_the_object_alone(out_channels):
    shown = {"cut_out": True, "white": 255.0}
    checkpoint, model, contract = _build("relu", out_channels, **shown, masked=True)
    pose = checkpoint.orbit.pose(30, 40, 4)
    _, colour, mask = (array / 255.0 for array in _outputs(checkpoint, model, contract, pose))
    trained = student_frame_function(checkpoint)(checkpoint.ray_camera(pose))
    rgb = trained[..., :3]
    alpha = trained[..., 3:] if out_channels == 4 else _matte(rgb)
    inner = (slice(1, -1), slice(1, -1))
    for array in (colour, mask):
        border = np.ones(array.shape[:2], bool)
        border[inner] = False
        assert (array[border] == 0.0).all()
    np.testing.assert_allclose(
        mask[inner], np.maximum((alpha - MASK_FLOOR) / (1 - MASK_FLOOR), 0.0), atol=1e-3
    )
    # Over black it is the colour times alpha; what is left of the division is r⁸.
    over_black = rgb - (1 - alpha) * np.array(BACKGROUND)
    rest = 1 - alpha
    series = (1 + rest) * (1 + rest**2) * (1 + rest**4)
    np.testing.assert_allclose(series * alpha, 1 - rest**8, atol=1e-6)
    np.testing.assert_allclose(colour[inner], over_black * series, atol=1e-2)
    assert check_snapml(model, output_scaled=False).refusals == ()
    _, plain, _ = _build("relu", out_channels, **shown)
    assert check_snapml(model).lacking == check_snapml(plain).lacking


def test_only_what_is_cut_out_can_be_masked():
    checkpoint = random_checkpoint(sr_widths=(8,), activation="relu", out_channels=4)
    with pytest.raises(ValueError, match="only what is cut out can be masked"):
        build_onnx(checkpoint, FACTORED, "relu", expand=True, masked=True)


def test_what_is_cut_out_has_no_border():
    checkpoint = random_checkpoint(sr_widths=(8,), activation="relu", out_channels=4)
    with pytest.raises(ValueError, match="has no background for a border"):
        build_onnx(checkpoint, FACTORED, "relu", expand=True, cut_out=True, bordered=True)
