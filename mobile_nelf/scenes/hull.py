"""The visual hull: what is left of a cube when every transparent pixel has cut out its ray."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import Camera, FloatArray, Intrinsics
from mobile_nelf.scenes.view import Box, View

__all__ = ["Hull", "visual_hull"]

#: Cells along each axis of the box that is carved.
CELLS = 64
#: Masks are shrunk to about so many pixels along the longer side; a cell is wider than one.
MASK_PIXELS = 200
#: An object that was cut out of its photo leaves more of it transparent than this share; less is
#: stray pixels.
CUT_OUT = 0.01


class Hull(NamedTuple):
    """What is left of a carved box.

    Attributes:
        box: around all cells that are left, padded by a cell.
        near: smallest depth of a cell in any view, world units.
        far: largest depth of a cell in any view, world units.
        opaque: names of the photos with hardly a transparent pixel, which carved nothing.
    """

    box: Box
    near: float
    far: float
    opaque: tuple[str, ...] = ()


class _Mask(NamedTuple):
    """An alpha mask as its integral image.

    Attributes:
        camera: that took it, on the grid of the mask.
        sums: [H + 1, W + 1] number of set pixels above and left of each pixel corner.
    """

    camera: Camera
    sums: npt.NDArray[np.int64]


def visual_hull(views: Sequence[View], centre: FloatArray, half: float) -> Hull | None:
    """Carves a cube with the alpha masks of `views`: coarsely, then finely within what is left.

    Args:
        views: posed photos.
        centre: [3] of the cube, world frame.
        half: its half side, world units.

    Returns:
        None if half of the photos are opaque, or if nothing is left. A few opaque ones among many
        with alpha, such as close-ups, carve nothing.

    Raises:
        SceneError: a photo cannot be read.
    """
    masks: list[_Mask] = []
    opaque: list[str] = []
    for view in views:
        solid = view.rgba()[..., 3] > 0 if view.may_have_alpha else None
        if solid is None or solid.mean() > 1.0 - CUT_OUT:
            opaque.append(view.path.name)
        else:
            masks.append(_mask(view.camera, solid))
        if 2 * len(opaque) >= len(views):
            return None
    lower, upper = centre - half, centre + half
    for _ in range(2):
        cells = _carved(masks, lower, upper)
        if not len(cells):
            return None
        pad = (upper - lower) / CELLS
        lower, upper = cells.min(0) - pad, cells.max(0) + pad
    depths = [(m.camera.position - cells) @ m.camera.cam_to_world[:, 2] for m in masks]
    reach = float(np.linalg.norm(pad)) / 2.0
    return Hull(
        Box(_triple(lower), _triple(upper)),
        min(float(depth.min()) for depth in depths) - reach,
        max(float(depth.max()) for depth in depths) + reach,
        tuple(opaque),
    )


def _mask(camera: Camera, mask: npt.NDArray[np.bool_]) -> _Mask:
    """Shrinks a mask by a whole factor, so that a set pixel stays set, and sums it up."""
    shrink = max(1, max(mask.shape) // MASK_PIXELS)
    height, width = (-(-side // shrink) for side in mask.shape)
    padded = np.zeros((height * shrink, width * shrink), bool)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    small = padded.reshape(height, shrink, width, shrink).any((1, 3))
    sums = np.pad(small.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    lens = camera.intrinsics
    # Shrinking by a whole factor scales the lens alone; the last pixel may reach over the rim.
    scaled = (side / shrink for side in (lens.fx, lens.fy, lens.cx, lens.cy))
    return _Mask(Camera(camera.cam_to_world, Intrinsics(width, height, *scaled)), sums)


def _carved(masks: Sequence[_Mask], lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Returns [N, 3] centres of the cells of a box that no mask cuts out."""
    steps = (np.arange(CELLS) + 0.5) / CELLS
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    cells = lower + (upper - lower) * grid
    reach = float(np.linalg.norm(upper - lower)) / CELLS / 2.0
    seen = np.zeros(len(cells), np.int64)
    for mask in masks:
        inside, kept = _look(mask, cells, reach)
        cells, seen = cells[kept], (seen + inside)[kept]
    # What most photos do not show is not a part of the object, though nothing has cut it out.
    return np.asarray(cells[seen >= len(masks) / 2], np.float64)


def _look(
    mask: _Mask, cells: FloatArray, reach: float
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Returns which cells a view shows, and which of all it leaves where they are."""
    lens = mask.camera.intrinsics
    local = (cells - mask.camera.position) @ mask.camera.cam_to_world[:, :3]
    depth = np.maximum(-local[:, 2], 1e-6)
    column = lens.cx + lens.fx * local[:, 0] / depth
    row = lens.cy - lens.fy * local[:, 1] / depth
    inside = (local[:, 2] < 0.0) & (column >= 0) & (column < lens.width)
    inside &= (row >= 0) & (row < lens.height)
    # A cell covers pixels up to this far from its centre; it goes if all of them are transparent.
    radius = max(lens.fx, lens.fy) * reach / depth[inside]
    left = np.clip(column[inside] - radius, 0, lens.width - 1).astype(np.int64)
    right = np.clip(column[inside] + radius, 0, lens.width - 1).astype(np.int64) + 1
    top = np.clip(row[inside] - radius, 0, lens.height - 1).astype(np.int64)
    bottom = np.clip(row[inside] + radius, 0, lens.height - 1).astype(np.int64) + 1
    sums = mask.sums
    count = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    kept = np.ones(len(cells), bool)
    kept[inside] = count > 0
    return inside, kept


def _triple(vector: FloatArray) -> tuple[float, float, float]:
    return float(vector[0]), float(vector[1]), float(vector[2])
