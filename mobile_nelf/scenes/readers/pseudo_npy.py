"""Reader of the pseudo sets that MobileR2L's teacher writes: a `.npy` file an image and a pose.

*rgb/rendered_rgb_NNNNN.npy   RGB in [0, 1], float32, rows of pixels
poses/c2w_NNNNN.npy           [3, 4] in OpenCV axes if forward-facing, else the camera's position
hwf/dataset_info.json         ray grid, focal length on it, kind of the scene
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_nelf.cameras import FloatArray, Intrinsics, look_at
from mobile_nelf.errors import SceneError, require
from mobile_nelf.scenes.assembly import Frame, normalised_scene, scene_as_given
from mobile_nelf.scenes.photos import ARRAY_SUFFIX, loaded_array
from mobile_nelf.scenes.readers.json_file import loaded_json
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.world import FROM_OPENCV, checked_pose

__all__ = ["INFO", "read_pseudo_npy"]

INFO = "hwf/dataset_info.json"
IMAGE_PREFIX = "rendered_rgb_"
#: That teacher shrinks Blender worlds by this factor.
BLENDER_SCALE = 4.031128857175551 / 1.5


@dataclass(frozen=True)
class _Info:
    """What the JSON file says.

    Attributes:
        width: of the ray grid.
        height: of the ray grid.
        focal: length in pixels of the ray grid.
        blender: whether the scene has a Blender world.
        forward: whether poses are whole matrices.
    """

    width: int
    height: int
    focal: float
    blender: bool
    forward: bool


def read_pseudo_npy(path: Path) -> Scene:
    """Reads a pseudo set; images are decoded when they are asked for.

    Blender worlds get the scale of their files back and all views are for training. Other worlds
    are normalised, and every eighth view is for testing.

    Raises:
        InputError: there is no `hwf/dataset_info.json`.
        SceneError: a file is malformed, images or poses are missing, or the cameras look at nothing
            in common.
    """
    info = _info(require(path / INFO, "the description of a pseudo set"))
    folders = sorted(folder for folder in path.glob("*rgb") if folder.is_dir())
    files = sorted(folders[0].glob(f"{IMAGE_PREFIX}*{ARRAY_SUFFIX}")) if folders else []
    if not files:
        raise SceneError(f"{path}: expected images *rgb/{IMAGE_PREFIX}00000{ARRAY_SUFFIX}")
    lens = _lens(files[0], info)
    frames = [Frame(file.name, file, _pose(path, file, info), lens) for file in files]
    if info.blender:
        return scene_as_given(path, path / INFO, frames, ())
    return normalised_scene(path, path / INFO, frames)


def _info(file: Path) -> _Info:
    try:
        data = loaded_json(file)
        info = _Info(
            int(data["downscaled_width"]),
            int(data["downscaled_height"]),
            float(data["downscaled_focal"]),
            data["dataset_type"] != "colmap",
            bool(data["ff"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise SceneError(
            f"{file}: expected downscaled_width, downscaled_height, downscaled_focal, dataset_type "
            f"and ff, found {error!r}"
        ) from error
    if min(info.width, info.height) < 1 or not 0.0 < info.focal < math.inf:
        raise SceneError(f"{file}: expected a ray grid and a focal length, found {info}")
    return info


def _lens(image: Path, info: _Info) -> Intrinsics:
    """The lens of the images, which are the ray grid enlarged by a whole factor."""
    pixels = loaded_array(image).size / 3
    scale = math.isqrt(round(pixels / (info.width * info.height)))
    if scale < 1 or scale * scale * info.width * info.height != pixels:
        raise SceneError(
            f"{image}: holds {pixels:g} pixels, expected a multiple of the ray grid of "
            f"{info.width}×{info.height} in {INFO}"
        )
    return Intrinsics.centred(scale * info.width, scale * info.height, scale * info.focal)


def _pose(path: Path, image: Path, info: _Info) -> FloatArray:
    number = image.stem.removeprefix(IMAGE_PREFIX)
    file = path / "poses" / f"c2w_{number}{ARRAY_SUFFIX}"
    if not file.is_file():
        raise SceneError(f"{file}: no such file, expected the pose of {image.name}")
    values = loaded_array(file)
    if info.forward:
        pose = checked_pose(values, str(file)).copy()
        pose[:, :3] = pose[:, :3] @ FROM_OPENCV
        return pose
    if values.size != 3 or not values.any():
        raise SceneError(
            f"{file}: expected the position of a camera, found shape {list(values.shape)}"
        )
    return look_at(values.reshape(3) * (BLENDER_SCALE if info.blender else 1.0), np.zeros(3))
