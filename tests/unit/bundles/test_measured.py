"""Measurements inside a bundle: what belongs there, and that a verification still holds."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from mobile_nelf.bundles import create_bundle, verify_bundle
from mobile_nelf.bundles.manifest import read_manifest
from mobile_nelf.bundles.measured import (
    MEASUREMENTS_FOLDER,
    bundle_measurements,
    import_measurement,
)
from mobile_nelf.errors import BundleError, InputError, OutputError
from tests.helpers.devices import (
    WEIGHTS,
    edited,
    one_run,
    onnx_bundle,
    packaged_bundle,
    synthetic_result,
)
from tests.helpers.students import random_checkpoint

STORED = "measurements/Synthetic1,1-2026-11-23T100000Z.json"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "thing"
    onnx_bundle(folder)
    return folder


@pytest.fixture(scope="module")
def original_packages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages") / "thing"
    packaged_bundle(folder)
    return folder


@pytest.fixture
def packages(original_packages, tmp_path, monkeypatch):
    """A bundle with two models in the current folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(original_packages, tmp_path / "thing")
    return tmp_path / "thing"


@pytest.fixture
def bundle(original, tmp_path, monkeypatch):
    """A bundle in the current folder, which holds nothing else."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(original, tmp_path / "thing")
    return tmp_path / "thing"


@pytest.fixture
def result(bundle, tmp_path):
    """A device's file for `bundle`."""
    path = tmp_path / "result.json"
    path.write_text(json.dumps(synthetic_result(read_manifest(bundle))))
    return path


@pytest.fixture
def packages_result(packages, tmp_path):
    """A device's file for `packages`."""
    path = tmp_path / "result.json"
    path.write_text(json.dumps(synthetic_result(read_manifest(packages))))
    return path


def _change(path, field, value):
    path.write_text(json.dumps(edited(json.loads(path.read_text()), field, value)))


def test_an_import_leaves_the_manifest_valid_and_the_bundle_proven(bundle, result):
    manifest = (bundle / "manifest.json").read_bytes()
    imported = import_measurement(result, bundle)
    assert imported.path == bundle / STORED
    assert imported.path.read_bytes() == result.read_bytes()
    assert (bundle / "manifest.json").read_bytes() == manifest
    assert bundle_measurements(bundle) == (imported.measurement,)
    verification = verify_bundle(bundle)
    assert verification.passed
    assert verification.legs
    assert verification.unlisted == ()


def test_only_measurements_are_more_than_unlisted_files(bundle, result):
    import_measurement(result, bundle)
    (bundle / "measurements" / "notes.txt").write_text("cold room")
    (bundle / "Cache.json").write_text("{}")
    verification = verify_bundle(bundle)
    assert verification.passed
    assert verification.unlisted == ("Cache.json", "measurements/notes.txt")


DAMAGED = [
    ("runs.0.latency_ms.p50", -1.0, "p50 is -1.0, expected a finite number above 0"),
    ("runs.0.weights_sha256", "0" * 64, "weights_sha256 is 000000000000…, expected that of model"),
    ("bundle.name", "other", "result.bundle is 'other' with weights"),
    ("bundle.weights_sha256", "0" * 64, "result.bundle is 'thing' with weights 000000000000…"),
]


@pytest.mark.parametrize(("field", "value", "words"), DAMAGED, ids=[row[0] for row in DAMAGED])
def test_verify_and_readers_find_an_edited_measurement(bundle, result, field, value, words):
    stored = import_measurement(result, bundle).path
    _change(stored, field, value)
    (problem,) = verify_bundle(bundle).problems
    assert problem.startswith(f"{STORED}: ")
    assert words in problem
    assert problem.endswith("; remove it, or import the device's file again")
    with pytest.raises(BundleError, match=r"measurements/Synthetic1,1-.*remove it"):
        bundle_measurements(bundle)


@pytest.mark.parametrize(("field", "value", "words"), DAMAGED, ids=[row[0] for row in DAMAGED])
def test_what_belongs_elsewhere_is_not_stored(bundle, result, field, value, words):
    _change(result, field, value)
    with pytest.raises(InputError) as caught:
        import_measurement(result, bundle)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{result}: ")
    assert not (bundle / "measurements").exists()


def test_a_bundle_of_another_name_says_what_to_do(bundle, result):
    _change(result, "bundle.name", "other")
    with pytest.raises(InputError, match="; use the bundle that the app came from"):
        import_measurement(result, bundle)


def test_a_model_that_the_bundle_lacks_is_named_with_those_that_it_has(packages, packages_result):
    _change(packages_result, "runs.0.model", "thing-int8.mlpackage")
    with pytest.raises(InputError) as caught:
        import_measurement(packages_result, packages)
    assert (
        "result.runs[0].model is 'thing-int8.mlpackage', expected one of thing.mlpackage, "
        "thing-palette6.mlpackage" in str(caught.value)
    )


def test_the_weights_of_another_form_are_not_those_of_the_model(packages, packages_result):
    weights = read_manifest(packages).files[WEIGHTS.format("thing-palette6.mlpackage")]
    _change(packages_result, "runs.0.weights_sha256", weights.sha256)
    with pytest.raises(InputError, match=r"expected that of thing\.mlpackage, "):
        import_measurement(packages_result, packages)


