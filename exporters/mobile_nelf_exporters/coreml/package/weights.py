"""Reads `weight.bin`, the file beside a Core ML program that holds its large constants.

The file is a header of 64 bytes (count of records, version 2), then records at multiples of 64:
another 64 bytes (sentinel, element type, size, offset, padding in bits), then the data. Constants
of the program point to a record. Everything in the file is checked before a number is believed.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mobile_nelf.errors import BundleError

__all__ = ["BLOB_TYPES", "BlobType", "WeightsFile", "unpack_elements"]

#: NumPy array of any of the types below.
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class BlobType:
    """How elements of a type are stored.

    Attributes:
        record: number of the type in a record of `weight.bin`.
        bits: size of an element; those of less than a byte are packed, first element in the least
            significant bits.
        array: type of the NumPy array that holds the elements, little-endian as on disk.
    """

    record: int
    bits: int
    array: str


#: Element types that weights of mnelf's packages have, by their name in `TensorType`.
BLOB_TYPES = {
    "fp16": BlobType(1, 16, "<f2"),
    "fp32": BlobType(2, 32, "<f4"),
    "uint8": BlobType(3, 8, "u1"),
    "int8": BlobType(4, 8, "i1"),
    "int4": BlobType(8, 4, "i1"),
    "uint1": BlobType(9, 1, "u1"),
    "uint2": BlobType(10, 2, "u1"),
    "uint4": BlobType(11, 4, "u1"),
    "uint3": BlobType(12, 3, "u1"),
    "uint6": BlobType(13, 6, "u1"),
    "uint32": BlobType(15, 32, "<u4"),
}

_ALIGNMENT = 64
_VERSION = 2
_SENTINEL = 0xDEADBEEF
_HEADER = struct.Struct("<II56s")
#: Sentinel, element type, size in bytes, offset of the data, padding in bits, reserved.
_RECORD = struct.Struct("<IIQQQ32s")


@dataclass(frozen=True)
class _Blob:
    record: int
    padding_bits: int
    data: memoryview


class WeightsFile:
    """The records of a `weight.bin`."""

    def __init__(self, data: bytes, file: str) -> None:
        """Checks every record.

        Args:
            data: content of the file.
            file: its path, for messages.

        Raises:
            BundleError: the file is truncated or damaged.
        """
        self._file = file
        self._blobs: Mapping[int, _Blob] = dict(_records(data, file))

    def array(self, offset: int, dtype: str, count: int) -> Array:
        """Returns `count` elements of type `dtype` (a key of `BLOB_TYPES`), flat.

        Args:
            offset: where the record starts.
            dtype: what the program declares.
            count: elements that the program declares.

        Raises:
            BundleError: the record is missing, or holds something else.
        """
        blob = self._blobs.get(offset)
        where = f"{self._file}: at {offset}"
        if blob is None:
            raise BundleError(
                f"{where} does not start a record, expected {count} elements of {dtype}"
            )
        kind = BLOB_TYPES[dtype]
        if blob.record != kind.record:
            raise BundleError(
                f"{where}: record of type {blob.record}, expected {kind.record} ({dtype})"
            )
        size, padding = packed_size(count, kind.bits)
        if (len(blob.data), blob.padding_bits) != (size, padding):
            raise BundleError(
                f"{where}: record of {len(blob.data)} bytes with {blob.padding_bits} bits of "
                f"padding, expected {size} and {padding} for {count} elements of {dtype}"
            )
        return unpack_elements(blob.data, kind, count)


def packed_size(count: int, bits: int) -> tuple[int, int]:
    """Returns the bytes that `count` packed elements take, and the bits left over in the last."""
    size = -(-count * bits // 8)
    return size, size * 8 - count * bits


def unpack_elements(data: bytes | memoryview, kind: BlobType, count: int) -> Array:
    """Returns packed elements as an array of bytes or larger numbers; `data` has the right size."""
    if kind.bits >= 8:
        return np.frombuffer(data, kind.array)
    stored = np.unpackbits(np.frombuffer(data, "u1"), bitorder="little")[: count * kind.bits]
    elements = np.packbits(stored.reshape(count, kind.bits), axis=1, bitorder="little")[:, 0]
    if kind.array == "i1":
        sign = 1 << (kind.bits - 1)
        return (elements.astype("i1") ^ sign) - np.int8(sign)
    return elements


def _records(data: bytes, file: str) -> list[tuple[int, _Blob]]:
    if len(data) < _HEADER.size:
        raise BundleError(f"{file}: {len(data)} bytes, too short for a weights file")
    count, version, reserved = _HEADER.unpack_from(data)
    if version != _VERSION or any(reserved):
        raise BundleError(f"{file}: version {version} of the weights format, expected {_VERSION}")
    blobs: list[tuple[int, _Blob]] = []
    end = _HEADER.size
    for index in range(count):
        start = -(-end // _ALIGNMENT) * _ALIGNMENT
        where = f"{file}: record {index + 1} of {count} at {start}"
        if len(data) < start + _RECORD.size:
            raise BundleError(f"{where} lies beyond the end ({len(data)} bytes); truncated?")
        sentinel, kind, size, offset, padding, reserved = _RECORD.unpack_from(data, start)
        if sentinel != _SENTINEL or offset != start + _RECORD.size or padding > 7 or any(reserved):
            raise BundleError(f"{where} is damaged")
        end = offset + size
        if len(data) < end:
            raise BundleError(
                f"{where} ends at {end}, beyond the end of the file ({len(data)} bytes); truncated?"
            )
        blobs.append((start, _Blob(kind, padding, memoryview(data)[offset:end])))
    if end != len(data):
        raise BundleError(f"{file}: {len(data)} bytes, expected {end} for its {count} records")
    return blobs
