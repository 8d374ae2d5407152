"""Reader of LLFF scenes: `poses_bounds.npy` and a folder of photos, mostly forward-facing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mobile_nelf.cameras import FloatArray, Intrinsics
from mobile_nelf.errors import SceneError, require
from mobile_nelf.scenes.assembly import Frame, normalised_scene
from mobile_nelf.scenes.photo_files import photo_folders, photos_in
from mobile_nelf.scenes.photos import loaded_array, photo_header, same_aspect, turn_of
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.world import checked_pose

__all__ = ["CAMERAS", "read_llff"]

CAMERAS = "poses_bounds.npy"
#: Beside the poses of NeX, which have no column for them: height, width, focal lengths, centre.
NEX_LENSES = "hwf_cxcy.npy"


def read_llff(path: Path) -> Scene:
    """Reads a scene; every eighth photo by name is for testing, as in NeRF's protocol.

    Photos may be smaller than the poses say: the largest of the folders `images`, `images_2` and
    so on that has a photo for each pose is taken, and focal lengths follow its size.

    Raises:
        InputError: there is no `poses_bounds.npy`.
        SceneError: the poses are malformed, photos and poses differ in number, a photo cannot be
            read, or the cameras look at nothing in common.
    """
    file = require(path / CAMERAS, "the cameras of an LLFF scene")
    tables, bounds = _rows(file)
    photos = _photos(path, len(tables))
    lenses = _lenses(path, tables)
    frames = []
    for index, (table, lens, photo) in enumerate(zip(tables, lenses, photos, strict=True)):
        # LLFF's camera axes are down, right, back; ours are right, up, back.
        pose = np.stack([table[:, 1], -table[:, 0], table[:, 2], table[:, 3]], 1)
        pose = checked_pose(pose, f"{file}: row {index} ({photo.name})")
        turn = turn_of(photo_header(photo), (float(lens[1]), float(lens[0])), shown=False)
        frames.append(Frame(photo.name, photo, pose, _lens(file, photo, turn.size, lens), turn))
    return normalised_scene(
        path, file, frames, depths=(float(bounds[:, 0].min()), float(bounds[:, 1].max()))
    )


def _rows(file: Path) -> tuple[FloatArray, FloatArray]:
    """Returns a table [N, 3, 5], or [N, 3, 4] of NeX, and bounds [N, 2]."""
    rows = loaded_array(file)
    nex = rows.ndim == 2 and rows.shape[1] == 14 and (file.parent / NEX_LENSES).is_file()
    if rows.ndim != 2 or (rows.shape[1] != 17 and not nex) or not len(rows):
        raise SceneError(
            f"{file}: expected an array of [views, 17], found {list(rows.shape)}; one of "
            f"[views, 14] needs the lenses in {NEX_LENSES}"
        )
    bounds = rows[:, -2:]
    if (bounds[:, 0] <= 0.0).any() or (bounds[:, 1] <= bounds[:, 0]).any():
        raise SceneError(
            f"{file}: the last two columns are near and far bounds, expected 0 < near < far"
        )
    return rows[:, :-2].reshape(len(rows), 3, -1), bounds


def _lenses(path: Path, tables: FloatArray) -> FloatArray:
    """Returns height, width, fx, fy, cx and cy of each row, [N, 6]."""
    file = path / NEX_LENSES
    if not file.is_file():
        height, width, focal = np.moveaxis(tables[:, :, 4], 1, 0)
        columns = (height, width, focal, focal, width / 2, height / 2)
        return np.asarray(np.stack(columns, 1), np.float64)
    values = loaded_array(file)
    count = len(tables)
    # One lens for all as [6], [6, 1] or [1, 6], or a lens a photo in either order.
    if values.shape == (6, count) and count != 6:
        values = values.T
    elif values.size == 6:
        values = np.broadcast_to(values.reshape(6), (count, 6))
    if values.shape != (count, 6):
        raise SceneError(
            f"{file}: expected height, width, fx, fy, cx and cy as [6] or [{count}, 6], found "
            f"{list(values.shape)}"
        )
    return values


def _photos(path: Path, count: int) -> list[Path]:
    found = {folder.name: photos_in(folder) for folder in photo_folders(path)}
    for photos in found.values():
        if len(photos) == count:
            return photos
    counts = ", ".join(f"{name} with {len(photos)}" for name, photos in found.items())
    raise SceneError(
        f"{path}: expected a folder images or images_N with {count} photos, one a row of "
        f"{CAMERAS}; found {counts or 'none'}"
    )


def _lens(file: Path, photo: Path, size: tuple[int, int], values: FloatArray) -> Intrinsics:
    width, height = size
    if min(values[:4]) <= 0.0:
        raise SceneError(
            f"{file}: expected height, width and focal length, found {values[:3].tolist()}"
        )
    rows, columns, fx, fy, cx, cy = map(float, values)
    if not same_aspect((columns, rows), size):
        raise SceneError(
            f"{file}: photo {photo.name} is {width}×{height}, but its lens is for "
            f"{columns:g}×{rows:g}, which has another aspect"
        )
    across, down = width / columns, height / rows
    return Intrinsics(width, height, across * fx, down * fy, across * cx, down * cy)
