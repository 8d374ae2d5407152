"""Core ML itself, on a Mac: predictions, times and placement, through coremltools.

Never run by its authors, who have no Mac: it follows coremltools' own documentation, and its flow
is tested against a stand-in for that interface. A Mac with an M1 has the Neural Engine of an iPad
with an M1. Times include the copies that coremltools makes between numpy and Core ML.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import platform
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, get_args

import numpy as np
import numpy.typing as npt

from mobile_nelf.deploy.contract import Contract
from mobile_nelf.devices import Latency, Placement, Sustained
from mobile_nelf.vocabulary import ComputeUnits, Processor, ThermalState

__all__ = [
    "CoremltoolsRuntime",
    "LoadedModel",
    "MacRuntime",
    "Placed",
    "footprint",
    "is_mac",
    "mac_model",
    "prediction_inputs",
    "timed_latency",
    "timed_sustained",
    "unpacked",
]

#: coremltools' name for each choice.
UNITS: dict[ComputeUnits, str] = {
    "cpuOnly": "CPU_ONLY",
    "cpuAndGPU": "CPU_AND_GPU",
    "cpuAndNeuralEngine": "CPU_AND_NE",
    "all": "ALL",
}

#: Classes of coremltools for processors.
DEVICES: dict[str, Processor] = {
    "MLNeuralEngineComputeDevice": "neural_engine",
    "MLGPUComputeDevice": "gpu",
    "MLCPUComputeDevice": "cpu",
}

#: `NSProcessInfoThermalState` in its order.
THERMAL_STATES: tuple[ThermalState, ...] = get_args(ThermalState)

Arrays = dict[str, npt.NDArray[Any]]


def is_mac() -> bool:
    """Returns whether this machine may have Core ML."""
    return platform.system() == "Darwin"


class LoadedModel(Protocol):
    """A model that Core ML has loaded."""

    def predict(self, inputs: Arrays) -> Mapping[str, Any]:
        """Returns the outputs by name: arrays, or pictures of PIL."""


@dataclass(frozen=True)
class Placed:
    """Where Core ML would run a model's operations.

    Attributes:
        total: operations by processor; what stores weights is left out.
        by_operation: the same for each kind of operation.
        cost: share of the estimated cost by processor.
        neural_engine_supported: operations that the Neural Engine could run.
    """

    total: Placement
    by_operation: dict[str, dict[Processor, int]]
    cost: dict[Processor, float] | None
    neural_engine_supported: int


class MacRuntime(Protocol):
    """What a benchmark needs of Core ML and of the Mac."""

    def compile(self, package: Path, compiled: Path) -> None:
        """Compiles a package into a folder `*.mlmodelc` that is not there yet."""

    def load(self, compiled: Path, units: ComputeUnits) -> LoadedModel:
        """Loads a compiled model."""

    def placement(self, compiled: Path, units: ComputeUnits) -> Placed:
        """Asks where its operations run."""

    def thermal(self) -> ThermalState:
        """Returns how hot the Mac is, in the system's words."""


class CoremltoolsRuntime:
    """Core ML through the package coremltools.

    Attributes:
        tools: the module.
    """

    def __init__(self, tools: Any) -> None:
        """Takes the module, since importing it is the caller's matter."""
        self.tools = tools

    def compile(self, package: Path, compiled: Path) -> None:
        """See `MacRuntime.compile`."""
        self.tools.models.utils.compile_model(str(package), str(compiled))

    def load(self, compiled: Path, units: ComputeUnits) -> LoadedModel:
        """See `MacRuntime.load`."""
        model: LoadedModel = self.tools.models.CompiledMLModel(
            str(compiled), compute_units=getattr(self.tools.ComputeUnit, UNITS[units])
        )
        return model

    def placement(self, compiled: Path, units: ComputeUnits) -> Placed:
        """See `MacRuntime.placement`."""
        plan = self.tools.models.compute_plan.MLComputePlan.load_from_path(
            str(compiled), compute_units=getattr(self.tools.ComputeUnit, UNITS[units])
        )
        counts: dict[str, dict[Processor, int]] = {}
        cost: dict[Processor, float] = {}
        supported = 0
        for operation in plan.model_structure.program.functions["main"].block.operations:
            name = str(operation.operator_name)
            if name.rpartition(".")[2].startswith("const"):
                continue
            usage = plan.get_compute_device_usage_for_mlprogram_operation(operation)
            processor = _processor(usage.preferred_compute_device) if usage else "unknown"
            kind = counts.setdefault(name, {})
            kind[processor] = kind.get(processor, 0) + 1
            if usage:
                supported += "neural_engine" in map(_processor, usage.supported_compute_devices)
            estimate = plan.get_estimated_cost_for_mlprogram_operation(operation)
            cost[processor] = cost.get(processor, 0.0) + (estimate.weight if estimate else 0.0)
        whole = sum(cost.values())
        total = {
            processor: sum(kind.get(processor, 0) for kind in counts.values())
            for processor in get_args(Processor)
        }
        shares = {processor: value / whole for processor, value in cost.items()} if whole else None
        return Placed(Placement(**total), counts, shares, supported)

    def thermal(self) -> ThermalState:
        """See `MacRuntime.thermal`."""
        return THERMAL_STATES[min(_process_info("thermalState"), len(THERMAL_STATES) - 1)]


