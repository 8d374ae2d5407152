"""Packages that compute in 8 bits: what is float, what the pairs do, and what they show."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.deploy.eight_bits import INT8, UNPROVED, Ranges, eight_bit_span
from mobile_nelf.errors import BundleError, DeployError, InputError
from mobile_nelf.metrics import psnr_db
from mobile_nelf.rendering import student_frame_function
from mobile_nelf_exporters.coreml.activations import grid
from mobile_nelf_exporters.coreml.checks import program_facts, weight_form
from mobile_nelf_exporters.coreml.exporter import CoremlExporter
from mobile_nelf_exporters.coreml.interpreter.interpreter import Interpreter
from mobile_nelf_exporters.coreml.options import Options
from mobile_nelf_exporters.coreml.package.package import read_package
from mobile_nelf_exporters.coreml.placement import place
from mobile_nelf_exporters.coreml.runtimes import frame_function
from tests.helpers import ROOT
from tests.helpers.coreml.models import NAME, convert_program, edited, find, package_files
from tests.helpers.students import random_checkpoint

OPTIONS = Options(weights=(INT8,))

#: Frames of the example against the trained network; 45 to 47 dB were seen.
CLOSE_DB = 42.0


def checkpoint():
    return random_checkpoint(depth=8, width=32, sr_widths=(16, 8), activation="relu")


@pytest.fixture(scope="module")
def exported():
    return CoremlExporter().export(checkpoint(), "thing", OPTIONS)


@pytest.fixture(scope="module")
def package(exported):
    return read_package(exported.files, "thing.mlpackage")


def computed_in_8_bits(package):
    """For each conv in order whether its weight and what it reads have 8 bits."""
    made = {output.name: op for op in package.program.operations for output in op.outputs}
    found = []
    for operation in package.program.operations:
        if operation.type in ("conv", "conv_transpose"):
            (weight,), (x,) = operation.inputs["weight"], operation.inputs["x"]
            stored = isinstance(weight, str) and made[weight].is_constexpr
            found.append((operation.type, stored, made[x].type == "dequantize"))
    return found


def test_head_and_last_stage_stay_float(package):
    found = computed_in_8_bits(package)
    kinds = [kind for kind, *_ in found]
    last = len(kinds) - 1 - kinds[::-1].index("conv_transpose")
    for index, (_, stored, read) in enumerate(found):
        eight = 0 < index < last
        assert (stored, read) == (eight, eight), index
    # Sums of the streams are float: a stream that each block rounds again loses most.
    made = {output.name: op.type for op in package.program.operations for output in op.outputs}
    sums = [op for op in package.program.operations if op.type == "add"]
    assert len(sums) > student_blocks()
    assert all(
        made.get(name) != "dequantize" for op in sums for name in (*op.inputs["x"], *op.inputs["y"])
    )


def student_blocks():
    student = checkpoint().student
    return student.blocks + student.sr_blocks * len(student.sr_widths)


def worst_db(student, exported, package):
    """Of two poses, exactly and emulated."""
    wanted = student_frame_function(student)
    worst = float("inf")
    for emulated in (False, True):
        frame, _ = frame_function(package, exported.contract, emulate_fp16=emulated)
        for pose in student.orbit.sweep(2):
            camera = student.ray_camera(pose)
            worst = min(worst, psnr_db(frame(camera), wanted(camera)))
    return worst


def test_frames_are_close_to_the_student(exported, package):
    assert worst_db(checkpoint(), exported, package) > CLOSE_DB


@pytest.mark.slow
def test_frames_of_the_example_are_close_and_the_package_is_smaller():
    mic = load_checkpoint(ROOT / "examples" / "mic.pt")
    forms = Options(weights=("fp16", INT8))
    exported = CoremlExporter().export(mic, "mic", forms)
    whole, small = (read_package(exported.files, f"mic{end}.mlpackage") for end in ("", f"-{INT8}"))
    assert worst_db(mic, exported, small) > CLOSE_DB
    assert small.model_bytes < 0.7 * whole.model_bytes


def test_it_says_what_it_is_and_what_nobody_measured(exported, package):
    assert weight_form(package) == INT8
    assert UNPROVED in exported.not_measured
    runtimes = CoremlExporter().runtimes(exported.files, exported.contract)
    assert [runtime.min_psnr_db for runtime in runtimes] == [35.0, 35.0]
    report = place(program_facts(package))
    assert report.count("neural_engine", ("quantize", "dequantize")) > 20
    assert report.count("gpu_or_cpu", ("quantize", "dequantize")) == 0
    assert any("no device of ours has run them" in note for note in report.notes)


def test_the_same_student_gives_the_same_files(exported):
    assert CoremlExporter().export(checkpoint(), "thing", OPTIONS).files == exported.files


def test_claims_are_checked(exported):
    files = {path.replace("thing.ml", "Tiny.ml"): data for path, data in exported.files.items()}

    def claim(model):
        model.description.metadata.userDefined["mobile_nelf.weights"] = "int8"

    with pytest.raises(BundleError, match=r"weights are 'int8', but unpacks them with .*8 bits"):
        weight_form(read_package(edited(files, claim), NAME))


def test_the_last_stage_with_blocks_stays_float_where_colours_are_enlarged():
    student = random_checkpoint(depth=4, width=64, sr_widths=(8, 4), direct_output=True)
    found = CoremlExporter().export(student, "thing", OPTIONS)
    kinds = computed_in_8_bits(read_package(found.files, "thing.mlpackage"))
    assert [eight for kind, eight, _ in kinds if kind == "conv_transpose"] == [True, False, False]


def test_what_cannot_be():
    with pytest.raises(InputError, match="weights int8-activations needs iOS 17"):
        CoremlExporter().export(checkpoint(), "thing", Options(weights=(INT8,), ios=16))
    student = checkpoint().student
    head = ("conv", (8, student.encoder.channels, 1, 1))
    with pytest.raises(DeployError, match="between the head and the last stage"):
        eight_bit_span([head, ("other", ()), ("enlarging", (8, 3, 4, 4))], student)


@pytest.mark.parametrize(("low", "high"), [(-1.7, 3.2), (0.0, 9.0), (-4.0, 0.0), (0.0, 0.0)])
def test_a_grid_holds_zero_and_both_ends(low, high):
    found = grid(low, high)
    scale, zero = float(found.scale), int(found.zero_point)
    values = scale * (np.arange(256) - zero)
    assert 0.0 in values
    assert values[0] <= low + scale
    assert values[-1] >= high - scale
    assert scale <= max((high - low) / 255 * 1.002, 2.0**-13)


def test_a_few_far_numbers_do_not_widen_a_range():
    ranges = Ranges()
    values = np.linspace(-1.0, 2.0, 100_001, dtype=np.float32)
    for far in (50.0, 90.0):
        ranges.see("x", np.append(values, np.float32(far)))
    ranges.see("few", np.array([[3.0, -2.0]], np.float32))
    ranges.see("few", np.array([[5.0, -4.0]], np.float32))
    found = ranges.found()
    assert found["x"] == pytest.approx((-1.0, 2.0), abs=1e-3)
    assert found["few"] == (-3.0, 4.0)


SCALE = np.float16(0.037)
X = np.random.default_rng(2).normal(0.0, 4.0, (1, 2, 3, 5)).astype(np.float32)


def _pairs(a):
    from coremltools.converters.mil import Builder as mb  # noqa: N813

    pairs = []
    for name, kind, zero in (("u", "uint8", np.uint8(97)), ("s", "int8", None)):
        more = {} if zero is None else {"zero_point": zero}
        small = mb.quantize(input=a, scale=np.float32(SCALE), output_dtype=kind, **more)
        pairs.append(mb.dequantize(input=small, scale=np.float32(SCALE), name=name, **more))
    # A package has a file of weights.
    weight = np.ones((16, 2, 1, 1), np.float32)
    return *pairs, mb.conv(x=a, weight=weight, pad_type="valid", name="w")


@pytest.fixture(scope="module")
def pairs():
    return package_files(convert_program(_pairs, [X.shape], ["u", "s", "w"], ios=17, fp16=True))


def test_quantize_and_dequantize_by_their_definition(pairs):
    package = read_package(pairs, NAME)
    found = Interpreter(package).run({package.inputs[0].name: torch.from_numpy(X)})
    x = X.astype(np.float16).astype(np.float64) if package.inputs[0].dtype == "fp16" else X
    rounded = np.rint(np.asarray(x, np.float32) / np.float32(SCALE)).astype(np.float64)
    for name, zero, low, high in (("u", 97, 0, 255), ("s", 0, -128, 127)):
        whole = np.clip(rounded + zero, low, high)
        assert (whole == low).any() or (whole == high).any()  # some are cut off
        wanted = float(SCALE) * (whole - zero)
        np.testing.assert_allclose(found[name].numpy(), wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda operation: operation.inputs.pop("scale"), "0 operands scale"),
        (lambda operation: operation.inputs.pop("output_dtype"), "0 operands output_dtype"),
    ],
)
def test_a_pair_without_its_scale_is_refused(pairs, edit, message):
    files = edited(pairs, lambda model: edit(find(model, "quantize")))
    with pytest.raises(BundleError, match=message):
        Interpreter(read_package(files, NAME))
