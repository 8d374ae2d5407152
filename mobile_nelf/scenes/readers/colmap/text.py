"""COLMAP's text files.

They are read here and not by pycolmap, which cuts names of photos at a space and needs a file of
points.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mobile_nelf.errors import SceneError
from mobile_nelf.scenes.readers.colmap.model import (
    ColmapCamera,
    ColmapImage,
    ColmapModel,
    camera_model,
)

__all__ = ["read_text_model", "text_image_count"]

#: Numbers in front of the name of a photo: its own, rotation, translation, that of its camera.
HEAD = 9
#: A point of a photo: its place, and the number of the sparse point.
POINT_FIELDS = 3
COUNTED = re.compile(r"#\s*Number of images:\s*(\d+)")


def read_text_model(folder: Path) -> ColmapModel:
    """Reads `cameras.txt`, `images.txt` and, if it is there, `points3D.txt`.

    Raises:
        SceneError: a file is cut off or malformed, a camera model is unknown, or text is not UTF-8.
        MissingExtraError: pycolmap is not installed.
    """
    cameras = dict(_camera(folder, *line) for line in _lines(folder, "cameras.txt"))
    points = dict(_point(folder, *line) for line in _lines(folder, "points3D.txt"))
    numbers = np.array(sorted(points), np.int64)
    places = np.array([points[number] for number in numbers.tolist()], np.float64).reshape(-1, 3)
    return ColmapModel(cameras, _images(folder), places, numbers)


def text_image_count(folder: Path) -> int:
    """Returns how many photos have a pose, by the lines of `images.txt`."""
    with (folder / "images.txt").open("rb") as file:
        return sum(not line.startswith(b"#") for line in file) // 2


def _text(folder: Path, name: str) -> str:
    file = folder / name
    if not file.is_file():
        return ""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SceneError(f"{file}: is not UTF-8 ({error}); rename the photos") from error


def _lines(folder: Path, name: str) -> Iterator[tuple[int, list[str]]]:
    """The fields of each line that says something, with its number."""
    for number, line in enumerate(_text(folder, name).splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.split()


def _camera(folder: Path, line: int, fields: list[str]) -> tuple[int, ColmapCamera]:
    try:
        number, model, width, height, *params = fields
        values = tuple(map(float, params))
        expected = len(camera_model(model).params)
        if len(values) != expected:
            raise ValueError(f"{len(values)} parameters of {model}, expected {expected}")
        return int(number), ColmapCamera(model, int(width), int(height), values)
    except (ValueError, OverflowError, SceneError) as error:
        raise _unreadable(folder, "cameras.txt", line, error) from error


def _point(folder: Path, line: int, fields: list[str]) -> tuple[int, tuple[float, ...]]:
    try:
        x, y, z = map(float, fields[1:4])
        return int(fields[0]), (x, y, z)
    except (ValueError, OverflowError) as error:
        raise _unreadable(folder, "points3D.txt", line, error) from error


def _images(folder: Path) -> list[ColmapImage]:
    name = "images.txt"
    text = _text(folder, name)
    lines = text.splitlines()
    images = []
    at = 0
    while at < len(lines):
        head = lines[at]
        if not head.strip() or head.lstrip().startswith("#"):
            at += 1
            continue
        # The line of points may be empty, so that it cannot be skipped like others.
        points = lines[at + 1] if at + 1 < len(lines) else None
        try:
            images.append(_image(head, points))
        except (ValueError, OverflowError) as error:
            raise _unreadable(folder, name, at + 1, error) from error
        at += 2
    counted = COUNTED.search(text)
    if counted and int(counted[1]) != len(images):
        found = ValueError(f"{len(images)} photos, expected {counted[1]}")
        raise _unreadable(folder, name, len(lines), found)
    return images


def _image(head: str, points: str | None) -> ColmapImage:
    _, *pose, camera, name = head.strip().split(None, HEAD)
    if len(pose) != HEAD - 2:
        raise ValueError(f"{len(pose)} numbers of a pose, expected {HEAD - 2}")
    # A file may end without the empty line of its last photo.
    fields = (points or "").split()
    if len(fields) % POINT_FIELDS:
        raise ValueError(f"{len(fields)} numbers of points, expected a multiple of {POINT_FIELDS}")
    numbers = np.array([int(field) for field in fields[2::POINT_FIELDS]], np.int64)
    values = tuple(map(float, pose))
    return ColmapImage(name, values[:4], values[4:], int(camera), numbers[numbers >= 0])


def _unreadable(folder: Path, name: str, line: int, error: Exception) -> SceneError:
    return SceneError(f"{folder}: not a readable COLMAP model ({name}, line {line}: {error})")
