"""Photos: what their headers say, and their pixels."""

from __future__ import annotations

import math
import struct
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from mobile_nelf.errors import SceneError
from mobile_nelf.npy import read_npy
from mobile_nelf.scenes.foreign_photos import (
    FORMATS,
    PIXEL_LIMIT,
    RAW_SUFFIXES,
    raw_photo,
    too_large,
    unreadable,
)

__all__ = [
    "ARRAY_SUFFIX",
    "Header",
    "Turn",
    "decoded",
    "decoded_mask",
    "loaded_array",
    "may_have_alpha",
    "photo_header",
    "same_aspect",
    "turn_of",
]

#: Images of pseudo sets; their files do not tell width from height.
ARRAY_SUFFIX = ".npy"
#: Sizes whose aspects differ by less are the same picture at two scales; scaling rounds sides.
ASPECT_TOLERANCE = 0.01
#: Values of a mask below this are noise that JPEG leaves around black.
MASK_NOISE = 16
#: Steps of 16-bit grey in one of 8-bit grey: 65,535 / 255.
STEPS_16_IN_8 = 257.0

#: What Pillow raises for files that are broken, or no images.
BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    ArithmeticError,
    LookupError,
    EOFError,
    MemoryError,
    TypeError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
#: EXIF orientations from here on swap width and height.
FIRST_SIDEWAYS = 5
#: EXIF orientations that undo a turn by a quarter; the others undo themselves.
TURNED_BACK = {6: 8, 8: 6}
#: TIFF tag that every DNG has.
DNG_VERSION = 50706


class Header(NamedTuple):
    """What the header of a photo says.

    Attributes:
        size: width and height of the pixels as stored.
        orientation: of EXIF, 1 to 8; 1 if there is none.
    """

    size: tuple[int, int]
    orientation: int


class Turn(NamedTuple):
    """How the stored pixels of a photo are turned for its camera.

    Attributes:
        size: width and height after turning.
        applied: EXIF orientation by which pixels are turned; 1 leaves them.
        ignored: EXIF orientation by which they are not, since the camera is for stored pixels; 1 if
            there is none.
    """

    size: tuple[int, int]
    applied: int = 1
    ignored: int = 1


def photo_header(path: Path) -> Header:
    """Reads the header of a photo without decoding its pixels.

    Raises:
        SceneError: the file is not a photo of a supported format, or has too many pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path, formats=FORMATS)
        with image:
            _check(path, image)
            return Header(_stored_size(image), _orientation(image))
    except BROKEN as error:
        raise unreadable(path, error) from error


def may_have_alpha(path: Path) -> bool:
    """Whether the header of a photo says that pixels may be transparent.

    Raises:
        SceneError: the file is not a photo of a supported format.
    """
    if path.suffix == ARRAY_SUFFIX:
        return False
    try:
        with Image.open(path, formats=FORMATS) as image:
            return image.has_transparency_data
    except BROKEN as error:
        raise unreadable(path, error) from error


def turn_of(header: Header, lens: tuple[float, float] | None, *, shown: bool) -> Turn:
    """Returns how a photo is turned for a camera file.

    Args:
        header: of the photo.
        lens: width and height that the camera file names; their aspect tells which picture it
            speaks of, if the photo lies on its side and is not square.
        shown: where that does not tell, whether this format speaks of the picture as it is shown,
            or of its stored pixels.
    """
    if header.orientation == 1:
        return Turn(header.size)
    sideways = header.orientation >= FIRST_SIDEWAYS
    turned = header.size[::-1] if sideways else header.size
    if lens is not None and same_aspect(lens, turned) != same_aspect(lens, header.size):
        shown = same_aspect(lens, turned)
    if shown:
        return Turn((turned[0], turned[1]), applied=header.orientation)
    return Turn(header.size, ignored=header.orientation)


def same_aspect(size: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two sizes are those of one picture at two scales."""
    return abs(size[0] * other[1] / (size[1] * other[0]) - 1.0) < ASPECT_TOLERANCE


def decoded(path: Path, size: tuple[int, int], orientation: int = 1) -> npt.NDArray[np.uint8]:
    """Returns an image as [height, width, 4] with straight alpha; without alpha it is opaque.

    Grey of 16 bits is scaled to 8.

    Args:
        path: the file.
        size: its width and height, after turning.
        orientation: EXIF orientation by which its pixels are turned.

    Raises:
        SceneError: the file is not a photo of a supported format, or has another size.
    """
    if path.suffix == ARRAY_SUFFIX:
        return _decoded_array(path, size)
    try:
        with Image.open(path, formats=FORMATS) as image:
            _check(path, image)
            pixels = _turned(_stored(path, image), orientation)
    except BROKEN as error:
        raise unreadable(path, error) from error
    found = pixels.shape[1], pixels.shape[0]
    if found != size:
        raise SceneError(
            f"{path}: is {found[0]}×{found[1]}, but the scene was read with an image of "
            f"{size[0]}×{size[1]}; the file was changed since"
        )
    return pixels


