"""Stands in for coremltools on a Mac: as much of its interface as a benchmark needs, as documented.

It computes with our interpreter, so it proves the flow around Core ML and nothing about Core ML.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from mobile_nelf_exporters.coreml.interpreter.interpreter import Interpreter
from mobile_nelf_exporters.coreml.package.package import read_package

__all__ = ["NO_GPU", "CompiledMLModel", "WithoutGPU", "WrongGPU", "tools"]

#: What a choice of processors that cannot be had says.
NO_GPU = "no GPU\nto be had"


class MLNeuralEngineComputeDevice:
    pass


class MLCPUComputeDevice:
    pass


def compile_model(model: str, destination_path: str) -> str:
    """`coremltools.models.utils.compile_model`, which moves what Core ML made to its place."""
    assert model.endswith(".mlpackage")
    assert destination_path.endswith(".mlmodelc")
    assert not Path(destination_path).exists()
    shutil.copytree(model, destination_path)
    return destination_path


class CompiledMLModel:
    """`coremltools.models.CompiledMLModel`, for packages of tensors."""

    def __init__(self, path, compute_units):
        self.units = compute_units
        folder = Path(path)
        assert folder.suffix == ".mlmodelc"
        files = {
            f"thing.mlpackage/{file.relative_to(folder).as_posix()}": file.read_bytes()
            for file in folder.rglob("*")
            if file.is_file()
        }
        self.package = read_package(files, "thing.mlpackage")
        self.interpreter = Interpreter(self.package)

    def predict(self, inputs):
        for feature in self.package.inputs:
            found = inputs[feature.name]
            # coremltools puts float32 into the caller's dictionary in place of fp16.
            assert feature.dtype == "fp16" or found.dtype == np.float32
            inputs[feature.name] = found.astype(np.float32)
        tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
        return {name: out.numpy() for name, out in self.interpreter.run(tensors).items()}


class MLComputePlan:
    """`coremltools.models.compute_plan.MLComputePlan`, of a program of three operations."""

    @staticmethod
    def load_from_path(path, compute_units):
        assert Path(path).suffix == ".mlmodelc"
        assert Path(path).is_dir()
        return MLComputePlan()

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


def tools(model=CompiledMLModel):
    """The module coremltools; `model` loads what was compiled."""
    return SimpleNamespace(
        __version__="stand-in",
        ComputeUnit=SimpleNamespace(CPU_ONLY="cpu", CPU_AND_GPU="gpu", CPU_AND_NE="ne", ALL="all"),
        models=SimpleNamespace(
            CompiledMLModel=model,
            utils=SimpleNamespace(compile_model=compile_model),
            compute_plan=SimpleNamespace(MLComputePlan=MLComputePlan),
        ),
    )


class WithoutGPU(CompiledMLModel):
    """As above, where one choice of processors cannot be had."""

    def __init__(self, path, compute_units):
        if compute_units == "gpu":
            raise RuntimeError(NO_GPU)
        super().__init__(path, compute_units)


class WrongGPU(CompiledMLModel):
    """As above, where one processor computes something else."""

    def predict(self, inputs):
        outputs = super().predict(inputs)
        return {name: 1 - out for name, out in outputs.items()} if self.units == "gpu" else outputs
