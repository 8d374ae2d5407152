"""Lenses in use, which tell what they compute."""

from __future__ import annotations

import json
import re

import numpy as np

from mobile_nelf.cameras import Camera
from mobile_nelf_exporters.lens.player.drive import SETTLED_FRAMES
from mobile_nelf_exporters.lens.player.session import LensSession
from tests.helpers.lens.lenses import Lens

__all__ = [
    "CONTRACT",
    "FRAME",
    "SCENE",
    "expected_map",
    "limited",
    "open_session",
    "settle",
    "telling",
    "view_of",
]

#: Seconds of a frame.
FRAME = 1 / 30
SCENE, CONTRACT = "Assets/Scene.scene", "Assets/NelfContract.js"

#: Tells what the lens computed, which Lens Studio would show in its Logger.
TELL = (
    "print(JSON.stringify([orbit.azimuth, orbit.elevation, orbit.distance, Array.from(rays.map)]));"
)


def telling(lens: Lens) -> Lens:
    """The lens with a line in its controller that prints view and rays whenever it draws."""
    return lens.edited(
        "Assets/NelfController.js", "function draw() {", f"function draw() {{ {TELL}"
    )


def open_session(lens: Lens, screen: tuple[int, int] | None = None) -> LensSession:
    _, _, rows, columns = lens.contract.output.shape
    session = LensSession(lens.files, screen=screen or (columns, rows))
    session.start()
    session.update(FRAME)
    return session


def settle(session: LensSession, start: bool = True) -> None:
    """Lets a lens in the room find its place, and draw."""
    if start:
        session.start()
    for _ in range(SETTLED_FRAMES):
        session.update(FRAME)


def view_of(session: LensSession) -> list:
    """Azimuth, elevation, distance and ray map of the last picture."""
    return json.loads(session.printed[-1])


def limited(lens: Lens) -> Lens:
    """The lens with photos from one side only."""
    text = re.sub(
        r'"azimuth": \[[^]]*\]', '"azimuth": [-40.0, 75.0]', lens.files[CONTRACT].decode()
    )
    return lens.with_file(CONTRACT, text.encode())


def expected_map(lens: Lens, azimuth: float, elevation: float, distance: float) -> np.ndarray:
    """Origin, d0, du, dv, ray by ray, as a photo was taken from there or from the nearest place."""
    orbit, student = lens.contract.orbit, lens.contract.student
    here = orbit.pose(azimuth, elevation, float(np.clip(distance, *orbit.radius)))
    camera = Camera(here, lens.contract.intrinsics).resized(student.ray_width, student.ray_height)
    right, up, back = here[:, :3].T
    optics = camera.intrinsics

    def through(column: float, row: float) -> np.ndarray:
        x, y = (column + 0.5 - optics.cx) / optics.fx, -(row + 0.5 - optics.cy) / optics.fy
        return x * right + y * up - back

    corner = through(0, 0)
    return np.concatenate([here[:, 3], corner, through(1, 0) - corner, through(0, 1) - corner])
