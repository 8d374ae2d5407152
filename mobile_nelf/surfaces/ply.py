"""Points as binary PLY (Turk, The PLY Polygon File Format, 1994)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["write_ply"]

_TYPES = {"<f4": "float", "|u1": "uchar"}


def write_ply(path: Path, rows: npt.NDArray[np.void], comments: Sequence[str] = ()) -> None:
    """Writes the element `vertex`.

    Args:
        path: of the new file.
        rows: structured array [N] of float32 and uint8 fields, named as the file names them.
        comments: lines for people, in ASCII.
    """
    assert rows.dtype.names is not None
    lines = ["ply", "format binary_little_endian 1.0"]
    lines += [f"comment {line}" for line in comments]
    lines.append(f"element vertex {len(rows)}")
    for name in rows.dtype.names:
        lines.append(f"property {_TYPES[rows.dtype[name].str]} {name}")
    lines.append("end_header")
    with path.open("wb") as file:
        file.write(("\n".join(lines) + "\n").encode("ascii"))
        file.write(rows.tobytes())
