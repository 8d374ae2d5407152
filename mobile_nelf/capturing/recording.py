"""Recordings of Record3D (`.r3d`): a zip of JPEGs, with a lens and a pose for each."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf.cameras import FloatArray
from mobile_nelf.errors import InputError
from mobile_nelf.parsing import parse_json
from mobile_nelf.scenes.foreign_photos import PIXEL_LIMIT

__all__ = ["RECORDING_SUFFIX", "Recording", "chosen_frames", "frame_source", "read_recording"]

RECORDING_SUFFIX = ".r3d"
METADATA, FRAME = "metadata", "rgbd/{}.jpg"
#: Of a member of the zip that is read.
LARGEST_BYTES = 64 * 1024 * 1024
FEWEST_FRAMES = 3
#: What damage to an archive or to what it holds raises; RuntimeError is of one with a password.
DAMAGED = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError),
    *(ValueError, OverflowError, KeyError, TypeError),
)


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording, without its pictures.

    Attributes:
        path: of the file.
        sizes: [N] bytes of each JPEG: of neighbours the sharpest has the most.
        poses: [N, 3, 4] `cam_to_world` in metres, y up; None if they were not recorded.
        focal: in pixels.
        width: of the picture that the lens is for.
        height: likewise.
        rate: frames a second.
    """

    path: Path
    sizes: FloatArray
    poses: FloatArray | None
    focal: float
    width: int
    height: int
    rate: float

    def frames(self, numbers: Sequence[int]) -> Iterator[npt.NDArray[np.uint8]]:
        """Yields pictures [H, W, 3].

        Raises:
            InputError: one cannot be read.
        """
        with zipfile.ZipFile(self.path) as opened:
            for number in numbers:
                name = FRAME.format(number)
                try:
                    content = _member(opened, name)
                    with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
                        if image.width * image.height > PIXEL_LIMIT:
                            raise ValueError(f"{image.width}×{image.height} pixels are too many")
                        yield np.asarray(image.convert("RGB"))
                except DAMAGED as error:
                    raise InputError(f"{self.path}: {name} cannot be read ({error})") from error


def frame_source(name: str, number: int) -> str:
    """Returns how a frame of a recording is called."""
    return f"{name} frame {number}"


def read_recording(path: Path) -> Recording:
    """Reads lens, poses and sizes.

    Raises:
        InputError: it is not a recording of Record3D.
    """
    try:
        with zipfile.ZipFile(path) as opened:
            values = parse_json(_member(opened, METADATA))
            names = {info.filename: float(info.file_size) for info in opened.infolist()}
        # Column by column.
        lens = np.array(values["K"], np.float64).reshape(3, 3).T
        listed = np.array(values.get("poses", []), np.float64).reshape(-1, 7)
        width, height = int(values["w"]), int(values["h"])
        rate = float(values.get("fps", 30.0))
    except DAMAGED as error:
        raise InputError(
            f"{path}: is not a recording of Record3D ({type(error).__name__}: {error}); share it "
            "from the app as .r3d"
        ) from error
    count = 0
    while FRAME.format(count) in names:
        count += 1
    sizes = np.array([names[FRAME.format(number)] for number in range(count)])
    right = 0.0 < lens[0, 0] < 1e6 and rate > 0.0 and min(width, height) > 0
    if count < FEWEST_FRAMES or not right:
        raise InputError(
            f"{path}: holds {count} pictures of {width}×{height} and a focal length of "
            f"{lens[0, 0]:g}, expected a recording of some seconds"
        )
    poses = _poses(listed[:count]) if len(listed) >= count else None
    return Recording(path, sizes, poses, float(lens[0, 0]), width, height, rate)


def chosen_frames(recording: Recording, count: int) -> list[int]:
    """Returns the numbers of the frames to use: of each step of equal motion the sharpest."""
    total = len(recording.sizes)
    if total <= count:
        return list(range(total))
    way = np.arange(total, dtype=np.float64)
    if recording.poses is not None:
        places, looks = recording.poses[:, :, 3], recording.poses[:, :, 2]
        distance = max(float(np.linalg.norm(places - places.mean(0), axis=1).mean()), 1e-6)
        steps = np.linalg.norm(np.diff(places, axis=0), axis=1) / distance
        steps += np.linalg.norm(np.diff(looks, axis=0), axis=1)
        way = np.concatenate([[0.0], np.cumsum(steps)])
    bins = np.minimum((way / max(float(way[-1]), 1e-9) * count).astype(int), count - 1)
    return [
        int(inside[recording.sizes[inside].argmax()])
        for step in range(count)
        if len(inside := np.flatnonzero(bins == step))
    ]


def _member(opened: zipfile.ZipFile, name: str) -> bytes:
    info = opened.getinfo(name)
    if info.file_size > LARGEST_BYTES:
        raise ValueError(f"{name} has {info.file_size:,} bytes")
    with opened.open(info) as file:
        return file.read(LARGEST_BYTES)


def _poses(listed: FloatArray) -> FloatArray | None:
    """Returns [N, 3, 4] of quaternions x, y, z, w and places; None if they are all the same."""
    if not np.isfinite(listed).all() or np.ptp(listed, axis=0).max() < 1e-9:
        return None
    lengths = np.linalg.norm(listed[:, :4], axis=1)
    if lengths.min() < 0.5:
        return None
    return np.stack(
        [_pose(row / length, row[4:]) for row, length in zip(listed, lengths, strict=True)]
    )


def _pose(quaternion: Any, place: FloatArray) -> FloatArray:
    x, y, z, w = quaternion[:4]
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    return np.concatenate([turn, place[:, None]], 1)
