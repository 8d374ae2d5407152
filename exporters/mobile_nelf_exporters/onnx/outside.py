"""Weights of an ONNX model that lie in other files, as files beyond 2 GB and new exporters have."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mobile_nelf.extras import import_extra

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

__all__ = ["Outside", "load_outside"]

#: A model with its weights inside cannot be larger: protobuf ends here.
MAX_BYTES = 2**31 - 1


@dataclass(frozen=True)
class Outside:
    """Weights that were in other files.

    Attributes:
        found: names of files by name of the weight that was loaded from them.
        missing: likewise of weights whose file is not there, too short, or elsewhere than beside
            the model.
    """

    found: dict[str, str]
    missing: dict[str, str]


def load_outside(model: ModelProto, folder: Path) -> Outside:
    """Puts weights that lie in other files into `model`.

    Args:
        model: changed in place; what cannot be loaded stays as it is.
        folder: of the file of the model. Nothing outside of it is read.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    onnx = import_extra("onnx", extra="lens")
    helper = import_extra("onnx.external_data_helper", extra="lens")
    found: dict[str, str] = {}
    missing: dict[str, str] = {}
    left = MAX_BYTES
    for tensor in _outside(model):
        location = next((e.value for e in tensor.external_data if e.key == "location"), "")
        loaded = onnx.TensorProto()
        loaded.CopyFrom(tensor)
        try:
            size = _size(loaded, folder)
            if not 0 <= size <= left:
                raise ValueError
            # Refuses paths that lead out of the folder, and links.
            helper.load_external_data_for_tensor(loaded, str(folder))
        except (onnx.checker.ValidationError, KeyError, OSError, TypeError, ValueError):
            missing[tensor.name] = location
            continue
        left -= size
        found[tensor.name] = location
        del loaded.external_data[:]
        loaded.data_location = onnx.TensorProto.DEFAULT
        tensor.CopyFrom(loaded)
    return Outside(found, missing)


def _outside(model: ModelProto) -> Iterator[TensorProto]:
    onnx = import_extra("onnx", extra="lens")
    tensors = [*model.graph.initializer]
    tensors += [e.t for node in model.graph.node for e in node.attribute if e.HasField("t")]
    for tensor in tensors:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            yield tensor


def _size(tensor: TensorProto, folder: Path) -> int:
    """Bytes of a weight; −1 if its part of the file has another size, so that none is read."""
    onnx = import_extra("onnx", extra="lens")
    helper = import_extra("onnx.external_data_helper", extra="lens")
    part = helper.ExternalDataInfo(tensor)
    there = (folder / part.location).stat().st_size - (part.offset or 0)
    size: int = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    size *= math.prod(tensor.dims)
    return size if size == (part.length or there) <= there else -1
