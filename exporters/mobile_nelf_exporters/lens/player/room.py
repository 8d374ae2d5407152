"""A room with detail for previews and tests: tiles, wallpaper, and a shelf full of books.

Made here, so that nothing of anybody's is in it; fine enough that lost sharpness shows.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["room_picture"]

Floats = npt.NDArray[np.float64]

#: The box in which a phone begins at the origin, in centimetres: lowest and highest corner.
LOW = np.array([-190.0, -75.0, -290.0])
HIGH = np.array([210.0, 170.0, 250.0])

TILE = 24.0
GROUT = 0.9
STRIPE = 9.0
BOOK = 4.0
SHELF = 30.0
SEED = 11


def room_picture(
    cam_to_world_cm: npt.NDArray[np.float64], fov_y_degrees: float, screen: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """Returns what a phone's camera sees of the room, [rows, columns, 3].

    Args:
        cam_to_world_cm: [3, 4] pose in Lens Studio's world, centimetres, y up.
        fov_y_degrees: vertical field of view.
        screen: columns and rows.
    """
    columns, rows = screen
    high = math.tan(math.radians(fov_y_degrees) / 2)
    x = (2 * (np.arange(columns) + 0.5) / columns - 1) * high * columns / rows
    y = (1 - 2 * (np.arange(rows) + 0.5) / rows) * high
    rays = np.stack([*np.meshgrid(x, y), np.full((rows, columns), -1.0)], axis=-1)
    rays = rays @ cam_to_world_cm[:, :3].T
    rays = np.where(np.abs(rays) < 1e-9, 1e-9, rays)
    origin = np.clip(cam_to_world_cm[:, 3], LOW + 1.0, HIGH - 1.0)
    ways = (np.where(rays > 0, HIGH, LOW) - origin) / rays
    wall = ways.argmin(axis=-1)
    hit = origin + rays * ways.min(axis=-1, keepdims=True)
    shade = np.empty((rows, columns, 3))
    for axis, paint in ((0, _wallpaper), (1, _tiles), (2, _shelf)):
        on = wall == axis
        shade[on] = paint(hit[on])
    return np.rint(np.clip(shade, 0.0, 1.0) * 255.0).astype(np.uint8)


def _tiles(hit: Floats) -> Floats:
    """Floor and ceiling: tiles of slightly different colours with lines between them."""
    cells = np.floor(hit[:, [0, 2]] / TILE).astype(np.int64)
    within = hit[:, [0, 2]] - cells * TILE
    tone = _noise(cells[:, 0], cells[:, 1])
    colour = np.array([0.55, 0.5, 0.44]) + 0.16 * (tone[:, None] - 0.5)
    grout = within.min(axis=1) < GROUT
    colour[grout] = [0.26, 0.24, 0.23]
    ceiling = hit[:, 1] > 0
    colour[ceiling] = 0.93 - 0.05 * grout[ceiling, None]
    return colour


def _wallpaper(hit: Floats) -> Floats:
    """Side walls: stripes with a row of dots."""
    stripe = np.floor(hit[:, 2] / STRIPE).astype(np.int64) % 2
    colour = np.where(stripe[:, None] == 0, [0.78, 0.82, 0.86], [0.68, 0.74, 0.8])
    dots = ((hit[:, 2] % STRIPE - STRIPE / 2) ** 2 + (hit[:, 1] % STRIPE - STRIPE / 2) ** 2) < 2.5
    colour[dots] = [0.45, 0.55, 0.66]
    return colour


def _shelf(hit: Floats) -> Floats:
    """The walls ahead and behind: books of all colours between boards."""
    board = np.floor(hit[:, 1] / SHELF).astype(np.int64)
    book = np.floor(hit[:, 0] / BOOK).astype(np.int64)
    height = 0.62 + 0.3 * _noise(book, board)
    level = (hit[:, 1] - board * SHELF) / SHELF
    across = hit[:, 0] - book * BOOK
    colour = 0.15 + 0.75 * np.stack([_noise(book, board + 7 * k) for k in (1, 2, 3)], axis=-1)
    label = (abs(level - 0.4) < 0.05) & (across > 0.8) & (across < BOOK - 0.8)
    colour[label] = [0.95, 0.93, 0.85]
    colour[across < 0.3] *= 0.4
    colour[level > height] = [0.2, 0.15, 0.11]
    colour[level < 0.06] = [0.52, 0.36, 0.22]
    return colour


def _noise(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> Floats:
    """A number in [0, 1) for each pair; the same pair, the same number."""
    values = np.sin(a * 12.9898 + b * 78.233 + SEED) * 43758.5453
    noise: Floats = values - np.floor(values)
    return noise
