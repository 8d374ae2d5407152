"""Lenses as `transforms.json` and Blender's files describe them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from mobile_nelf.cameras import Intrinsics
from mobile_nelf.errors import SceneError
from mobile_nelf.lenses import BROWN_R8, DistortedLens
from mobile_nelf.scenes.photos import same_aspect

__all__ = ["lens_of", "lens_size"]

#: Coefficients in the order of COLMAP's models; those of `BROWN_R8` are its own.
OPENCV = ("k1", "k2", "p1", "p2")
BROWN = (*OPENCV, "k3", "k4")
FULL_OPENCV = (*OPENCV, "k3", "k4", "k5", "k6")
OPENCV_FISHEYE = ("k1", "k2", "k3", "k4")
#: Names that nerfstudio gives to models without or with polynomial distortion.
PLAIN_MODELS = (
    "OPENCV",
    "PINHOLE",
    "PERSPECTIVE",
    "SIMPLE_PINHOLE",
    "SIMPLE_RADIAL",
    "RADIAL",
    "FULL_OPENCV",
)
#: Keys of other lens models: f-theta and latitude-longitude of instant-ngp, omnidirectional,
#: thin prisms, skew, more coefficients than are known, and lenses in words.
OTHER_LENS = re.compile(
    r"ftheta_?|f_theta|lat_?long|equirect|is_equirect|spherical|omni|mei_|xi$|alpha_?fisheye|"
    r"k(0|[7-9]|\d\d+)$|p[3-9]$|b[12]$|skew|s[1-4]$|sx[12]$|sy[12]$|tau|"
    r"thin_?prism|distort|dist_coef|"
    r"lens_?(model|type|mode)|camera_?type|projection|fisheye_?poly|poly_|rolling_shutter",
    re.IGNORECASE,
)
#: Lenses in words under any key that speaks of a lens.
LENS_KEY = re.compile(r"lens|camera|model|projection", re.IGNORECASE)
OTHER_WORDS = re.compile(r"fish_?eye|equirect|omnidir|spherical|panoram|f_?theta", re.IGNORECASE)
#: What those keys may say without meaning another lens.
PINHOLE_WORDS = ("perspective", "pinhole", "perspective_camera", "none", "persp", "opencv")
#: A focal length and a field of view that differ by more contradict each other.
FOCAL_TOLERANCE = 0.1


def lens_size(values: Mapping[str, Any]) -> tuple[float, float] | None:
    """Returns the size that lens values are for, None if they do not say."""
    try:
        width, height = float(values["w"]), float(values["h"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    usable = 0.0 < width < math.inf and 0.0 < height < math.inf
    return (width, height) if usable else None


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
        SceneError: values are missing, no numbers, contradict each other, are for a photo of
            another size, or for a lens model that is not supported.
    """
    width, height = size
    _refuse_other_models(values, where)
    try:
        across = width / float(values.get("w", width))
        down = height / float(values.get("h", height))
        fx = _focal(values, "x", width, across)
        fy = _focal(values, "y", height, down) or fx
        fx = fx or fy
        cx = across * float(values["cx"]) if "cx" in values else width / 2
        cy = down * float(values["cy"]) if "cy" in values else height / 2
        bends = {name: float(values.get(name) or 0.0) for name in FULL_OPENCV}
        if not math.isfinite(cx + cy + sum(bends.values())):
            raise ValueError("numbers that are not finite")
        pinhole = Intrinsics(width, height, fx, fy, cx, cy)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
        raise SceneError(
            f"{where}: expected fl_x or camera_angle_x, and numbers for the lens; found {error}"
        ) from error
    if not same_aspect((across * width, across * height), (across * width, down * height)):
        raise SceneError(
            f"{where}: the photo is {width}×{height}, but its lens is for {values.get('w')}×"
            f"{values.get('h')}, which has another aspect"
        )
    _refuse_contradictions(values, pinhole, where)
    model, names = _model(values, bends, where)
    if not names:
        return pinhole
    return DistortedLens(model, width, height, (fx, fy, cx, cy, *(bends[name] for name in names)))


