"""Reader of LLFF scenes: `poses_bounds.npy` and a folder of forward-facing photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mobile_nelf.cameras import Camera, FloatArray, Intrinsics
from mobile_nelf.errors import SceneError
from mobile_nelf.scenes.normalise import world_similarity
from mobile_nelf.scenes.poses import checked_pose, held_out
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.view import View

__all__ = ["POSES", "read_llff"]

POSES = "poses_bounds.npy"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def read_llff(path: Path) -> Scene:
    """Reads a forward-facing scene; every eighth photo is for testing, as in NeRF's protocol.

    Photos may be smaller than the poses say: the largest folder `images*` is taken, and focal
    lengths follow its size.

    Raises:
        SceneError: the poses are malformed, or photos and poses differ in number.
    """
    rows = _rows(path / POSES)
    photos = _photos(path, len(rows))
    tables = rows[:, :15].reshape(-1, 3, 5)
    # LLFF's camera axes are down, right, back; ours are right, up, back.
    poses = [
        checked_pose(np.stack([t[:, 1], -t[:, 0], t[:, 2], t[:, 3]], 1), f"{path / POSES}: row {i}")
        for i, t in enumerate(tables)
    ]
    near, far = float(rows[:, 15].min()), float(rows[:, 16].max())
    focus = 2.0 / (1.0 / near + 1.0 / far)
    stacked = np.stack(poses)
    target = stacked[:, :, 3].mean(0) - focus * _unit(stacked[:, :, 2].mean(0))
    try:
        similarity = world_similarity(poses, target)
    except ValueError as error:
        raise SceneError(f"{path / POSES}: {error}") from error
    views = [
        View(photo, Camera(similarity.pose(pose), _lens(photo, table[:, 4])))
        for photo, pose, table in zip(photos, poses, tables, strict=True)
    ]
    train, test = held_out(views)
    return Scene.from_views(
        path,
        train,
        test,
        target=np.zeros(3),
        forward=True,
        depths=(similarity.scale * near, similarity.scale * far),
    )


def _rows(file: Path) -> FloatArray:
    try:
        rows = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SceneError(f"{file}: not a readable NumPy array ({error})") from error
    if rows.ndim != 2 or rows.shape[1] != 17 or not np.issubdtype(rows.dtype, np.floating):
        raise SceneError(f"{file}: expected numbers of shape [views, 17], found {rows.shape}")
    if not np.isfinite(rows).all() or (rows[:, 15] <= 0).any():
        raise SceneError(f"{file}: holds numbers that are not finite, or a near bound below 0")
    if (rows[:, 16] <= rows[:, 15]).any():
        raise SceneError(f"{file}: a far bound is not beyond its near bound")
    return np.asarray(rows, np.float64)


def _photos(path: Path, count: int) -> list[Path]:
    folders = sorted(folder for folder in path.glob("images*") if folder.is_dir())
    found = {
        folder: sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
        for folder in folders
    }
    fitting = [files for files in found.values() if len(files) == count]
    if not fitting:
        counts = ", ".join(f"{folder.name} with {len(files)}" for folder, files in found.items())
        raise SceneError(
            f"{path}: expected a folder images* with {count} photos, one a row of {POSES}; found "
            f"{counts or 'none'}"
        )
    return max(fitting, key=lambda files: _size(files[0])[0])


def _lens(photo: Path, hwf: FloatArray) -> Intrinsics:
    width, height = _size(photo)
    focal = float(hwf[2]) * width / float(hwf[1])
    return Intrinsics.centred(width, height, focal)


def _size(photo: Path) -> tuple[int, int]:
    try:
        with Image.open(photo) as image:
            return image.size
    except (OSError, Image.DecompressionBombError) as error:
        raise SceneError(f"{photo}: not a readable image ({error})") from error


def _unit(vector: FloatArray) -> FloatArray:
    return vector / np.linalg.norm(vector)
