"""Rebuilds dense tensors from the records of a file, with every number of the file checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mobile_nelf.checkpoints.safe.archive import TorchArchive
from mobile_nelf.checkpoints.safe.names import Inert, Name, describe, printable
from mobile_nelf.errors import CheckpointError

__all__ = ["TensorBuilder"]

#: torch.save writes at most 4-D weights; the limit keeps the products below cheap.
MAX_DIMENSIONS = 16
#: Sizes and offsets beyond a signed 64-bit integer address nothing.
MAX_INTEGER = 2**63 - 1

_STORAGE_DTYPES = {
    "torch.FloatStorage": torch.float32,
    "torch.DoubleStorage": torch.float64,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
}


@dataclass(frozen=True, eq=False, slots=True)
class _Storage:
    """Flat values of a record, or None where its element type is not one of a weight."""

    values: Tensor | None
    type_name: str


class TensorBuilder:
    """Builds the tensors of one file; tensors that share a storage there share it here."""

    def __init__(self, archive: TorchArchive) -> None:
        """Takes the file that the records are read from."""
        self._archive = archive
        self._storages: dict[str, _Storage] = {}

    def _error(self, text: str) -> CheckpointError:
        return CheckpointError(f"{self._archive.path}: {text}")

    def storage(self, reference: Any) -> Any:
        """Returns the storage that a pickle refers to by `reference`, for `tensor` to view.

        The device it was on is ignored: all is built on the CPU.

        Raises:
            CheckpointError: the record does not exist or does not hold what the reference claims.
        """
        match reference:
            case ("storage", Name(type_name), str(key), str(), int(count)):
                pass
            case _:
                raise self._error("refers to a storage in a way that torch.save never does")
        if key not in self._storages:
            self._storages[key] = self._read_storage(type_name, key, count)
        if self._storages[key].type_name != type_name:
            raise self._error(f"reads record data/{printable(key)} as two types")
        return self._storages[key]

    def _read_storage(self, type_name: str, key: str, count: int) -> _Storage:
        record = f"data/{key}"
        size = self._archive.size(record)
        if size is None:
            raise self._error(f"refers to record {printable(record)}, which is not in the file")
        dtype = _STORAGE_DTYPES.get(type_name)
        if dtype is None:
            return _Storage(None, type_name)
        if count * dtype.itemsize != size:
            raise self._error(
                f"claims another number of elements for record {printable(record)} than the "
                f"{size // dtype.itemsize} that it holds; it is damaged or made to exhaust memory"
            )
        if not count:
            return _Storage(torch.empty(0, dtype=dtype), type_name)
        return _Storage(
            torch.frombuffer(bytearray(self._archive.read(record)), dtype=dtype), type_name
        )

    def tensor(
        self,
        name: str,
        storage: Any = None,
        offset: Any = None,
        size: Any = None,
        stride: Any = None,
    ) -> Tensor | Inert:
        """Returns a view of `storage`, or an `Inert` where there is nothing that a weight could be.

        Args:
            name: of the function that the file wanted for this.
            storage: what `storage` returned.
            offset: of the first element.
            size: of the tensor.
            stride: of the tensor, in elements.

        Raises:
            CheckpointError: the view is ill-formed or reaches outside of the storage.
        """
        if not isinstance(storage, _Storage):
            raise self._error(f"builds a tensor from {describe(storage)}, expected a storage")
        if (
            not (isinstance(size, tuple) and isinstance(stride, tuple))
            or not len(size) == len(stride) <= MAX_DIMENSIONS
            or not all(type(n) is int and 0 <= n <= MAX_INTEGER for n in (offset, *size, *stride))
        ):
            raise self._error("builds a tensor with an impossible size, stride or offset")
        elements = math.prod(size)
        if storage.values is None or not elements:
            return Inert(storage.type_name if elements else f"{name} without elements")
        held = storage.values.numel()
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if last >= held or elements > held:
            raise self._error(
                "builds a tensor that reaches outside of its storage; it is damaged or hostile"
            )
        return storage.values.as_strided(size, stride, offset)
