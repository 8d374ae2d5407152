"""Compressed weights of a Core ML program, decompressed as Core ML does it.

iOS 16 and 17 keep the parts as attributes with packed bits, iOS 18 as inputs with types of less
than a byte. Which parameters there are says which form it is; everything else is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.coreml.package.program import Constant, Operation
from mobile_nelf_exporters.coreml.package.weights import BLOB_TYPES, packed_size, unpack_elements

__all__ = ["decompress"]

Array = npt.NDArray[Any]

_FLOATS = ("fp16", "fp32")
_INTEGERS = ("int4", "uint4", "int8", "uint8")
_INDICES = ("uint1", "uint2", "uint3", "uint4", "uint6", "uint8")
_MASK = ("uint1",)
_PACKED = ("uint8",)


def decompress(
    operation: Operation, constants: Mapping[str, Constant], package: str
) -> dict[str, Constant]:
    """Returns what a `constexpr_` operation yields, by name.

    Args:
        operation: what to evaluate.
        constants: what earlier such operations yielded.
        package: its name, for messages.

    Raises:
        BundleError: the operation is of an unknown form, or its parts do not fit together.
    """
    where = f"{package}: {operation}"
    parts = dict(operation.attributes)
    for name, operands in operation.inputs.items():
        operand = operands[0]
        part = constants.get(operand) if isinstance(operand, str) else operand
        if len(operands) != 1 or part is None or name in parts:
            raise BundleError(f"{where}: {name} is not a single constant")
        parts[name] = part
    forms = [
        form
        for form in _FORMS.get(operation.type, ())
        if set(form.required) <= set(parts) <= {*form.required, *form.optional}
    ]
    if not forms:
        raise BundleError(f"{where} has parameters {sorted(parts)}, which mnelf does not use")
    (form,) = forms
    for name, part in parts.items():
        allowed = {**form.required, **form.optional}[name]
        if part.type.dtype not in allowed:
            raise BundleError(f"{where}: {name} is {part.type}, expected {' or '.join(allowed)}")
    try:
        arrays = form.decompress(parts)
    except ValueError as error:
        raise BundleError(f"{where}: its parts do not fit together ({error})") from error
    if len(arrays) != len(operation.outputs):
        raise BundleError(f"{where} has {len(operation.outputs)} outputs, expected {len(arrays)}")
    results = {}
    for (dtype, array), output in zip(arrays, operation.outputs, strict=True):
        if (dtype, array.shape) != (output.type.dtype, output.type.shape):
            raise BundleError(
                f"{where} declares {output.type}, but holds {dtype}{list(array.shape)}"
            )
        results[output.name] = Constant(output.type, array, in_weights=False)
    return results


Parts = Mapping[str, Constant]
#: Type and elements of each output.
Arrays = list[tuple[str, Array]]


class _Form(NamedTuple):
    """Parameters with the types they may have, and the function that takes them."""

    decompress: Callable[[Parts], Arrays]
    required: Mapping[str, tuple[str, ...]]
    optional: Mapping[str, tuple[str, ...]] = {}


def _affine(parts: Parts) -> Arrays:
    """Scale · (data − zero point), along one axis."""
    data, scale, zero = (parts[name] for name in ("quantized_data", "scale", "zero_point"))
    axis = parts["axis"].array.item()
    if not 0 <= axis < data.array.ndim or zero.type.dtype != data.type.dtype:
        raise ValueError(f"axis {axis}, data {data.type}, zero point {zero.type}")
    shape = [size if index == axis else 1 for index, size in enumerate(data.array.shape)]
    along = [
        part.array.reshape(shape if part.array.ndim else [1] * len(shape)) for part in (scale, zero)
    ]
    return [(scale.type.dtype, _shift_scale(data.array, *along))]


def _blockwise(parts: Parts) -> Arrays:
    """Scale · (data − offset), a scale for each block."""
    data, scale, offset = parts["data"], parts["scale"], parts.get("offset")
    _same_dtype(data, offset)
    spread = _spread(scale.array, data.array.shape)
    shift = None if offset is None else _spread(offset.array, data.array.shape)
    return [(scale.type.dtype, _shift_scale(data.array, spread, shift))]


def _sparse_blockwise(parts: Parts) -> Arrays:
    """`_blockwise` on the elements that the mask selects."""
    data, scale, offset = parts["nonzero_data"], parts["scale"], parts.get("offset")
    _same_dtype(data, offset)
    mask = _mask(parts["data_mask"].array, data.array)
    spread = _spread(scale.array, mask.shape)[mask]
    shift = None if offset is None else _spread(offset.array, mask.shape)[mask]
    return [
        ("uint1", parts["data_mask"].array),
        (scale.type.dtype, _shift_scale(data.array, spread, shift)),
    ]


def _palette(parts: Parts) -> Arrays:
    """table[index], a table for each block."""
    indices, tables = parts["indices"], parts["lut"]
    table = _tables(tables, indices)
    block = _block_numbers(tables.array.shape[:-2], indices.array.shape)
    return [(tables.type.dtype, table[block, indices.array])]


def _sparse_palette(parts: Parts) -> Arrays:
    """`_palette` on the elements that the mask selects."""
    indices, tables = parts["indices_nonzero_data"], parts["lut"]
    table = _tables(tables, indices)
    mask = _mask(parts["indices_mask"].array, indices.array)
    block = _block_numbers(tables.array.shape[:-2], mask.shape)[mask]
    return [
        ("uint1", parts["indices_mask"].array),
        (tables.type.dtype, table[block, indices.array]),
    ]


def _packed_palette(parts: Parts) -> Arrays:
    """One table, indices packed into bytes."""
    table = parts["lut"]
    bits = {2: 1, 4: 2, 16: 4, 64: 6, 256: 8}.get(table.array.size)
    if bits is None or table.array.ndim != 1:
        raise ValueError(f"table {table.type}")
    indices = _unpack(parts["indices"], f"uint{bits}", parts["shape"])
    return [(table.type.dtype, table.array[indices])]


def _sparse(parts: Parts) -> Arrays:
    """The stored elements where the mask is set, zero elsewhere."""
    return _scatter(parts["nonzero_data"], parts["mask"].array)


def _packed_sparse(parts: Parts) -> Arrays:
    """`_sparse` with the mask packed into bytes."""
    return _scatter(parts["nonzero_data"], _unpack(parts["mask"], "uint1", parts["shape"]))


def _scatter(values: Constant, mask: Array) -> Arrays:
    dense = np.zeros(mask.shape, values.array.dtype)
    dense[_mask(mask, values.array)] = values.array
    return [(values.type.dtype, dense)]


def _shift_scale(data: Array, scale: Array, shift: Array | None) -> Array:
    # Integers of 8 bits and their products with fp16 are exact in float32: one rounding at last.
    values = data.astype(np.float32)
    if shift is not None:
        values = values - shift.astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        return (values * scale.astype(np.float32)).astype(scale.dtype)


def _same_dtype(data: Constant, offset: Constant | None) -> None:
    if offset is not None and offset.type.dtype != data.type.dtype:
        raise ValueError(f"data {data.type}, offset {offset.type}")


def _mask(mask: Array, values: Array) -> npt.NDArray[np.bool_]:
    selected = mask.astype(np.bool_)
    if values.ndim != 1 or np.count_nonzero(selected) != values.size:
        raise ValueError(f"{np.count_nonzero(selected)} elements set, {values.size} stored")
    return selected


def _tables(tables: Constant, indices: Constant) -> Array:
    """Returns the tables as [blocks, entries]."""
    entries = 1 << BLOB_TYPES[indices.type.dtype].bits
    if tables.array.shape[-2:] != (entries, 1):
        raise ValueError(f"table {tables.type} for indices {indices.type}")
    return tables.array.reshape(-1, entries)


def _block_numbers(blocks: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    return _spread(np.arange(math.prod(blocks)).reshape(blocks), shape)


def _spread(blocks: Array, shape: tuple[int, ...]) -> Array:
    """Repeats each element over its block, so that the result has `shape`."""
    if blocks.ndim != len(shape) or any(
        size % part for size, part in zip(shape, blocks.shape, strict=True)
    ):
        raise ValueError(f"blocks of {list(blocks.shape)} for {list(shape)}")
    for axis, (size, part) in enumerate(zip(shape, blocks.shape, strict=True)):
        blocks = np.repeat(blocks, size // part, axis)
    return blocks


def _unpack(packed: Constant, dtype: str, shape: Constant) -> Array:
    sizes = tuple(int(size) for size in shape.array.reshape(-1))
    count, kind = math.prod(sizes), BLOB_TYPES[dtype]
    if packed.array.shape != (packed_size(count, kind.bits)[0],):
        raise ValueError(f"{packed.type} packs {count} elements of {dtype}")
    return unpack_elements(packed.array.tobytes(), kind, count).reshape(sizes)


_FORMS: dict[str, tuple[_Form, ...]] = {
    "constexpr_affine_dequantize": (
        _Form(
            _affine,
            {
                "quantized_data": ("int8", "uint8"),
                "zero_point": ("int8", "uint8"),
                "scale": _FLOATS,
                "axis": ("int32",),
            },
        ),
    ),
    "constexpr_blockwise_shift_scale": (
        _Form(
            _blockwise,
            {"data": (*_INTEGERS, *_FLOATS), "scale": _FLOATS},
            {"offset": _INTEGERS},
        ),
    ),
    "constexpr_sparse_blockwise_shift_scale": (
        _Form(
            _sparse_blockwise,
            {"data_mask": _MASK, "nonzero_data": _INTEGERS, "scale": _FLOATS},
            {"offset": _INTEGERS},
        ),
    ),
    "constexpr_lut_to_dense": (
        _Form(_packed_palette, {"indices": _PACKED, "lut": _FLOATS, "shape": ("uint32",)}),
        _Form(_palette, {"indices": _INDICES, "lut": _FLOATS}),
    ),
    "constexpr_lut_to_sparse": (
        _Form(
            _sparse_palette,
            {"indices_mask": _MASK, "indices_nonzero_data": _INDICES, "lut": _FLOATS},
        ),
    ),
    "constexpr_sparse_to_dense": (
        _Form(_packed_sparse, {"nonzero_data": _FLOATS, "mask": _PACKED, "shape": ("uint32",)}),
        _Form(_sparse, {"nonzero_data": _FLOATS, "mask": _MASK}),
    ),
}
