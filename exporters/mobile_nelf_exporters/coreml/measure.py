"""The benchmark of the iPad app, on a Mac: the same figures in the same file."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.devices import (
    Device,
    MeasuredBundle,
    Measurement,
    Memory,
    Run,
    SelfCheck,
    Thermal,
)
from mobile_nelf.export.reference import Reference, take_pixels
from mobile_nelf.metrics import psnr_db
from mobile_nelf.progress import Progress, counted
from mobile_nelf.vocabulary import ComputeUnits
from mobile_nelf_exporters.coreml.mac import (
    UNITS,
    MacRuntime,
    footprint,
    prediction_inputs,
    timed_latency,
    timed_sustained,
)

Result = TypeVar("Result")

__all__ = ["BenchedPackage", "measure_packages", "picture_of"]

#: As in the app: frames before the figures, and of the figures.
WARM_UP_FRAMES, LATENCY_FRAMES = 60, 300
SUSTAINED_SECONDS = 60.0

#: Stands for identical pictures, since JSON has no infinity.
IDENTICAL_DB = 999.0


@dataclass(frozen=True)
class BenchedPackage:
    """A package of a bundle.

    Attributes:
        name: in the bundle.
        weights_sha256: of the `weight.bin` inside.
        min_psnr_db: what each frame must reach.
        contract: of the package.
    """

    name: str
    weights_sha256: str
    min_psnr_db: float
    contract: Contract


def measure_packages(
    packages: Sequence[BenchedPackage],
    folder: Path,
    contract: Contract,
    reference: Reference,
    bundle: str,
    device: Device,
    runtime: MacRuntime,
    on_progress: Progress,
    sustained_seconds: float = SUSTAINED_SECONDS,
) -> Measurement:
    """Measures every package with every choice of compute units.

    A run that fails says why; the others continue.

    Args:
        packages: what is measured.
        folder: where they lie.
        contract: of the bundle.
        reference: frames of the trained student.
        bundle: its name.
        device: this machine.
        runtime: Core ML.
        on_progress: called with a stage's name, steps done and steps in all.
        sustained_seconds: length of the run without a pause.
    """
    items = [(package, units) for package in packages for units in UNITS]
    cameras = reference.ray_cameras(contract.student.scale)
    runs = []
    for package, units in counted("measure", items, on_progress):
        own = package.contract
        host = find_layout(own.layout).host
        inputs = [prediction_inputs(own, host(camera, own.student.encoder)) for camera in cameras]
        try:
            runs.append(_run(package, folder, units, reference, inputs, runtime, sustained_seconds))
        except Exception as error:  # Core ML's own errors are of no common type.
            text = " ".join(str(error).split()) or type(error).__name__
            runs.append(Run(package.name, package.weights_sha256, units, error=text))
    date = datetime.now(timezone.utc).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    return Measurement(
        1, device, date, MeasuredBundle(bundle, contract.weights_sha256), tuple(runs)
    )


def _run(
    package: BenchedPackage,
    folder: Path,
    units: ComputeUnits,
    reference: Reference,
    inputs: list[dict[str, npt.NDArray[Any]]],
    runtime: MacRuntime,
    sustained_seconds: float,
) -> Run:
    heat = runtime.thermal()
    before = footprint()
    # Anew for each choice, as the app does.
    compiled = folder / f"{Path(package.name).stem}-{units}.mlmodelc"
    compile_ms, _ = _timed(lambda: runtime.compile(folder / package.name, compiled))
    cold_ms, model = _timed(lambda: runtime.load(compiled, units))
    # The first one goes, as when an app is closed and opened again.
    del model
    warm_ms, model = _timed(lambda: runtime.load(compiled, units))
    after_load = footprint()
    first_ms, _ = _timed(lambda: model.predict(inputs[0]))

    def predict(number: int) -> object:
        return model.predict(inputs[number % len(inputs)])

    for number in range(WARM_UP_FRAMES):
        predict(number)
    latency = timed_latency(predict, LATENCY_FRAMES)
    pictures = [picture_of(model.predict(tensors), package.contract) for tensors in inputs]
    decibels = [
        min(psnr_db(take_pixels(picture), pixels), IDENTICAL_DB)
        for picture, pixels in zip(pictures, reference.pixels, strict=True)
    ]
    sustained = timed_sustained(predict, sustained_seconds, runtime.thermal)
    placed = runtime.placement(compiled, units)
    return Run(
        package.name,
        package.weights_sha256,
        units,
        compile_ms=compile_ms,
        cold_load_ms=cold_ms,
        warm_load_ms=warm_ms,
        first_frame_ms=first_ms,
        warm_up_frames=WARM_UP_FRAMES,
        latency_ms=latency,
        sustained=(sustained,),
        memory=Memory(before, after_load, footprint()),
        thermal=Thermal(heat, runtime.thermal()),
        placement=placed.total,
        placement_by_operation=placed.by_operation,
        placement_cost=placed.cost,
        neural_engine_supported=placed.neural_engine_supported,
        self_check=SelfCheck(
            len(decibels), tuple(decibels), min(decibels), min(decibels) >= package.min_psnr_db
        ),
    )


def _timed(body: Callable[[], Result]) -> tuple[float, Result]:
    """Returns how long `body` took, in milliseconds, and what it returned."""
    start = time.perf_counter()
    result = body()
    return 1000.0 * (time.perf_counter() - start), result


def picture_of(outputs: Any, contract: Contract) -> npt.NDArray[np.float32]:
    """Returns [height, width, channels] in [0, 1] of what a prediction returned."""
    found = outputs[contract.output.name]
    if contract.output_form == "image":
        # A picture of PIL, RGB or RGBA.
        return np.asarray(found, np.float32)[..., :3] / np.float32(255.0)
    return np.ascontiguousarray(np.moveaxis(np.asarray(found, np.float32)[0], 0, -1))
