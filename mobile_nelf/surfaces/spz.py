"""Splats as SPZ, the compressed format of Niantic Spatial, version 2, which every reader knows.

A gzip stream of 16 bytes of header (magic, version, count, degree of the harmonics, bits behind the
point of a position, flags, 0) and then of all positions (3×24 bits, fixed point), opacities,
colours, scales and rotations (x, y, z of a quaternion whose w is not negative), 8 bits a number.
x right, y up, z towards the viewer.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mobile_nelf.errors import InputError
from mobile_nelf.surfaces.splats import Splats

__all__ = ["read_spz", "write_spz"]

MAGIC, VERSION = b"NGSP", 2
HEADER = struct.Struct("<4sIIBBBB")
#: Bytes of a splat: position, opacity, colour, scales, rotation.
WIDTHS = (9, 1, 3, 3, 3)
#: Files with more are refused before memory is taken for them.
MAX_SPLATS = 10_000_000
#: A position is known to this share of the largest coordinate, and needs one bit for its sign.
POSITION_BITS = 14
MOST_POSITION_BITS = 22
#: A logarithm of a scale is stored as (ln s + 10) · 16.
SCALE_OFFSET, SCALE_STEPS = 10.0, 16.0
#: A coefficient of degree 0 is stored with this factor, which leaves room for colours out of range.
COLOUR_FACTOR = 0.15
HARMONIC = 0.5 / np.sqrt(np.pi)


def write_spz(path: Path, splats: Splats) -> None:
    """Writes splats, y up, into a new file; the same splats give the same bytes."""
    largest = max(float(np.abs(splats.centres).max()), 1e-9)
    bits = int(np.clip(POSITION_BITS - np.ceil(np.log2(largest)), 0, MOST_POSITION_BITS))
    fixed = np.round(splats.centres * 2.0**bits).astype("<i4")
    w = splats.rotations[:, :1]
    rotations = splats.rotations[:, 1:] * np.where(w < 0.0, -1.0, 1.0)
    columns = (
        fixed.reshape(-1, 1).view(np.uint8)[:, :3],
        _byte(255.0 * splats.opacity),
        _byte((splats.colours - 0.5) / HARMONIC * COLOUR_FACTOR * 255.0 + 127.5),
        _byte((np.log(splats.scales) + SCALE_OFFSET) * SCALE_STEPS),
        _byte(127.5 * rotations + 127.5),
    )
    header = HEADER.pack(MAGIC, VERSION, len(fixed), 0, bits, 0, 0)
    content = header + b"".join(column.tobytes() for column in columns)
    path.write_bytes(gzip.compress(content, mtime=0))


def read_spz(path: Path) -> Splats:
    """Returns the splats of a file, y up.

    Raises:
        InputError: the file is damaged, of another version, or its colours depend on the direction.
    """
    try:
        with gzip.open(path) as file:
            header = file.read(HEADER.size)
            if len(header) < HEADER.size or header[:4] != MAGIC:
                raise InputError(f"{path}: is not a file of splats; expected SPZ")
            _, version, count, degree, bits, _, _ = HEADER.unpack(header)
            if version != VERSION:
                raise InputError(
                    f"{path}: is version {version} of SPZ, only version {VERSION} is read here; "
                    "convert it to .ply"
                )
            if degree:
                raise InputError(
                    f"{path}: its colours depend on the direction (degree {degree}); only splats "
                    "of degree 0 are drawn here"
                )
            if not 1 <= count <= MAX_SPLATS:
                raise InputError(f"{path}: holds {count} splats, expected 1 to {MAX_SPLATS}")
            parts = [file.read(count * width) for width in WIDTHS]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: is not a whole file of splats ({error})") from error
    if [len(part) for part in parts] != [count * width for width in WIDTHS]:
        raise InputError(f"{path}: ends before the last of its {count} splats")
    positions, opacity, colours, scales, rotations = (
        np.frombuffer(part, np.uint8).reshape(count, -1) for part in parts
    )
    low, middle, high = positions.reshape(-1, 3).astype(np.int32).T
    fixed = (low | middle << 8 | high << 16) - (high >> 7 << 24)
    xyz = rotations / 127.5 - 1.0
    w = np.sqrt(np.maximum(1.0 - (xyz**2).sum(1, keepdims=True), 0.0))
    quaternions = np.concatenate([w, xyz], 1)
    return Splats(
        fixed.reshape(count, 3) / 2.0**bits,
        np.exp(scales / SCALE_STEPS - SCALE_OFFSET),
        quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True),
        (opacity[:, 0] / 255.0).astype(np.float32),
        (0.5 + HARMONIC * (colours / 255.0 - 0.5) / COLOUR_FACTOR).astype(np.float32),
    )


def _byte(values: npt.NDArray[np.floating[Any]]) -> np.ndarray:
    return np.clip(np.round(values), 0.0, 255.0).astype(np.uint8)
