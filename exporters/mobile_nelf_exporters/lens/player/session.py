"""Runs a Lens Studio project off-device: its scripts in Node.js, its models in ONNX Runtime.

The JavaScript side (`node/`) is a stand-in for Lens Studio's scripting API that knows the
documented members and no others. It asks this side for each run of a model and waits, so a script
sees the same order of events as on a phone.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf.errors import BundleError, MissingToolError
from mobile_nelf_exporters.lens.player.model import LensModel
from mobile_nelf_exporters.lens.player.plain import plain_project
from mobile_nelf_exporters.lens.player.process import LensProcess, Message
from mobile_nelf_exporters.lens.studio.project import read_lens_project

__all__ = ["LensCost", "LensSession", "guesses", "node_path"]

RUNTIME = Path(__file__).parent / "node"

#: A script that takes longer for one event hangs.
TIMEOUT_SECONDS = 60.0

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LensCost:
    """What the last event cost.

    Attributes:
        runs: of models.
        written_bytes: that scripts handed to models.
        script_seconds: in scripts, models left out.
        model_seconds: in models, the way there and back included.
    """

    runs: int
    written_bytes: int
    script_seconds: float
    model_seconds: float


def node_path() -> str | None:
    """Returns where Node.js is; None if it is not installed."""
    return shutil.which("node")


def guesses() -> tuple[str, ...]:
    """Returns what Lens Studio does not document and the runtime had to decide."""
    entries: dict[str, str] = json.loads((RUNTIME / "guesses.json").read_bytes())
    return tuple(entries.values())


class LensSession:
    """A phone with one lens on it. Close it, or use it in a `with` statement.

    Attributes:
        project: what runs.
        printed: lines that scripts printed so far.
        status: text on the screen.
        cost: of the last event.
    """

    def __init__(
        self,
        files: Mapping[str, bytes],
        *,
        screen: tuple[int, int],
        camera_image: Picture | None = None,
    ) -> None:
        """Opens the project and runs its scripts up to their events.

        Args:
            files: of the project, by POSIX path relative to it.
            screen: columns and rows.
            camera_image: [rows, columns, 3] uint8 that the phone's camera sees; grey if `None`.

        Raises:
            BundleError: the project does not resolve, or a script fails.
            MissingToolError: there is no Node.js.
            MissingExtraError: the extra `lens` is not installed.
        """
        node = node_path()
        if node is None:
            raise MissingToolError(
                "lenses run in Node.js, and there is no `node` on the PATH; install Node.js 18 or "
                "later"
            )
        self.project = read_lens_project(files)
        self.printed: list[str] = []
        self.status = ""
        self.cost = LensCost(0, 0, 0.0, 0.0)
        self._screen = screen
        grey = np.full((screen[1], screen[0], 3), 128, np.uint8)
        self._camera_image = grey if camera_image is None else camera_image
        self._models = {
            asset.id: LensModel(asset, files[asset.path])
            for asset in self.project.assets.values()
            if asset.kind == "FileMLAsset"
        }
        self._shown: dict[str, Any] = {}
        self._pixels: Floats | None = None
        self._process = LensProcess(node, RUNTIME / "main.js")
        try:
            self._send(
                "open", project=plain_project(self.project, self._models), screen=list(screen)
            )
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Sends OnStart and lets models load."""
        self._send("start")

    def update(self, delta: float = 1 / 30) -> None:
        """Runs a frame that began `delta` seconds after the one before."""
        self._send("update", delta=delta)

    def touch(self, kind: str, finger: int, x: float, y: float) -> None:
        """Touches the screen.

        Args:
            kind: `start`, `move` or `end`.
            finger: number of the finger.
            x: as a fraction of the screen, from the left.
            y: as a fraction of the screen, from the top.
        """
        self._send("touch", kind=kind, finger=finger, x=x, y=y)

    def set_device(self, cam_to_world_cm: npt.NDArray[np.float64], fov_y_degrees: float) -> None:
        """Carries the phone somewhere.

        Args:
            cam_to_world_cm: [3, 4] pose in Lens Studio's world, centimetres, y up.
            fov_y_degrees: vertical field of view of its camera.
        """
        self._send(
            "device",
            position=cam_to_world_cm[:, 3].tolist(),
            rotation=_quaternion(cam_to_world_cm[:, :3]),
            fov=fov_y_degrees,
        )

    def texture(self) -> Floats | None:
        """Returns the [rows, columns, channels] texture on the screen in [0, 1] before stretching.

        None while there is a colour or the camera's image.
        """
        return None if self._pixels is None else np.clip(self._pixels / 255.0, 0.0, 1.0)

    def screen(self) -> Picture:
        """Returns the [rows, columns, 3] screen without its text.

        Guess `stretch`: the texture fills it, interpolated between pixels.
        """
        columns, rows = self._screen
        texture = self.texture()
        if texture is not None:
            pixels = np.rint(texture[..., :3] * 255.0).astype(np.uint8)
        elif self._shown["kind"] == "camera":
            pixels = self._camera_image
        else:
            colour = np.rint(np.array(self._shown["colour"]) * 255.0)
            pixels = np.tile(colour.astype(np.uint8), (rows, columns, 1))
        fitted = Image.fromarray(pixels).resize((columns, rows), Image.Resampling.BILINEAR)
        return np.asarray(fitted)

    def close(self) -> None:
        """Ends the process."""
        self._process.close()

    def __enter__(self) -> LensSession:
        """Returns itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the process."""
        self.close()

    def _send(self, command: str, **values: Any) -> None:
        """Sends a command and answers requests for models until it is done.

        Raises:
            BundleError: a script failed or hangs.
        """
        header, arrays = self._process.exchange(
            {"command": command, **values}, self._run, TIMEOUT_SECONDS
        )
        if "error" in header:
            raise BundleError(f"the lens failed at {command}: {header['error']}")
        self.printed += header["printed"]
        self.status = header["status"]
        self.cost = LensCost(
            header["runs"],
            header["writtenBytes"],
            header["scriptSeconds"],
            header["modelSeconds"],
        )
        self._shown = header["shown"]
        self._pixels = None
        if arrays:
            size = self._shown["size"]
            self._pixels = arrays[0].reshape(size["height"], size["width"], -1)

    def _run(self, header: dict[str, Any], arrays: list[Floats]) -> Message:
        model = self._models[header["asset"]]
        images = [_turned(self._camera_image, entry) for entry in header["inputs"]]
        layouts = [entry["layout"] for entry in header["inputs"]]
        try:
            return {}, model.run(arrays, layouts, images)
        except BundleError as error:
            return {"error": str(error)}, ()