def _processor(device: object) -> Processor:
    return DEVICES.get(type(device).__name__, "unknown")


def _process_info(selector: str) -> int:
    """Returns a whole number that `NSProcessInfo` tells."""
    library = ctypes.cdll.LoadLibrary(ctypes.util.find_library("objc") or "libobjc.dylib")
    ctypes.cdll.LoadLibrary(ctypes.util.find_library("Foundation") or "Foundation")
    library.objc_getClass.restype = library.sel_registerName.restype = ctypes.c_void_p
    send = library.objc_msgSend
    send.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    send.restype = ctypes.c_void_p
    kind = library.objc_getClass(b"NSProcessInfo")
    info = send(kind, library.sel_registerName(b"processInfo"))
    send.restype = ctypes.c_long
    return int(send(info, library.sel_registerName(selector.encode())))


def mac_model() -> tuple[str, str]:
    """Returns Apple's identifier of this Mac, such as `Mac14,2`, and system with version."""
    done = subprocess.run(
        ["/usr/sbin/sysctl", "-n", "hw.model"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip(), f"macOS {platform.mac_ver()[0]}"


def prediction_inputs(contract: Contract, uploads: Mapping[str, npt.NDArray[Any]]) -> Arrays:
    """Returns uploads in the type that the model takes, rounded once."""
    types = {"fp16": np.float16, "fp32": np.float32}
    return {
        spec.name: np.ascontiguousarray(uploads[spec.name], types[spec.dtype])
        for spec in contract.inputs
    }


def timed_latency(
    predict: Callable[[int], object], frames: int, clock: Callable[[], float] = time.perf_counter
) -> Latency:
    """Returns the times of some predictions, each given its number."""
    times = []
    for number in range(frames):
        start = clock()
        predict(number)
        times.append(1000.0 * (clock() - start))
    p50, p90, p99 = (float(np.percentile(times, percent)) for percent in (50, 90, 99))
    return Latency(frames, float(np.mean(times)), p50, p90, p99, min(times), max(times))


def timed_sustained(
    predict: Callable[[int], object],
    seconds: float,
    thermal: Callable[[], ThermalState],
    clock: Callable[[], float] = time.perf_counter,
) -> Sustained:
    """Predicts without a pause for some seconds, and looks at the heat in each of them."""
    times: list[float] = []
    by_second: list[int] = []
    heat: list[ThermalState] = []
    begin = last = clock()
    current = 0
    while last - begin < seconds:
        predict(len(times))
        now = clock()
        times.append(1000.0 * (now - last))
        last = now
        while len(by_second) < int(now - begin):
            by_second.append(current)
            heat.append(thermal())
            current = 0
        current += 1
    p50, p90, p99 = (float(np.percentile(times, percent)) for percent in (50, 90, 99))
    elapsed = last - begin
    return Sustained(
        elapsed, len(times), p50, p90, p99, len(times) / elapsed, tuple(by_second), tuple(heat)
    )


def footprint() -> int:
    """Returns the most memory that this process has had, bytes; macOS tells it in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def unpacked(files: Mapping[str, bytes]) -> tempfile.TemporaryDirectory[str]:
    """Writes files into a folder of their own; it goes with the object that is returned."""
    folder = tempfile.TemporaryDirectory(prefix="mnelf-")
    for path, content in files.items():
        target = Path(folder.name, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder
