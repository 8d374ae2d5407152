"""Reader of COLMAP scenes: a sparse model, binary or text, and a folder of photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mobile_nelf.cameras import FloatArray, Intrinsics
from mobile_nelf.errors import SceneError
from mobile_nelf.extras import import_extra
from mobile_nelf.scenes.assembly import Frame, normalised_scene
from mobile_nelf.scenes.lens import DistortedLens
from mobile_nelf.scenes.photos import image_size, photo_folders
from mobile_nelf.scenes.readers.colmap.binary import check_binary_model
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.world import FROM_OPENCV, checked_pose

__all__ = ["find_colmap", "read_colmap"]

#: Folders that may hold a model, and what it is known by.
MODELS = ("sparse/0", "sparse", "colmap/sparse/0")
CAMERA_FILES = ("cameras.bin", "cameras.txt")
#: Sparse points lie this share beyond the nearest and farthest that count; some are mismatches.
OUTLIERS = 0.01
#: Models whose parameters say nothing but focal lengths and principal point.
PINHOLES = ("SIMPLE_PINHOLE", "PINHOLE")
#: A photo scaled down has sides rounded to a whole pixel.
SCALE_TOLERANCE = 0.01
#: What pycolmap raises for a model that it cannot read.
BROKEN = (ValueError, LookupError, RuntimeError, OSError, MemoryError)


def find_colmap(path: Path) -> Path | None:
    """Returns the folder of the sparse model of a scene, None if there is none."""
    folders = (path / name for name in MODELS)
    return next((f for f in folders if any((f / c).is_file() for c in CAMERA_FILES)), None)


def read_colmap(path: Path) -> Scene:
    """Reads a scene; every eighth photo by name is for testing.

    Lenses of any of COLMAP's models are turned into pinholes when a photo is read. The sparse
    points tell the depths.

    Args:
        path: the scene, with a folder `images`, or scaled copies such as `images_4` of which the
            largest is taken.

    Raises:
        MissingExtraError: pycolmap is not installed.
        SceneError: there is no sparse model, it is cut off or malformed, has no photos, a photo
            cannot be read, or the cameras look at nothing in common.
    """
    model = find_colmap(path)
    if model is None:
        raise SceneError(f"{path}: has no model of COLMAP, expected one in {MODELS[0]}")
    reconstruction = _load(model)
    images = sorted(
        (image for image in reconstruction.images.values() if image.has_pose),
        key=lambda image: str(image.name),
    )
    if not images:
        raise SceneError(f"{model}: has no photo with a pose; the reconstruction failed")
    folders = photo_folders(path)
    if not folders:
        raise SceneError(f"{path}: expected a folder images beside the COLMAP model; found none")
    frames, depths = [], []
    points = {key: point.xyz for key, point in reconstruction.points3D.items()}
    for image in images:
        cam_from_world = np.asarray(image.cam_from_world().matrix(), np.float64)
        where = f"{model}: photo {image.name}"
        frames.append(_frame(image, cam_from_world, folders[0], where))
        seen = [points[p.point3D_id] for p in image.points2D if p.point3D_id in points]
        if seen:
            depths.append(np.stack(seen) @ cam_from_world[2, :3] + cam_from_world[2, 3])
    notices = []
    others = sorted(f.name for f in model.parent.glob("[0-9]*") if f != model and f.is_dir())
    if model.name == "0" and others:
        notices.append(
            f"COLMAP split the photos into several models; {model.name} of {model.parent} with "
            f"{len(images)} photos is used, not {', '.join(others)}"
        )
    return normalised_scene(path, model, frames, depths=_range(depths), notices=notices)


def _load(model: Path) -> Any:
    pycolmap = import_extra("pycolmap", "train")
    check_binary_model(model)
    try:
        return pycolmap.Reconstruction(model)
    except BROKEN as error:
        raise SceneError(f"{model}: not a readable COLMAP model ({error})") from error


def _frame(image: Any, cam_from_world: FloatArray, folder: Path, where: str) -> Frame:
    rotation = cam_from_world[:, :3].T
    cam_to_world = np.concatenate(
        [rotation @ FROM_OPENCV, -rotation @ cam_from_world[:, 3:]], axis=1
    )
    pose = checked_pose(cam_to_world, where)
    photo = folder / image.name
    if not photo.is_file():
        return Frame(image.name, None, pose, None)
    return Frame(image.name, photo, pose, _lens(image.camera, image_size(photo), where))


def _lens(camera: Any, size: tuple[int, int], where: str) -> Intrinsics | DistortedLens:
    width, height = size
    if not camera.width or not camera.height:
        raise SceneError(f"{where}: its camera has no size: {camera.width}×{camera.height}")
    across, down = width / camera.width, height / camera.height
    if abs(across / down - 1.0) > SCALE_TOLERANCE:
        raise SceneError(
            f"{where}: is {width}×{height}, but its camera is {camera.width}×{camera.height}, "
            "which has another aspect"
        )
    model = camera.model.name
    lens = DistortedLens(model, camera.width, camera.height, tuple(map(float, camera.params)))
    if (width, height) != (camera.width, camera.height):
        lens = lens.resized(width, height)
    return lens.pinhole() if model in PINHOLES else lens


def _range(depths: list[FloatArray]) -> tuple[float, float] | None:
    """Returns where nearly all of the points in front of the cameras lie."""
    ahead = np.concatenate([np.zeros(0), *depths])
    ahead = ahead[ahead > 0.0]
    if not len(ahead):
        return None
    near, far = np.quantile(ahead, [OUTLIERS, 1.0 - OUTLIERS])
    return (float(near), float(far)) if near < far else None
