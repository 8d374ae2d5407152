"""The operators that Core ML programs of mnelf use, computed with torch in float32.

An operation is turned into a kernel once; whatever it asks for that its kernel does not do is
refused there, since ignoring a parameter would prove the wrong program.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.coreml.interpreter.arguments import Arguments
from mobile_nelf_exporters.coreml.package.program import Constant, Operation, TensorType

__all__ = ["GELU_KNOTS", "Kernel", "gelu_by_table", "make_kernel"]

#: Values of the table from which the Neural Engine takes GELU, and how far they reach on either
#: side: straight lines between them are off by 0.0062 at most, and 0.0059 was measured on an M1.
GELU_KNOTS, GELU_REACH = 33, 4.0

Function = Callable[..., Tensor]
Shape = tuple[int, ...]
#: Takes the arguments of an operation; returns what computes it, and the shape of the result.
Builder = Callable[[Arguments], tuple[Function, Shape]]


@dataclass(frozen=True, eq=False)
class Kernel:
    """An operation, ready to run.

    Attributes:
        operation: what it computes.
        function: takes the operands, in order.
        operands: names of values, or constants as float32 tensors.
    """

    operation: Operation
    function: Function
    operands: tuple[str | Tensor, ...]

    @property
    def output_type(self) -> TensorType:
        """Type of the result."""
        return self.operation.outputs[0].type


def make_kernel(
    operation: Operation,
    constants: Mapping[str, Constant],
    types: Mapping[str, TensorType],
    package: str,
) -> Kernel:
    """Returns the kernel of an operation.

    Args:
        operation: any but a `constexpr_` one.
        constants: decompressed weights by name.
        types: of the values that are there when the operation runs, by name.
        package: its name, for messages.

    Raises:
        BundleError: the operator or one of its parameters is not known, or the result is not of the
            declared type.
    """
    where = f"{package}: {operation}"
    build = _BUILDERS.get(operation.type)
    if build is None:
        raise BundleError(f"{where}: unknown operator, expected one of {', '.join(_BUILDERS)}")
    arguments = Arguments(operation, constants, types, where)
    function, shape = build(arguments)
    arguments.refuse_others()
    computed = TensorType(arguments.result_dtype(), shape)
    if [output.type for output in operation.outputs] != [computed]:
        declared = ", ".join(str(output.type) for output in operation.outputs)
        raise BundleError(f"{where} declares {declared}, but computes {computed}")
    return Kernel(operation, function, tuple(arguments.operands))


def _cast(arguments: Arguments) -> tuple[Function, Shape]:
    x = arguments.add_operand("x")
    arguments.cast_to = arguments.expect("dtype", "string", "fp16", "fp32")
    # Rounding is not the operator's business: it depends on how the program is run.
    return lambda x: x, x.shape


#: Integers of activations, and the ends of their range.
_EIGHT_BITS = {"int8": (-128.0, 127.0), "uint8": (0.0, 255.0)}


def _scale(arguments: Arguments, dtype: str, integer: str) -> tuple[float, float]:
    """Returns scale and zero point, one for the whole tensor."""
    scale = arguments.take("scale", dtype, ())
    if not 0.0 < scale < math.inf:
        raise BundleError(f"{arguments.where}: scale is {scale}, expected a positive number")
    zero = arguments.take("zero_point", integer, ()) if "zero_point" in arguments else 0
    return scale, zero


def _quantize(arguments: Arguments) -> tuple[Function, Shape]:
    x = arguments.add_operand("input")
    arguments.cast_to = integer = arguments.expect("output_dtype", "string", *_EIGHT_BITS)
    low, high = _EIGHT_BITS[integer]
    scale, zero = _scale(arguments, x.dtype, integer)
    return lambda x: (torch.round(x / scale) + zero).clamp_(low, high), x.shape


def _dequantize(arguments: Arguments) -> tuple[Function, Shape]:
    x = arguments.add_operand("input", dtypes=tuple(_EIGHT_BITS))
    arguments.cast_to = arguments.dtype_of("scale")
    scale, zero = _scale(arguments, arguments.cast_to, x.dtype)
    return lambda x: (x - zero) * scale, x.shape


def _unary(function: Callable[[Tensor], Tensor]) -> Builder:
    def build(arguments: Arguments) -> tuple[Function, Shape]:
        return function, arguments.add_operand("x").shape

    return build


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Builder:
    def build(arguments: Arguments) -> tuple[Function, Shape]:
        x, y = arguments.add_operand("x").shape, arguments.add_operand("y").shape
        try:
            return function, np.broadcast_shapes(x, y)
        except ValueError as error:
            raise arguments.misfit(x, y) from error

    return build


def gelu_by_table(x: Tensor) -> Tensor:
    """Returns GELU as straight lines between the values of a table; beyond it, 0 or `x`."""
    knots = torch.linspace(-GELU_REACH, GELU_REACH, GELU_KNOTS)
    values = F.gelu(knots)
    place = (x.clamp(-GELU_REACH, GELU_REACH) + GELU_REACH) * ((GELU_KNOTS - 1) / (2 * GELU_REACH))
    low = place.floor().clamp(max=GELU_KNOTS - 2).long()
    inside = torch.lerp(values[low], values[low + 1], place - low)
    return torch.where(x.abs() < GELU_REACH, inside, torch.relu(x))


def _gelu(arguments: Arguments) -> tuple[Function, Shape]:
    x = arguments.add_operand("x")
    forms = {"EXACT": "none", "TANH_APPROXIMATION": "tanh"}
    approximate = forms[arguments.expect("mode", "string", *forms)]
    return lambda x: F.gelu(x, approximate=approximate), x.shape


def _concat(arguments: Arguments) -> tuple[Function, Shape]:
    shapes = [value.shape for value in arguments.add_operands("values", rank=4)]
    arguments.expect("interleave", "bool", False)
    arguments.expect("axis", "int32", 1)
    (batch, _, height, width), *_ = shapes
    if any(shape[:1] + shape[2:] != (batch, height, width) for shape in shapes):
        raise arguments.misfit(*shapes)
    channels = sum(shape[1] for shape in shapes)
    return lambda *values: torch.cat(values, dim=1), (batch, channels, height, width)


def _slice(arguments: Arguments) -> tuple[Function, Shape]:
    sizes = arguments.add_operand("x").shape
    rank = (len(sizes),)
    begin = arguments.take("begin", "int32", rank)
    end = arguments.take("end", "int32", rank)
    whole = arguments.take("end_mask", "bool", rank)
    ends = [size if to_end else last for size, to_end, last in zip(sizes, whole, end, strict=True)]
    if not all(0 <= a < b <= size for a, b, size in zip(begin, ends, sizes, strict=True)):
        raise BundleError(f"{arguments.where}: takes {begin} to {ends} of {list(sizes)}")
    index = tuple(slice(a, b) for a, b in zip(begin, ends, strict=True))
    return lambda x: x[index], tuple(b - a for a, b in zip(begin, ends, strict=True))


@dataclass(frozen=True)
class _Window:
    """What conv and conv_transpose share."""

    x: Shape
    weight: Shape
    stride: tuple[int, int]
    padding: tuple[int, int]
    groups: int

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of torch's functions."""
        return {"stride": self.stride, "padding": self.padding, "groups": self.groups}


