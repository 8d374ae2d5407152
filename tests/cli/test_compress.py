"""`mnelf compress`: the path, a goal, and what it says of both."""

from __future__ import annotations

import json

import pytest

import mobile_nelf as mn
from mobile_nelf.bundles import create_bundle
from mobile_nelf.bundles.manifest import read_manifest
from mobile_nelf.checkpoints import load_checkpoint, save_checkpoint
from mobile_nelf.compression import run as run_module
from mobile_nelf.pruning.layers import folded
from mobile_nelf.pruning.widths import parameters
from tests.helpers.cli import fits, read_json
from tests.helpers.devices import synthetic_result
from tests.helpers.students import random_checkpoint


def test_without_a_goal_it_shows_the_path_and_writes_nothing(mnelf, student):
    before = sorted(student.parent.rglob("*"))
    out = fits(mnelf("compress", student))
    assert out.splitlines()[0].split()[:3] == ["kept", "parameters", "MMAC"]
    assert "100%" in out
    assert "about" in out  # dB from the test figures in the checkpoint
    assert "--keep 0.5" in out
    assert sorted(student.parent.rglob("*")) == before


def test_a_goal_with_a_scene_is_measured(mnelf, student, scene):
    arguments = ("compress", student, "-o", "small.pt", "--keep", "0.6", "--steps", "4")
    report = read_json(mnelf(*arguments, "--scene", scene, "--json"))
    whole, small = folded(load_checkpoint(student)), load_checkpoint("small.pt")
    assert report["path"][0]["parameters"] == parameters(whole.student)
    result = report["result"]
    assert result["parameters"] == parameters(small.student) <= 0.6 * parameters(whole.student)
    assert report["bound"] == "keep"
    assert not result["estimated"]
    assert result["test_db"] == pytest.approx(small.metrics["test_psnr_db"], abs=1e-3)
    assert small.provenance["protocol"] == "mnelf-white-v1"
    again = mnelf(*arguments)
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    out = fits(mnelf(*arguments, "--force"))
    assert "bound by" in out
    assert "--keep" in out
    assert "estimated without photos" in out
    inspected = fits(mnelf("inspect", "small.pt"))
    assert "inside blocks" in inspected


@pytest.mark.slow
def test_interrupted_in_every_stage_it_ends_in_the_same_bytes(
    student, scene, tmp_path, monkeypatch
):
    monkeypatch.setattr(run_module, "ROUND_STEPS", 2)
    choices = {"keep": 0.6, "bits": "mixed", "table_steps": 3, "steps": 4, "scene": scene}
    stages = {}
    mn.compress(
        student,
        tmp_path / "whole.pt",
        on_progress=lambda stage, *counts: stages.setdefault(stage, counts),
        **choices,
    )
    for stage in ("calibrate", "plan", "fine-tune try1-tune", "round weights", "evaluate"):
        assert any(stage in name for name in stages), stages

    class StopError(Exception):
        pass

    output = tmp_path / "resumed.pt"
    for stage in stages:

        def stop(name, done, total, at=stage):
            if name == at:
                raise StopError

        with pytest.raises(StopError):
            mn.compress(student, output, on_progress=stop, **choices)
        assert not output.exists()
    mn.compress(student, output, **choices)
    assert output.read_bytes() == (tmp_path / "whole.pt").read_bytes()


def test_what_a_device_measured_stands_beside_the_result(mnelf, student, tmp_path):
    create_bundle(load_checkpoint(student), target="onnx", output=tmp_path / "thing-onnx")
    data = synthetic_result(read_manifest(tmp_path / "thing-onnx"))
    (tmp_path / "result.json").write_text(json.dumps(data))
    assert mnelf("bench", "import", "result.json").exit_code == 0
    out = fits(mnelf("compress", student, "-o", "small.pt", "--keep", "0.7", "--steps", "2"))
    text = " ".join(out.split())
    for part in ("Synthetic1,1", "thing-onnx", "p50 ms measured", " 10 ", "59.7", "about "):
        assert part in text
    assert "measured: of the student before compression, by the device itself" in text
    assert "inferred from ONNX Runtime here and not measured" in text
    assert "by the device itself" not in fits(mnelf("compress", "small.pt"))


def test_photos_of_another_size_are_refused(mnelf, scene, tmp_path):
    save_checkpoint(random_checkpoint(sr_widths=(8, 8), ray_width=2, ray_height=2), "other.pt")
    done = mnelf("compress", "other.pt", "-o", "small.pt", "--keep", "0.6", "--scene", scene)
    assert done.exit_code == 2
    assert "images are 16×16, the student renders 8×8; give the photos" in done.stderr
    assert not (tmp_path / "small.pt").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--keep", "0.5"), "a goal requires --output"),
        (("-o", "small.pt"), "--output requires a goal, such as --keep 0.5"),
        (("-o", "small.pt", "--max-loss", "much"), "expected dB such as 0.5 or 0.5dB"),
        (("-o", "small.pt", "--speed", "fast"), "expected a factor such as 2 or 2x"),
        (("-o", "small.pt", "--keep", "0.01"), "the nearest is"),
        (("-o", "small.pt", "--max-mb", "1"), "give both or neither (--max-mb, --target)"),
        (("-o", "small.pt", "--at-least", "40dB"), "has 12.50 dB before it is compressed"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(mnelf, student, arguments, message):
    done = mnelf("compress", student, *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.splitlines()[-1].startswith("mnelf: ")