def _refuse_other_models(values: Mapping[str, Any], where: str) -> None:
    for key, value in values.items():
        silent = value in (None, False, 0, "", [], {}) or (
            isinstance(value, list) and not any(value)
        )
        plain = isinstance(value, str) and value.lower() in PINHOLE_WORDS
        other = (
            key != "camera_model"
            and isinstance(value, str)
            and LENS_KEY.search(key)
            and OTHER_WORDS.search(value)
        )
        if other or (OTHER_LENS.match(key) and not silent and not plain):
            raise SceneError(
                f"{where}: {key} belongs to a lens model that is not supported; undistort the "
                "photos to a pinhole first"
            )


def _refuse_contradictions(values: Mapping[str, Any], lens: Intrinsics, where: str) -> None:
    """Refuses lens values for a photo of another size than this one."""
    for axis, side, focal in (("x", lens.width, lens.fx), ("y", lens.height, lens.fy)):
        if f"fl_{axis}" not in values or not values.get(f"camera_angle_{axis}"):
            continue
        told = _from_angle(values, axis, side)
        if abs(focal / told - 1.0) > FOCAL_TOLERANCE:
            raise SceneError(
                f"{where}: fl_{axis} {values[f'fl_{axis}']} and camera_angle_{axis} "
                f"{values[f'camera_angle_{axis}']} contradict each other over {side} pixels, where "
                f"the angle makes {told:.4g}; give the size w, h that the lens is for, or remove "
                "the wrong value"
            )
    if lens_size(values) is None and {"fl_x", "cx", "cy"} <= values.keys():
        scale = 2.0 * lens.cx / lens.width, 2.0 * lens.cy / lens.height
        # Centred for a picture that is half as large or twice as large, in both directions alike.
        if not 0.6 < scale[0] < 1.6 and abs(scale[0] / scale[1] - 1.0) < FOCAL_TOLERANCE:
            raise SceneError(
                f"{where}: fl_x, cx {lens.cx:g} and cy {lens.cy:g} are for photos of about "
                f"{2 * lens.cx:.0f}×{2 * lens.cy:.0f}, but this one is {lens.width}×{lens.height}; "
                "give the size w, h that the lens is for"
            )


def _model(
    values: Mapping[str, Any], bends: Mapping[str, float], where: str
) -> tuple[str, tuple[str, ...]]:
    """COLMAP's name of the model, and its coefficients; none for a pinhole.

    `k4` is a denominator in COLMAP's and OpenCV's full model only; nerfstudio's OPENCV has it in
    the numerator, at r⁸.
    """
    model = str(values.get("camera_model") or "OPENCV").upper()
    if model == "OPENCV_FISHEYE" or values.get("is_fisheye"):
        return "OPENCV_FISHEYE", OPENCV_FISHEYE
    if model not in PLAIN_MODELS:
        raise SceneError(f"{where}: camera_model {model} is not supported; undistort the photos")
    rational = [name for name in ("k5", "k6") if bends[name]]
    if model == "FULL_OPENCV":
        return "FULL_OPENCV", FULL_OPENCV if any(bends.values()) else ()
    if rational:
        raise SceneError(
            f"{where}: {rational[0]} belongs to camera_model FULL_OPENCV, found {model}; name the "
            "model that the lens was calibrated with"
        )
    if bends["k3"] or bends["k4"]:
        return BROWN_R8, BROWN
    return "OPENCV", OPENCV if any(bends.values()) else ()


def _focal(values: Mapping[str, Any], axis: str, side: int, scale: float) -> float:
    """Focal length in pixels of the photo; 0 if the file says nothing of this axis."""
    if f"fl_{axis}" in values:
        focal = float(values[f"fl_{axis}"])
        if focal <= 0.0:
            raise ValueError(f"fl_{axis} {focal}, which must be positive")
        return scale * focal
    return _from_angle(values, axis, side) if f"camera_angle_{axis}" in values else 0.0


def _from_angle(values: Mapping[str, Any], axis: str, side: int) -> float:
    angle = float(values[f"camera_angle_{axis}"])
    if not 0.0 < angle < math.pi:
        raise ValueError(f"camera_angle_{axis} {angle}, which must lie between 0 and π")
    return 0.5 * side / math.tan(0.5 * angle)
