"""Photos: their folders, their size without decoding them, and their pixels."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf.errors import SceneError

__all__ = [
    "ARRAY_SUFFIX",
    "decoded",
    "image_size",
    "loaded_array",
    "photo_folders",
    "photos_in",
]

#: What is taken for a photo when a folder is listed.
PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
#: Images of pseudo sets; their files do not tell width from height.
ARRAY_SUFFIX = ".npy"

#: What Pillow raises for files that are broken, or no images.
BROKEN = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def photo_folders(path: Path) -> list[Path]:
    """Returns `images` and the folders with scaled copies, `images_2` and so on, largest first.

    COLMAP and LLFF scenes have them.
    """
    scaled = [
        (int(folder.name.removeprefix("images_")), folder)
        for folder in path.glob("images_*")
        if folder.is_dir() and folder.name.removeprefix("images_").isdecimal()
    ]
    whole = path / "images"
    return [*([whole] if whole.is_dir() else []), *(folder for _, folder in sorted(scaled))]


def photos_in(folder: Path) -> list[Path]:
    """Returns the photos right in a folder, by name."""
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in PHOTO_SUFFIXES)


def image_size(path: Path) -> tuple[int, int]:
    """Returns width and height of an image without decoding it.

    Raises:
        SceneError: the file is not an image.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except BROKEN as error:
        raise _unreadable(path, error) from error


def decoded(path: Path, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Returns an image as [height, width, 4] with straight alpha; without alpha it is opaque.

    Args:
        path: the file.
        size: its width and height.

    Raises:
        SceneError: the file is not an image, or has another size.
    """
    if path.suffix == ARRAY_SUFFIX:
        return _decoded_array(path, size)
    try:
        with Image.open(path) as image:
            found, pixels = image.size, np.asarray(image.convert("RGBA"))
    except BROKEN as error:
        raise _unreadable(path, error) from error
    if found != size:
        raise SceneError(
            f"{path}: is {found[0]}×{found[1]}, but the scene was read with an image of "
            f"{size[0]}×{size[1]}; the file was changed since"
        )
    return pixels


def loaded_array(path: Path) -> npt.NDArray[np.float64]:
    """Returns finite numbers from a `.npy` file; never unpickles.

    Raises:
        SceneError: the file is not such an array.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SceneError(f"{path}: not a readable NumPy array ({error})") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise SceneError(f"{path}: expected an array of numbers, found {type(values).__name__}")
    if not np.isfinite(values).all():
        raise SceneError(f"{path}: holds numbers that are not finite")
    return values.astype(np.float64)


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


def _unreadable(path: Path, error: Exception) -> SceneError:
    if path.is_file() and path.stat().st_size == 0:
        return SceneError(f"{path}: not a readable image (the file is empty)")
    return SceneError(f"{path}: not a readable image ({error})")
