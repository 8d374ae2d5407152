"""COLMAP's binary files.

They are read here and not by pycolmap, which reads on beyond the end of a file that was cut off:
into cameras of zeros at best, at worst into lists whose length is whatever was in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mobile_nelf.errors import SceneError
from mobile_nelf.scenes.readers.colmap.model import (
    ColmapCamera,
    ColmapImage,
    ColmapModel,
    camera_model,
)

__all__ = ["binary_image_count", "read_binary_model"]

Entry = TypeVar("Entry")

#: A point of a photo: its place, and the number of the sparse point, −1 if there is none.
POINT_2D = np.dtype([("place", "<2f8"), ("point", "<i8")])


class _Walk:
    """A position in a file that never passes its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, form: str) -> tuple[Any, ...]:
        """Returns little-endian values; raises `struct.error` at the end of the file."""
        values = struct.unpack_from(f"<{form}", self._data, self._at)
        self._at += struct.calcsize(f"<{form}")
        return values

    def skip(self, count: int) -> None:
        """Advances by `count` bytes."""
        self._at += count
        if self._at > len(self._data):
            raise struct.error(f"{self._at - len(self._data)} bytes are missing")

    def text(self) -> str:
        """Returns UTF-8 text up to the next zero byte, and advances past it."""
        end = self._data.find(b"\0", self._at)
        start = self._at
        self.skip(len(self._data) + 1 if end < 0 else end + 1 - self._at)
        return self._data[start:end].decode("utf-8")

    def array(self, dtype: np.dtype[Any], count: int) -> npt.NDArray[Any]:
        """Returns `count` records."""
        start = self._at
        self.skip(count * dtype.itemsize)
        return np.frombuffer(self._data, dtype, count, start)


def read_binary_model(folder: Path) -> ColmapModel:
    """Reads `cameras.bin`, `images.bin` and, if it is there, `points3D.bin`.

    Raises:
        SceneError: a file of the model ends too early, a camera model is unknown, or a name is not
            UTF-8.
        MissingExtraError: pycolmap is not installed.
    """
    cameras = dict(_entries(folder / "cameras.bin", _camera))
    images = _entries(folder / "images.bin", _image)
    points = dict(_entries(folder / "points3D.bin", _point))
    # There since COLMAP 3.12; poses stand in images.bin too, so they only must be whole.
    _entries(folder / "rigs.bin", _rig)
    _entries(folder / "frames.bin", _frame)
    numbers = np.array(sorted(points), np.int64)
    places = np.array([points[number] for number in numbers.tolist()], np.float64).reshape(-1, 3)
    return ColmapModel(cameras, images, places, numbers)


def binary_image_count(folder: Path) -> int:
    """Returns how many photos have a pose, as the head of `images.bin` says; 0 if it is damaged."""
    with (folder / "images.bin").open("rb") as file:
        head = file.read(8)
    return int(struct.unpack("<Q", head)[0]) if len(head) == 8 else 0


def _entries(file: Path, entry: Callable[[_Walk], Entry]) -> list[Entry]:
    if not file.is_file():
        return []
    walk = _Walk(file.read_bytes())
    try:
        (count,) = walk.read("Q")
        return [entry(walk) for _ in range(count)]
    except UnicodeDecodeError as error:
        raise SceneError(
            f"{file}: the name of a photo is not UTF-8 ({error}); rename the photos"
        ) from error
    except (struct.error, ValueError, SceneError) as error:
        raise SceneError(
            f"{file}: not a readable COLMAP model; it is cut off or damaged ({error})"
        ) from error


def _camera(walk: _Walk) -> tuple[int, ColmapCamera]:
    number, model, width, height = walk.read("IiQQ")
    camera = camera_model(model)
    params = walk.read(f"{len(camera.params)}d")
    return number, ColmapCamera(camera.model.name, width, height, params)


def _image(walk: _Walk) -> ColmapImage:
    _, *pose, camera = walk.read("I7dI")
    name = walk.text()
    (count,) = walk.read("Q")
    points = walk.array(POINT_2D, count)["point"]
    return ColmapImage(name, tuple(pose[:4]), tuple(pose[4:]), camera, points[points >= 0])


def _point(walk: _Walk) -> tuple[int, tuple[float, ...]]:
    number, *place = walk.read("Q3d")
    walk.skip(3 + 8)  # colour, error
    (track,) = walk.read("Q")
    walk.skip(track * (4 + 4))
    return number, tuple(place)


def _rig(walk: _Walk) -> None:
    _, sensors = walk.read("II")
    if sensors:
        walk.skip(4 + 4)  # the sensor that the others refer to
    for _ in range(sensors - 1):
        _, _, has_pose = walk.read("iI?")
        walk.skip(7 * 8 if has_pose else 0)


def _frame(walk: _Walk) -> None:
    walk.skip(4 + 4 + 7 * 8)  # its number, that of its rig, rotation and translation
    (images,) = walk.read("I")
    walk.skip(images * (4 + 4 + 8))
