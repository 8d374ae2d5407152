"""Messages between this process and a child that runs a model: a header in JSON, then arrays."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mobile_nelf.parsing import parse_json

__all__ = ["Arrays", "Header", "packed", "unpacked"]

Arrays = dict[str, npt.NDArray[Any]]
Header = dict[str, Any]

#: Of a message: names and texts, and the pictures or tables of a frame.
MAX_TEXT_BYTES = 1 << 20
MAX_ARRAY_BYTES = 1 << 30
MAX_DIMENSIONS = 16

#: Only numbers cross.
DTYPES = {name: np.dtype(name) for name in ("<f2", "<f4", "<f8", "|b1", "|u1", "|i1", "<i4", "<i8")}


def packed(header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> list[bytes]:
    """Returns the bytes of a message, in parts.

    Raises:
        ValueError: an array does not hold numbers of a known type.
    """
    entries, contents = [], []
    for name, array in arrays.items():
        kind = array.dtype.newbyteorder("<").str
        if kind not in DTYPES:
            raise ValueError(f"{name!r} holds {array.dtype}, expected numbers")
        entries.append([name, kind, list(array.shape)])
        contents.append(np.ascontiguousarray(array, DTYPES[kind]).tobytes())
    text = json.dumps({**header, "arrays": entries}).encode()
    return [struct.pack("<IQ", len(text), sum(map(len, contents))), text, *contents]


def unpacked(read: Callable[[int], bytes]) -> tuple[Header, Arrays]:
    """Reads a message.

    Args:
        read: returns so many bytes.

    Raises:
        ValueError: the message is too long or not one that `packed` made.
    """
    text_bytes, array_bytes = struct.unpack("<IQ", read(12))
    if text_bytes > MAX_TEXT_BYTES or array_bytes > MAX_ARRAY_BYTES:
        raise ValueError(f"{text_bytes} bytes of text and {array_bytes} of arrays")
    header = parse_json(read(text_bytes))
    content = read(array_bytes)
    entries = header.pop("arrays", None) if isinstance(header, dict) else None
    if not isinstance(entries, list):
        raise ValueError("its text does not tell its arrays")
    arrays: Arrays = {}
    start = 0
    for entry in entries:
        name, dtype, shape = _entry(entry)
        end = start + dtype.itemsize * math.prod(shape)
        if end > len(content):
            raise ValueError(f"array {name!r} is longer than the message")
        arrays[name] = np.frombuffer(content[start:end], dtype).reshape(shape)
        start = end
    if start != len(content):
        raise ValueError(f"{len(content) - start} bytes belong to no array")
    return header, arrays


def _entry(entry: Any) -> tuple[str, np.dtype[Any], tuple[int, ...]]:
    match entry:
        case [str(name), str(kind), [*sizes]] if kind in DTYPES and len(sizes) <= MAX_DIMENSIONS:
            if all(type(size) is int and 0 <= size <= MAX_ARRAY_BYTES for size in sizes):
                return name, DTYPES[kind], tuple(sizes)
    raise ValueError(f"an array is described as {entry!r}")
