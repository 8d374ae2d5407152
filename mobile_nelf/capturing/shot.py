"""One photo as a phone wrote it: upright pixels, and what EXIF says of its lens.

The place where it was taken is never read.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from mobile_nelf.errors import SceneError
from mobile_nelf.extras import import_extra
from mobile_nelf.scenes.foreign_photos import HEIF_BRANDS, PIXEL_LIMIT, too_large, unreadable
from mobile_nelf.scenes.photos import BROKEN, decoded, photo_header, turn_of

__all__ = ["HEIF_SUFFIXES", "Lens", "Shot", "read_shot"]

HEIF_SUFFIXES = (".heic", ".heif", ".hif")
#: Diagonal of 24 × 36 mm film. EXIF's focal length "in 35 mm film" is meant by the diagonal where
#: pictures are 4:3: 2 % off for an iPhone 7, and 6 % when it is taken for the width.
FILM_DIAGONAL_MM = 43.27
#: Characters of a name in EXIF that are kept.
NAME_LENGTH = 60


class Lens(NamedTuple):
    """What EXIF says of a lens; photos that agree in it share a camera.

    Attributes:
        camera: make and model; empty if unknown.
        lens: its name; empty if unknown.
        focal_mm: focal length in millimetres, rounded; 0 if unknown.
        focal_35mm: the same for 35 mm film; 0 if unknown.
    """

    camera: str = ""
    lens: str = ""
    focal_mm: float = 0.0
    focal_35mm: float = 0.0

    def focal_pixels(self, width: int, height: int) -> float | None:
        """Returns the focal length in pixels of a picture, None if EXIF does not say."""
        if not self.focal_35mm:
            return None
        return self.focal_35mm * math.hypot(width, height) / FILM_DIAGONAL_MM


class Shot(NamedTuple):
    """A photo.

    Attributes:
        pixels: [height, width, 4] upright, with straight alpha.
        lens: that took it.
    """

    pixels: npt.NDArray[np.uint8]
    lens: Lens


def read_shot(path: Path) -> Shot:
    """Reads a photo: PNG, JPEG, WebP, TIFF or HEIC.

    Raises:
        SceneError: it is not a photo of these formats, is broken or has too many pixels.
        MissingExtraError: a HEIC photo, and pi-heif is not installed.
    """
    # By content: phones and messengers rename HEIC to .jpg and the other way round.
    if _is_heif(path):
        return _read_heif(path)
    header = photo_header(path)
    turn = turn_of(header, None, shown=True)
    pixels = decoded(path, turn.size, turn.applied)
    try:
        with Image.open(path) as image:
            return Shot(pixels, _lens(image.getexif()))
    except BROKEN as error:
        raise unreadable(path, error) from error


def _is_heif(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(12)
    except OSError as error:
        raise unreadable(path, error) from error
    return start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS


def _read_heif(path: Path) -> Shot:
    """HEIC is turned by its container; the orientation in its EXIF must not turn it again."""
    pi_heif = import_extra("pi_heif", "capture")
    try:
        file = pi_heif.open_heif(path, convert_hdr_to_8bit=True)
        width, height = file.size
        if width * height > PIXEL_LIMIT:
            raise too_large(path, file.size)
        image = file.to_pillow()
        exif = image.getexif()
        return Shot(np.asarray(image.convert("RGBA")), _lens(exif))
    except SceneError:
        raise
    except (*BROKEN, RuntimeError) as error:
        raise SceneError(f"{path}: not a readable HEIC photo ({error})") from error


def _lens(exif: Image.Exif) -> Lens:
    detail: dict[int, Any] = dict(exif.get_ifd(ExifTags.IFD.Exif))
    names = (exif.get(ExifTags.Base.Make), exif.get(ExifTags.Base.Model))
    return Lens(
        " ".join(filter(None, map(_text, names))),
        _text(detail.get(ExifTags.Base.LensModel)),
        round(_number(detail.get(ExifTags.Base.FocalLength)), 2),
        round(_number(detail.get(ExifTags.Base.FocalLengthIn35mmFilm)), 1),
    )


def _text(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
    return "".join(c for c in " ".join(text.split()) if c.isprintable())[:NAME_LENGTH].strip()


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return number if 0.0 < number < 1e4 else 0.0
