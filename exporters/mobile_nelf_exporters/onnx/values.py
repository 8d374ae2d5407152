"""Weights of an ONNX graph that are not numbers, or will not be any on a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mobile_nelf.deploy.tolerances import FP16_LIMIT
from mobile_nelf.extras import import_extra

if TYPE_CHECKING:
    from onnx import TensorProto

__all__ = ["fp16_problem", "nan_problem"]


def nan_problem(label: str, tensor: TensorProto) -> str:
    """Says that a constant holds NaN; empty if it does not, or if its values are not here.

    Args:
        label: of the constant, such as `Weight 'w' of Conv 'c'`.
        tensor: its values.
    """
    array = _floats(tensor)
    if array is None or not (wrong := int(np.isnan(array).sum())):
        return ""
    return (
        f"{label} has {wrong} of {array.size} values that are NaN (not a number); training "
        "diverged, export an earlier checkpoint"
    )


def fp16_problem(label: str, tensor: TensorProto) -> str:
    """Says that a weight which is stored as fp16 has values that fp16 does not hold.

    Args:
        label: of the weight.
        tensor: its values.
    """
    array = _floats(tensor)
    if array is None or not array.size:
        return ""
    with np.errstate(over="ignore", invalid="ignore"):
        stored = array.astype(np.float16)
    wrong = int(np.isinf(stored).sum())
    if not wrong:
        return ""
    largest = float(np.nanmax(np.abs(array)))
    return (
        f"{label} has {wrong} of {array.size} values that are infinite in fp16 (the largest is "
        f"{largest:.3g}, fp16 ends at {FP16_LIMIT:g}), and weights are stored as fp16; "
        "fine-tune with weight decay until they are smaller, or use a target that stores float32"
    )


def _floats(tensor: TensorProto) -> npt.NDArray[Any] | None:
    onnx = import_extra("onnx", extra="lens")
    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    if tensor.data_type not in kinds or tensor.data_location == onnx.TensorProto.EXTERNAL:
        return None
    array: npt.NDArray[Any] = onnx.numpy_helper.to_array(tensor)
    return array
