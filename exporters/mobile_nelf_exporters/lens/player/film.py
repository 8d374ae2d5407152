"""A film of a lens as someone uses it: a finger that turns the object, or steps around it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import look_at
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.export.runtime import FILM_FPS
from mobile_nelf_exporters.lens.constants import room_constants
from mobile_nelf_exporters.lens.player.drive import SETTLED_FRAMES
from mobile_nelf_exporters.lens.player.material import with_material
from mobile_nelf_exporters.lens.player.room import LOW, room_picture
from mobile_nelf_exporters.lens.player.session import LensSession
from mobile_nelf_exporters.lens.view import PHONE_FOV_DEG

__all__ = ["film_lens"]

Picture = npt.NDArray[np.uint8]

#: Parts of the film with a finger on the screen: a swipe that is let go, so that it keeps turning,
#: and a slow drag.
SWIPE = (0.10, 0.30)
DRAG = (0.50, 0.75)

#: Where a finger is at the beginning and at the end of each, as fractions of the screen.
SWIPE_PATH = ((0.2, 0.5), (0.8, 0.5))
DRAG_PATH = ((0.5, 0.65), (0.3, 0.45))

#: That scripts may take for a frame, on top of what every lens may take.
SECONDS_A_FRAME = 0.5

#: Where someone taps the floor, so that a lens that lets people place its object puts it there.
TAP = (0.5, 0.9)

#: How far above the object someone is who walks round it on the floor, against the distance.
ABOVE = 0.4

#: How far someone walks round the object, in degrees.
WALK_DEG = 50.0


def film_lens(
    files: Mapping[str, bytes], contract: Contract, frames: int, screen: tuple[int, int]
) -> Iterator[Picture]:
    """Yields what is on the screen while someone uses the lens.

    Args:
        files: of the Lens Studio project, by path relative to it.
        contract: of its model.
        frames: pictures, FILM_FPS a second.
        screen: columns and rows.

    Raises:
        BundleError: the project does not run.
        MissingToolError: there is no Node.js.
    """
    more_seconds = frames * SECONDS_A_FRAME
    if not contract.is_cut_out:
        with LensSession(files, screen=screen, more_seconds=more_seconds) as lens:
            lens.start()
            for index in range(frames):
                _finger(lens, SWIPE, SWIPE_PATH, index, frames)
                _finger(lens, DRAG, DRAG_PATH, index, frames)
                lens.update(1 / FILM_FPS)
                yield lens.screen()
        return
    _, distance = room_constants(files)
    files = with_material(files)
    target, above = np.array([0.0, 0.0, -distance]), 0.0
    floor = float(LOW[1])
    with LensSession(files, screen=screen, more_seconds=more_seconds, floor_cm=floor) as lens:
        _carry(lens, _step(0.0, target, distance, above), screen)
        lens.start()
        for _ in range(SETTLED_FRAMES):
            lens.update(1 / FILM_FPS)
        if lens.surfaces:
            for kind in ("start", "end"):
                lens.touch(kind, 0, *TAP)
            lens.update(1 / FILM_FPS)
        if lens.surfaces:
            target = np.mean([corner[:3] for corner in lens.surfaces[-1].vertices], axis=0)
            above = ABOVE
        for index in range(frames):
            _carry(lens, _step(index / frames, target, distance, above), screen)
            lens.update(1 / FILM_FPS)
            yield lens.screen()


def _carry(lens: LensSession, pose: npt.NDArray[np.float64], screen: tuple[int, int]) -> None:
    """Takes the phone somewhere in the room, which its camera sees."""
    lens.set_device(pose, PHONE_FOV_DEG)
    lens.see(room_picture(pose, PHONE_FOV_DEG, screen))


def _finger(
    lens: LensSession,
    span: tuple[float, float],
    path: tuple[tuple[float, float], tuple[float, float]],
    index: int,
    frames: int,
) -> None:
    """Puts a finger down, moves it and lifts it, as far as the film has come."""
    begin, end = (round(part * frames) for part in span)
    if begin <= index <= end:
        way = (index - begin) / max(end - begin, 1)
        x, y = (a + way * (b - a) for a, b in zip(*path, strict=True))
        lens.touch("start" if index == begin else "move", 0, x, y)
        if index == end:
            lens.touch("end", 0, x, y)


def _step(
    moment: float, target: npt.NDArray[np.float64], distance_cm: float, above: float
) -> npt.NDArray[np.float64]:
    """The phone on its way round an object at `target`: [3, 4], cm, y up."""
    angle = math.radians(WALK_DEG) * math.sin(2 * math.pi * moment)
    distance = distance_cm * (1.0 + 0.15 * math.sin(4 * math.pi * moment))
    height = distance_cm * (above + 0.2 * math.sin(2 * math.pi * moment) ** 2)
    place = target + np.array([distance * math.sin(angle), height, distance * math.cos(angle)])
    return look_at(place, target, up=(0.0, 1.0, 0.0))
