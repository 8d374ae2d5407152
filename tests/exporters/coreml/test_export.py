"""Core ML bundles: what is inside, that it repeats and proves itself, and that nothing is noisy."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mobile_nelf.bundles import create_bundle, verify_bundle
from mobile_nelf.bundles.manifest import FileRecord, Manifest, read_manifest
from mobile_nelf.checkpoints import load_checkpoint, save_checkpoint
from mobile_nelf.deploy.contract import CONTRACT_KEY, Contract, make_contract
from mobile_nelf.deploy.form import deploy_form
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.deploy.tolerances import EMULATED_MIN_PSNR_DB, FP16_LIMIT
from mobile_nelf.errors import (
    BundleError,
    DeployError,
    InputError,
    MissingExtraError,
    MnelfError,
    ParityError,
)
from mobile_nelf.export.exporter import find_exporter
from mobile_nelf.metrics import psnr_db
from mobile_nelf.plain import from_dict, to_dict
from mobile_nelf.rendering import student_frame_function
from mobile_nelf_exporters.coreml.checks import check_package
from mobile_nelf_exporters.coreml.convert import convert, package_files, quiet_coremltools
from mobile_nelf_exporters.coreml.exporter import CoremlExporter
from mobile_nelf_exporters.coreml.package.package import read_package
from mobile_nelf_exporters.coreml.runtimes import frame_function
from tests.helpers.students import random_checkpoint

MODEL = "thing.mlpackage/Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "thing.mlpackage/Data/com.apple.CoreML/weights/weight.bin"
FORMS = ("fp16", "palette6")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("told") / "thing.pt"
    save_checkpoint(random_checkpoint(sr_widths=(8,)), path)
    return path


@pytest.fixture(scope="module")
def checkpoint(file):
    return load_checkpoint(file)


@pytest.fixture(scope="module")
def told(file):
    """A bundle made by a process of its own, and what that process wrote to the terminal."""
    code = "import sys; from mobile_nelf.cli import main; main()"
    options = [word for form in FORMS for word in ("--weights", form)]
    options += ["--name", "thing"]
    done = subprocess.run(
        [sys.executable, "-c", code, "bundle", "thing.pt", "--target", "coreml", *options],
        cwd=file.parent,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    return file.parent / "thing-coreml", done


@pytest.fixture
def copy(told, tmp_path):
    shutil.copytree(told[0], tmp_path / "thing")
    return tmp_path / "thing"


def _content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _placement(manifest: Manifest) -> list[tuple[str, ...]]:
    """Operation, form, precision, unit and count of each row of the table."""
    placement, _ = manifest.inspection.tables
    return [row.cells for row in placement.rows]


def _complaint(path: Path) -> str:
    try:
        return "; ".join(verify_bundle(path).problems)
    except BundleError as error:
        return str(error)


def _edit_program(path: Path, change) -> None:
    with quiet_coremltools() as ct:
        model = ct.proto.Model_pb2.Model.FromString((path / MODEL).read_bytes())
    function = model.mlProgram.functions["main"]
    change(model, function.block_specializations[function.opset].operations)
    (path / MODEL).write_bytes(model.SerializeToString(deterministic=True))


def _rewrite_manifest(path: Path, *, inspection: bool) -> None:
    """Makes hashes, and the inspection too if asked, agree with the files."""
    manifest = read_manifest(path)
    data = to_dict(manifest)
    files = {name: (path / name).read_bytes() for name in data["files"]}
    data["files"] = {name: to_dict(FileRecord.of(content)) for name, content in files.items()}
    if inspection:
        data["inspection"] = to_dict(CoremlExporter().inspect(files))
    edited = from_dict(Manifest, data, "manifest")
    (path / "manifest.json").write_bytes(edited.to_bytes())


def test_the_command_says_what_it_made_and_nothing_of_its_tools(told):
    path, done = told
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    # A slow machine may need more than half a minute to run the program as well.
    known = ("export coreml: step", "run Core ML program")
    assert all(line.startswith(known) for line in lines), "more than progress"
    for words in (
        "thing-palette6.mlpackage",
        "runs on (by the rules)",
        "student → Core ML program, exact",
        "student → Core ML program palette6, fp16 after every operation",
        "largest activation",
        "README.md: how it gets onto an iPad",
    ):
        assert words in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    readme = (path / "README.md").read_text()
    assert "`thing.mlpackage` | the Core ML model, weights as fp16" in readme
    assert "\n\n\n" not in readme


def test_another_process_writes_the_same_bytes(told, checkpoint, tmp_path):
    again = create_bundle(
        checkpoint, target="coreml", output=tmp_path / "thing", options={"weights": FORMS}
    )
    assert _content(again.path) == _content(told[0])


def test_a_bundle_proves_itself(told, checkpoint):
    manifest = read_manifest(told[0])
    assert manifest.contract.layout == "factored"
    assert manifest.contract.min_psnr_db == 60.0
    legs = {leg.name.removeprefix("student → "): leg for leg in manifest.parity}
    assert {name: leg.frames for name, leg in legs.items()} == {
        "deploy form": 2,
        "Core ML program, exact": 8,
        "Core ML program, fp16 after every operation": 2,
        "Core ML program, GELU from a table of 33 values": 2,
        "Core ML program palette6, exact": 8,
        "Core ML program palette6, fp16 after every operation": 2,
    }
    assert legs["Core ML program, exact"].tolerance == ">= 60 dB, finite in fp16"
    assert legs["Core ML program, fp16 after every operation"].psnr_db >= EMULATED_MIN_PSNR_DB
    exact = legs["Core ML program, exact"]
    assert 0.0 < exact.largest_activation < FP16_LIMIT
    assert exact.psnr_db > legs["Core ML program palette6, exact"].psnr_db + 10.0
    verification = verify_bundle(told[0])
    assert verification.passed, verification.problems
    # Each package exact and emulated, each as float pixels and at 8 bits; all on every pose.
    assert [leg.frames for leg in verification.legs] == [8] * 8


def test_the_default_layout_leaves_every_conv_on_the_neural_engine(told):
    rows = _placement(read_manifest(told[0]))
    convs = [row for row in rows if row[0] in ("conv", "conv_transpose")]
    assert {row[3] for row in convs} == {"Neural Engine"}
    assert sum(int(row[4]) for row in convs) == 10 + 1
    # Nothing is converted at the borders, and everything else runs there too.
    assert {row[3] for row in rows} == {"Neural Engine"}
    assert "cast" not in {row[0] for row in rows}


def test_a_program_costs_what_the_same_onnx_graph_costs(told, checkpoint):
    exporter = find_exporter("onnx")
    exported = exporter.export(checkpoint, "thing", exporter.options(layout="factored"))
    macs = exporter.inspect(exported.files).cost.macs
    assert read_manifest(told[0]).inspection.cost.macs == macs


def test_the_package_carries_its_contract_and_versions_and_no_date(told):
    files = _content(told[0])
    package = read_package(files, "thing.mlpackage")
    contract = from_dict(Contract, json.loads(package.metadata[CONTRACT_KEY]))
    assert contract == read_manifest(told[0]).contract
    assert set(package.metadata) == {
        "author", "license", "short_description", CONTRACT_KEY, "mobile_nelf.version",
        "mobile_nelf.torch_version", "mobile_nelf.coremltools_version", "mobile_nelf.weights",
        "mobile_nelf.deployed_weights_sha256", "mobile_nelf.experience", "version",
    }  # fmt: skip
    assert package.metadata["mobile_nelf.deployed_weights_sha256"] == package.weights_sha256
    palette = read_package(files, "thing-palette6.mlpackage")
    assert palette.metadata["mobile_nelf.weights"] == "palette6"
    assert palette.model_bytes < package.model_bytes


def test_another_gelu_is_caught_although_the_picture_hardly_changes(copy):
    def approximate(model, operations):
        constants = [op.attributes["val"] for op in operations if op.type == "const"]
        for value in constants:
            texts = value.immediateValue.tensor.strings.values
            if list(texts) == ["EXACT"]:
                texts[:] = ["TANH_APPROXIMATION"]

    _edit_program(copy, approximate)
    assert MODEL in _complaint(copy)
    _rewrite_manifest(copy, inspection=False)
    assert "cost, models or tables differ" in _complaint(copy)
    _rewrite_manifest(copy, inspection=True)
    assert "has 'TANH_APPROXIMATION', expected mode 'EXACT' of gelu" in _complaint(copy)


def test_swapped_operators_are_counted(copy):
    def other(model, operations):
        next(op for op in operations if op.type == "gelu").type = "relu"

    _edit_program(copy, other)
    _rewrite_manifest(copy, inspection=True)
    assert "expected 5 × gelu" in _complaint(copy)


def test_a_changed_weight_is_caught_in_the_picture(copy):
    data = bytearray((copy / WEIGHTS).read_bytes())
    # The exponent of the last number, which belongs to one of the last convs.
    data[-1] ^= 0x30
    (copy / WEIGHTS).write_bytes(data)
    _rewrite_manifest(copy, inspection=False)
    assert "cost, models or tables differ" in _complaint(copy)


def test_another_contract_is_caught(copy):
    data = to_dict(read_manifest(copy))
    data["contract"]["student"]["encoder"]["near"] = 1.0
    (copy / "manifest.json").write_bytes(from_dict(Manifest, data, "manifest").to_bytes())
    assert "carries another contract than the manifest" in _complaint(copy)


def test_a_package_that_claims_to_be_compressed_is_caught(copy):
    """Compressed packages need not be as close, so the claim itself is checked."""

    def claim(model, operations):
        model.description.metadata.userDefined["mobile_nelf.weights"] = "sparse50"

    _edit_program(copy, claim)
    _rewrite_manifest(copy, inspection=False)
    assert "weights are 'sparse50', but unpacks them with nothing" in _complaint(copy)


def test_another_interface_is_caught(copy):
    def narrower(model, operations):
        for feature in model.description.input:
            if feature.name == "cos_rows":
                feature.type.multiArrayType.shape[2] = 5

    _edit_program(copy, narrower)
    _rewrite_manifest(copy, inspection=False)
    assert "cos_rows" in _complaint(copy)


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"layout": "camera", "output_form": "image", "ios": 18}, {}),
        ({"layout": "rays", "activation": "tanh", "ios": 16}, {}),
        ({"layout": "embedded"}, {"activation": "relu", "out_channels": 4}),
        ({}, {"architecture": "r2l", "sr_widths": (), "activation": "relu"}),
    ],
    ids=["camera-image-18", "rays-tanh-16", "embedded-relu-rgba", "r2l"],
)
def test_other_forms_prove_themselves_too(tmp_path, options, shape):
    bundle = create_bundle(
        random_checkpoint(**{"sr_widths": (8,), **shape}),
        target="coreml",
        output=tmp_path / "thing",
        options=options,
    )
    verification = verify_bundle(bundle.path)
    assert verification.passed, verification.problems
    package = read_package(_content(bundle.path), "thing.mlpackage")
    assert package.specification_version == {16: 7, None: 8, 18: 9}[options.get("ios")]
    assert package.outputs[0].kind == options.get("output_form", "tensor")
    rows = _placement(bundle.manifest)
    encoder = [row for row in rows if row[2] == "fp32" and row[0] != "cast"]
    # Rays and cameras are encoded in float32 up to one cast; the network is in fp16 throughout.
    assert bool(encoder) == (options.get("layout") in ("rays", "camera"))
    assert {"sin", "cos"}.isdisjoint(row[0] for row in rows if row[2] == "fp16")


def test_a_camera_layout_all_in_fp16_is_refused_and_is_worse(told, checkpoint):
    """The usual way to make a package, which only benchmarks ask for."""
    contract = make_contract(checkpoint, find_layout("camera"), "erf")
    form = deploy_form(checkpoint, find_layout("camera"), "erf", expand=False)
    model = convert(form, contract, 17, encoder_in_fp32=False)
    files = package_files(model, "thing.mlpackage", contract, "fp16")
    package = read_package(files, "thing.mlpackage")
    with pytest.raises(BundleError, match="has fp16, expected sin sin_cast_fp16 in fp32"):
        check_package(package, contract)
    camera = checkpoint.ray_camera(checkpoint.orbit.sweep(8)[3])
    reference = student_frame_function(checkpoint)(camera)
    naive = frame_function(package, contract, emulate_fp16=True)[0](camera)
    factored = CoremlExporter().runtimes(_content(told[0]), read_manifest(told[0]).contract)[1]
    assert psnr_db(naive, reference) + 10.0 < psnr_db(factored.frame(camera), reference)


def test_activations_beyond_fp16_are_refused_even_if_they_do_no_harm(tmp_path):
    """Scaled up before a ReLU and down after it: the same picture, but not in fp16."""
    student = random_checkpoint(sr_widths=(8,), activation="relu")
    factor = 60_000.0
    weights = dict(student.weights)
    for name in ("body.0.conv_block.1.weight", "body.0.conv_block.1.bias"):
        weights[name] = weights[name] * factor
    weights["body.0.conv_block.3.weight"] = weights["body.0.conv_block.3.weight"] / factor
    # In exact arithmetic the picture is right, so that leg fails for nothing else.
    words = r"program, exact: [6-9]\d.* dB, .*largest activation \d.* finite in fp16; "
    with pytest.raises(ParityError, match=words):
        create_bundle(replace(student, weights=weights), target="coreml", output=tmp_path / "thing")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "shape", "error", "words"),
    [
        ({"ios": 15}, {}, InputError, "iOS 15 is not a target; expected 16, 17, 18"),
        ({"activation": "gelusnap"}, {}, DeployError, "SnapML; Core ML has erf, tanh, relu"),
        ({"output_form": "image"}, {"out_channels": 4}, DeployError, "RGB and alpha"),
        ({"weights": ("int8", "int8")}, {}, InputError, "name each form once"),
        ({"weights": ("int8",)}, {"width": 6, "sr_widths": ()}, DeployError, "no layer has more"),
    ],
)
def test_what_core_ml_does_not_have_is_refused(tmp_path, options, shape, error, words):
    with pytest.raises(error, match=words):
        create_bundle(
            random_checkpoint(**shape),
            target="coreml",
            output=tmp_path / "thing",
            options=options,
        )
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_cannot_name_an_app_is_refused(checkpoint, tmp_path):
    with pytest.raises(InputError, match="'my app'"):
        create_bundle(checkpoint, target="coreml", output=tmp_path / "b", name="my app")


def test_without_coremltools_one_line_names_the_extra(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(MissingExtraError) as caught:
        create_bundle(checkpoint, target="coreml", output=tmp_path / "thing")
    assert str(caught.value) == (
        'coremltools is not installed; it comes with `pip install "mobile-nelf[coreml]"`'
    )
    assert isinstance(caught.value, MnelfError)


def test_a_bundle_is_verified_without_coremltools(told, monkeypatch):
    monkeypatch.setitem(sys.modules, "coremltools", None)
    assert verify_bundle(told[0]).passed


def test_messages_that_are_not_known_to_be_harmless_get_through(caplog):
    logger = logging.getLogger("coremltools")
    caplog.set_level(logging.WARNING, logger="coremltools")
    with quiet_coremltools():
        logger.warning("Failed to load _MLModelProxy: no such thing")
        logger.warning("Saturating a weight")
    assert [record.getMessage() for record in caplog.records] == ["Saturating a weight"]
