"""Reader of Blender scenes: `transforms_train.json`, `transforms_test.json` and RGBA images."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mobile_nelf.cameras import Camera, Intrinsics
from mobile_nelf.errors import SceneError, require
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.view import View

__all__ = ["read_blender"]


def read_blender(path: Path) -> Scene:
    """Reads a scene of the NeRF synthetic data set.

    Frames whose image is missing are left out and listed in `Scene.missing`, so a copy with only
    some of the test views still works.

    Raises:
        InputError: `transforms_train.json` is missing.
        SceneError: a camera file is malformed, an image cannot be read, no training image exists,
            or the training cameras span no orbit.
    """
    missing: list[str] = []
    train = _read_split(path / "transforms_train.json", missing)
    test_file = path / "transforms_test.json"
    test = _read_split(test_file, missing) if test_file.exists() else []
    if not train:
        raise SceneError(f"{path}: none of the training images exists")
    return Scene.from_views(path, train, test, missing)


def _read_split(file: Path, missing: list[str]) -> list[View]:
    require(file, "the cameras of a Blender scene")
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        angle = float(data["camera_angle_x"])
        frames = [(str(frame["file_path"]), _pose(frame)) for frame in data["frames"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SceneError(
            f"{file}: expected camera_angle_x and frames with file_path and a 4×4 "
            f"transform_matrix, found {error!r}"
        ) from error
    if not 0.0 < angle < math.pi:
        raise SceneError(f"{file}: camera_angle_x must lie between 0 and π, found {angle}")
    views: list[View] = []
    lens: Intrinsics | None = None
    for name, cam_to_world in frames:
        image = _image_path(file.parent, name)
        if image is None:
            missing.append(name)
            continue
        lens = lens or _intrinsics(image, angle)
        views.append(View(image, Camera(cam_to_world, lens)))
    return views


def _pose(frame: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    matrix = np.asarray(frame["transform_matrix"], np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise ValueError(f"a transform_matrix of shape {matrix.shape} or with non-finite numbers")
    rotation = matrix[:3, :3]
    # Depths are measured along camera axes, so scaled or mirrored axes would bend every ray.
    if np.abs(rotation.T @ rotation - np.eye(3)).max() > 1e-3 or np.linalg.det(rotation) < 0.0:
        raise ValueError(f"a transform_matrix that is no rotation: {rotation.tolist()}")
    return matrix[:3]


def _image_path(root: Path, name: str) -> Path | None:
    """The files leave out the extension; some copies of the data set write it."""
    for candidate in (root / f"{name}.png", root / name):
        if candidate.is_file():
            return candidate
    return None


def _intrinsics(image: Path, angle: float) -> Intrinsics:
    try:
        with Image.open(image) as opened:
            width, height = opened.size
    except (OSError, Image.DecompressionBombError) as error:
        raise SceneError(f"{image}: not a readable image ({error})") from error
    return Intrinsics.centred(width, height, 0.5 * width / math.tan(0.5 * angle))