def decoded_mask(path: Path, size: tuple[int, int], orientation: int = 1) -> npt.NDArray[np.uint8]:
    """Returns a mask as alpha [height, width]: 255 where the object is.

    White is kept, and so is 1 in masks of 0 and 1. A transparent mask tells by its alpha.

    Args:
        path: the file.
        size: width and height of its photo, after turning; the mask may be another scale of it.
        orientation: EXIF orientation by which the photo is turned, and a mask of its stored pixels
            too.

    Raises:
        SceneError: the file is not a photo of a supported format, or has another aspect.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            _check(path, image)
            own = _orientation(image)
            stored = _stored(path, image)
    except BROKEN as error:
        raise unreadable(path, error) from error
    alpha = stored[..., 3]
    if alpha.min() == 255:
        # The largest channel: masks of labels may be coloured.
        alpha = stored[..., :3].max(2)
    lies = orientation >= FIRST_SIDEWAYS and not same_aspect(alpha.shape[::-1], size)
    if lies or own == orientation:
        alpha = _turned(alpha, orientation)
    if not same_aspect(alpha.shape[::-1], size):
        raise SceneError(
            f"{path}: the mask is {alpha.shape[1]}×{alpha.shape[0]}, but its photo is "
            f"{size[0]}×{size[1]}, which has another aspect"
        )
    if alpha.max(initial=0) == 1:
        alpha = alpha * np.uint8(255)
    if alpha.shape[::-1] != size:
        alpha = np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.BILINEAR))
    return np.where(alpha < MASK_NOISE, np.uint8(0), alpha)


def loaded_array(path: Path) -> npt.NDArray[np.float64]:
    """Returns finite numbers from a `.npy` file; never unpickles.

    Raises:
        SceneError: the file is not such an array.
    """
    try:
        values = read_npy(path)
    except (OSError, ValueError) as error:
        raise SceneError(f"{path}: not a readable NumPy array ({error})") from error
    if values.dtype.kind not in "fiu":
        raise SceneError(f"{path}: expected an array of numbers, found {values.dtype}")
    if not np.isfinite(values).all():
        raise SceneError(f"{path}: holds numbers that are not finite")
    return values.astype(np.float64)


def _orientation(image: Image.Image) -> int:
    # Asking a PNG for EXIF decodes the whole of it, unless the chunk stands in front.
    if image.format == "PNG" and not {"exif", "Raw profile type exif"} & set(image.info):
        return 1
    found = image.getexif().get(ExifTags.Base.Orientation, 1)
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of the pixels as stored; some versions of Pillow turn those of a TIFF."""
    if isinstance(image, TiffImageFile):
        return int(image.tag_v2[ExifTags.Base.ImageWidth]), int(
            image.tag_v2[ExifTags.Base.ImageLength]
        )
    return image.size


def _stored(path: Path, image: Image.Image) -> npt.NDArray[np.uint8]:
    """Returns RGBA pixels as stored: Pillow turns those of a TIFF when it loads them."""
    orientation = _orientation(image) if isinstance(image, TiffImageFile) else 1
    return _turned(_rgba(path, image), TURNED_BACK.get(orientation, orientation))


def _check(path: Path, image: Image.Image) -> None:
    """Refuses by the header what would be read wrongly, or not at all."""
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    if path.suffix.lower() in RAW_SUFFIXES or DNG_VERSION in tags:
        raise raw_photo(path)
    if image.mode == "F":
        raise SceneError(f"{path}: has pixels of floating-point numbers; save it with 8 bits")
    if image.size[0] * image.size[1] > PIXEL_LIMIT:
        raise too_large(path, image.size)


def _rgba(path: Path, image: Image.Image) -> npt.NDArray[np.uint8]:
    if image.mode.startswith("I"):  # 16 bits, or those in 32, which Pillow would cut off
        grey = np.asarray(image).astype(np.float64)
        if grey.min() < 0 or grey.max() > 65535:
            raise SceneError(f"{path}: has 32 bits a pixel (mode {image.mode}); save it with 8")
        image = Image.fromarray((grey / STEPS_16_IN_8).round().astype(np.uint8))
    if not image.has_transparency_data:
        image = image.convert("RGB")  # of modes such as CMYK, which have no way to RGBA
    return np.asarray(image.convert("RGBA"))


def _turned(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Turns and mirrors pixels [height, width, …] as an EXIF orientation says."""
    if orientation == 1:
        return pixels
    image = Image.fromarray(pixels)
    image.getexif()[ExifTags.Base.Orientation] = orientation
    return np.asarray(ImageOps.exif_transpose(image))


def _decoded_array(path: Path, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Reads RGB in [0, 1] in any shape with the right count of numbers."""
    shape = (size[1], size[0], 3)
    values = loaded_array(path)
    if values.size != math.prod(shape):
        raise SceneError(
            f"{path}: expected {shape[0]}·{shape[1]}×3 numbers, found an array of shape "
            f"{list(values.shape)}"
        )
    colour = (values.reshape(shape).clip(0.0, 1.0) * 255.0).round().astype(np.uint8)
    return np.concatenate([colour, np.full((*shape[:2], 1), 255, np.uint8)], 2)
