"""What devices measured of a student, beside what its compression lets one expect."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import mobile_nelf as mn
from mobile_nelf.bundles import create_bundle
from mobile_nelf.bundles.manifest import read_manifest
from mobile_nelf.bundles.measured import import_measurement
from mobile_nelf.checkpoints import load_checkpoint, save_checkpoint
from mobile_nelf.compression import run as run_module
from mobile_nelf.compression.measured import device_times
from mobile_nelf.compression.report import with_devices
from tests.helpers.devices import one_run, synthetic_result
from tests.helpers.students import random_checkpoint


@pytest.fixture
def student(tmp_path, monkeypatch):
    """A student, with a bundle of it and one of another student beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_module, "SHOWN", (0.7,))
    path = tmp_path / "student.pt"
    save_checkpoint(random_checkpoint(sr_widths=(8,)), path)
    create_bundle(load_checkpoint(path), target="onnx", output=tmp_path / "thing-onnx")
    other = random_checkpoint(seed=1, sr_widths=(8,))
    create_bundle(other, target="onnx", output=tmp_path / "other-onnx", name="other")
    _measured(tmp_path / "other-onnx", [1.0])
    return path


def _measured(bundle, times, *, right=True, **changes):
    """Imports a file of a device that took so many milliseconds with each choice of processors."""
    manifest = read_manifest(bundle)
    check = {"frames": 1, "psnr_db": [60.0], "worst_psnr_db": 60.0, "passed": right}
    runs = [
        one_run(
            manifest,
            compute_units=units,
            self_check=check,
            latency_ms={
                "count": 9,
                **dict.fromkeys(("mean", "p50", "p90", "p99", "min", "max"), ms),
            },
        )
        for units, ms in zip(("all", "cpuOnly"), times, strict=False)
    ]
    file = bundle.parent / "result.json"
    file.write_text(json.dumps(synthetic_result(manifest, *runs, **changes)))
    return import_measurement(file, bundle).path


def test_a_device_s_time_is_told_and_the_rest_inferred(student, tmp_path):
    _measured(tmp_path / "thing-onnx", [20.0, 30.0])
    done = mn.compress(student, "small.pt", keep=0.7, steps=2)
    (found,) = done.report.devices
    assert (found.bundle, found.device, found.compute_units) == (
        "thing-onnx",
        "Synthetic1,1",
        "all",
    )
    assert (found.p50_ms, found.fps, found.fps_source) == (20.0, 59.7, "display link")
    before, after = done.report.path[0], done.report.result
    assert found.expected_ms == pytest.approx(20.0 * after.ms / before.ms)
    assert any("inferred from ONNX Runtime here and not measured" in n for n in done.report.notes)
    told = json.loads((tmp_path / "small.pt.report.json").read_text())
    assert told["devices"][0]["p50_ms"] == 20.0
    # Measured too, the result has a row of its own.
    create_bundle(done.checkpoint, target="onnx", output=tmp_path / "small-onnx")
    _measured(tmp_path / "small-onnx", [12.0])
    rows = mn.compare("thing-onnx", "small-onnx")
    assert [row.figures.p50_ms for row in rows] == [20.0, 12.0]


def test_a_wrong_picture_is_not_a_time(student, tmp_path):
    folders = [tmp_path]
    sha256 = load_checkpoint(student).weights_sha256()
    assert device_times(sha256, folders) == ((), ())
    path = _measured(tmp_path / "thing-onnx", [5.0], right=False)
    assert device_times(sha256, folders) == ((), ())
    _measured(tmp_path / "thing-onnx", [20.0], date="2026-11-24T10:00:00Z")
    (found,), notes = device_times(sha256, [tmp_path, tmp_path])
    assert (found.p50_ms, found.expected_ms, notes) == (20.0, None, ())
    # What was edited does not count, and is said.
    path.write_text(path.read_text().replace('"frames": 1', '"frames": 7'))
    times, notes = device_times(sha256, folders)
    assert times == ()
    assert "the device's figures in a bundle do not count" in notes[0]
    assert path.name in notes[0]


def test_without_times_here_the_work_tells(student, tmp_path):
    _measured(tmp_path / "thing-onnx", [20.0])
    report = mn.compress(student).report
    (found,) = report.devices
    assert (found.p50_ms, found.expected_ms) == (20.0, None)
    small = replace(report.path[1], ms=None)
    (found,) = with_devices(replace(report, result=small), report.devices, ()).devices
    assert found.expected_ms == pytest.approx(20.0 * small.macs / report.path[0].macs)
