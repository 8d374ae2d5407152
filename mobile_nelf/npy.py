"""Parses `.npy` files that come from elsewhere; every reader of them goes through here.

NumPy's own reader believes the header: it takes memory for any shape, and unpickles objects.
"""

from __future__ import annotations

import ast
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mobile_nelf.parsing import shown

__all__ = ["parse_npy", "read_npy"]

#: A picture of 4000×2500 pixels as float32.
MAX_NPY_BYTES = 128 << 20
NPY_MAGIC = b"\x93NUMPY"
#: Of versions 1 to 3: how many bytes tell the length of the header.
NPY_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
#: The header of an array of plain numbers has about 60 bytes, padded to 118.
MAX_NPY_HEADER = 1024
MAX_NPY_AXES = 8
#: A byte order, a kind of number, its bytes.
NPY_DTYPE = re.compile(r"[<>|=]?[biuf][1248]")


def read_npy(path: Path) -> npt.NDArray[Any]:
    """Returns the array in a file; no more of it is read than one may have (`parse_npy`).

    Raises:
        ValueError: it is not an array of numbers, or not as any file of ours.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return parse_npy(file.read(MAX_NPY_BYTES + 1))


def parse_npy(content: bytes) -> npt.NDArray[Any]:
    """Returns the array of numbers or truth values in the bytes of a `.npy` file. Never unpickles.

    Raises:
        ValueError: it is not such a file, longer than any of ours, or cut off.
    """
    if len(content) > MAX_NPY_BYTES:
        raise ValueError(f"has more than {MAX_NPY_BYTES} bytes")
    if not content.startswith(NPY_MAGIC):
        kind = "is empty" if not content else "does not begin like one"
        raise ValueError(f"is not a .npy file: {kind}")
    version = content[6] if len(content) > 7 else 0
    if version not in NPY_LENGTH_BYTES:
        raise ValueError(f"is of version {version} of the format, expected 1 to 3")
    start = 8 + NPY_LENGTH_BYTES[version]
    length = int.from_bytes(content[8:start], "little")
    if length > MAX_NPY_HEADER or start + length > len(content):
        raise ValueError(f"has a header of {length} bytes, which is cut off or damaged")
    dtype, by_column, shape = _npy_header(content[start : start + length])
    data = memoryview(content)[start + length :]
    if dtype.itemsize * math.prod(shape) != len(data):
        raise ValueError(
            f"holds {len(data)} bytes, expected {dtype.itemsize * math.prod(shape)} of an array of "
            f"shape {list(shape)}; it is cut off or damaged"
        )
    values: npt.NDArray[Any] = np.frombuffer(data, dtype)
    return values.reshape(shape, order="F" if by_column else "C")


def _npy_header(text: bytes) -> tuple[np.dtype[Any], bool, tuple[int, ...]]:
    try:
        header = ast.literal_eval(text.decode("latin1").strip())
    # So short a text exhausts nothing but the parser's stack.
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError("has a damaged header") from error
    match header:
        case {"descr": str(kind), "fortran_order": bool(by_column), "shape": tuple(shape)}:
            pass
        case _:
            raise ValueError("has a header without type, order and shape of numbers")
    if NPY_DTYPE.fullmatch(kind) is None or kind.lstrip("<>|=") in ("b2", "b4", "b8", "f1"):
        raise ValueError(f"holds elements of type {shown(kind)}, expected an array of numbers")
    if len(shape) > MAX_NPY_AXES or not all(type(n) is int and 0 <= n < 2**40 for n in shape):
        raise ValueError(f"has the shape {shown(shape)}, expected up to {MAX_NPY_AXES} sizes")
    return np.dtype(kind), by_column, shape
