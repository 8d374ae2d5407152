"""Reader of LLFF scenes: `poses_bounds.npy` and a folder of photos, mostly forward-facing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mobile_nelf.cameras import FloatArray, Intrinsics
from mobile_nelf.errors import SceneError, require
from mobile_nelf.scenes.assembly import Frame, normalised_scene
from mobile_nelf.scenes.photos import image_size, loaded_array, photo_folders, photos_in
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.world import checked_pose

__all__ = ["CAMERAS", "read_llff"]

CAMERAS = "poses_bounds.npy"


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
    rows = _rows(file)
    photos = _photos(path, len(rows))
    frames = []
    for index, (row, photo) in enumerate(zip(rows, photos, strict=True)):
        table = row[:15].reshape(3, 5)
        # LLFF's camera axes are down, right, back; ours are right, up, back.
        pose = np.stack([table[:, 1], -table[:, 0], table[:, 2], table[:, 3]], 1)
        pose = checked_pose(pose, f"{file}: row {index} ({photo.name})")
        frames.append(Frame(photo.name, photo, pose, _lens(file, photo, table[:, 4])))
    return normalised_scene(
        path, file, frames, depths=(float(rows[:, 15].min()), float(rows[:, 16].max()))
    )


def _rows(file: Path) -> FloatArray:
    rows = loaded_array(file)
    if rows.ndim != 2 or rows.shape[1] != 17 or not len(rows):
        raise SceneError(f"{file}: expected an array of [views, 17], found {list(rows.shape)}")
    if (rows[:, 15] <= 0.0).any() or (rows[:, 16] <= rows[:, 15]).any():
        raise SceneError(
            f"{file}: the last two columns are near and far bounds, expected 0 < near < far"
        )
    return rows


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


def _lens(file: Path, photo: Path, hwf: FloatArray) -> Intrinsics:
    width, height = image_size(photo)
    if min(hwf) <= 0.0:
        raise SceneError(f"{file}: expected height, width and focal length, found {hwf.tolist()}")
    fx, fy = float(hwf[2] * width / hwf[1]), float(hwf[2] * height / hwf[0])
    return Intrinsics(width, height, fx, fy, width / 2, height / 2)
