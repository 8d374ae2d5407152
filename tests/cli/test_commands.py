"""Bundle, check, verify, inspect and doctor on real files."""

from __future__ import annotations

import importlib
import json
import shutil
from dataclasses import replace
from importlib.metadata import requires

import onnx
import pytest
import torch
from onnx import TensorProto, helper

from mobile_nelf.checkpoints import save_checkpoint
from mobile_nelf.doctor import EXTRAS
from tests.helpers.cli import fits, read_json, said
from tests.helpers.students import random_checkpoint


def test_bundle_says_what_it_proved_and_what_comes_next(mnelf, student, tmp_path):
    result = mnelf("bundle", student, "--target", "lens")
    assert result.exit_code == 0, result.output
    out = fits(result)
    for text in (
        "thing-lens",
        "factored (its encoder runs on 4 of 4 back-ends",
        "gelusnap",
        "student → ONNX Runtime ",
        ">= 60 dB",
        "of 10.00 MB",
        "iPhone NPU",
        "not measured",
        "mnelf verify thing-lens",
        "open thing-lens/lens_project/thing-lens.esproj in Lens Studio",
    ):
        assert text in out
    assert said(result.stderr) == []
    again = mnelf("bundle", student, "--target", "lens", "--force", "--json")
    (report,) = read_json(again)["bundles"]
    assert report["path"] == "thing-lens"
    manifest = report["manifest"]
    assert manifest == json.loads((tmp_path / "thing-lens" / "manifest.json").read_text()) | {
        "digest": manifest["digest"]
    }

    verified = mnelf("verify", "thing-lens")
    assert verified.exit_code == 0
    assert fits(verified).endswith("passed\n")
    (tmp_path / "thing-lens" / "README.md").write_text("edited")
    (tmp_path / "thing-lens" / "Cache.bin").write_text("of Lens Studio")
    failed = mnelf("verify", "thing-lens", "--json")
    assert failed.exit_code == 1
    report = read_json(failed)
    assert report["passed"] is False
    assert report["problems"] == ["README.md: was changed after the bundle was written"]
    assert report["unlisted"] == ["Cache.bin"]
    assert "problem: README.md" in mnelf("verify", "thing-lens").stdout


def _column(report, column):
    """Cells of a column of the only table, by the first cell of their row."""
    (table,) = report["inspection"]["tables"]
    index = table["columns"].index(column)
    return {row["cells"][0]: row["cells"][index] for row in table["rows"]}


def test_check_of_a_checkpoint(mnelf, student):
    result = mnelf("check", student)
    assert result.exit_code == 0, result.output
    out = fits(result)
    assert "conv " in out
    assert out.endswith("passed\n")
    report = read_json(mnelf("check", student, "--layout", "rays", "--json"))
    assert report["passed"] is True
    assert report["contract"]["layout"] == "rays"
    assert _column(report, "iPhone NPU")["sin"] == "no"
    assert _column(report, "iPhone GPU")["sin"] == "yes"
    room = read_json(mnelf("check", student, "--experience", "world", "--layout", "rays", "--json"))
    assert room["contract"]["output"]["name"] == "cut_out"
    # White is 255 in the model of a lens: the import adds no layer for it.
    assert "batchnorm" not in _column(report, "count")
    mnelf("bundle", student, "--target", "lens", "--layout", "rays", "-o", "thing")
    model = "thing/lens_project/Assets/model.onnx"
    assert _column(read_json(mnelf("check", model, "--json")), "count") == _column(report, "count")
    onnx_report = read_json(mnelf("check", student, "--target", "onnx", "--json"))
    assert onnx_report["inspection"]["tables"] == []


def test_check_of_a_student_too_large_for_a_lens(mnelf, tmp_path):
    """The table is what tells how much too large it is, so it is printed all the same."""
    save_checkpoint(random_checkpoint(width=1024, depth=8, sr_widths=(8,)), tmp_path / "large.pt")
    result = mnelf("check", "large.pt")
    assert result.exit_code == 1, result.output
    assert "conv " in result.stdout
    assert "problem: " in result.stdout
    assert result.stdout.endswith("failed\n")
    report = read_json(mnelf("check", "large.pt", "--json"))
    assert report["passed"] is False
    models = report["inspection"]["models"].values()
    assert sum(model["bytes_on_device"] for model in models) > next(iter(models))["budget"]


def _onnx_file(path, op, opset=11, shape=(1, 3, 4, 4)):
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    imports = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=6), path)


def test_check_tells_an_onnx_file_by_its_content(mnelf, tmp_path):
    _onnx_file(tmp_path / "model.bin", "Relu")
    result = mnelf("check", "model.bin")
    assert result.exit_code == 0, result.output
    assert "relu" in fits(result)
    assert (
        read_json(mnelf("check", "model.bin", "--target", "onnx", "--json"))["inspection"][
            "findings"
        ]
        == []
    )


