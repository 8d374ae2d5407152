"""Runs a Lens Studio project off-device: its scripts in Node.js, its models in ONNX Runtime.

The JavaScript side (`node/`) is a stand-in for Lens Studio's scripting API that knows the
documented members and no others. It asks this side for each run of a model and waits, so a script
sees the same order of events as on a phone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.lens.player.draw import Surface, View, draw_surface
from mobile_nelf_exporters.lens.player.masked import Masked, Part, draw_masked, draw_part
from mobile_nelf_exporters.lens.player.messages import (
    Report,
    Request,
    Shown,
    quaternion_of,
    read_message,
    turned,
)
from mobile_nelf_exporters.lens.player.model import LensModel
from mobile_nelf_exporters.lens.player.plain import plain_project
from mobile_nelf_exporters.lens.player.process import Answer, LensProcess, Message
from mobile_nelf_exporters.lens.studio.project import read_lens_project

__all__ = ["LensCost", "LensSession"]

RUNTIME = Path(__file__).parent / "node"

#: Scripts that take longer, from the opening of a lens to its closing, hang. Lenses of ours take
#: milliseconds a frame, up to half a second with whole encodings to upload.
TIMEOUT_SECONDS = 120.0

#: Outputs of models that are kept as textures; lenses of ours have up to three for each model, and
#: one more model whenever they change to the other.
MAX_TEXTURES = 48

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


class LensSession:
    """A phone with one lens on it. Close it, or use it in a `with` statement.

    Attributes:
        project: what runs.
        printed: lines that scripts printed so far.
        status: text on the screen.
        hints: of Snapchat itself that are on the screen, by name.
        cleared: what the render target is cleared with.
        masked: what cameras draw through a mask, in their order.
        cost: of the last event.
    """

    def __init__(
        self,
        files: Mapping[str, bytes],
        *,
        screen: tuple[int, int],
        camera_image: Picture | None = None,
        more_seconds: float = 0.0,
        is_late: bool = False,
        is_front: bool = False,
        is_tracked: bool = True,
        has_planes: bool = False,
        floor_cm: float | None = None,
    ) -> None:
        """Opens the project and runs its scripts up to their events.

        Args:
            files: of the project, by POSIX path relative to it.
            screen: columns and rows.
            camera_image: [rows, columns, 3] uint8 that the phone's camera sees; grey if `None`.
            more_seconds: that scripts may take beyond TIMEOUT_SECONDS, for long films.
            is_late: whether models tell of the end of a run in the next frame only.
            is_front: whether the phone's front camera is on at first.
            is_tracked: whether the phone tracks the room as soon as it is asked to.
            has_planes: whether it finds level surfaces.
            floor_cm: height of the floor, for a phone that makes a mesh of the room.

        Raises:
            BundleError: the project does not resolve, or a script fails.
            MissingToolError: there is no Node.js, or it is too old.
            MissingExtraError: the extra `lens` is not installed.
        """
        self.project = read_lens_project(files)
        self.printed: list[str] = []
        self.status = ""
        self.hints: tuple[str, ...] = ()
        self._drawn: tuple[Surface, ...] = ()
        self.masked: tuple[Masked, ...] = ()
        self._view: View | None = None
        self.cost = LensCost(0, 0, 0.0, 0.0)
        self._screen = screen
        grey = np.full((screen[1], screen[0], 3), 128, np.uint8)
        self._camera_image = grey if camera_image is None else camera_image
        self._models = {
            asset.id: LensModel(asset, files[asset.path])
            for asset in self.project.assets.values()
            if asset.kind == "FileMLAsset"
        }
        self.cleared = Shown("colour")
        self._textures: dict[tuple[int, int], Floats] = {}
        plain = plain_project(self.project, self._models)
        self._process = LensProcess(RUNTIME / "main.js", TIMEOUT_SECONDS + more_seconds)
        try:
            self._exchange("open", sources=plain.pop("sources"))
            phone = {
                "isLate": is_late,
                "isFront": is_front,
                "isTracked": is_tracked,
                "hasPlanes": has_planes,
                "floor": floor_cm,
            }
            self._send("open", project=plain, screen=list(screen), phone=phone)
        except BaseException:
            self.close()
            raise

    @property
    def surfaces(self) -> tuple[Surface, ...]:
        """Those with pictures of models, in the order in which they are drawn."""
        return tuple(surface for surface in self._drawn if surface.component >= 0)

    @property
    def shadows(self) -> tuple[Surface, ...]:
        """Those with what scripts painted, in the order in which they are drawn."""
        return tuple(surface for surface in self._drawn if surface.component < 0)

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

    def see(self, camera_image: Picture) -> None:
        """Has the phone's camera see [rows, columns, 3] from now on."""
        self._camera_image = camera_image

    def flip_camera(self, is_front: bool) -> None:
        """Turns to the phone's other camera."""
        self._send("flip", isFront=is_front)

    def track(self, is_tracked: bool) -> None:
        """Has the phone track the room from now on, or no more."""
        self._send("track", isTracked=is_tracked)

    def find_plane(
        self, pivot_cm: tuple[float, float, float], size_cm: tuple[float, float]
    ) -> None:
        """Has the phone find a level surface.

        Args:
            pivot_cm: its centre.
            size_cm: along x and z.
        """
        self._send("plane", pivot=list(pivot_cm), size=[size_cm[0], 0.0, size_cm[1]])

    def pause(self) -> None:
        """Takes the phone from the lens for a while, as a call does; no finger is told to lift."""
        self._send("pause")

    def set_device(self, cam_to_world_cm: npt.NDArray[np.float64], fov_y_degrees: float) -> None:
        """Carries the phone somewhere.

        Args:
            cam_to_world_cm: [3, 4] pose in Lens Studio's world, centimetres, y up.
            fov_y_degrees: vertical field of view of its camera.
        """
        self._send(
            "device",
            position=cam_to_world_cm[:, 3].tolist(),
            rotation=quaternion_of(cam_to_world_cm[:, :3]),
            fov=fov_y_degrees,
        )

    def texture(self) -> Floats | None:
        """Returns the [rows, columns, channels] texture that is shown, in [0, 1] before stretching.

        That of the surface in front, or else what the screen is cleared with; None while that is a
        colour or the camera's image. Guess `orientation`: the first row of the model's output is
        the top.
        """
        drawn = self.drawn()
        return None if drawn is None else np.clip(drawn, 0.0, 1.0)

    def drawn(self) -> Floats | None:
        """Returns `texture` before it is held within [0, 1], which guess `clamp` says it is."""
        if self.surfaces:
            front = self.surfaces[-1]
            pixels = self._textures[front.component, front.output]
        elif self.cleared.kind == "texture":
            pixels = self._textures[self.cleared.component, self.cleared.output]
        else:
            return None
        drawn: Floats = pixels / 255.0
        return drawn

    def screen(self) -> Picture:
        """Returns the [rows, columns, 3] screen without its text.

        Guess `stretch`: the texture, or the crop of one, fills it, interpolated between pixels.
        """
        columns, rows = self._screen
        if self.cleared.kind == "texture":
            texture = self._values(self.cleared)[..., :3]
            drawn = draw_part(texture, self.cleared.part, columns, rows)
            fitted = np.rint(drawn * 255.0).astype(np.uint8)
        elif self.cleared.kind == "camera":
            seen = Image.fromarray(self._camera_image)
            fitted = np.asarray(seen.resize((columns, rows), Image.Resampling.BILINEAR))
        else:
            colour = np.rint(np.clip(self.cleared.colour, 0.0, 1.0) * 255.0)
            fitted = np.tile(colour.astype(np.uint8), (rows, columns, 1))
        for surface in self._drawn:
            if self._view is not None:
                fitted = draw_surface(fitted, surface, self._values(surface), self._view)
        for masked in self.masked:
            colour, mask = self._values(masked.colour), self._values(masked.mask)
            fitted = draw_masked(fitted, masked, colour, mask)
        return fitted

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

    def _exchange(self, command: str, **values: Any) -> Answer:
        """Sends a command and answers requests for models until it is done.

        Raises:
            BundleError: a script failed or hangs.
        """
        answer = self._process.exchange({"command": command, **values}, self._run)
        if "error" in answer.header:
            raise BundleError(f"the lens failed at {command}: {answer.header['error']}")
        return answer

    def _send(self, command: str, **values: Any) -> None:
        """Sends what happens to the phone and keeps what the lens made of it.

        Raises:
            BundleError: a script failed, hangs, or reports what cannot be.
        """
        answer = self._exchange(command, **values)
        report = read_message(Report, answer.header)
        for painted in report.painted:
            self._keep(painted.component, 0, painted.texture)
        for shown in report.pictures:
            if (shown.component, shown.output) not in self._textures:
                what = f"output {shown.output} of model {shown.component}"
                raise BundleError(f"the lens shows {what}, which has not run")
        self.printed += report.printed
        self.status = report.status
        self.hints = report.hints
        self._drawn = report.surfaces
        self.masked = report.masked
        self._view = report.view
        self.cost = LensCost(
            report.runs, report.written_bytes, answer.script_seconds, answer.model_seconds
        )
        self.cleared = report.shown

    def _run(self, header: dict[str, Any], arrays: list[Floats]) -> Message:
        request = read_message(Request, header)
        model = self._models.get(request.asset)
        if model is None:
            raise BundleError(f"the lens runs {request.asset!r}, which is not a model of it")
        images = [turned(self._camera_image, entry) for entry in request.inputs]
        try:
            values = model.run(arrays, [entry.layout for entry in request.inputs], images)
        except BundleError as error:
            return {"error": str(error)}, ()
        if len(request.outputs) != len(values):
            raise BundleError(f"the lens asks for {len(request.outputs)} outputs of a model")
        for index, entry in enumerate(request.outputs):
            if entry.is_drawn:
                width, height, channels = model.outputs[index].shape
                pixels = values[index].reshape(height, width, channels)
                self._keep(request.component, index, turned(pixels, entry))
                values[index] = np.zeros(0, np.float32)
        return {}, values

    def _values(self, drawn: Surface | Part | Shown) -> npt.NDArray[np.float64]:
        return self._textures[drawn.component, drawn.output].astype(np.float64) / 255.0

    def _keep(self, component: int, output: int, pixels: Floats) -> None:
        self._textures[component, output] = pixels
        if len(self._textures) > MAX_TEXTURES:
            raise BundleError(f"the lens draws more than {MAX_TEXTURES} textures")
