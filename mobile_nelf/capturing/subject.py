"""Where the object is in a reconstruction: where all cameras look, above the table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import FloatArray, nearest_to_axes
from mobile_nelf.capturing.model import Model

__all__ = ["Subject", "find_subject"]

#: Of a table: triples of points that are tried, points that are used, how far a point may lie off
#: it as a share of the distance of the cameras, share of the points near the object that lie on it,
#: below it at most, and of the cameras that are above it.
TRIPLES, TABLE_POINTS = 600, 3000
THICKNESS = 0.006
LEAST_ON, MOST_BELOW, LEAST_ABOVE = 0.12, 0.04, 0.97
#: Points count as standing on the table when they are so many thicknesses above it.
STANDING = 2.0
#: Cells along each side of the cube in which points are clustered, finer ones first; points that
#: make a cell full; share of all points, by weight, in the largest cluster. Few points need large
#: cells to hang together.
CLUSTER_CELLS, CELL_POINTS, CLUSTERED = (24, 16, 12, 8), 2, 0.6
#: Fewer points tell nothing about the size of the object.
FEWEST_POINTS = 20
#: The ball is larger than the points, since plain parts have none.
MARGIN = 1.3
#: It is at most this times as large as what fits into a photo.
LARGEST = 1.2


@dataclass(frozen=True, eq=False)
class Subject:
    """A region that holds the object.

    Attributes:
        centre: [3] of a ball around it, in the world of the reconstruction.
        radius: of the ball.
        up: [3] unit normal of the table that it stands on, towards the cameras; None without.
        table: height of the table along `up`.
        own: [P] which points of the reconstruction are the object's.
        other: [P] which are certainly not.
    """

    centre: FloatArray
    radius: float
    up: FloatArray | None
    table: float
    own: npt.NDArray[np.bool_]
    other: npt.NDArray[np.bool_]

    def holds(self, points: FloatArray) -> npt.NDArray[np.bool_]:
        """Returns which points [N, 3] lie within the ball and above the table."""
        near = ((points - self.centre) ** 2).sum(1) <= self.radius**2
        return np.asarray(near & self.above(points))

    def above(self, points: FloatArray) -> npt.NDArray[np.bool_]:
        """Returns which points [N, 3] lie above the table."""
        if self.up is None:
            return np.ones(len(points), bool)
        return np.asarray(points @ self.up > self.table)


def find_subject(model: Model, seed: int = 0) -> Subject:
    """Finds the object as the cluster of points nearest to where the cameras look.

    Args:
        model: the reconstruction.
        seed: of the search for a table.

    Raises:
        ValueError: all cameras look in the same direction, or at hardly any point.
    """
    try:
        centre = nearest_to_axes([photo.cam_to_world for photo in model.photos.values()])
    except ValueError as error:
        raise ValueError(
            "the cameras look at no common point, where the object would be"
        ) from error
    away = np.linalg.norm(model.positions() - centre, axis=1)
    distance = float(np.median(away))
    # What fits into the smaller side of a photo.
    reach = float(
        np.median(
            [
                length * 0.5 * min(photo.lens.width, photo.lens.height) / photo.lens.params[0]
                for length, photo in zip(away, model.photos.values(), strict=True)
            ]
        )
    )
    off = np.linalg.norm(model.points - centre, axis=1)
    thickness = THICKNESS * distance
    found = _table(model.points[off < 2.0 * reach], model.positions(), thickness, seed)
    up, table = (None, 0.0) if found is None else found
    height = np.full(len(off), np.inf) if up is None else model.points @ up - table
    near = (off < reach) & (height > STANDING * thickness)
    own = np.zeros(len(off), bool)
    for cells in CLUSTER_CELLS:
        own[near], share = _cluster((model.points[near] - centre) / reach, cells)
        if share >= CLUSTERED:
            break
    if own.sum() < FEWEST_POINTS:
        raise ValueError(f"only {own.sum()} points lie on what stands where the cameras look")
    lower, upper = np.percentile(model.points[own], (1, 99), axis=0)
    middle = (lower + upper) / 2.0
    spread = np.linalg.norm(model.points[own] - middle, axis=1)
    radius = min(MARGIN * float(np.percentile(spread, 99)), LARGEST * reach)
    outside = np.linalg.norm(model.points - middle, axis=1) > 1.1 * radius
    return Subject(middle, radius, up, table, own, outside | (height < thickness))


def _table(
    points: FloatArray, cameras: FloatArray, thickness: float, seed: int
) -> tuple[FloatArray, float] | None:
    """Returns normal and height of the plane with most points, if the object can stand on it."""
    if len(points) < FEWEST_POINTS:
        return None
    rng = np.random.default_rng(seed)
    some = points[rng.permutation(len(points))[:TABLE_POINTS]]
    best, most = None, 0
    for _ in range(TRIPLES):
        first, second, third = some[rng.choice(len(some), 3, replace=False)]
        normal = np.cross(second - first, third - first)
        length = float(np.linalg.norm(normal))
        if length < thickness**2:
            continue
        normal /= length
        height = float(normal @ first)
        if np.median(cameras @ normal) < height:
            normal, height = -normal, -height
        heights = some @ normal - height
        on = int((np.abs(heights) < thickness).sum())
        below = int((heights < -3.0 * thickness).sum())
        fits = on >= LEAST_ON * len(some) and below <= MOST_BELOW * len(some)
        if fits and on > most and (cameras @ normal > height).mean() >= LEAST_ABOVE:
            best, most = (normal, height), on
    if best is None:
        return None
    for _ in range(3):
        normal, height = best
        on_it = some[np.abs(some @ normal - height) < thickness]
        mean = on_it.mean(0)
        fitted = np.linalg.svd(on_it - mean, full_matrices=False)[2][2]
        fitted = fitted * np.sign(fitted @ normal)
        best = fitted, float(fitted @ mean)
    return best


def _cluster(points: FloatArray, count: int) -> tuple[npt.NDArray[np.bool_], float]:
    """Finds the heaviest group of full cells; points in the middle weigh most.

    Args:
        points: [N, 3] within the unit ball.
        count: of cells along each side of the cube around it.

    Returns:
        Which points are in it, and by what share of the weight.
    """
    places = tuple(np.floor((points + 1.0) / 2.0 * count).astype(int).clip(0, count - 1).T)
    weight = np.exp(-4.0 * (points**2).sum(1))
    heavy, held = np.zeros((count,) * 3), np.zeros((count,) * 3, int)
    np.add.at(heavy, places, weight)
    np.add.at(held, places, 1)
    full = held >= CELL_POINTS
    best, heaviest = np.zeros_like(full), 0.0
    left = full.copy()
    while left.any():
        group = np.zeros_like(full)
        group[tuple(np.argwhere(left)[0])] = True
        grown = _wider(group) & full
        while (grown != group).any():
            group, grown = grown, _wider(grown) & full
        left &= ~group
        if heavy[group].sum() > heaviest:
            best, heaviest = group, float(heavy[group].sum())
    return np.asarray(_wider(best)[places]), heaviest / max(float(weight.sum()), 1e-9)


def _wider(cells: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Returns cells [N, N, N] and all that touch them."""
    wide = np.pad(cells, 1)
    for axis in range(3):
        wide = wide | np.roll(wide, 1, axis) | np.roll(wide, -1, axis)
    return wide[1:-1, 1:-1, 1:-1]
