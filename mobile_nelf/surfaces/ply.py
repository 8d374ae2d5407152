"""Points as binary PLY (Turk, The PLY Polygon File Format, 1994)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mobile_nelf.errors import InputError

__all__ = ["read_ply", "write_ply"]

FORMAT = "format binary_little_endian 1.0"
#: Types of properties in both of their spellings.
_TYPES = {
    "char": "|i1",
    "uchar": "|u1",
    "short": "<i2",
    "ushort": "<u2",
    "int": "<i4",
    "uint": "<u4",
    "float": "<f4",
    "double": "<f8",
    "int8": "|i1",
    "uint8": "|u1",
    "int16": "<i2",
    "uint16": "<u2",
    "int32": "<i4",
    "uint32": "<u4",
    "float32": "<f4",
    "float64": "<f8",
}
_NAMES = {"<f4": "float", "|u1": "uchar"}
#: Longest header that is read; splats of degree 3 have one of 1500 bytes.
MAX_HEADER = 1 << 14


def write_ply(path: Path, rows: npt.NDArray[np.void], comments: Sequence[str] = ()) -> None:
    """Writes the element `vertex`.

    Args:
        path: of the new file.
        rows: structured array [N] of float32 and uint8 fields, named as the file names them.
        comments: lines for people, in ASCII.
    """
    assert rows.dtype.names is not None
    lines = ["ply", FORMAT]
    lines += [f"comment {line}" for line in comments]
    lines.append(f"element vertex {len(rows)}")
    for name in rows.dtype.names:
        lines.append(f"property {_NAMES[rows.dtype[name].str]} {name}")
    lines.append("end_header")
    with path.open("wb") as file:
        file.write(("\n".join(lines) + "\n").encode("ascii"))
        file.write(rows.tobytes())


def read_ply(path: Path) -> npt.NDArray[np.void]:
    """Returns the element `vertex`, which must be the first of a binary file.

    Raises:
        InputError: the file is another one, or damaged.
    """
    with path.open("rb") as file:
        head = file.read(MAX_HEADER)
        found = re.match(rb"ply\r?\n(.*?)end_header\r?\n", head, re.DOTALL)
        if found is None:
            raise InputError(f"{path}: does not begin with the header of a PLY file")
        lines = found[1].decode("ascii", "replace").splitlines()
        lines = [line for line in lines if not line.startswith(("comment", "obj_info"))]
        if lines[:1] != [FORMAT]:
            raise InputError(f"{path}: is not a binary PLY file, expected {FORMAT!r}")
        element = re.fullmatch(r"element vertex (\d{1,9})", lines[1] if len(lines) > 1 else "")
        if element is None:
            raise InputError(f"{path}: its first element is not `vertex`")
        fields: list[tuple[str, str]] = []
        for line in lines[2:]:
            if line.startswith("element"):
                break
            words = line.split()
            if len(words) != 3 or words[0] != "property" or words[1] not in _TYPES:
                raise InputError(f"{path}: has a property that no vertex has ({line[:60]!r})")
            fields.append((words[2], _TYPES[words[1]]))
        if not fields or len({name for name, _ in fields}) != len(fields):
            raise InputError(f"{path}: its vertices have no properties, or one of them twice")
        dtype, count = np.dtype(fields), int(element[1])
        left = path.stat().st_size - found.end()
        if count * dtype.itemsize > left:
            raise InputError(f"{path}: ends after {left // dtype.itemsize} of its {count} vertices")
        file.seek(found.end())
        return np.frombuffer(file.read(count * dtype.itemsize), dtype)
