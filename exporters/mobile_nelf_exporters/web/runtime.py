"""Executes a page off-device: in a browser by its own script, and its layers by themselves."""

from __future__ import annotations

import base64
import json
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mobile_nelf.cameras import Camera
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.encoders import FactoredEncoder
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.errors import BundleError
from mobile_nelf.export.runtime import FrameFunction
from mobile_nelf.plain import to_dict
from mobile_nelf_exporters.web.browser import Browser
from mobile_nelf_exporters.web.packing import unpack_weights
from mobile_nelf_exporters.web.page import PAGE, WEIGHTS, Page
from mobile_nelf_exporters.web.steps import VECTOR, Program, Step

__all__ = ["PageSession", "layers_function"]

#: Seconds until an engine is ready and for a frame for each GFLOP, on a software adapter on a busy
#: machine.
OPEN_SECONDS = 300.0
SECONDS_A_GFLOP = 120.0

#: Input channels whose products are summed in 16 bits there; see web_viewer/src/wgsl.js.
HELD = 16

#: Bytes of activations and floating-point operations of a frame, several times those of D60-SR3,
#: beyond which a page of somebody else is not run.
MAX_MEMORY = 4 << 30
MAX_WORK = 2_000_000_000_000


class PageSession:
    """A page in a headless browser, opened when the first frame is asked for.

    It has no network, and of the machine's files only its own folder.
    """

    def __init__(self, files: dict[str, bytes], contract: Contract, gflop: float) -> None:
        """Takes the files of a page and its contract."""
        self._files = files
        self._contract = contract
        self._seconds = OPEN_SECONDS + SECONDS_A_GFLOP * gflop
        self._browser: Browser | None = None
        self._engine = ""

    def frame_function(self, engine: str) -> FrameFunction:
        """Returns a function that renders on `webgpu`, `webgl2` or `half`.

        Raises:
            BundleError: when called, if the browser, the page or the engine fails.
        """

        def frame(camera: Camera) -> npt.NDArray[np.float32]:
            browser = self._opened(engine)
            pose = json.dumps(camera.cam_to_world.ravel().tolist())
            lens = json.dumps(to_dict(camera.intrinsics))
            text = browser.evaluate(f"mnelfFrames.frame({pose}, {lens})", self._seconds)
            student = self._contract.student
            try:
                pixels = np.frombuffer(base64.b64decode(text, validate=True), "<f4")
                image = pixels.reshape(student.image_height, student.image_width, VECTOR)
            except (ValueError, TypeError) as error:
                raise BundleError(f"{PAGE}: returned no frame ({error})") from error
            return np.ascontiguousarray(image[..., : student.out_channels])

        return frame

    def _opened(self, engine: str) -> Browser:
        if self._browser is None:
            folder = tempfile.TemporaryDirectory(prefix="mnelf-page-")
            for name, content in self._files.items():
                (Path(folder.name) / name).write_bytes(content)
            # Pages with weights beside them ask for those, which a browser denies to a file.
            flags = ("--allow-file-access-from-files",) if WEIGHTS in self._files else ()
            self._browser = Browser(flags)
            weakref.finalize(self, _close, self._browser, folder)
            self._browser.open((Path(folder.name) / PAGE).as_uri() + "?verify")
            self._browser.wait_for("typeof mnelfFrames === 'object'", self._seconds)
        if engine != self._engine:
            self._browser.evaluate(f"mnelfFrames.open({json.dumps(engine)})", self._seconds)
            self._engine = engine
        return self._browser


def _close(browser: Browser, folder: tempfile.TemporaryDirectory[str]) -> None:
    browser.close()
    folder.cleanup()


def layers_function(page: Page, contract: Contract, *, f16: bool = False) -> FrameFunction:
    """Returns a function that runs the layers and the weights of a page, without its script.

    Args:
        page: whose layers and weights.
        contract: of the page.
        f16: rounds results and short sums to 16 bits, where the page's WebGPU engine does when the
            device multiplies in 16 bits.

    Raises:
        BundleError: they do not fit each other.
    """
    program = page.program
    _check_picture(program, contract)
    layers = [
        (torch.from_numpy(weight), torch.from_numpy(np.array(bias)))
        for weight, bias in unpack_weights(program, page.weights)
    ]
    layout, encoder = find_layout("factored"), FactoredEncoder()
    student = contract.student

    def stored(result: Tensor) -> Tensor:
        return result.half().float() if f16 else result

    def frame(camera: Camera) -> npt.NDArray[np.float32]:
        uploads = layout.host(camera, student.encoder).values()
        encoded = encoder(*(torch.from_numpy(array).float() for array in uploads))[0]
        slots: dict[int, Tensor] = {program.input: stored(_vectors(encoded.permute(1, 2, 0)))}
        for step, (weight, bias) in zip(program.steps, layers, strict=True):
            sums = _run(step, slots[step.src], weight, f16) + bias
            for slot in step.muls:
                sums = sums * slots[slot]
            for slot in step.inner:
                sums = sums + slots[slot]
            result = _ACTS[step.act](sums)
            for slot in step.adds:
                result = result + slots[slot]
            # The picture itself is kept in 32 bits.
            slots[step.dst] = result if step is program.steps[-1] else stored(result)
        image = slots[program.output].numpy()
        return np.ascontiguousarray(image[..., : student.out_channels])

    return frame


def _check_picture(program: Program, contract: Contract) -> None:
    """Refuses layers that do not make the contract's picture of its rays."""
    student, last = contract.student, program.steps[-1]
    found = (program.steps[0].inputs, last.outputs, last.scale * last.up, last.dst)
    expected = (student.encoder.channels, student.out_channels, student.scale, program.output)
    if found != expected:
        raise BundleError(f"{PAGE}: its layers make another picture than the contract says")
    rays = student.ray_width * student.ray_height
    memory = 4 * VECTOR * rays * sum(program.vectors_a_ray())
    work = 2 * rays * sum(step.macs_a_ray for step in program.steps)
    if memory > MAX_MEMORY or work > MAX_WORK:
        raise BundleError(
            f"{PAGE}: a frame takes {memory / 1e9:.3g} GB and {work / 1e9:.3g} GFLOP, more than "
            "any student"
        )


def _vectors(image: Tensor) -> Tensor:
    """[h, w, channels] with zeros up to whole vectors."""
    return torch.nn.functional.pad(image, (0, -image.shape[2] % VECTOR))


def _run(step: Step, source: Tensor, weight: Tensor, f16: bool) -> Tensor:
    """The sums of a layer: [up·h, up·w, out] of [h, w, in]."""
    height, width, _ = source.shape
    up = step.up
    result = torch.zeros(height * up, width * up, weight.shape[3])
    bordered = torch.nn.functional.pad(source, (0, 0, 1, 1, 1, 1))
    for parity, taps in enumerate(step.taps):
        total = torch.zeros(height, width, weight.shape[3])
        for (dx, dy), matrix in zip(taps, weight[parity], strict=True):
            part = bordered[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
            if not f16:
                total += part @ matrix
                continue
            for first in range(0, len(matrix), HELD):
                few = slice(first, first + HELD)
                total += (part[..., few] @ matrix[few]).half()
        result[parity // up :: up, parity % up :: up] = total
    return result


_ACTS: dict[str, Any] = {
    "none": lambda x: x,
    "relu": torch.relu,
    "gelu": torch.nn.functional.gelu,
    "gelu_tanh": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
    "sigmoid": torch.sigmoid,
}
