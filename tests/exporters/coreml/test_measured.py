"""A real Core ML bundle takes a device's file, still verifies, and is compared by package."""

from __future__ import annotations

import json

import pytest

from mobile_nelf.bundles import create_bundle, verify_bundle
from mobile_nelf.bundles.measured import import_measurement
from mobile_nelf.comparison import compare
from mobile_nelf.devices import read_measurement
from mobile_nelf_exporters.coreml.measured import measured_runs
from mobile_nelf_exporters.coreml.placed import measured_placement
from tests.helpers.devices import one_run, synthetic_result
from tests.helpers.students import random_checkpoint


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """The main package is the compressed one, which its name does not tell."""
    return create_bundle(
        random_checkpoint(ray_width=6, ray_height=5, sr_widths=(8,)),
        target="coreml",
        output=tmp_path_factory.mktemp("bundles") / "thing",
        options={"weights": ("palette6", "fp16")},
    )


@pytest.mark.slow
def test_a_device_file_belongs_to_its_packages(bundle, tmp_path):
    manifest = bundle.manifest
    models = manifest.inspection.measurable
    assert models == ("thing.mlpackage", "thing-fp16.mlpackage")
    answer = {
        f"ios17.{row.cells[0]}": {"neural_engine": int(row.cells[4])}
        for row in manifest.inspection.tables[0].rows
        if row.cells[3] == "Neural Engine"
    }
    main, other = (one_run(manifest, model, placement_by_operation=answer) for model in models)
    result = tmp_path / "result.json"
    result.write_text(json.dumps(synthetic_result(manifest, main, other)))
    imported = import_measurement(result, bundle.path)
    verification = verify_bundle(bundle.path)
    assert verification.passed
    assert verification.unlisted == ()
    (table,) = measured_placement(manifest.inspection, imported.measurement)
    assert {"conv", "conv_transpose", "sigmoid"} <= {row.cells[0] for row in table.rows}
    assert table.columns == ("operation", "by the rules", "device, all")


def test_each_run_says_what_it_took(bundle, tmp_path):
    manifest = bundle.manifest
    hot = {
        "frames_by_second": [90, 91, 40],
        "thermal_by_second": ["nominal", "nominal", "serious"],
    }
    sustained = [{**one_run(manifest)["sustained"][0], **hot}]
    path = tmp_path / "result.json"
    runs = (
        one_run(manifest, sustained=sustained),
        one_run(manifest, encoder="metal", inputs_ms=None, sustained=[], placement_cost=None),
        one_run(manifest, compute_units="cpuOnly", error="made up", sustained=[]),
        one_run(
            manifest,
            compute_units="cpuAndGPU",
            battery={"start": 0.5, "end": 0.51, "charging": True},
            placement=None,
        ),
    )
    path.write_text(json.dumps(synthetic_result(manifest, *runs)))
    (table,) = measured_runs(read_measurement(path))
    first, second, third = (row.cells[1:] for row in table.rows)
    assert first == (
        "all",
        "0.7",
        "90 to 40",
        "nominal to fair (serious after 3 s)",
        "80 to 79 %",
        "98 %, 74 of 76 could",
    )
    assert second[:3] == ("all, inputs by Metal", "-", "-")
    assert second[5] == "74 of 76 could"
    assert third[4:] == ("50 to 51 %, charging", "-")
    assert "measure again unplugged" in table.notes[-1]


def test_rows_are_those_of_the_packages(bundle):
    main, other = compare(bundle.path)
    assert [(row.model, row.weights) for row in (main, other)] == [
        ("thing.mlpackage", "palette6"),
        ("thing-fp16.mlpackage", "fp16"),
    ]
    for row in (main, other):
        legs = [leg for leg in bundle.manifest.parity if leg.artefact == row.model]
        assert row.parity_db == min(leg.psnr_db for leg in legs)
        folder = bundle.path / row.model
        assert row.size_bytes == sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    assert main.size_bytes < other.size_bytes
    assert main.parity_db < other.parity_db
