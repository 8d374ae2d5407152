"""The words that stand for a choice, each list in one place.

Imports nothing of the package and nothing heavy, so that the command line makes its choices from
these types without loading torch.
"""

from __future__ import annotations

from typing import Literal

__all__ = [
    "CHECK_TARGET",
    "GELU_SNAP",
    "SPEED_TARGET",
    "Activation",
    "ActivationForm",
    "Architecture",
    "BorderType",
    "CheckpointKind",
    "CompressionMethod",
    "ComputeUnits",
    "DeviceName",
    "Experience",
    "Extent",
    "FindingLevel",
    "FpsSource",
    "InputEncoder",
    "LayoutName",
    "LossName",
    "OptimizerName",
    "OutputForm",
    "PageWeights",
    "Precision",
    "PresetName",
    "Processor",
    "RoundingBits",
    "RowKind",
    "SurfaceKind",
    "TeacherBackend",
    "ThermalState",
    "TrainedPart",
    "WeightForm",
]

#: What a scene shows: an object on a background, surroundings, or one side of something.
Extent = Literal["bounded", "unbounded", "forward"]

#: A student network: 1×1 convs with super-resolution, or fully connected layers on rays.
Architecture = Literal["mobiler2l", "r2l"]

#: The non-linearity that a student was trained with; GELU is the erf form.
Activation = Literal["gelu", "relu"]

#: What is made of the surface of a teacher for other programs.
SurfaceKind = Literal["mesh", "points", "splat"]

#: What a teacher's field runs on.
TeacherBackend = Literal["torch", "tinycudann"]

#: Where to compute; auto takes a GPU where there is one. PyTorch calls the GPU of a Mac mps.
DeviceName = Literal["auto", "cpu", "cuda", "mps"]

#: Size of a student, with a teacher and runs that fit it.
PresetName = Literal["tiny", "small", "large", "base", "ipad"]

OptimizerName = Literal["muon", "adamw"]
LossName = Literal["mse", "charbonnier"]
Precision = Literal["bf16", "fp32"]

#: What of a student is trained: all of it, or the super-resolution alone.
TrainedPart = Literal["all", "tail"]

#: What the host uploads for each frame (see `deploy.layouts`), the best first.
LayoutName = Literal["factored", "rays", "camera", "embedded"]

#: How an artefact computes the activation.
ActivationForm = Literal["erf", "gelusnap", "tanh", "relu"]

#: The operator that the form `gelusnap` writes: SnapML's own, undocumented, in ONNX's domain.
GELU_SNAP = "GeluSnap"

#: How an artefact stores its weights.
WeightForm = Literal[
    "fp16",
    "int8",
    "palette6",
    "palette4",
    "palette-mixed",
    "sparse",
    "sparse50",
    "int8-activations",
]

#: How a student is made smaller: narrower layers, or the smallest weights set to zero.
CompressionMethod = Literal["narrow", "magnitude"]

#: Bits of the table of each layer, after compression; mixed chooses them by what each layer loses.
RoundingBits = Literal["none", "mixed", "8", "6", "4"]

#: Type of the numbers that go into an artefact and come out of it.
BorderType = Literal["fp16", "fp32"]

#: How a page stores its weights.
PageWeights = Literal["fp16", "fp32"]

#: What an artefact returns: numbers, or a picture of the platform.
OutputForm = Literal["tensor", "image"]

#: What people do with a lens: turn the object under the finger, or walk round it in the room.
Experience = Literal["orbit", "world"]

#: Processors that a device was told to use, as Core ML names them, or the engine of a page.
ComputeUnits = Literal[
    "cpuOnly", "cpuAndGPU", "cpuAndNeuralEngine", "all",
    "webgpuF16", "webgpu", "webgl2", "webgl2Half",
]  # fmt: skip

#: What computed the inputs of a model on a device: its processor, or a kernel of Metal.
InputEncoder = Literal["cpu", "metal"]

#: Where a device said that an operation runs.
Processor = Literal["neural_engine", "gpu", "cpu", "unknown"]

#: How frames a second came about: counted under the display link, or one after the other.
FpsSource = Literal["display link", "1000 / p50"]

ThermalState = Literal["nominal", "fair", "serious", "critical"]

#: What a file says that it is: a student or a teacher of this project, or a student of the research
#: code.
CheckpointKind = Literal["student", "teacher", "official"]
#: What `mnelf check` checks for unless it is told.
CHECK_TARGET = "lens"

#: The target whose model is timed here where a speed is asked for.
SPEED_TARGET = "onnx"

#: How bad is what a check of a capture found; an error fails it.
FindingLevel = Literal["error", "warning", "note"]

#: What a row of a comparison stands for.
RowKind = Literal["checkpoint", "bundle", "splat", "paper"]
