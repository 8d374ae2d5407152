"""Ways in which a Core ML package is executed: operation by operation, and by a Mac's Core ML."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mobile_nelf.cameras import Camera
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.form import DeployForm
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.deploy.tolerances import (
    COMPRESSED_MIN_PSNR_DB,
    EMULATED_MIN_PSNR_DB,
    required_psnr_db,
)
from mobile_nelf.export.runtime import FrameFunction, Runtime
from mobile_nelf.fence.model import FencedModel, run_seconds
from mobile_nelf.vocabulary import ComputeUnits
from mobile_nelf_exporters.coreml.checks import program_facts, weight_form
from mobile_nelf_exporters.coreml.coreai import coreai_frame_function
from mobile_nelf_exporters.coreml.facts import program_cost
from mobile_nelf_exporters.coreml.interpreter.interpreter import operation_counts
from mobile_nelf_exporters.coreml.interpreter.ops import GELU_KNOTS
from mobile_nelf_exporters.coreml.mac import (
    UNITS,
    CoremltoolsRuntime,
    LoadedModel,
    prediction_inputs,
    unpacked,
)
from mobile_nelf_exporters.coreml.measure import picture_of
from mobile_nelf_exporters.coreml.package.package import Package

__all__ = [
    "demanded_psnr_db",
    "frame_function",
    "mac_runtimes",
    "package_runtimes",
    "second_opinion",
]


def demanded_psnr_db(package: Package, contract: Contract, emulated: bool) -> float:
    """Returns what each frame of a package must reach, exactly or as a device computes it."""
    demanded = min(contract.min_psnr_db, COMPRESSED_MIN_PSNR_DB.get(weight_form(package), np.inf))
    return min(demanded, EMULATED_MIN_PSNR_DB) if emulated else demanded


def package_runtimes(
    package: Package, contract: Contract, *, layout: str = "", table: bool
) -> list[Runtime]:
    """Returns the ways in which the interpreter runs a package, all in one process.

    Args:
        package: what to run.
        contract: of the package.
        layout: its input layout where that is not the bundle's.
        table: also with GELU from a table, where the package has GELU.
    """
    model = _fenced(package)
    runtimes = [
        _program_runtime(package, contract, model, layout, emulated) for emulated in (False, True)
    ]
    if table and operation_counts(package).get("gelu"):
        runtimes.append(_table_runtime(package, contract, model))
    return runtimes


def _program_runtime(
    package: Package, contract: Contract, model: FencedModel, layout: str, emulated: bool
) -> Runtime:
    """The package as its operations say, exact or with every result rounded to fp16."""
    form = weight_form(package)
    kind = "fp16 after every operation" if emulated else "exact"
    frame, largest_activation = _frames(model, contract, emulate_fp16=emulated)
    return Runtime(
        name=f"Core ML program{'' if form == 'fp16' else f' {form}'}"
        f"{layout and f' in layout {layout}'}, {kind}",
        artefact=package.name,
        assumes=(
            "emulates a device that stores every result in fp16 and adds up in float32"
            if emulated
            else ""
        ),
        frame=frame,
        min_psnr_db=demanded_psnr_db(package, contract, emulated),
        emulates=emulated,
        largest_activation=largest_activation,
    )


def _table_runtime(package: Package, contract: Contract, model: FencedModel) -> Runtime:
    """The package as the Neural Engine may compute GELU; reported and not judged."""
    frame, _ = _frames(model, contract, emulate_fp16=True, gelu_table=True)
    return Runtime(
        name=f"Core ML program, GELU from a table of {GELU_KNOTS} values",
        artefact=package.name,
        assumes="emulates the Neural Engine's table by straight lines between values from -4 to 4; "
        "its own error there is 0.0059, measured by others on an M1",
        frame=frame,
        min_psnr_db=None,
        emulates=True,
    )


def mac_runtimes(
    package: Package, files: dict[str, bytes], contract: Contract, tools: Any
) -> list[Runtime]:
    """Returns Core ML itself with each choice of processors.

    Args:
        package: what to run.
        files: of the bundle; the package lies in a folder that goes with the functions.
        contract: of the package.
        tools: the module coremltools.
    """
    folder = unpacked({path: files[path] for path in files if path.startswith(f"{package.name}/")})
    runtime = CoremltoolsRuntime(tools)
    compiled = Path(folder.name, "compiled.mlmodelc")
    layout = find_layout(contract.layout)

    @cache
    def loaded(units: ComputeUnits) -> LoadedModel:
        if not compiled.exists():
            runtime.compile(Path(folder.name, package.name), compiled)
        return runtime.load(compiled, units)

    def frame(units: ComputeUnits, camera: Camera) -> npt.NDArray[np.float32]:
        inputs = prediction_inputs(contract, layout.host(camera, contract.student.encoder))
        return picture_of(loaded(units).predict(inputs), contract)

    return [
        Runtime(
            name=f"Core ML of this Mac, {package.name} on {units}",
            artefact=package.name,
            assumes="",
            frame=partial(frame, units),
            min_psnr_db=demanded_psnr_db(package, contract, emulated=True),
            emulates=True,
        )
        for units in UNITS
    ]


def second_opinion(form: DeployForm, contract: Contract) -> Runtime:
    """Returns the same graph in Apple's Core AI runtime."""
    return Runtime(
        name="Core AI runtime, fp32",
        artefact="",
        assumes="the same graph in float32, exported for another framework; not in the bundle",
        frame=coreai_frame_function(form, contract),
        # What the layout must reach where weights are not rounded to fp16.
        min_psnr_db=required_psnr_db(
            contract.layout, contract.student.activation, contract.activation
        ),
    )


def frame_function(
    package: Package, contract: Contract, *, emulate_fp16: bool, gelu_table: bool = False
) -> tuple[FrameFunction, Callable[[], tuple[str, float]]]:
    """Returns what renders with a package, and what tells its largest activation so far.

    A picture is returned in [0, 1] and not rounded to 8 bits, which the platform does. The package
    runs in a process of its own with limits; what the interpreter does not know is a `BundleError`
    at the first frame.
    """
    return _frames(_fenced(package), contract, emulate_fp16=emulate_fp16, gelu_table=gelu_table)


def _fenced(package: Package) -> FencedModel:
    return FencedModel(
        package.name,
        "mobile_nelf_exporters.coreml.served:prepare",
        {path: np.frombuffer(data, np.uint8) for path, data in package.files.items()},
        settings={"name": package.name, "threads": torch.get_num_threads()},
        seconds=run_seconds(program_cost(program_facts(package)).macs),
    )


def _frames(
    model: FencedModel, contract: Contract, *, emulate_fp16: bool, gelu_table: bool = False
) -> tuple[FrameFunction, Callable[[], tuple[str, float]]]:
    """See `frame_function`; the process may have been used in another way before."""
    mode = {"emulate_fp16": emulate_fp16, "gelu_table": gelu_table}
    layout = find_layout(contract.layout)
    scale = 255.0 if contract.output_form == "image" else 1.0
    largest = ("", 0.0)

    def frame(camera: Camera) -> npt.NDArray[np.float32]:
        nonlocal largest
        uploads = {
            name: np.ascontiguousarray(array, np.float32)
            for name, array in layout.host(camera, contract.student.encoder).items()
        }
        told, results = model.run(mode, uploads)
        found = (str(told["largest"]), float(told["magnitude"]))
        largest = max(largest, found, key=lambda entry: entry[1])
        image = results[contract.output.name][0].transpose(1, 2, 0)
        return np.ascontiguousarray(image / np.float32(scale))

    return frame, lambda: largest