def _turned(image: Picture, entry: dict[str, Any]) -> Picture:
    """The camera's image as the transformer of an input turns it over."""
    return image[:: -1 if entry["flipY"] else 1, :: -1 if entry["flipX"] else 1]


def _quaternion(rotation: npt.NDArray[np.float64]) -> list[float]:
    """w, x, y, z of a rotation matrix (Shepperd 1978: the largest component is divided by)."""
    r = rotation
    squares = np.array(
        [
            1.0 + r[0, 0] + r[1, 1] + r[2, 2],
            1.0 + r[0, 0] - r[1, 1] - r[2, 2],
            1.0 - r[0, 0] + r[1, 1] - r[2, 2],
            1.0 - r[0, 0] - r[1, 1] + r[2, 2],
        ]
    )
    mixed = np.array(
        [
            [squares[0], r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]],
            [r[2, 1] - r[1, 2], squares[1], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0]],
            [r[0, 2] - r[2, 0], r[0, 1] + r[1, 0], squares[2], r[1, 2] + r[2, 1]],
            [r[1, 0] - r[0, 1], r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], squares[3]],
        ]
    )
    largest = mixed[int(np.argmax(squares))]
    quaternion: list[float] = (largest / np.linalg.norm(largest)).tolist()
    return quaternion
