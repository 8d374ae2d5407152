"""The rebuilt chain of three graphs computes what the student computes."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from benchmarks.official_chain import (
    copied_bytes,
    copy_encoding,
    copy_points,
    official_chain,
    pose_inputs,
)
from mobile_nelf.cameras import Camera
from mobile_nelf.rays import ray_grid, sample_depths, sample_points
from mobile_nelf.students.rewrite import fold_batchnorm
from tests.helpers.oracles import LENSES, POSE, slow_encoding
from tests.helpers.students import random_checkpoint

#: Points of a few units and sines of up to 2⁵ times that, in float32.
POINT_TOLERANCE = 1e-5
ENCODING_TOLERANCE = 2e-4
#: The untrained network's own amplification of those errors, in [0, 1] colours.
IMAGE_TOLERANCE = 1e-3


def _run(model, feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (result,) = session.run(None, feeds)
    return result


@pytest.mark.parametrize("lens", ["centred", "non-square grid", "off-centre"])
def test_chain_against_slow_encoding_and_torch(lens):
    intrinsics = LENSES[lens]
    checkpoint = random_checkpoint(ray_width=intrinsics.width, ray_height=intrinsics.height)
    student = checkpoint.student
    encoder = student.encoder
    network = fold_batchnorm(checkpoint.network())
    sampler, embedder, main = official_chain(network, student, intrinsics)
    camera = Camera(POSE, intrinsics)

    pts = _run(sampler, pose_inputs(POSE))
    depths = sample_depths(encoder.near, encoder.far, encoder.samples)
    points = sample_points(ray_grid(camera), depths)  # [24, h, w]
    np.testing.assert_allclose(pts[0, 0].T, points.reshape(24, -1), atol=POINT_TOLERANCE)

    rays = np.full_like(pts, np.nan)
    copy_points(pts, rays)
    embbrays = _run(embedder, {"rays": rays})
    encoded = np.full((1, 312, intrinsics.height, intrinsics.width), np.nan, np.float32)
    copy_encoding(embbrays, encoded)
    slow = slow_encoding(camera, encoder.near, encoder.far, encoder.samples, encoder.frequencies)
    np.testing.assert_allclose(encoded[0], slow, atol=ENCODING_TOLERANCE)

    image = _run(main, {"input": encoded})
    with torch.no_grad():
        expected = checkpoint.network()(torch.from_numpy(slow).float()[None]).numpy()
    np.testing.assert_allclose(image, expected, atol=IMAGE_TOLERANCE)
    assert copied_bytes(student) == 48 + rays.nbytes + encoded.nbytes


def test_second_copy_is_flat_in_nhwc():
    rng = np.random.default_rng(0)
    embbrays = rng.normal(size=(1, 13, 6 * 7, 24)).astype(np.float32)
    encoded = np.full((1, 312, 6, 7), np.nan, np.float32)
    copy_encoding(embbrays, encoded)
    assert embbrays.transpose(0, 2, 3, 1).tobytes() == encoded.transpose(0, 2, 3, 1).tobytes()


@pytest.mark.parametrize(("trained", "operator"), [("gelu", "GeluSnap"), ("relu", "Relu")])
def test_snap_form_has_one_node_an_activation(trained, operator):
    checkpoint = random_checkpoint(activation=trained, ray_width=6, ray_height=6)
    network = fold_batchnorm(checkpoint.network())
    main = official_chain(network, checkpoint.student, LENSES["centred"], "snap")[2]
    operators = [node.op_type for node in main.graph.node]
    assert set(operators) == {"Conv", "ConvTranspose", "Add", operator, "Sigmoid"}
    assert operators.count(operator) == 1 + 2 + 3 * 2  # head, body, two blocks a stage
