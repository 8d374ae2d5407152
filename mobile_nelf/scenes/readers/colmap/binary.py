"""Whether COLMAP's binary files are whole.

pycolmap reads on beyond the end of a file that was cut off: into cameras of zeros at best, at worst
into lists whose length is whatever was in memory. So the files are walked through first.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mobile_nelf.errors import SceneError
from mobile_nelf.extras import import_extra

__all__ = ["check_binary_model"]


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

    def skip_text(self) -> None:
        """Advances past the next zero byte."""
        end = self._data.find(b"\0", self._at)
        self.skip(len(self._data) + 1 if end < 0 else end + 1 - self._at)


def check_binary_model(model: Path) -> None:
    """Walks through all binary files of a sparse model.

    Raises:
        SceneError: one ends too early, or names an unknown camera model.
        MissingExtraError: pycolmap is not installed.
    """
    for name, entry in ENTRIES.items():
        file = model / name
        if not file.is_file():
            continue
        walk = _Walk(file.read_bytes())
        try:
            (count,) = walk.read("Q")
            for _ in range(count):
                entry(walk)
        except (struct.error, ValueError) as error:
            raise SceneError(
                f"{file}: not a readable COLMAP model; it is cut off or damaged ({error})"
            ) from error


def _camera(walk: _Walk) -> None:
    pycolmap = import_extra("pycolmap", "train")
    _, model, _, _ = walk.read("IiQQ")
    camera = pycolmap.Camera.create_from_model_id(1, pycolmap.CameraModelId(model), 1.0, 1, 1)
    walk.skip(8 * len(camera.params))


def _image(walk: _Walk) -> None:
    walk.skip(4 + 7 * 8 + 4)  # number, rotation and translation, number of the camera
    walk.skip_text()
    (points,) = walk.read("Q")
    walk.skip(points * (2 * 8 + 8))


def _point(walk: _Walk) -> None:
    walk.skip(8 + 3 * 8 + 3 + 8)  # number, position, colour, error
    (track,) = walk.read("Q")
    walk.skip(track * (4 + 4))


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


#: File to how its entries are skipped; `rigs` and `frames` are there since COLMAP 3.12.
ENTRIES: dict[str, Callable[[_Walk], None]] = {
    "cameras.bin": _camera,
    "images.bin": _image,
    "points3D.bin": _point,
    "rigs.bin": _rig,
    "frames.bin": _frame,
}
