"""Ways in which an artefact is executed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mobile_nelf.cameras import Camera
from mobile_nelf.export.reference import REFERENCE
from mobile_nelf.pictures import ByteImage, FloatImage

__all__ = ["FILM_FPS", "FrameFunction", "Runtime"]

#: Renders [height, width, 3 or 4] float32 from a camera on the ray grid.
FrameFunction = Callable[[Camera], FloatImage]

#: Pictures a second of a film.
FILM_FPS = 15


@dataclass(frozen=True)
class Runtime:
    """One way in which an artefact was executed.

    Attributes:
        name: what ran, for reports (`ONNX Runtime, fp32`).
        artefact: bundle-relative path of the file or package that was executed; empty if it is not
            in the bundle.
        assumes: what had to be assumed to run it here; empty if nothing.
        frame: renders a camera.
        min_psnr_db: what each frame must reach against the trained student; None if this emulates
            a device and is reported only.
        reference: folder of the reference frames that it must reproduce.
        film: shows the whole experience, as a user has it, given the number of pictures at FILM_FPS
            and columns and rows of a screen; yields [rows, columns, 3] uint8. None where there is
            nothing but the picture.
        emulates: whether this replays a device's arithmetic. Every pose exercises the same, so that
            a few frames do when the bundle is made; verifying runs all.
        runs_scripts: whether it runs scripts of the bundle, which may be anybody's.
        frames: how many of the reference frames are rendered at most, where one takes minutes; None
            for all.
        largest_activation: after frames were rendered, name and magnitude of the largest result in
            fp16 of any of them; None where nothing is computed in fp16.
    """

    name: str
    artefact: str
    assumes: str
    frame: FrameFunction
    min_psnr_db: float | None
    reference: str = REFERENCE
    film: Callable[[int, tuple[int, int]], Iterator[ByteImage]] | None = None
    emulates: bool = False
    runs_scripts: bool = False
    frames: int | None = None
    largest_activation: Callable[[], tuple[str, float]] | None = None
