"""Draws what stands in the world of a lens: meshes with a texture, in front of the screen.

As a GPU without mipmaps and antialiasing does: a pixel is drawn if its centre is inside of a
triangle, and its texture is interpolated between four texels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Surface", "View", "draw_surface", "sampled"]

Floats = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]

#: Centimetres; what is nearer is not drawn.
NEAR = 1.0

#: Rounding of a pixel on the edge that two triangles share, which would leave it to neither.
EDGE = 1e-9


@dataclass(frozen=True)
class View:
    """The camera that draws, as the scripts' side tells it.

    Attributes:
        position: in the world, cm.
        rotation: w, x, y, z; it looks along −z.
        fov: vertical, radians.
        is_orthographic: whether `size` counts instead.
        size: height of what an orthographic camera sees; guess `ortho-size`.
    """

    position: tuple[float, float, float]
    rotation: tuple[float, float, float, float]
    fov: float
    is_orthographic: bool
    size: float


@dataclass(frozen=True)
class Surface:
    """A mesh with a texture that a model drew, or a script.

    Attributes:
        component: that drew it, and which of its outputs; negative for what a script painted.
        output: see `component`.
        blend: `Disabled`, or `PremultipliedAlpha` (One, OneMinusSrcAlpha).
        tint: that each texel is multiplied by.
        vertices: x, y, z in the world, cm, then u to the right and v upwards in the texture.
        triangles: three vertices each.
    """

    component: int
    output: int
    blend: Literal["Disabled", "PremultipliedAlpha"]
    tint: tuple[float, float, float, float]
    vertices: tuple[tuple[float, float, float, float, float], ...]
    triangles: tuple[int, ...]


def draw_surface(screen: Picture, surface: Surface, texture: Floats, view: View) -> Picture:
    """Returns a screen with a surface in front of it.

    Guess `texture-bytes`: a texture holds 8 bits a channel. Guess `blend`: colours go through the
    material as they are, but for its base colour.

    Args:
        screen: [rows, columns, 3].
        surface: to draw.
        texture: [rows, columns, 3 or 4] in [0, 1]; its first row is the upper edge.
        view: that draws.
    """
    rows, columns, _ = screen.shape
    texels = np.rint(np.clip(texture, 0.0, 1.0) * 255.0) / 255.0
    if texels.shape[2] == 3:
        texels = np.concatenate([texels, np.ones_like(texels[..., :1])], axis=2)
    vertices = np.array(surface.vertices, float).reshape(-1, 5)
    local = (vertices[:, :3] - view.position) @ _matrix(view.rotation)
    shown = screen.astype(float) / 255.0
    drawn = np.zeros((rows, columns), bool)
    for corners in np.array(surface.triangles, int).reshape(-1, 3):
        places, depths = _project(local[corners], view, columns, rows)
        if places is None:
            continue
        found = _covered(places, columns, rows)
        if found is None:
            continue
        y, x, weights = found
        fresh = ~drawn[y, x]  # two triangles share an edge
        y, x, weights = y[fresh], x[fresh], weights[fresh] / depths
        drawn[y, x] = True
        weights /= weights.sum(axis=1, keepdims=True)  # perspective
        u, v = (weights @ vertices[corners, 3:]).T
        colour = sampled(texels, u, v) * surface.tint
        behind = shown[y, x]
        if surface.blend == "PremultipliedAlpha":
            behind = colour[:, :3] + (1.0 - colour[:, 3:]) * behind
        else:
            behind = colour[:, :3]
        shown[y, x] = np.clip(behind, 0.0, 1.0)
    return np.rint(shown * 255.0).astype(np.uint8)


def _matrix(rotation: tuple[float, float, float, float]) -> Floats:
    """Rotation matrix of w, x, y, z."""
    w, x, y, z = rotation
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _project(local: Floats, view: View, columns: int, rows: int) -> tuple[Floats | None, Floats]:
    """Pixels [n, 2] of points in the camera's frame, and their depths; None if one is too near."""
    depths = -local[:, 2]
    if depths.min() < NEAR:
        return None, depths
    if view.is_orthographic:
        scale, depths = rows / view.size, np.ones_like(depths)
    else:
        scale = rows / (2.0 * math.tan(view.fov / 2))
    x = columns / 2 + scale * local[:, 0] / depths
    y = rows / 2 - scale * local[:, 1] / depths
    return np.column_stack([x, y]), depths


def _covered(
    places: Floats, columns: int, rows: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats] | None:
    """Rows and columns of the pixels in a triangle, and the weights of its corners there."""
    low = np.maximum(np.floor(places.min(axis=0) - 0.5).astype(int), 0)
    high = np.minimum(np.ceil(places.max(axis=0) + 0.5).astype(int), (columns, rows))
    (ax, ay), (bx, by), (cx, cy) = places
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    if (high <= low).any() or area == 0.0:
        return None
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]]
    px, py = x + 0.5, y + 0.5
    first = ((bx - px) * (cy - py) - (cx - px) * (by - py)) / area
    second = ((cx - px) * (ay - py) - (ax - px) * (cy - py)) / area
    weights = np.stack([first, second, 1.0 - first - second], axis=-1)
    inside = (weights >= -EDGE).all(axis=-1)
    return y[inside], x[inside], weights[inside]


def sampled(texels: Floats, u: Floats, v: Floats) -> Floats:
    """Interpolates between four texels; the border is repeated.

    Args:
        texels: [rows, columns, channels]; the first row is the upper edge.
        u: [n] to the right, from 0 to 1.
        v: [n] upwards.

    Returns:
        [n, channels].
    """
    rows, columns, _ = texels.shape
    x = np.clip(u * columns - 0.5, 0.0, columns - 1.0)
    y = np.clip((1.0 - v) * rows - 0.5, 0.0, rows - 1.0)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, columns - 1), np.minimum(top + 1, rows - 1)
    across, down = (x - left)[:, None], (y - top)[:, None]
    upper = texels[top, left] * (1 - across) + texels[top, right] * across
    lower = texels[bottom, left] * (1 - across) + texels[bottom, right] * across
    sampled: Floats = upper * (1 - down) + lower * down
    return sampled
