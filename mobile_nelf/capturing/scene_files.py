"""The scene that a capture writes: undistorted images of one size, cameras, COLMAP's model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf.cameras import Intrinsics
from mobile_nelf.capturing.intake import Intake, Photo
from mobile_nelf.capturing.masks import has_mask, read_mask
from mobile_nelf.capturing.measure import World
from mobile_nelf.capturing.model import Model, read_reconstruction
from mobile_nelf.errors import CaptureError, SceneError
from mobile_nelf.extras import import_extra
from mobile_nelf.lenses import DistortedLens
from mobile_nelf.progress import Progress, counted
from mobile_nelf.scenes.readers.transforms import CAMERAS, METRES, UP

__all__ = ["IMAGES", "SOURCE_MASKS", "write_scene"]

IMAGES, SPARSE = "images", "sparse/0"
#: Masks as they lie on the photos, to be corrected and given again; not those of the images.
SOURCE_MASKS = "source_masks"
#: Of JPEG, without thinning out colours; one generation costs about 45 dB.
QUALITY = 95


def write_scene(
    intake: Intake,
    photos: Path,
    masks: Path | None,
    model: Model,
    folder: Path,
    files: Path,
    on_progress: Progress,
    world: World | None = None,
) -> None:
    """Writes images, `transforms.json` and `sparse/0` of the photos that have a pose.

    Images are pinhole pictures of the size of most photos. Those of another size, such as upright
    ones among those on their side, are cut to it.

    Args:
        intake: the photos, in their order.
        photos: their folder.
        masks: folder of their masks, which become alpha; None without.
        model: of some of them.
        folder: of COLMAP's model.
        files: folder of the scene, which exists.
        on_progress: called with a stage, photos done and photos in all.
        world: that `model` was taken to, and `folder` was not.

    Raises:
        CaptureError: a lens that was found bends too much for a pinhole.
    """
    posed = [photo for photo in intake.photos if photo.name in model.photos]
    size = Counter((m.lens.width, m.lens.height) for m in model.photos.values()).most_common(1)[0][
        0
    ]
    lenses = _pinholes(model, size)
    (files / IMAGES).mkdir()
    called = {}
    if masks is not None:
        _write_source_masks(intake, masks, files / SOURCE_MASKS)
    for photo in counted("images", posed, on_progress):
        with Image.open(photos / photo.name) as image:
            pixels = np.asarray(image)
        if masks is not None:
            pixels = np.dstack([pixels[..., :3], read_mask(masks, photo)])
        straight = _straight(pixels, model.photos[photo.name].lens, lenses[photo.name])
        suffix = "png" if pixels.shape[2] == 4 else "jpg"
        called[photo.name] = f"{Path(photo.name).stem}.{suffix}"
        _save(straight, files / IMAGES / called[photo.name])
    known: dict[str, Any] = {}
    if world is not None and world.metres_per_unit is not None:
        known[METRES] = world.metres_per_unit
    if world is not None and world.up is not None:
        known[UP] = list(world.up)
    _write_transforms(posed, model, lenses, called, known, files / CAMERAS)
    _write_sparse(folder, lenses, called, world, files / SPARSE)


def _write_source_masks(intake: Intake, masks: Path, folder: Path) -> None:
    """Writes all masks, those of photos without a pose too: they are given again together."""
    folder.mkdir()
    for photo in intake.photos:
        if has_mask(masks, photo):
            mask = Image.fromarray(read_mask(masks, photo))
            mask.save(folder / f"{Path(photo.name).stem}.png", "PNG")


def _pinholes(model: Model, size: tuple[int, int]) -> dict[str, Intrinsics]:
    try:
        return {name: _pinhole(photo.lens, size) for name, photo in model.photos.items()}
    except SceneError as error:
        raise CaptureError(
            f"{error}; the lens cannot be worked out from these photos: take more of them, from "
            "more sides, with the main lens and without zoom"
        ) from error


def _pinhole(lens: DistortedLens, size: tuple[int, int]) -> Intrinsics:
    """Returns the pinhole of the middle of a photo, at a size of any aspect."""
    whole = lens.pinhole()
    scale = max(size[0] / whole.width, size[1] / whole.height)
    left, top = (scale * whole.width - size[0]) / 2, (scale * whole.height - size[1]) / 2
    return Intrinsics(
        *size,
        scale * whole.fx,
        scale * whole.fy,
        scale * whole.cx - left,
        scale * whole.cy - top,
    )


@lru_cache(maxsize=2)
def _maps(lens: DistortedLens, pinhole: Intrinsics) -> npt.NDArray[np.float32]:
    # OpenCV has pixel centres at whole numbers.
    return (lens.places(pinhole) - 0.5).astype(np.float32)


def _straight(
    pixels: npt.NDArray[np.uint8], lens: DistortedLens, pinhole: Intrinsics
) -> npt.NDArray[np.uint8]:
    """Returns what a pinhole would have seen of a photo [H, W, 3 or 4]."""
    cv2 = import_extra("cv2", "capture")
    maps = _maps(lens, pinhole)
    if pixels.shape[2] == 3:
        bent = cv2.remap(pixels, maps, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(bent, np.uint8)
    # What is transparent has no colour to mix in.
    alpha = pixels[..., 3:].astype(np.float32)
    colour = pixels[..., :3] * (alpha / 255.0)
    mixed = cv2.remap(
        np.dstack([colour, alpha]), maps, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    straight = mixed[..., :3] * (255.0 / np.maximum(mixed[..., 3:], 0.5))
    return np.dstack([straight, mixed[..., 3:]]).round().clip(0, 255).astype(np.uint8)


def _save(pixels: npt.NDArray[np.uint8], path: Path) -> None:
    image = Image.fromarray(pixels)
    if path.suffix == ".png":
        image.save(path, "PNG")
    else:
        image.save(path, "JPEG", quality=QUALITY, subsampling=0)


def _write_transforms(
    posed: Sequence[Photo],
    model: Model,
    lenses: Mapping[str, Intrinsics],
    called: Mapping[str, str],
    known: Mapping[str, Any],
    path: Path,
) -> None:
    frames = []
    for photo in posed:
        matrix = [*model.photos[photo.name].cam_to_world.tolist(), [0.0, 0.0, 0.0, 1.0]]
        frame: dict[str, Any] = {
            "file_path": f"{IMAGES}/{called[photo.name]}",
            "transform_matrix": matrix,
            "sharpness": round(photo.sharpness, 3),
            "source": photo.source,
        }
        if photo.seconds is not None:
            frame["seconds"] = round(photo.seconds, 4)
        frames.append(frame | _lens_values(lenses[photo.name]))
    content = {"camera_model": "PINHOLE", **known, "frames": frames}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _lens_values(lens: Intrinsics) -> dict[str, float]:
    return {
        "w": lens.width,
        "h": lens.height,
        "fl_x": lens.fx,
        "fl_y": lens.fy,
        "cx": lens.cx,
        "cy": lens.cy,
    }


def _write_sparse(
    folder: Path,
    lenses: Mapping[str, Intrinsics],
    called: Mapping[str, str],
    world: World | None,
    target: Path,
) -> None:
    """Writes COLMAP's model of the images as they are in the scene, for other programs."""
    pycolmap = import_extra("pycolmap", "capture")
    found = read_reconstruction(folder)
    pinholes = {
        image.camera_id: lenses[image.name] for image in found.images.values() if image.has_pose
    }
    for image in found.images.values():
        if image.has_pose:
            camera, lens = found.cameras[image.camera_id], pinholes[image.camera_id]
            rays = np.asarray(camera.cam_from_img(np.stack([p.xy for p in image.points2D])))
            for point, ray in zip(image.points2D, rays, strict=True):
                point.xy = ray * (lens.fx, lens.fy) + (lens.cx, lens.cy)
            image.name = called[image.name]
    for number, lens in pinholes.items():
        camera = found.cameras[number]
        camera.model = pycolmap.CameraModelId.PINHOLE
        camera.width, camera.height = lens.width, lens.height
        camera.params = [lens.fx, lens.fy, lens.cx, lens.cy]
    if world is not None:
        turn = pycolmap.Rotation3d(world.rotation)
        found.transform(pycolmap.Sim3d(world.scale, turn, world.shift))
    target.mkdir(parents=True)
    found.write_binary(target)
