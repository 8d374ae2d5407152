"""The file of a device: what is read, and what is refused with which words."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from mobile_nelf.devices import read_measurement
from mobile_nelf.errors import InputError
from mobile_nelf.plain import to_dict
from tests.helpers import ROOT
from tests.helpers.devices import edited, one_run, packaged_bundle, synthetic_result


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return packaged_bundle(tmp_path_factory.mktemp("bundles") / "thing")


@pytest.fixture
def read(tmp_path):
    """Reads plain data, or text, as the file of a device."""

    def run(data):
        path = tmp_path / "result.json"
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        return read_measurement(path)

    return run


def test_every_field_arrives(manifest, read):
    data = synthetic_result(manifest)
    measurement = read(data)
    assert to_dict(measurement) == data
    assert measurement.when == datetime(2026, 11, 23, 10, tzinfo=timezone.utc)


def test_the_file_that_the_app_writes_in_its_own_tests_is_read():
    """Swift encodes a report into these very bytes; see `test_swift`."""
    vector = ROOT / "ios_harness" / "Tests" / "NelfBenchCoreTests" / "Vectors" / "result.json"
    finished, failed = read_measurement(vector).runs
    assert finished.picture_is_right
    assert finished.fps == (12.5, "display link")
    assert failed.error == "made up"


def test_what_an_encoder_leaves_out_is_not_measured(manifest, read):
    """Swift leaves out what is nil."""
    run = one_run(manifest)
    for name in ("error", "compile_ms", "display_fps", "placement", "placement_by_operation"):
        del run[name]
    (found,) = read(synthetic_result(manifest, run)).runs
    assert found.error is found.compile_ms is found.display_fps is found.placement is None
    assert found.picture_is_right


def test_fps_come_from_the_display_or_from_the_median_and_say_so(manifest, read):
    (run,) = read(synthetic_result(manifest)).runs
    assert run.fps == (59.7, "display link")
    (run,) = read(edited(synthetic_result(manifest), "runs.0.display_fps", None)).runs
    assert run.fps == (100.0, "1000 / p50")


def test_a_run_that_broke_off_is_kept_without_a_speed(manifest, read):
    broken = {
        "model": "thing.mlpackage",
        "weights_sha256": "0" * 64,
        "compute_units": "cpuAndGPU",
        "error": "could not load: out of memory",
        "compile_ms": 900.0,
    }
    (run,) = read(synthetic_result(manifest, broken)).runs
    assert run.error == "could not load: out of memory"
    assert run.compile_ms == 900.0
    assert run.fps is None
    assert not run.picture_is_right
    (run,) = read(edited(synthetic_result(manifest), "runs.0.error", "stopped by a call")).runs
    assert run.fps is None
    assert not run.picture_is_right


def test_equal_times_and_rounded_means_are_times(manifest, read):
    """A mean of equal times may leave their range by its rounding."""
    equal = dict.fromkeys(("p50", "p90", "p99", "min", "max"), 0.1)
    latency = {"count": 3, "mean": (0.1 + 0.1 + 0.1) / 3.0, **equal}
    assert latency["mean"] > latency["max"]
    read(synthetic_result(manifest, one_run(manifest, latency_ms=latency)))


LATENCY = "runs.0.latency_ms"
REFUSED = [
    ("schema", 2, "schema is 2, this mnelf reads 1"),
    ("schema", True, "schema is True, this mnelf reads 1"),
    ("fish", 1, "result: unknown key 'fish'"),
    ("runs.0.fish", 1, "result.runs[0]: unknown key 'fish'"),
    ("device.model", "  ", "result.device: model is empty"),
    ("device.low_power", 0, "result.device.low_power: expected bool, found 0"),
    ("date", "yesterday", "result: date is 'yesterday', expected one such as '2026-"),
    ("date", "2026-11-23T10:00:00", "result: date is '2026-11-23T10:00:00', expected one such"),
    ("date", "0001-01-01T00:00:00+14:00", "result: date is '0001-01-01T00:00:00+14:00', expected"),
    ("runs", [], "result: runs is empty, expected at least one run"),
    ("runs.0.compute_units", "npu", "result.runs[0].compute_units: expected one of ['cpuOnly', "),
    ("runs.0.compile_ms", 0.0, "result.runs[0]: compile_ms is 0.0, expected a finite number above"),
    ("runs.0.warm_up_frames", -1, "result.runs[0]: warm_up_frames is -1, expected 0 or more"),
    ("runs.0.warm_up_frames", 2.5, "result.runs[0].warm_up_frames: expected int, found 2.5"),
    ("runs.0.error", " ", "result.runs[0]: error is empty"),
    ("runs.0.latency_ms", None, "key 'latency_ms' is missing, although the run has no error"),
    ("runs.0.self_check", None, "key 'self_check' is missing, although the run has no error"),
    (f"{LATENCY}.count", 0, "result.runs[0].latency_ms: count is 0, expected a finite number"),
    (f"{LATENCY}.p50", "10", "result.runs[0].latency_ms.p50: expected float, found '10'"),
    (f"{LATENCY}.min", -1.0, "min is -1.0, expected a finite number above 0"),
    (f"{LATENCY}.max", float("nan"), ".latency_ms.max: expected a finite number, found nan"),
    (f"{LATENCY}.max", float("inf"), ".latency_ms.max: expected a finite number, found inf"),
    (f"{LATENCY}.p50", 12.5, "p50 is 12.5 and p90 is 12.0, expected p50 <= p90"),
    (f"{LATENCY}.p90", 14.5, "p90 is 14.5 and p99 is 14.0, expected p90 <= p99"),
    (f"{LATENCY}.p99", 15.5, "p99 is 15.5 and max is 15.0, expected p99 <= max"),
    (f"{LATENCY}.min", 10.2, "min is 10.2 and p50 is 10.0, expected min <= p50"),
    (f"{LATENCY}.mean", 15.5, "mean is 15.5 and max is 15.0, expected mean <= max"),
    ("runs.0.sustained.0.fps", 0.0, "result.runs[0].sustained[0]: fps is 0.0"),
    ("runs.0.sustained.0.p50", 13.0, "p50 is 13.0 and p90 is 12.5, expected p50 <= p90"),
    ("runs.0.memory.peak", 0, "result.runs[0].memory: peak is 0, expected a finite number above 0"),
    ("runs.0.thermal.end", "warm", "result.runs[0].thermal.end: expected one of ['nominal', "),
    ("runs.0.placement.cpu", -3, "result.runs[0].placement: cpu is -3, expected 0 or more"),
    (
        "runs.0.placement_by_operation",
        {"ios17.conv": {"npu": 1}},
        "result.runs[0].placement_by_operation.ios17.conv: key: expected one of ['neural_engine'",
    ),
    (
        "runs.0.placement_by_operation",
        {"ios17.conv": {"cpu": -1}},
        "placement_by_operation.ios17.conv.cpu is -1, expected 0 or more",
    ),
    ("runs.0.self_check.frames", 3, "frames is 3 and psnr_db has 2 values"),
    ("runs.0.self_check.worst_psnr_db", 61.5, "worst_psnr_db is 61.5, expected the smallest"),
    (
        "runs.0.self_check.psnr_db.1",
        float("nan"),
        "psnr_db[1]: expected a finite number, found nan",
    ),
]


@pytest.mark.parametrize(("path", "value", "words"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_no_device_measures_is_refused_by_name(manifest, read, tmp_path, path, value, words):
    with pytest.raises(InputError) as caught:
        read(edited(synthetic_result(manifest), path, value))
    assert str(caught.value).startswith(f"{tmp_path / 'result.json'}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize("path", ["device", "date", "bundle", "runs", "runs.0.model"])
def test_a_missing_key_is_named(manifest, read, path):
    data = synthetic_result(manifest)
    *_, last = path.split(".")
    del (data["runs"][0] if path.startswith("runs.") else data)[last]
    with pytest.raises(InputError, match=f"key '{last}' is missing"):
        read(data)


def test_a_setting_that_was_run_twice_is_refused(manifest, read):
    data = synthetic_result(manifest, one_run(manifest), one_run(manifest))
    with pytest.raises(InputError, match=r"runs\[1\] is thing.mlpackage on all for a second time"):
        read(data)


@pytest.mark.parametrize("text", ["", "{", "\x00\x01", "[" * 100_000, '{"schema"'])
def test_what_is_no_json_is_refused(read, text):
    with pytest.raises(InputError, match=r"is cut off or not JSON|is nested more deeply"):
        read(text)


@pytest.mark.parametrize("text", ["[]", "3", "null", "{}"])
def test_other_json_has_no_schema(read, text):
    with pytest.raises(InputError, match="schema is None, this mnelf reads 1"):
        read(text)


def test_a_folder_or_nothing_instead_of_a_file(tmp_path):
    with pytest.raises(InputError, match="is a directory, expected the JSON file that the app"):
        read_measurement(tmp_path)
    with pytest.raises(InputError, match="no such file, expected the JSON file that the app"):
        read_measurement(tmp_path / "result.json")