def _window(arguments: Arguments) -> _Window:
    x, weight = (arguments.add_operand(name, rank=4).shape for name in ("x", "weight"))
    rows, columns = arguments.take("strides", "int32", (2,))
    groups = arguments.take("groups", "int32", ())
    if min(rows, columns, groups) < 1:
        raise BundleError(
            f"{arguments.where}: strides {[rows, columns]} and groups {groups}, expected 1 or more"
        )
    arguments.expect("dilations", "int32", [1, 1])
    top, bottom, left, right = pad = arguments.take("pad", "int32", (4,))
    padded = arguments.expect("pad_type", "string", "valid", "custom") == "custom"
    if (top, left) != (bottom, right) or min(pad) < 0 or (any(pad) and not padded):
        raise BundleError(
            f"{arguments.where}: pad is {pad} of type {'custom' if padded else 'valid'}, expected "
            "the same on opposite sides, and none if valid"
        )
    return _Window(x, weight, (rows, columns), (top, left), groups)


def _add_bias(arguments: Arguments, channels: int) -> None:
    if "bias" in arguments:
        bias = arguments.add_operand("bias").shape
        if bias != (channels,):
            raise arguments.misfit(bias, (channels,))


def _conv(arguments: Arguments) -> tuple[Function, Shape]:
    window = _window(arguments)
    channels, taken, *kernel = window.weight
    if window.x[1] != taken * window.groups or channels % window.groups:
        raise arguments.misfit(window.x, window.weight)
    _add_bias(arguments, channels)
    sizes = [
        (size + 2 * pad - reach) // stride + 1
        for size, pad, reach, stride in zip(
            window.x[2:], window.padding, kernel, window.stride, strict=True
        )
    ]
    shape = (window.x[0], channels, *sizes)
    weight = arguments.operands[1]
    plain = {"stride": (1, 1), "padding": (0, 0), "groups": 1}
    if kernel == [1, 1] and window.options == plain and isinstance(weight, Tensor):
        # A product of matrices, a third faster than torch's conv in this memory layout.
        arguments.operands[1] = weight[:, :, 0, 0]
        return _pointwise, shape
    return lambda x, *weights: F.conv2d(x, *weights, **window.options), shape


def _pointwise(x: Tensor, *weights: Tensor) -> Tensor:
    return F.linear(x.permute(0, 2, 3, 1), *weights).permute(0, 3, 1, 2)


def _conv_transpose(arguments: Arguments) -> tuple[Function, Shape]:
    window = _window(arguments)
    taken, made, *kernel = window.weight
    channels = made * window.groups
    if window.x[1] != taken or taken % window.groups:
        raise arguments.misfit(window.x, window.weight)
    _add_bias(arguments, channels)
    sizes = [
        (size - 1) * stride - 2 * pad + reach
        for size, pad, reach, stride in zip(
            window.x[2:], window.padding, kernel, window.stride, strict=True
        )
    ]
    shape = (window.x[0], channels, *sizes)
    arguments.expect("output_shape", "int32", list(shape))
    return lambda x, *weights: F.conv_transpose2d(x, *weights, **window.options), shape


_BUILDERS: dict[str, Builder] = {
    "add": _binary(torch.add),
    "cast": _cast,
    "concat": _concat,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "cos": _unary(torch.cos),
    "dequantize": _dequantize,
    "gelu": _gelu,
    "mul": _binary(torch.mul),
    "quantize": _quantize,
    "relu": _unary(torch.relu),
    "sigmoid": _unary(torch.sigmoid),
    "sin": _unary(torch.sin),
    "slice_by_index": _slice,
    "sub": _binary(torch.sub),
}
