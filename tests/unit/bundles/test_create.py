"""Writing bundles: what is inside, that it repeats, and that nothing half-done stays behind."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mobile_nelf.bundles import create_bundle, verify_bundle
from mobile_nelf.errors import DeployError, InputError, OutputError, ParityError
from mobile_nelf.export.exporter import exporter_targets
from mobile_nelf.export.parity import proves_artefact
from mobile_nelf.export.reference import Reference
from mobile_nelf_exporters.onnx import lowering as onnx_lowering
from tests.helpers.students import random_checkpoint


@pytest.fixture(scope="module")
def checkpoint():
    return random_checkpoint(sr_widths=(8, 8))


def _content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("target", ["lens", "onnx"])
def test_a_bundle_proves_itself(checkpoint, tmp_path, target):
    bundle = create_bundle(checkpoint, target=target, output=tmp_path / "thing")
    manifest = bundle.manifest
    assert manifest.contract.weights_sha256 == checkpoint.weights_sha256()
    assert {leg.name for leg in manifest.parity} >= {
        "student → deploy form",
        "student → ONNX Runtime",
    }
    assert set(manifest.files) | {"manifest.json"} == set(_content(bundle.path))
    assert manifest.not_measured
    verification = verify_bundle(bundle.path)
    assert verification.passed, verification.problems
    # Float pixels and whole frames of each runtime that has something to reach.
    proving = [leg for leg in manifest.parity if proves_artefact(leg)]
    assert len(verification.legs) == 2 * len(proving)
    assert verification.not_repeated == ()
    assert all(leg.frames == 8 for leg in verification.legs)


@pytest.mark.parametrize("target", ["lens", "onnx"])
def test_two_runs_write_the_same_bytes(checkpoint, tmp_path, target):
    first = create_bundle(checkpoint, target=target, output=tmp_path / "one", name="thing")
    second = create_bundle(checkpoint, target=target, output=tmp_path / "two", name="thing")
    assert _content(first.path) == _content(second.path)


@pytest.mark.parametrize(
    ("target", "layout"),
    [
        ("lens", "factored"),
        *(
            pytest.param("lens", layout, marks=pytest.mark.slow)
            for layout in ("rays", "camera", "embedded")
        ),
        *(("onnx", layout) for layout in ("factored", "rays", "camera", "embedded")),
    ],
)
def test_every_layout_is_close_to_the_student(checkpoint, tmp_path, target, layout):
    bundle = create_bundle(
        checkpoint, target=target, output=tmp_path / "b", options={"layout": layout}
    )
    assert bundle.manifest.contract.layout == layout
    assert bundle.manifest.layout_reason == "asked for"
    demanded = 100.0 if layout == "embedded" else 60.0
    assert bundle.manifest.contract.min_psnr_db == demanded
    leg = next(leg for leg in bundle.manifest.parity if leg.name == "student → ONNX Runtime")
    assert leg.psnr_db >= demanded
    assert leg.passed


@pytest.mark.slow
def test_rgba_and_x12_and_r2l_bundle_too(tmp_path):
    for index, shape in enumerate(
        (
            {"sr_widths": (8, 8), "out_channels": 4},
            {"sr_widths": (8, 8), "last_scale": 3, "activation": "relu"},
            {"architecture": "r2l", "sr_widths": (), "activation": "relu"},
        )
    ):
        bundle = create_bundle(
            random_checkpoint(**shape), target="lens", output=tmp_path / f"b{index}"
        )
        assert verify_bundle(bundle.path).passed


def test_the_lens_layout_is_chosen_by_the_operator_table(checkpoint, tmp_path):
    bundle = create_bundle(checkpoint, target="lens", output=tmp_path / "b")
    assert bundle.manifest.contract.layout == "factored"
    assert "4 of 4 back-ends" in bundle.manifest.layout_reason
    assert "rays does not run on iPhone NPU" in bundle.manifest.layout_reason


def test_a_mapped_activation_is_measured_and_never_silent(checkpoint, tmp_path):
    bundle = create_bundle(
        checkpoint, target="onnx", output=tmp_path / "b", options={"activation": "tanh"}
    )
    leg = next(leg for leg in bundle.manifest.parity if leg.name == "gelu → tanh")
    assert 60.0 < leg.psnr_db < 900.0
    assert leg.note == "the activation was mapped to another function"


def test_an_artefact_that_differs_is_not_written(checkpoint, tmp_path, monkeypatch):
    """A lowering bug is the failure that parity exists for; here Add computes Sub."""
    monkeypatch.setitem(
        onnx_lowering._LOWERINGS, "aten.add.Tensor", onnx_lowering._elementwise("Sub")
    )
    with pytest.raises(ParityError, match=r"student → ONNX Runtime: .* demanded >= 60 dB"):
        create_bundle(checkpoint, target="onnx", output=tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_existing_output_is_kept_without_force(checkpoint, tmp_path):
    output = tmp_path / "b"
    create_bundle(checkpoint, target="onnx", output=output)
    before = _content(output)
    with pytest.raises(OutputError, match="exists already; choose another output or set force"):
        create_bundle(checkpoint, target="onnx", output=output, options={"layout": "rays"})
    assert _content(output) == before
    create_bundle(checkpoint, target="onnx", output=output, options={"layout": "rays"}, force=True)
    assert json.loads((output / "manifest.json").read_text())["contract"]["layout"] == "rays"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_force_never_replaces_what_is_no_bundle(checkpoint, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(OutputError, match="is not a bundle, so force does not replace it"):
        create_bundle(checkpoint, target="onnx", output=tmp_path / "photos", force=True)
    assert (tmp_path / "photos" / "cat.jpg").read_bytes() == b"cat"


def test_an_output_that_cannot_be_written_is_refused_early(checkpoint, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="is not a folder that can be written"):
        create_bundle(checkpoint, target="onnx", output=tmp_path / "file" / "b")


def test_unknown_names_are_refused(checkpoint, tmp_path):
    with pytest.raises(InputError, match=r"unknown target 'android', expected one of .*lens"):
        create_bundle(checkpoint, target="android", output=tmp_path / "b")
    with pytest.raises(InputError, match=r"onnx\.layout: expected one of \['factored'.*'tiles'"):
        create_bundle(checkpoint, target="onnx", output=tmp_path / "b", options={"layout": "tiles"})
    with pytest.raises(InputError, match="lens project name 'a b': expected up to 64"):
        create_bundle(checkpoint, target="lens", output=tmp_path / "b", name="a b")
    with pytest.raises(InputError, match="lens name 'My_mic': expected up to 18 letters"):
        create_bundle(
            checkpoint, target="lens", output=tmp_path / "b", options={"lens_name": "My_mic"}
        )
    for name in ("a\nb", "x" * 65):
        with pytest.raises(InputError, match="expected up to 64 characters in one line"):
            create_bundle(checkpoint, target="onnx", output=tmp_path / "b", name=name)
    assert list(tmp_path.iterdir()) == []
    assert {"lens", "onnx"} <= set(exporter_targets())


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("200 k.ckpt-lens", "nelf-200-k-ckpt-lens"),
        pytest.param("ä", "nelf-", marks=pytest.mark.slow),
    ],
)
def test_the_project_name_is_made_from_the_folder(checkpoint, tmp_path, folder, name):
    bundle = create_bundle(checkpoint, target="lens", output=tmp_path / folder)
    assert bundle.manifest.name == name
    assert (bundle.path / "lens_project" / f"{name}.esproj").is_file()


def test_names_are_no_markup(checkpoint, tmp_path):
    name = "_a_ *b* [c](d) <img> `e` f_g-h"
    bundle = create_bundle(checkpoint, target="onnx", output=tmp_path / "b", name=name)
    title = (bundle.path / "README.md").read_text().splitlines()[0]
    assert title.startswith(r"# \_a\_ \*b\* \[c\](d) \<img\> \`e\` f_g-h: a neural")


def test_a_student_too_large_for_the_budget_is_refused(tmp_path):
    large = random_checkpoint(width=1024, depth=8, sr_widths=(8,))
    with pytest.raises(DeployError, match=r"target lens cannot take this student: .*10 MB"):
        create_bundle(large, target="lens", output=tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_reference_files_round_trip(checkpoint):
    reference, frames = Reference.render(checkpoint, 3)
    again = Reference.from_files(reference.to_files())
    assert len(frames) == len(again.cameras) == 3
    for old, new in zip(reference.cameras, again.cameras, strict=True):
        assert (old.cam_to_world == new.cam_to_world).all()
        assert old.intrinsics == new.intrinsics
    assert (reference.pixels == again.pixels).all()


def test_provenance_and_metrics_reach_the_manifest(checkpoint, tmp_path):
    known = replace(checkpoint, metrics={"test_psnr_db": 21.5}, provenance={"scene": "mic"})
    bundle = create_bundle(known, target="onnx", output=tmp_path / "b")
    assert bundle.manifest.metrics == {"test_psnr_db": 21.5}
    assert bundle.manifest.provenance == {"scene": "mic"}


@pytest.mark.parametrize("out_channels", [3, 4])
def test_a_lens_in_the_room_proves_itself(tmp_path, out_channels):
    """What was cut out is put over its background."""
    student = random_checkpoint(
        sr_widths=(8,), ray_width=12, ray_height=10, out_channels=out_channels, activation="relu"
    )
    options = {"experience": "world", "layout": "rays"}
    bundle = create_bundle(student, target="lens", output=tmp_path / "room", options=options)
    assert bundle.manifest.contract.output.shape[1] == 4
    verification = verify_bundle(bundle.path)
    assert verification.passed, verification.problems
    files = {path.name: path.read_bytes() for path in (bundle.path / "reference").glob("*.*")}
    reference = Reference.from_files({f"reference/{name}": files[name] for name in files})
    assert reference.frames[0].shape[2] == out_channels


def test_what_a_smaller_picture_loses_is_measured_over_the_background(tmp_path):
    """Colours are enlarged as they are, whatever their alpha."""
    student = random_checkpoint(sr_widths=(8,), out_channels=4, activation="relu")
    bundle = create_bundle(student, target="lens", output=tmp_path / "thing")
    (leg,) = (leg for leg in bundle.manifest.parity if leg.name.startswith("picture →"))
    full, small = (
        Reference.from_files(
            {
                f"{folder}/{path.name}": path.read_bytes()
                for path in (bundle.path / folder).iterdir()
                if path.is_file()
            },
            folder,
        )
        for folder in ("reference", "reference/small")
    )
    worst = math.inf
    for one, other in zip(full.frames, small.frames, strict=True):
        planes = torch.tensor(other, dtype=torch.float64).permute(2, 0, 1)[None]
        enlarged = torch.nn.functional.interpolate(planes, one.shape[:2], mode="bilinear")
        wanted = torch.tensor(one, dtype=torch.float64).permute(2, 0, 1)[None]
        error = ((enlarged - wanted) / 255.0).square().mean().item()
        worst = min(worst, -10.0 * math.log10(error))
    # Pillow rounds to 8 bits in between.
    assert leg.psnr_db == pytest.approx(worst, abs=0.1)
