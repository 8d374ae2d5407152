"""Reader of `transforms.json`, the format of instant-ngp and nerfstudio."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mobile_nelf.cameras import Camera, Intrinsics, nearest_to_axes
from mobile_nelf.errors import SceneError
from mobile_nelf.scenes.distortion import DistortedLens
from mobile_nelf.scenes.normalise import world_similarity
from mobile_nelf.scenes.poses import checked_pose, held_out
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.view import View

__all__ = ["TRANSFORMS", "read_transforms"]

TRANSFORMS = "transforms.json"
SUFFIXES = ("", ".png", ".jpg", ".jpeg")
#: Parameters of COLMAP's OPENCV model, in its order.
DISTORTION = ("k1", "k2", "p1", "p2")


def read_transforms(path: Path) -> Scene:
    """Reads a scene; every eighth frame by name is for testing.

    Lens values stand in a frame or, for all frames, at the top. Distortion of the OPENCV model is
    undone when a photo is read. Frames whose photo is missing are listed in `Scene.missing`.

    Raises:
        SceneError: the file is malformed, or no photo exists.
    """
    file = path / TRANSFORMS
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        frames = sorted(data["frames"], key=lambda frame: str(frame["file_path"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SceneError(
            f"{file}: expected JSON with frames that have a file_path, found {error!r}"
        ) from error
    views: list[View] = []
    missing: list[str] = []
    for frame in frames:
        name = str(frame["file_path"])
        photo = next((p for s in SUFFIXES if (p := path / f"{name}{s}").is_file()), None)
        if photo is None:
            missing.append(name)
            continue
        pose = checked_pose(frame.get("transform_matrix"), f"{file}: frame {name}")
        views.append(_view(photo, pose, {**data, **frame}, f"{file}: frame {name}"))
    if not views:
        raise SceneError(f"{file}: none of its {len(frames)} photos exists")
    return _normalised(path, views, missing)


def _view(photo: Path, pose: Any, values: dict[str, Any], where: str) -> View:
    try:
        with Image.open(photo) as image:
            width, height = image.size
    except (OSError, Image.DecompressionBombError) as error:
        raise SceneError(f"{photo}: not a readable image ({error})") from error
    try:
        # Values are for the size in the file; copies of a data set are often scaled down.
        scale = width / float(values.get("w", width))
        if "fl_x" in values:
            fx = scale * float(values["fl_x"])
        else:
            fx = 0.5 * width / math.tan(0.5 * float(values["camera_angle_x"]))
        fy = scale * float(values["fl_y"]) if "fl_y" in values else fx
        cx = scale * float(values["cx"]) if "cx" in values else width / 2
        cy = scale * float(values["cy"]) if "cy" in values else height / 2
        bends = tuple(float(values.get(name, 0.0)) for name in DISTORTION)
        lens = Intrinsics(width, height, fx, fy, cx, cy)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise SceneError(
            f"{where}: expected fl_x or camera_angle_x and numbers for the lens, found {error!r}"
        ) from error
    if not any(bends):
        return View(photo, Camera(pose, lens))
    distorted = DistortedLens("OPENCV", width, height, (fx, fy, cx, cy, *bends))
    return View(photo, Camera(pose, distorted.pinhole()), distorted)


def _normalised(path: Path, views: list[View], missing: list[str]) -> Scene:
    try:
        target = nearest_to_axes([view.camera for view in views])
        similarity = world_similarity([view.camera.cam_to_world for view in views], target)
    except ValueError as error:
        raise SceneError(f"{path / TRANSFORMS}: {error}") from error
    moved = [
        View(v.path, Camera(similarity.pose(v.camera.cam_to_world), v.camera.intrinsics), v.lens)
        for v in views
    ]
    train, test = held_out(moved)
    return Scene.from_views(path, train, test, missing, target=np.zeros(3))
