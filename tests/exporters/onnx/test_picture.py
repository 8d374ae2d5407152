"""Padded and composited pictures, executed and compared with NumPy on the trained network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from mobile_nelf.deploy.contract import CAMERA_IMAGE
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


def _build(activation="erf", out_channels=3, size=None, composited=False):
    trained = "relu" if activation == "relu" else "gelu"
    checkpoint = random_checkpoint(sr_widths=(8,), out_channels=out_channels, activation=trained)
    checkpoint = replace(checkpoint, background=BACKGROUND)
    model, contract = build_onnx(
        checkpoint, FACTORED, activation, expand=True, size=size, composited=composited
    )
    return checkpoint, model, contract


def _run(checkpoint, model, contract, pose, camera_image=None):
    """The whole output, [rows, columns, channels]."""
    host = FACTORED.host(checkpoint.ray_camera(pose), checkpoint.student.encoder)
    uploads = {name: array.astype(np.float32) for name, array in host.items()}
    if camera_image is not None:
        uploads[CAMERA_IMAGE] = camera_image.transpose(2, 0, 1)[None]
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run([contract.output.name], uploads)[0][0].transpose(1, 2, 0)


@pytest.mark.parametrize("out_channels", [3, 4])
@pytest.mark.parametrize("size", [(20, 14), (12, 30), (18, 20)])
def test_padding_puts_the_picture_into_the_middle_of_its_background(out_channels, size):
    checkpoint, model, contract = _build(out_channels=out_channels, size=size)
    pose = checkpoint.orbit.pose(30, 40, 4)
    image = _run(checkpoint, model, contract, pose)
    expected = np.empty((*size, out_channels), np.float32)
    expected[:] = (*BACKGROUND, 0.0)[:out_channels]
    trained = student_frame_function(checkpoint)(checkpoint.ray_camera(pose))
    rows, columns = trained.shape[:2]
    top, left = (size[0] - rows) // 2, (size[1] - columns) // 2
    expected[top : top + rows, left : left + columns] = trained
    np.testing.assert_allclose(image, expected, atol=ENCODED_IN_FLOAT32)
    cut = frame_function(model, contract)(checkpoint.ray_camera(pose))
    np.testing.assert_allclose(cut, trained, atol=ENCODED_IN_FLOAT32)


@pytest.mark.parametrize("out_channels", [3, 4])
def test_composite_lets_the_camera_through_where_the_object_is_clear(out_channels):
    checkpoint, model, contract = _build(out_channels=out_channels, composited=True)
    pose = checkpoint.orbit.pose(30, 40, 4)
    trained = student_frame_function(checkpoint)(checkpoint.ray_camera(pose))
    rgb = trained[..., :3]
    if out_channels == 4:
        alpha = trained[..., 3:]
    else:
        distance = np.abs(rgb - BACKGROUND).sum(axis=-1, keepdims=True)
        alpha = np.clip(MATTE_SLOPE * (distance - MATTE_FLOOR), 0.0, 1.0)
        assert 0.0 < alpha.mean() < 1.0, "an empty or full matte would hide every mistake"
    seen = np.random.default_rng(3).random(rgb.shape, np.float32)
    expected = rgb - (1.0 - alpha) * np.array(BACKGROUND) + (1.0 - alpha) * seen
    image = _run(checkpoint, model, contract, pose, seen)
    # The matte multiplies errors of the colour by its slope, three channels at a time.
    np.testing.assert_allclose(image, expected, atol=3 * MATTE_SLOPE * ENCODED_IN_FLOAT32)


@pytest.mark.parametrize("out_channels", [3, 4])
def test_a_composite_gives_back_what_the_student_renders(out_channels):
    checkpoint, model, contract = _build(out_channels=out_channels, composited=True)
    camera = checkpoint.ray_camera(checkpoint.orbit.pose(-70, 20, 4.1))
    trained = student_frame_function(checkpoint)(camera)
    frame = frame_function(model, contract)(camera)
    assert frame.shape == trained.shape
    np.testing.assert_allclose(frame, trained, atol=ENCODED_IN_FLOAT32)


@pytest.mark.parametrize("activation", ["relu", "gelusnap"])
@pytest.mark.parametrize("composited", [False, True])
def test_pictures_run_on_every_back_end_that_runs_the_student(activation, composited):
    _, plain, _ = _build(activation)
    size = None if composited else (20, 14)
    _, model, _ = _build(activation, size=size, composited=composited)
    assert check_snapml(model).lacking == check_snapml(plain).lacking
    names = {node.op_type for node in model.graph.node}
    assert ("GeluSnap" in names) == (activation == "gelusnap")
    assert "Softsign" not in names


@pytest.mark.parametrize(
    "shown", [{}, {"size": (20, 14)}, {"composited": True}, {"cut_out": True}], ids=str
)
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
    behind = np.full((*contract.output.shape[2:], 3), 0.25, np.float32)
    seen = behind if shown.get("composited") else None
    pose = checkpoint.orbit.pose(30, 40, 4)
    bright = _run(checkpoint, model, contract, pose, seen)
    np.testing.assert_allclose(
        bright, 255.0 * _run(checkpoint, plain, ones, pose, seen), atol=255.0 * 1e-6
    )
    assert bright.max() > 100.0


def test_another_grid_renders_the_same_light_field():
    checkpoint = random_checkpoint(sr_widths=(8,))
    fine = checkpoint.on_grid(14, 12, checkpoint.intrinsics.resized(28, 24))
    assert fine.weights_sha256() == checkpoint.weights_sha256()
    pose = checkpoint.orbit.pose(30, 40, 4)
    frame = student_frame_function(fine)(fine.ray_camera(pose))
    assert frame.shape == (24, 28, 3)


def test_a_cut_out_picture_is_the_students_in_front_of_anything():
    checkpoint = replace(
        random_checkpoint(sr_widths=(8,), out_channels=4, activation="relu"), background=BACKGROUND
    )
    model, contract = build_onnx(checkpoint, FACTORED, "relu", expand=True, cut_out=True)
    pose = checkpoint.orbit.pose(30, 40, 4)
    cut = _run(checkpoint, model, contract, pose)
    trained = student_frame_function(checkpoint)(checkpoint.ray_camera(pose))
    behind = np.random.default_rng(0).random((*trained.shape[:2], 3)).astype(np.float32)
    # Over its background the student's colour is a mixture; `behind` takes the background's place.
    expected = trained[..., :3] + (1 - trained[..., 3:]) * (behind - np.array(BACKGROUND))
    shown = cut[..., :3] + (1 - cut[..., 3:]) * behind
    np.testing.assert_allclose(shown, expected, atol=ENCODED_IN_FLOAT32)
    frame = frame_function(model, contract)(checkpoint.ray_camera(pose))
    np.testing.assert_allclose(frame, trained, atol=ENCODED_IN_FLOAT32)
    assert check_snapml(model).refusals == ()


def test_colours_and_mask_are_the_object_alone():
    checkpoint = replace(
        random_checkpoint(sr_widths=(8,), out_channels=4, activation="relu"), background=BACKGROUND
    )
    model, contract = build_onnx(
        checkpoint, FACTORED, "relu", expand=True, cut_out=True, white=255.0, masked=True
    )
    pose = checkpoint.orbit.pose(30, 40, 4)
    host = FACTORED.host(checkpoint.ray_camera(pose), checkpoint.student.encoder)
    uploads = {name: array.astype(np.float32) for name, array in host.items()}
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found = session.run([spec.name for spec in contract.outputs], uploads)
    assert [array.shape for array in found] == [spec.shape for spec in contract.outputs]
    _, colour, mask = (array[0].transpose(1, 2, 0) / 255.0 for array in found)
    trained = student_frame_function(checkpoint)(checkpoint.ray_camera(pose))
    alpha = trained[..., 3:]
    inner = (slice(1, -1), slice(1, -1))
    for array in (colour, mask):
        border = np.ones(array.shape[:2], bool)
        border[inner] = False
        assert (array[border] == 0.0).all()
    np.testing.assert_allclose(
        mask[inner], np.maximum((alpha - MASK_FLOOR) / (1 - MASK_FLOOR), 0.0), atol=1e-3
    )
    # Over black it is the colour times alpha; what is left of the division is r⁸.
    over_black = trained[..., :3] - (1 - alpha) * np.array(BACKGROUND)
    np.testing.assert_allclose(
        colour[inner], over_black / alpha * (1 - (1 - alpha) ** 8), atol=2e-3
    )
    assert check_snapml(model, output_scaled=False).refusals == ()
    plain, _ = build_onnx(checkpoint, FACTORED, "relu", expand=True, cut_out=True, white=255.0)
    assert check_snapml(model).lacking == check_snapml(plain).lacking


def test_only_what_is_cut_out_can_be_masked():
    checkpoint = random_checkpoint(sr_widths=(8,), activation="relu", out_channels=4)
    with pytest.raises(ValueError, match="only what is cut out can be masked"):
        build_onnx(checkpoint, FACTORED, "relu", expand=True, masked=True)


@pytest.mark.parametrize(("channels", "composited"), [(3, False), (4, True)])
def test_only_a_student_with_alpha_can_be_cut_out(channels, composited):
    checkpoint = random_checkpoint(sr_widths=(8,), activation="relu", out_channels=channels)
    with pytest.raises(ValueError, match="only a student with alpha can be cut out"):
        build_onnx(checkpoint, FACTORED, "relu", expand=True, cut_out=True, composited=composited)