def test_check_counts_the_output_scale_of_images_only(mnelf, tmp_path):
    _onnx_file(tmp_path / "image.onnx", "Relu")
    _onnx_file(tmp_path / "sampler.onnx", "Relu", shape=(1, 24, 4, 4))
    layers = [
        set(_column(read_json(mnelf("check", name, "--json")), "layer"))
        for name in ("image.onnx", "sampler.onnx")
    ]
    assert layers == [{"relu", "batchnorm"}, {"relu"}]


def test_check_fails_on_what_snapml_lacks(mnelf, tmp_path):
    _onnx_file(tmp_path / "erf.onnx", "Erf", opset=13)
    result = mnelf("check", "erf.onnx")
    assert result.exit_code == 1
    assert "problem: Operator Erf has no SnapML layer" in fits(result)
    assert "problem: Opset 13" in result.stdout
    assert result.stdout.endswith("failed\n")
    assert read_json(mnelf("check", "erf.onnx", "--json"))["passed"] is False


def test_a_target_that_takes_no_onnx_says_so(mnelf, tmp_path):
    _onnx_file(tmp_path / "model.onnx", "Relu")
    result = mnelf("check", "model.onnx", "--target", "coreml")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "model.onnx: is an ONNX model, and target coreml does not check those" in result.stderr


def test_check_for_onnx_fails_on_an_invalid_model(mnelf, tmp_path):
    _onnx_file(tmp_path / "typo.onnx", "Rellu")
    result = mnelf("check", "typo.onnx", "--target", "onnx")
    assert result.exit_code == 1
    assert "problem: No Op registered for Rellu" in result.stdout


def test_inspect_of_a_checkpoint(mnelf, student, checkpoint):
    out = fits(mnelf("inspect", student))
    for text in ("D6-SR3", "2×2", "16×16", "test_psnr_db 12.5", "source random weights"):
        assert text in out
    report = read_json(mnelf("inspect", student, "--json"))
    parameters = sum(p.numel() for p in checkpoint.network().parameters())
    assert (report["kind"], report["parameters"]) == ("checkpoint", parameters)
    assert report["weights_sha256"] == checkpoint.weights_sha256()
    assert report["zeros"] == pytest.approx(0.0, abs=0.01)


def test_inspect_counts_pruned_weights(mnelf, checkpoint, tmp_path):
    weights = {name: torch.zeros_like(value) for name, value in checkpoint.weights.items()}
    save_checkpoint(replace(checkpoint, weights=weights), tmp_path / "pruned.pt")
    assert read_json(mnelf("inspect", "pruned.pt", "--json"))["zeros"] == 1.0


def test_inspect_of_a_scene(mnelf, scene):
    out = fits(mnelf("inspect", scene))
    assert "6 to train on, 3 to test with" in out
    assert "missing" not in out
    report = read_json(mnelf("inspect", scene, "--json"))
    assert (report["kind"], report["train"], report["test"]) == ("scene", 6, 3)
    assert report["orbit"]["radius"] == pytest.approx([4.0, 4.0])
    assert report["near"] == pytest.approx(2.0)


def test_inspect_names_missing_frames(mnelf, scene, tmp_path):
    shutil.copytree(scene, tmp_path / "copy")
    (tmp_path / "copy" / "test" / "r_8.png").unlink()
    assert "missing  ./test/r_8" in mnelf("inspect", "copy").stdout


def test_doctor(mnelf):
    out = mnelf("doctor").stdout
    for text in ("PyTorch", "onnxruntime", "tinycudann", "git+https://github.com/NVlabs/"):
        assert text in out
    report = read_json(mnelf("doctor", "--json"))
    states = {package["name"]: package["state"] for package in report["packages"]}
    assert states["onnx"] == states["torchmetrics"] == "ok"
    assert report["torch"] == torch.__version__
    assert report["extras"]["lens"] is True


def test_doctor_tells_broken_from_missing(mnelf, monkeypatch):
    whole = importlib.import_module

    def broken(name, *rest):
        if name == "onnxruntime":
            raise ImportError("libcudart.so.12: cannot open\nshared object file")
        return whole(name, *rest)

    monkeypatch.setattr(importlib, "import_module", broken)
    result = mnelf("doctor")
    assert "onnxruntime cannot be imported: libcudart.so.12: cannot open shared" in result.stdout
    assert 'pip install "mobile-nelf[lens]"' in result.stdout


def test_doctor_knows_every_extra_of_this_distribution():
    declared: dict[str, set[str]] = {}
    for line in requires("mobile-nelf") or ():
        requirement, _, marker = line.partition(";")
        if "extra ==" in marker and not requirement.startswith("mobile-nelf"):
            extra = marker.rpartition("extra ==")[2].strip().strip("'\"")
            name = requirement.split("[")[0].split(">")[0].split("=")[0].strip()
            declared.setdefault(extra, set()).add(name)
    assert declared.keys() - {"dev", "docs", "all"} == {extra.name for extra in EXTRAS}
    for extra in EXTRAS:
        assert declared[extra.name] <= set(extra.packages)
