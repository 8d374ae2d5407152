"""Reader of COLMAP scenes: a sparse model, binary or text, and a folder of photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mobile_nelf.cameras import FloatArray, Intrinsics
from mobile_nelf.errors import SceneError
from mobile_nelf.lenses import DistortedLens
from mobile_nelf.scenes.assembly import Frame, normalised_scene
from mobile_nelf.scenes.photo_files import WHOLE, located, photo_folders, photos_in, what_lies_at
from mobile_nelf.scenes.photos import photo_header, same_aspect, turn_of
from mobile_nelf.scenes.readers.colmap.binary import binary_image_count, read_binary_model
from mobile_nelf.scenes.readers.colmap.model import ColmapCamera
from mobile_nelf.scenes.readers.colmap.text import read_text_model, text_image_count
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.world import FROM_OPENCV, checked_pose

__all__ = ["find_colmap", "read_colmap"]

#: Where models lie, each with models beside each other: COLMAP itself and 3DGS, nerfstudio, dense
#: workspaces, colmap2nerf, hloc, and files right beside the photos.
PLACES = (
    ("sparse", "sparse/*", "sparse/models/*", "sparse/*/models/*"),
    ("colmap/sparse", "colmap/sparse/*"),
    ("dense/sparse", "dense/sparse/*", "dense/*/sparse", "dense"),
    ("undistorted/sparse", "undistorted/sparse/*"),
    ("colmap_text", "text", "colmap"),
    (".",),
    ("sfm*", "sfm*/models/*", "outputs/sfm*", "outputs/sfm*/models/*", "hloc", "hloc/*"),
    ("distorted/sparse", "distorted/sparse/*"),
)
#: Sparse points lie this share beyond the nearest and farthest that count; some are mismatches.
OUTLIERS = 0.01
#: Models whose parameters say nothing but focal lengths and principal point.
PINHOLES = ("SIMPLE_PINHOLE", "PINHOLE")


def find_colmap(path: Path) -> Path | None:
    """Returns the folder of the sparse model of a scene, None if there is none."""
    models = _models(path)
    return models[0] if models else None


def read_colmap(path: Path) -> Scene:
    """Reads a scene; every eighth photo by name is for testing.

    Of several models beside each other, the one with the most photos is taken. Lenses of any of
    COLMAP's models are turned into pinholes when a photo is read. The sparse points tell the
    depths, if there are any.

    Args:
        path: the scene, with a folder `images`, or `input` of 3DGS, or scaled copies such as
            `images_4` of which the largest is taken.

    Raises:
        MissingExtraError: pycolmap is not installed.
        SceneError: there is no sparse model, it is cut off or malformed, has no photos, a photo
            cannot be read, or the cameras look at nothing in common.
    """
    models = _models(path)
    if not models:
        raise SceneError(f"{path}: has no model of COLMAP, expected one in sparse/0")
    model = models[0]
    read = read_text_model(model) if _is_text(model) else read_binary_model(model)
    images = sorted(read.images, key=lambda image: image.name)
    if not images:
        raise SceneError(f"{model}: has no photo with a pose; the reconstruction failed")
    root, folder = _photos(path, model)
    photos = located(root, [f"{folder}{image.name}" for image in images], model)
    frames, depths = [], []
    for image, photo in zip(images, photos.paths, strict=True):
        where = f"{model}: photo {image.name}"
        try:
            cam_from_world = image.cam_from_world()
        except ValueError as error:
            raise SceneError(f"{model}: not a readable COLMAP model ({error})") from error
        if image.camera not in read.cameras:
            raise SceneError(
                f"{model}: not a readable COLMAP model (there is no camera {image.camera}, which "
                f"took photo {image.name})"
            )
        camera = read.cameras[image.camera]
        frames.append(_frame(image.name, camera, cam_from_world, photo, where))
        depths.append(read.seen_by(image) @ cam_from_world[2, :3] + cam_from_world[2, 3])
    notices = [
        *_other_models(path, models, len(images)),
        *_unposed(photos.paths, len(images)),
        *photos.notices,
    ]
    if not (model / f"points3D{_suffix(model)}").is_file():
        notices.append(f"{model} has no points3D, so the depths are guessed from the cameras")
    return normalised_scene(path, model, frames, depths=_range(depths), notices=notices)


def _suffix(model: Path) -> str:
    return ".txt" if _is_text(model) else ".bin"


def _is_text(model: Path) -> bool:
    return not all((model / f"{name}.bin").is_file() for name in ("cameras", "images"))


def _models(path: Path) -> list[Path]:
    """The models at the first place that has any, the largest first."""
    for patterns in PLACES:
        found = {
            folder
            for pattern in patterns
            for folder in ([path] if pattern == "." else path.glob(pattern))
            for suffix in (".bin", ".txt")
            if all((folder / f"{name}{suffix}").is_file() for name in ("cameras", "images"))
        }
        if found:
            return sorted(found, key=lambda folder: (-_image_count(folder), str(folder)))
    return []


def _image_count(model: Path) -> int:
    return text_image_count(model) if _is_text(model) else binary_image_count(model)


def _photos(path: Path, model: Path) -> tuple[Path, str]:
    """Returns the folder that photos are looked for in, and what stands before their names.

    A dense workspace has its own photos beside its model; others share those of the scene.
    """
    above = [model, *model.parents]
    for root in above[: above.index(path) + 1]:
        folders = photo_folders(root)
        if folders:
            return root, f"{folders[0].name}/"
    if photos_in(path):
        return path, ""
    raise SceneError(
        f"{path}: expected a folder images beside the COLMAP model; "
        f"{what_lies_at(path / WHOLE[0] / model.name)}"
    )


def _other_models(path: Path, models: list[Path], count: int) -> list[str]:
    if len(models) < 2:
        return []
    names = [str(model.relative_to(path)) for model in models]
    others = ", ".join(
        f"{name} with {_image_count(model)}"
        for name, model in zip(names[1:], models[1:], strict=True)
    )
    return [
        f"COLMAP split the photos into several models; {names[0]} with {count} photos is used, not "
        f"{others}"
    ]


def _unposed(photos: list[Path | None], posed: int) -> list[str]:
    """Says how many photos beside those of the model have no pose."""
    there = {photo for photo in photos if photo is not None}
    beside = {file for folder in {photo.parent for photo in there} for file in photos_in(folder)}
    without = sorted(file.name for file in beside - there)
    if not without:
        return []
    most = len(without) > posed
    return [
        f"{len(without)} of {len(beside)} photos have no pose in the model and are left out: "
        f"{', '.join(without[:5])}{' and others' if len(without) > 5 else ''}"
        + ("; the reconstruction failed for most of them, take more photos" if most else "")
    ]


def _frame(
    name: str, camera: ColmapCamera, cam_from_world: FloatArray, photo: Path | None, where: str
) -> Frame:
    rotation = cam_from_world[:, :3].T
    cam_to_world = np.concatenate(
        [rotation @ FROM_OPENCV, -rotation @ cam_from_world[:, 3:]], axis=1
    )
    pose = checked_pose(cam_to_world, where)
    if photo is None:
        return Frame(name, None, pose, None)
    if not camera.width or not camera.height:
        raise SceneError(f"{where}: its camera has no size: {camera.width}×{camera.height}")
    turn = turn_of(photo_header(photo), (camera.width, camera.height), shown=False)
    return Frame(name, photo, pose, _lens(camera, turn.size, where), turn)


def _lens(camera: ColmapCamera, size: tuple[int, int], where: str) -> Intrinsics | DistortedLens:
    width, height = size
    if not same_aspect(size, (camera.width, camera.height)):
        raise SceneError(
            f"{where}: is {width}×{height}, but its camera is {camera.width}×{camera.height}, "
            "which has another aspect"
        )
    lens = DistortedLens(camera.model, camera.width, camera.height, camera.params)
    try:
        if size != (camera.width, camera.height):
            lens = lens.resized(width, height)
        return lens.pinhole() if camera.model in PINHOLES else lens
    except SceneError as error:
        raise SceneError(f"{where}: {error}") from error


def _range(depths: list[FloatArray]) -> tuple[float, float] | None:
    """Returns where nearly all of the points in front of the cameras lie."""
    ahead = np.concatenate([np.zeros(0), *depths])
    ahead = ahead[ahead > 0.0]
    if not len(ahead):
        return None
    near, far = np.quantile(ahead, [OUTLIERS, 1.0 - OUTLIERS])
    return (float(near), float(far)) if near < far else None
