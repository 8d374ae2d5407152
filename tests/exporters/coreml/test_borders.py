"""Types of inputs and outputs: what is converted, what a layout allows, and the pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mobile_nelf.deploy.room import object_span
from mobile_nelf.errors import DeployError, InputError
from mobile_nelf.metrics import psnr_db
from mobile_nelf.rendering import student_frame_function
from mobile_nelf_exporters.coreml.checks import program_facts
from mobile_nelf_exporters.coreml.estimate import traffic
from mobile_nelf_exporters.coreml.exporter import CoremlExporter
from mobile_nelf_exporters.coreml.interpreter.interpreter import Interpreter
from mobile_nelf_exporters.coreml.interpreter.ops import gelu_by_table
from mobile_nelf_exporters.coreml.options import Options
from mobile_nelf_exporters.coreml.package.package import read_package
from mobile_nelf_exporters.coreml.runtimes import frame_function
from mobile_nelf_exporters.coreml.setting import app_experience
from tests.helpers.coreml.models import convert_program, package_files
from tests.helpers.students import random_checkpoint


@pytest.fixture(scope="module")
def checkpoint():
    return random_checkpoint(sr_widths=(8,))


def exported(checkpoint, **options):
    exporter = CoremlExporter()
    made = exporter.export(checkpoint, "thing", Options(**options))
    return made, read_package(made.files, "thing.mlpackage")


@pytest.mark.parametrize(("io", "casts"), [(None, 0), ("fp16", 0), ("fp32", 7)])
def test_fp16_borders_convert_nothing(checkpoint, io, casts):
    made, package = exported(checkpoint, io=io)
    expected = io or "fp16"
    assert {spec.dtype for spec in made.contract.inputs} == {expected}
    assert {feature.dtype for feature in (*package.inputs, *package.outputs)} == {expected}
    assert traffic(program_facts(package)).casts == casts


@pytest.mark.parametrize(
    ("options", "emulated"),
    [
        ({"layout": "factored"}, 50.0),
        ({"layout": "embedded"}, 50.0),
        ({"layout": "factored", "output_form": "image"}, 50.0),
    ],
)
def test_pictures_stay_right_with_fp16_borders(checkpoint, options, emulated):
    made, package = exported(checkpoint, **options)
    reference = student_frame_function(checkpoint)
    camera = checkpoint.ray_camera(checkpoint.orbit.sweep(3)[1])
    for emulate, demanded in ((False, 60.0), (True, emulated)):
        frame, _ = frame_function(package, made.contract, emulate_fp16=emulate)
        assert psnr_db(frame(camera), reference(camera)) >= demanded


def test_rays_need_more_digits_than_fp16_has(checkpoint):
    made, package = exported(checkpoint, layout="rays")
    assert {spec.dtype for spec in made.contract.inputs} == {"fp32"}
    assert {feature.dtype for feature in package.inputs} == {"fp32"}
    with pytest.raises(DeployError, match="leave out io"):
        exported(checkpoint, layout="camera", io="fp16")


def test_a_package_says_what_people_do_with_it(checkpoint):
    made, package = exported(checkpoint, experience="world", size_cm=22.0)
    assert app_experience(package.metadata) == "world"
    span = object_span(checkpoint)
    room = json.loads(package.metadata["mobile_nelf.room"])
    assert room == {"foot": span.foot, "head": span.head, "size_cm": 22.0}
    assert package.metadata["version"]
    assert b"NelfARView(model: nelf)" in made.files["README.md"]


@pytest.mark.parametrize(("size", "experience"), [(0.0, "world"), (2e3, "world"), (20.0, None)])
def test_sizes_that_cannot_be_are_refused(checkpoint, size, experience):
    with pytest.raises(InputError, match="size_cm"):
        exported(checkpoint, experience=experience, size_cm=size)


def test_the_table_of_gelu_is_off_by_what_was_measured():
    x = torch.linspace(-6, 6, 100_001)
    error = (gelu_by_table(x) - torch.nn.functional.gelu(x)).abs()
    # 0.0059 on an M1; straight lines between 33 values give a little more.
    assert 0.0055 < float(error.max()) < 0.0065
    assert gelu_by_table(torch.tensor([-9.0, 9.0])).tolist() == [0.0, 9.0]


def test_sums_beyond_the_engine_s_range_are_infinite():
    """Other results may reach 65504, sums of products half of that."""
    from coremltools.converters.mil import Builder as mb  # noqa: N813

    def build(x):
        weight = np.ones((16, 24, 1, 1), np.float32)
        return mb.conv(x=x, weight=weight, pad_type="valid", name="output")

    files = package_files(convert_program(build, [(1, 24, 2, 2)], ["output"]))
    package = read_package(files, "Tiny.mlpackage")
    (name,) = (feature.name for feature in package.inputs)
    # Sums of 31200 and of 33600.
    cases = ((1300.0, True, True), (1400.0, True, False), (1400.0, False, True))
    for size, emulated, finite in cases:
        interpreter = Interpreter(package, emulate_fp16=emulated)
        out = interpreter.run({name: torch.full((1, 24, 2, 2), size)})["output"]
        assert bool(out.isfinite().all()) == finite
        # Either way the reader is told.
        assert (interpreter.largest_activation[1] == float("inf")) == (size == 1400.0)
