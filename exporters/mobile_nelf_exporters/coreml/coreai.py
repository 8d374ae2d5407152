"""Runs a deploy form in Apple's Core AI runtime, which works on Linux too.

A second opinion on the traced graph, from code of Apple's: exported anew in float32, so it says
nothing about a Core ML package or the way a device rounds. The runtime is a beta.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mobile_nelf.cameras import Camera
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.form import DeployForm
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.export.runtime import FrameFunction
from mobile_nelf.extras import import_extra
from mobile_nelf_exporters.coreml.convert import HARMLESS_WARNINGS

__all__ = ["coreai_frame_function"]

#: Builds of torch such as 2.13.0+cpu count as newer than the 2.13.0 that it was tested with.
TORCH_WARNING = "coreai-torch has only been validated with torch"

#: What the only function of a program is called.
FUNCTION = "main"

#: The descriptor that native code writes messages to.
STDERR = 2


def coreai_frame_function(form: DeployForm, contract: Contract) -> FrameFunction:
    """Returns a function that renders through Core AI, in float32.

    Args:
        form: in evaluation mode.
        contract: names, shapes and layout of inputs and output. Whatever its form of output, a
            frame is in [0, 1] and not rounded to 8 bits.

    Raises:
        MissingExtraError: coreai-core or coreai-torch is not installed.
    """
    program = _convert(form, contract)
    layout = find_layout(contract.layout)

    def frame(camera: Camera) -> npt.NDArray[np.float32]:
        uploads = {
            name: np.ascontiguousarray(array, dtype=np.float32)
            for name, array in layout.host(camera, contract.student.encoder).items()
        }
        # In a thread, since the caller may be inside an event loop, as in a notebook.
        with ThreadPoolExecutor(1) as pool:
            outputs = pool.submit(asyncio.run, _run(program, uploads)).result()
        image = outputs[contract.output.name][0]
        return np.ascontiguousarray(image.transpose(1, 2, 0))

    return frame


def _convert(form: DeployForm, contract: Contract) -> Any:
    """Returns a `coreai.authoring.AIProgram`."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        for message in (TORCH_WARNING, *HARMLESS_WARNINGS):
            warnings.filterwarnings("ignore", message)
        coreai_torch = import_extra("coreai_torch", "coreai")
        exported = torch.export.export(
            form, tuple(torch.zeros(spec.shape) for spec in contract.inputs)
        ).run_decompositions(coreai_torch.get_decomp_table())
        converter = coreai_torch.TorchConverter().add_exported_program(
            exported,
            input_names=[spec.name for spec in contract.inputs],
            output_names=[contract.output.name],
            entrypoint_name=FUNCTION,
        )
        return converter.to_coreai()


async def _run(
    program: Any, uploads: dict[str, npt.NDArray[np.float32]]
) -> dict[str, npt.NDArray[np.float32]]:
    """Runs a program once.

    It is loaded for each run, so that nothing stays open or on disk between them.
    """
    array = import_extra("coreai.runtime", "coreai").NDArray
    with tempfile.TemporaryDirectory() as folder:
        asset = program.save_asset(Path(folder, "frame.aimodel"))
        async with asset.executable() as model:
            with _native_messages_off():
                function = model.load_function(FUNCTION)
            outputs = await function({name: array(data) for name, data in uploads.items()})
            # Copied, since the memory belongs to the model.
            return {name: np.array(output.numpy()) for name, output in outputs.items()}


@contextlib.contextmanager
def _native_messages_off() -> Iterator[None]:
    """Drops what native code writes to stderr; the runtime announces a function that it loads."""
    kept = os.dup(STDERR)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), STDERR)
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)
