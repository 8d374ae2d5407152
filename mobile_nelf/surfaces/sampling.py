"""Points spread evenly over a surface."""

from __future__ import annotations

import numpy as np

from mobile_nelf.cameras import FloatArray
from mobile_nelf.surfaces.surface import Surface

__all__ = ["even_points"]

#: Random points are drawn so many times as often as wanted, and thinned out.
DRAWN = 8
#: Halvings of the interval of the spacing; they leave less than a tenth of a per cent of it.
HALVINGS = 12
SEED = 0


def even_points(surface: Surface, count: int) -> tuple[FloatArray, FloatArray, float]:
    """Returns at most `count` points, their normals, and the area of the surface for each.

    Random points are thinned to one in each cell of a grid, as fine as gives so many; they come row
    after row.

    Args:
        surface: to take them from.
        count: at least 1.

    Returns:
        [N, 3] points in the world frame, [N, 3] unit normals, square world units a point.
    """
    rng = np.random.default_rng(SEED)
    areas = np.linalg.norm(surface.crosses(), axis=1) / 2.0
    face = rng.choice(len(areas), DRAWN * count, p=areas / areas.sum())
    first, second = np.sqrt(rng.random(len(face))), rng.random(len(face))
    shares = np.stack([1.0 - first, first * (1.0 - second), first * second], 1)  # evenly spread
    corners = surface.faces[face]
    points = (shares[..., None] * surface.vertices[corners]).sum(1)
    normals = (shares[..., None] * surface.normals()[corners]).sum(1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    kept = _thinned(points, count, float(np.sqrt(areas.sum() / count)))
    return points[kept], normals[kept], float(areas.sum()) / len(kept)


def _thinned(points: FloatArray, count: int, spacing: float) -> np.ndarray:
    """Indices of the point in the middle of each cell; cells as small as leave `count` points."""
    low, high = 0.25 * spacing, 4.0 * spacing
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        if len(np.unique(_cells(points, middle))) > count:
            low = middle
        else:
            high = middle
    off_centre = (points - points.min(0)) / high % 1.0 - 0.5
    order = np.argsort((off_centre**2).sum(1), kind="stable")
    _, first = np.unique(_cells(points, high)[order], return_index=True)
    return np.asarray(order[first][:count])


def _cells(points: FloatArray, side: float) -> np.ndarray:
    """A number [N] for the cell in which each point lies, ascending row after row."""
    cells = np.floor((points - points.min(0)) / side).astype(np.int64)
    sides = cells.max(0) + 1
    return np.asarray((cells[:, 0] * sides[1] + cells[:, 1]) * sides[2] + cells[:, 2])
