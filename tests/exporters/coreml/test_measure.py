"""The benchmark on a Mac, with a stand-in for coremltools that computes with our interpreter."""

from __future__ import annotations

import json
import shutil
from functools import partial

import numpy as np
import pytest

from mobile_nelf.bundles import create_bundle, verify_bundle
from mobile_nelf.bundles.measured import bundle_measurements, import_measurement, measure_bundle
from mobile_nelf.bundles.verify import read_bundle
from mobile_nelf.devices import Device
from mobile_nelf.errors import InputError
from mobile_nelf.export.reference import Reference
from mobile_nelf.plain import to_dict
from mobile_nelf.progress import silent
from mobile_nelf_exporters.coreml import exporter as coreml
from mobile_nelf_exporters.coreml import measure
from mobile_nelf_exporters.coreml.mac import (
    UNITS,
    CoremltoolsRuntime,
    prediction_inputs,
    timed_sustained,
)
from mobile_nelf_exporters.coreml.measure import BenchedPackage, measure_packages
from mobile_nelf_exporters.coreml.package.package import read_package
from tests.helpers.coreml.mac import CompiledMLModel, WithoutGPU, WrongGPU, tools
from tests.helpers.students import random_checkpoint


class Runtime(CoremltoolsRuntime):
    def thermal(self):
        return "fair"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    path = tmp_path_factory.mktemp("mac") / "thing"
    create_bundle(random_checkpoint(sr_widths=(8,)), target="coreml", output=path)
    return path


@pytest.fixture(scope="module")
def measurement(bundle):
    found = read_bundle(bundle)
    assert not found.problems
    manifest, files = found.manifest, found.files
    package = read_package(files, "thing.mlpackage")
    return measure_packages(
        [BenchedPackage(package.name, package.weights_sha256, 50.0, manifest.contract)],
        bundle,
        manifest.contract,
        Reference.from_files(files),
        manifest.name,
        Device("Stand-in1,1", "macOS 0", "0", False),
        Runtime(tools(WithoutGPU)),
        silent,
        sustained_seconds=0.2,
    )


def test_every_choice_of_processors_is_measured(measurement):
    runs = {run.compute_units: run for run in measurement.runs}
    assert len(runs) == 4
    assert runs.pop("cpuAndGPU").error == "no GPU to be had"
    for run in runs.values():
        assert run.picture_is_right
        assert run.self_check.frames == 8
        assert run.latency_ms.count == 300
        assert min(run.compile_ms, run.cold_load_ms, run.warm_load_ms, run.first_frame_ms) > 0
        assert run.sustained[0].seconds >= 0.2
        assert run.placement_by_operation == {
            "ios17.conv": {"neural_engine": 2},
            "ios17.add": {"unknown": 1},
        }
        assert run.placement_cost == pytest.approx({"neural_engine": 2 / 3, "unknown": 1 / 3})
        assert run.neural_engine_supported == 2
        assert run.display_fps is None


def test_the_file_is_that_of_the_app(measurement, bundle, tmp_path):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(to_dict(measurement)))
    copy = shutil.copytree(bundle, tmp_path / "thing")
    assert import_measurement(path, copy).measurement == measurement


def test_seconds_without_a_frame_are_counted():
    times = iter([0.0, 0.5, 0.9, 2.5, 3.2])
    found = timed_sustained(lambda number: None, 3.0, lambda: "nominal", lambda: next(times))
    assert found.frames == 4
    assert found.frames_by_second == (2, 0, 1)
    assert found.thermal_by_second == ("nominal",) * 3


def test_inputs_are_rounded_once_to_what_the_model_takes(bundle):
    contract = read_bundle(bundle).manifest.contract
    assert {spec.dtype for spec in contract.inputs} == {"fp16"}
    value = 1 + 2**-11 + 2**-40
    uploads = {spec.name: np.full(spec.shape, value) for spec in contract.inputs}
    for array in prediction_inputs(contract, uploads).values():
        assert array.dtype == np.float16
        assert array.flat[0] == np.float16(1 + 2**-10)


def test_another_machine_says_where_to_measure(bundle):
    with pytest.raises(InputError, match=r"run this on a Mac, or open the folder ios_harness"):
        measure_bundle(bundle)


@pytest.fixture
def a_mac(monkeypatch):
    """This machine passes for a Mac with coremltools; the argument loads its models."""

    def become(model):
        monkeypatch.setattr(coreml, "is_mac", lambda: True)
        monkeypatch.setattr(coreml, "mac_model", lambda: ("Stand-in1,1", "macOS 0"))
        monkeypatch.setattr(coreml, "import_extra", lambda name, extra: tools(model))
        monkeypatch.setattr(CoremltoolsRuntime, "thermal", lambda self: "nominal")

    return become


def test_a_mac_measures_a_bundle_and_keeps_the_figures_in_it(a_mac, bundle, tmp_path, monkeypatch):
    a_mac(WithoutGPU)
    shorter = partial(measure_packages, sustained_seconds=0.05)
    monkeypatch.setattr(coreml, "measure_packages", shorter)
    monkeypatch.setattr(measure, "LATENCY_FRAMES", 5)
    monkeypatch.setattr(measure, "WARM_UP_FRAMES", 1)
    copy = shutil.copytree(bundle, tmp_path / "thing")
    found = measure_bundle(copy).measurement
    assert found.device.app_version.endswith("(coremltools stand-in)")
    assert [run.compute_units for run in found.runs] == list(UNITS)
    assert sum(run.picture_is_right for run in found.runs) == len(UNITS) - 1
    assert found in bundle_measurements(copy)


def test_verifying_on_a_mac_runs_core_ml_with_every_choice_of_processors(a_mac, bundle):
    a_mac(CompiledMLModel)
    verification = verify_bundle(bundle)
    assert verification.passed
    for units in UNITS:
        legs = [leg for leg in verification.legs if f"thing.mlpackage on {units}," in leg.name]
        assert len(legs) == 2


def test_a_processor_that_computes_something_else_is_found(a_mac, bundle):
    a_mac(WrongGPU)
    problems = verify_bundle(bundle).problems
    assert len(problems) == 2
    assert all("Core ML of this Mac, thing.mlpackage on cpuAndGPU" in each for each in problems)
