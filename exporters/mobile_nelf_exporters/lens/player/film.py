"""A film of a lens as someone uses it: a finger that turns the object, or steps around it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import look_at
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.export.runtime import FILM_FPS
from mobile_nelf_exporters.lens.player.session import LensSession
from mobile_nelf_exporters.lens.view import PHONE_FOV_DEG, WORLD_DISTANCE_CM

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

#: How far someone walks round the object, in degrees, and the room behind it.
WALK_DEG = 50.0
ROOM_TOP = (196, 205, 214)
ROOM_BOTTOM = (122, 108, 96)


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
    world = contract.camera_image is not None
    room = _room(screen) if world else None
    more_seconds = frames * SECONDS_A_FRAME
    with LensSession(files, screen=screen, camera_image=room, more_seconds=more_seconds) as lens:
        if world:
            lens.set_device(_step(0.0), PHONE_FOV_DEG)
        lens.start()
        for index in range(frames):
            if world:
                lens.set_device(_step(index / frames), PHONE_FOV_DEG)
            else:
                _finger(lens, SWIPE, SWIPE_PATH, index, frames)
                _finger(lens, DRAG, DRAG_PATH, index, frames)
            lens.update(1 / FILM_FPS)
            yield lens.screen()


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


def _step(moment: float) -> npt.NDArray[np.float64]:
    """The phone on its way round an object that stood a metre in front of it: [3, 4], cm, y up."""
    angle = math.radians(WALK_DEG) * math.sin(2 * math.pi * moment)
    distance = WORLD_DISTANCE_CM * (1.0 + 0.15 * math.sin(4 * math.pi * moment))
    height = 20.0 * math.sin(2 * math.pi * moment) ** 2
    target = np.array([0.0, 0.0, -WORLD_DISTANCE_CM])
    place = target + np.array([distance * math.sin(angle), height, distance * math.cos(angle)])
    return look_at(place, target, up=(0.0, 1.0, 0.0))


def _room(screen: tuple[int, int]) -> Picture:
    """A wall above a floor, for what the camera sees behind the object."""
    columns, rows = screen
    room = np.empty((rows, columns, 3), np.uint8)
    room[: rows // 2], room[rows // 2 :] = ROOM_TOP, ROOM_BOTTOM
    return room