def test_the_main_model_comes_first(packages):
    models = read_manifest(packages).inspection.measurable
    assert models == ("thing.mlpackage", "thing-palette6.mlpackage")


def test_a_bundle_that_no_device_measures_says_so(bundle, result):
    manifest = read_manifest(bundle)
    models = {
        path: replace(record, weights_file="")
        for path, record in manifest.inspection.models.items()
    }
    inspection = replace(manifest.inspection, models=models)
    (bundle / "manifest.json").write_bytes(replace(manifest, inspection=inspection).to_bytes())
    with pytest.raises(InputError, match="the models that a device measures, of which it has none"):
        import_measurement(result, bundle)


def test_the_only_fitting_bundle_in_the_folder_is_found(bundle, result, original, tmp_path):
    onnx_bundle(tmp_path / "other", seed=1)  # of the same name, with other weights
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{")
    assert import_measurement(result).path.resolve() == bundle / STORED


def test_the_current_folder_may_be_the_bundle(bundle, result, monkeypatch):
    monkeypatch.chdir(bundle)
    assert import_measurement(result).path.resolve() == bundle / STORED


def test_two_fitting_bundles_are_not_guessed_between(bundle, result, original, tmp_path):
    shutil.copytree(original, tmp_path / "again")
    with pytest.raises(InputError, match="belongs to each of again, thing; name one: `mnelf bench"):
        import_measurement(result)


def test_no_fitting_bundle_lists_what_was_found(bundle, result, tmp_path, monkeypatch):
    _change(result, "bundle.name", "mic")
    with pytest.raises(InputError) as caught:
        import_measurement(result)
    assert "was measured with the bundle 'mic', which is not in this folder" in str(caught.value)
    assert "found thing (result.bundle is 'mic' with weights" in str(caught.value)
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    with pytest.raises(InputError, match="found no bundle; name it: `mnelf bench import"):
        import_measurement(result)


def test_a_second_import_needs_force(bundle, result):
    import_measurement(result, bundle)
    _change(result, "runs.0.latency_ms.p50", 11.0)
    with pytest.raises(OutputError, match="exists already, so this measurement was imported"):
        import_measurement(result, bundle)
    assert bundle_measurements(bundle)[0].runs[0].latency_ms.p50 == 10.0
    import_measurement(result, bundle, force=True)
    (measurement,) = bundle_measurements(bundle)
    assert measurement.runs[0].latency_ms.p50 == 11.0


def test_other_times_and_devices_are_kept_beside_each_other(bundle, result):
    import_measurement(result, bundle)
    _change(result, "date", "2026-11-23T12:30:00+02:00")
    import_measurement(result, bundle)
    _change(result, "device.model", "../../Synthetic 2/é")
    import_measurement(result, bundle)
    assert sorted(path.name for path in (bundle / "measurements").iterdir()) == [
        "Synthetic-2-2026-11-23T103000Z.json",
        "Synthetic1,1-2026-11-23T100000Z.json",
        "Synthetic1,1-2026-11-23T103000Z.json",
    ]
    assert len(bundle_measurements(bundle)) == 3


def test_a_place_that_cannot_be_written_leaves_nothing(bundle, result):
    (bundle / "measurements").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        import_measurement(result, bundle)
    assert sorted(path.name for path in bundle.parent.iterdir()) == ["result.json", "thing"]


def test_what_is_no_bundle_is_refused(bundle, result, tmp_path):
    with pytest.raises(InputError, match="no such folder, expected the bundle that was measured"):
        import_measurement(result, tmp_path / "nothing")
    with pytest.raises(
        InputError, match=r"is not a bundle; it contains the bundles .*thing; pass one of them"
    ):
        import_measurement(result, tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match="is not a bundle of mnelf"):
        import_measurement(result, tmp_path / "empty")


def test_a_bundle_without_measurements_has_none(bundle):
    assert bundle_measurements(bundle) == ()


def test_a_run_that_broke_off_belongs_to_a_model_all_the_same(bundle, result):
    manifest = read_manifest(bundle)
    broken = {
        **{key: one_run(manifest)[key] for key in ("model", "weights_sha256", "compute_units")},
        "error": "could not load",
    }
    _change(result, "runs", [broken])
    assert import_measurement(result, bundle).measurement.runs[0].error == "could not load"
    _change(result, "runs", [{**broken, "model": "fish.mlpackage"}])
    with pytest.raises(InputError, match=r"runs\[0\].model is 'fish.mlpackage'"):
        import_measurement(result, bundle, force=True)


def test_a_bundle_with_measurements_is_not_replaced(tmp_path):
    manifest = onnx_bundle(tmp_path / "thing")
    stored = tmp_path / "thing" / MEASUREMENTS_FOLDER / "device.json"
    stored.parent.mkdir()
    stored.write_text("{}")
    with pytest.raises(OutputError, match=r"holds what a device measured, which force would"):
        create_bundle(random_checkpoint(), target="onnx", output=tmp_path / "thing", force=True)
    assert stored.read_text() == "{}"
    assert read_manifest(tmp_path / "thing") == manifest
