"""Reader of `transforms.json`, the format of instant-ngp and nerfstudio.

Its frames and lenses are those of Blender scenes too, see `json_frames`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mobile_nelf.cameras import Intrinsics
from mobile_nelf.errors import SceneError, require
from mobile_nelf.scenes.assembly import Frame, normalised_scene
from mobile_nelf.scenes.lens import DistortedLens
from mobile_nelf.scenes.photos import image_size
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.world import checked_pose

__all__ = ["CAMERAS", "json_frames", "lens_of", "read_transforms"]

CAMERAS = "transforms.json"

#: Coefficients in the order of COLMAP's models.
OPENCV = ("k1", "k2", "p1", "p2")
FULL_OPENCV = (*OPENCV, "k3", "k4", "k5", "k6")
OPENCV_FISHEYE = ("k1", "k2", "k3", "k4")
#: Names that nerfstudio gives to models without or with polynomial distortion.
PLAIN_MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "FULL_OPENCV")
#: A copy that was scaled down rounds each side to a whole pixel.
SCALE_TOLERANCE = 0.01
#: Blender's files leave out the extension; some copies, and all others, write it.
SUFFIXES = (".png", "", ".jpg", ".jpeg")


def read_transforms(path: Path) -> Scene:
    """Reads a scene; every eighth frame by name is for testing.

    Lens values stand in a frame or, for all frames, at the top. Distortion is undone when a photo
    is read. Frames whose photo is missing are listed in `Scene.missing`.

    Raises:
        InputError: there is no `transforms.json`.
        SceneError: it is malformed, a photo cannot be read, no photo exists, or the cameras look at
            nothing in common.
    """
    file = path / CAMERAS
    frames = sorted(json_frames(file), key=lambda frame: frame.name)
    return normalised_scene(path, file, frames)


def json_frames(file: Path) -> list[Frame]:
    """Reads all frames, in the order of the file.

    Raises:
        InputError: there is no such file.
        SceneError: it is cut off or malformed, a pose is none, or a photo cannot be read.
    """
    require(file, "the cameras of a scene")
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SceneError(f"{file}: is cut off or not JSON ({error})") from error
    frames = data.get("frames") if isinstance(data, dict) else None
    if not isinstance(frames, list) or not all(
        isinstance(frame, dict) and isinstance(frame.get("file_path"), str) for frame in frames
    ):
        raise SceneError(
            f"{file}: expected an object with a list of frames that have a file_path, as Blender, "
            "instant-ngp and nerfstudio scenes have"
        )
    return [_frame(file, data, frame) for frame in frames]


def _frame(file: Path, data: dict[str, Any], frame: dict[str, Any]) -> Frame:
    name = frame["file_path"]
    where = f"{file}: frame {name}"
    pose = checked_pose(frame.get("transform_matrix"), where)
    photo = next((p for s in SUFFIXES if (p := file.parent / f"{name}{s}").is_file()), None)
    lens = lens_of({**data, **frame}, image_size(photo), where) if photo else None
    return Frame(name, photo, pose, lens)


def lens_of(
    values: Mapping[str, Any], size: tuple[int, int], where: str
) -> Intrinsics | DistortedLens:
    """Returns the lens over the pixels of a photo.

    Args:
        values: `fl_x` or `camera_angle_x`; optionally `fl_y`, `cx`, `cy`, the size `w`, `h` that
            they are for, and distortion.
        size: width and height of the photo; copies of a data set are often scaled down.
        where: file and frame, for messages.

    Raises:
        SceneError: values are missing, no numbers, or for a photo of another aspect.
    """
    width, height = size
    try:
        across = width / float(values.get("w", width))
        down = height / float(values.get("h", height))
        fx = _focal(values, "x", width, across)
        fy = _focal(values, "y", height, down) or fx
        fx = fx or fy
        cx = across * float(values["cx"]) if "cx" in values else width / 2
        cy = down * float(values["cy"]) if "cy" in values else height / 2
        bends = {name: float(values.get(name, 0.0)) for name in FULL_OPENCV}
        if not math.isfinite(cx + cy + sum(bends.values())):
            raise ValueError("numbers that are not finite")
        pinhole = Intrinsics(width, height, fx, fy, cx, cy)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise SceneError(
            f"{where}: expected fl_x or camera_angle_x, and numbers for the lens; found {error}"
        ) from error
    if abs(across / down - 1.0) > SCALE_TOLERANCE:
        raise SceneError(
            f"{where}: the photo is {width}×{height}, but its lens is for {values.get('w')}×"
            f"{values.get('h')}, which has another aspect"
        )
    model, names = _model(values, bends, where)
    if not names:
        return pinhole
    return DistortedLens(model, width, height, (fx, fy, cx, cy, *(bends[name] for name in names)))


def _model(
    values: Mapping[str, Any], bends: Mapping[str, float], where: str
) -> tuple[str, tuple[str, ...]]:
    """COLMAP's name of the model, and its coefficients; none for a pinhole."""
    model = str(values.get("camera_model", "OPENCV"))
    if model == "OPENCV_FISHEYE" or values.get("is_fisheye"):
        return "OPENCV_FISHEYE", OPENCV_FISHEYE
    if model not in PLAIN_MODELS:
        raise SceneError(f"{where}: camera_model {model} is not supported; undistort the photos")
    if any(bends[name] for name in FULL_OPENCV[len(OPENCV) :]):
        return "FULL_OPENCV", FULL_OPENCV
    return "OPENCV", OPENCV if any(bends.values()) else ()


def _focal(values: Mapping[str, Any], axis: str, side: int, scale: float) -> float:
    """Focal length in pixels of the photo; 0 if the file says nothing of this axis."""
    if f"fl_{axis}" in values:
        return scale * float(values[f"fl_{axis}"])
    if f"camera_angle_{axis}" not in values:
        return 0.0
    angle = float(values[f"camera_angle_{axis}"])
    if not 0.0 < angle < math.pi:
        raise ValueError(f"camera_angle_{axis} {angle}, which must lie between 0 and π")
    return 0.5 * side / math.tan(0.5 * angle)
