"""The app's Metal kernel against mnelf's encoding; whether Metal compiles it only a Mac tells."""

from __future__ import annotations

import re

import numpy as np
import pytest

from mobile_nelf.cameras import Camera
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.encoding import factored_tables
from mobile_nelf.rays import ray_map, sample_depths
from mobile_nelf.students import EncoderConfig
from tests.helpers.coreml.apps import ios_contract
from tests.helpers.coreml.kernel import UNTOUCHED, assert_same_halves, kernel_text, run_kernel
from tests.helpers.coreml.swift import HARNESS
from tests.helpers.lens.contracts import FULL_ORBIT

WIDTH, HEIGHT, PADDING = 37, 21, 27
#: D60-SR3 has eight samples, and the largest phases are those of 2⁵.
ENCODER = EncoderConfig(near=2.0, far=6.0, samples=8, frequencies=6)


@pytest.fixture(scope="module")
def camera() -> Camera:
    pose = FULL_ORBIT.pose(33.0, 20.0, 2.5)
    return Camera(pose, ios_contract().intrinsics).resized(WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def made(camera, tmp_path_factory):
    depths = sample_depths(ENCODER.near, ENCODER.far, ENCODER.samples)
    tables = factored_tables(ray_map(camera), WIDTH, HEIGHT, depths, ENCODER.frequencies)
    flat = np.concatenate([table.reshape(-1) for table in tables]).astype(np.float32)
    sizes = (3 * ENCODER.samples, ENCODER.frequencies, WIDTH, HEIGHT)
    return run_kernel(tmp_path_factory.mktemp("kernel"), flat, sizes, PADDING)


def test_the_kernel_computes_layout_embedded(camera, made):
    exact = find_layout("embedded").host(camera, ENCODER)["input"][0]
    assert_same_halves(made[..., :WIDTH], np.asarray(exact, np.float64))


def test_the_kernel_writes_nothing_between_rows(made):
    assert (made[..., WIDTH:] == UNTOUCHED).all()


def test_the_app_binds_the_arguments_that_the_kernel_names():
    text = (HARNESS / "Sources/NelfKit/MetalEncoder.swift").read_text(encoding="utf-8")
    bound = {int(index) for index in re.findall(r"encoder\.set\w+\(.*index: (\d)\)", text)}
    assert bound == {int(index) for index in re.findall(r"\[\[buffer\((\d)\)\]\]", kernel_text())}
    assert 'makeFunction(name: "nelf_embed")' in text
