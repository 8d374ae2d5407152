"""The benchmark on a Mac, with a stand-in for coremltools that computes with our interpreter."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mobile_nelf.bundles import create_bundle
from mobile_nelf.bundles.measured import import_measurement, measure_bundle
from mobile_nelf.bundles.verify import read_bundle
from mobile_nelf.devices import Device
from mobile_nelf.errors import InputError
from mobile_nelf.export.reference import Reference
from mobile_nelf.plain import to_dict
from mobile_nelf.progress import silent
from mobile_nelf_exporters.coreml.interpreter.interpreter import Interpreter
from mobile_nelf_exporters.coreml.mac import CoremltoolsRuntime, prediction_inputs, timed_sustained
from mobile_nelf_exporters.coreml.measure import BenchedPackage, measure_packages
from mobile_nelf_exporters.coreml.package.package import read_package
from tests.helpers.students import random_checkpoint


class MLNeuralEngineComputeDevice:
    pass


class MLCPUComputeDevice:
    pass


class Model:
    """What `coremltools.models.MLModel` does on a Mac, for packages of tensors."""

    def __init__(self, path, compute_units):
        if compute_units == "gpu":
            raise RuntimeError("no GPU\nto be had")
        folder = Path(path)
        files = {
            f"{folder.name}/{file.relative_to(folder).as_posix()}": file.read_bytes()
            for file in folder.rglob("*")
            if file.is_file()
        }
        self.package = read_package(files, folder.name)
        self.interpreter = Interpreter(self.package)

    def predict(self, inputs):
        for feature in self.package.inputs:
            expected = np.float16 if feature.dtype == "fp16" else np.float32
            assert inputs[feature.name].dtype == expected
        tensors = {name: torch.from_numpy(array).float() for name, array in inputs.items()}
        return {name: out.numpy() for name, out in self.interpreter.run(tensors).items()}

    def get_compiled_model_path(self):
        return "compiled"


class Plan:
    @staticmethod
    def load_from_path(path, compute_units):
        assert path == "compiled"
        return Plan()

    def __init__(self):
        names = ["const", "ios17.conv", "ios17.conv", "ios17.add"]
        operations = [SimpleNamespace(operator_name=name) for name in names]
        block = SimpleNamespace(operations=operations)
        program = SimpleNamespace(functions={"main": SimpleNamespace(block=block)})
        self.model_structure = SimpleNamespace(program=program)

    def get_compute_device_usage_for_mlprogram_operation(self, operation):
        if operation.operator_name == "ios17.add":
            return None
        both = [MLNeuralEngineComputeDevice(), MLCPUComputeDevice()]
        return SimpleNamespace(preferred_compute_device=both[0], supported_compute_devices=both)

    def get_estimated_cost_for_mlprogram_operation(self, operation):
        return SimpleNamespace(weight=0.25) if operation.operator_name != "const" else None


TOOLS = SimpleNamespace(
    ComputeUnit=SimpleNamespace(CPU_ONLY="cpu", CPU_AND_GPU="gpu", CPU_AND_NE="ne", ALL="all"),
    models=SimpleNamespace(MLModel=Model, compute_plan=SimpleNamespace(MLComputePlan=Plan)),
)


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
        Runtime(TOOLS),
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
    assert import_measurement(path, bundle).measurement == measurement


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
