"""ONNX files that compute in 8 bits: what is float, that they repeat, and what they show."""

from __future__ import annotations

import onnx
import pytest

from mobile_nelf.bundles import create_bundle, verify_bundle
from mobile_nelf.bundles.manifest import read_manifest
from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.deploy.eight_bits import INT8
from mobile_nelf.deploy.tolerances import COMPRESSED_MIN_PSNR_DB
from mobile_nelf.metrics import psnr_db
from mobile_nelf.rendering import student_frame_function
from mobile_nelf_exporters.onnx.exporter import OnnxExporter
from mobile_nelf_exporters.onnx.options import Options
from mobile_nelf_exporters.onnx.runtime import frame_function
from tests.helpers import ROOT
from tests.helpers.students import random_checkpoint

#: From 8 bits to float.
CASTS = ("DequantizeLinear",)


@pytest.fixture(scope="module")
def mic():
    return load_checkpoint(ROOT / "examples" / "mic.pt")


@pytest.fixture(scope="module")
def exported(mic):
    return OnnxExporter().export(mic, "mic", Options(quantize=True, layout="embedded"))


def test_head_and_last_stage_stay_float():
    checkpoint = random_checkpoint(depth=6, sr_widths=(8, 4))
    exported = OnnxExporter().export(checkpoint, "mic", Options(quantize=True, layout="embedded"))
    model = onnx.load_model_from_string(exported.files["model.onnx"])
    onnx.checker.check_model(model, full_check=True)
    made = {output: node for node in model.graph.node for output in node.output}
    convs = [n for n in model.graph.node if n.op_type in ("Conv", "ConvTranspose")]
    assert len(convs) == 16

    def in_8_bits(node):
        return all(made[name].op_type == "DequantizeLinear" for name in node.input[:2])

    kinds = [node.op_type for node in convs]
    last = len(kinds) - 1 - kinds[::-1].index("ConvTranspose")
    for index, node in enumerate(convs):
        if index == 0 or index >= last:
            assert not any(name in made for name in node.input[1:2]), node.name
        else:
            assert in_8_bits(node), node.name
    # A stream is summed in float: what a conv writes was rounded, what was summed is not.
    adds = [node for node in model.graph.node if node.op_type == "Add"]
    read = [
        [made[name] for name in node.input if name in made and made[name].op_type in CASTS]
        for node in adds
    ]
    assert all(
        made[made[back.input[0]].input[0]].op_type in ("Conv", "ConvTranspose")
        for found in read
        for back in found
    )
    # One of each block; the first of a stage adds to what the transposed conv wrote.
    student = checkpoint.student
    counts = [len(found) for found in read if found]
    assert sorted(counts) == [1] * (student.blocks + student.sr_blocks - 1) + [2]


def test_the_last_stage_with_blocks_stays_float_where_colours_are_enlarged():
    checkpoint = random_checkpoint(depth=4, sr_widths=(8, 4), direct_output=True)
    exported = OnnxExporter().export(checkpoint, "mic", Options(quantize=True, layout="embedded"))
    model = onnx.load_model_from_string(exported.files["model.onnx"])
    made = {output: node for node in model.graph.node for output in node.output}
    enlarging = [n for n in model.graph.node if n.op_type == "ConvTranspose"]
    in_8_bits = [n.input[1] in made for n in enlarging]
    assert in_8_bits == [True, False, False]


def test_it_is_smaller_and_close_to_the_student(mic, exported):
    model = onnx.load_model_from_string(exported.files["model.onnx"])
    frame = frame_function(model, exported.contract)
    wanted = student_frame_function(mic)
    for pose in mic.orbit.sweep(3):
        camera = mic.ray_camera(pose)
        # With streams rounded by every block and ranges from the least to the largest: 41 dB.
        assert psnr_db(frame(camera), wanted(camera)) > 45.0
    whole = OnnxExporter().export(mic, "mic", Options(layout="embedded"))
    assert len(exported.files["model.onnx"]) < 0.5 * len(whole.files["model.onnx"])
    (record,) = OnnxExporter().inspect(exported.files).models.values()
    assert record.weights == "int8-activations"


def test_the_same_student_gives_the_same_file_and_the_quantizer_is_quiet(mic, exported, caplog):
    again = OnnxExporter().export(mic, "mic", Options(quantize=True, layout="embedded"))
    assert again.files == exported.files
    assert [record for record in caplog.records if record.name == "root"] == []


def test_a_bundle_proves_itself(tmp_path):
    checkpoint = load_checkpoint(ROOT / "examples" / "mic.pt")
    bundle = create_bundle(
        checkpoint, target="onnx", output=tmp_path / "mic", options={"quantize": True}
    )
    manifest = read_manifest(bundle.path)
    (leg,) = (leg for leg in manifest.parity if leg.artefact)
    assert leg.name == "student → ONNX Runtime, 8 bits"
    assert f">= {COMPRESSED_MIN_PSNR_DB[INT8]:g} dB" in leg.tolerance
    assert any("8 bits" in text for text in manifest.not_measured)
    assert verify_bundle(bundle.path).passed


@pytest.mark.parametrize("layout", ["factored", "rays", "camera", "embedded"])
def test_every_layout_and_a_network_of_one_resolution(layout):
    checkpoint = random_checkpoint(depth=4, sr_widths=(), architecture="r2l", activation="relu")
    exported = OnnxExporter().export(checkpoint, "r2l", Options(quantize=True, layout=layout))
    model = onnx.load_model_from_string(exported.files["model.onnx"])
    frame = frame_function(model, exported.contract)
    camera = checkpoint.ray_camera(checkpoint.orbit.sweep(1)[0])
    assert psnr_db(frame(camera), student_frame_function(checkpoint)(camera)) > 40.0
