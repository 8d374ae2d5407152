"""The operations of a Core ML program, read from its protobuf form.

`const` operations are dissolved: whoever reads one gets the constant itself, decoded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.coreml.package.weights import (
    BLOB_TYPES,
    WeightsFile,
    packed_size,
    unpack_elements,
)

__all__ = ["Constant", "NamedType", "Operation", "Program", "TensorType", "read_program"]

#: Numbers of the element types in the program. Those that `BLOB_TYPES` lacks are never in a file.
_DTYPES = {
    1: "bool",
    2: "string",
    10: "fp16",
    11: "fp32",
    21: "int8",
    23: "int32",
    25: "int4",
    31: "uint8",
    33: "uint32",
    35: "uint4",
    36: "uint2",
    37: "uint1",
    38: "uint6",
    39: "uint3",
}

#: Of a tensor; a frame of 1200 by 1200 in 64 channels has a third of it. More are a sign of damage.
_MAX_ELEMENTS = 2**28

#: Where the elements of a constant inside the program stand, and how NumPy holds them. All other
#: types are raw bytes.
_IMMEDIATE = {
    "fp32": ("floats", "f4"),
    "int32": ("ints", "i4"),
    "bool": ("bools", "?"),
    "string": ("strings", "O"),
}


@dataclass(frozen=True)
class TensorType:
    """Type of a value.

    Attributes:
        dtype: of the elements, as in `fp16`, `fp32`, `int32`, `uint6`, `bool`, `string`.
        shape: static; empty for a scalar.
    """

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        """Returns the form for messages, as `fp16[1, 3, 800, 800]`."""
        return f"{self.dtype}{list(self.shape)}"


@dataclass(frozen=True)
class NamedType:
    """A value at run time: its name and type."""

    name: str
    type: TensorType


@dataclass(frozen=True, eq=False)
class Constant:
    """A value that the package holds.

    Attributes:
        type: as declared.
        array: the elements in that shape; an element of less than a byte takes a byte.
        in_weights: whether it is stored in `weight.bin` and not inside the program.
        name: that a `const` operation gave it; empty if it has none.
    """

    type: TensorType
    array: npt.NDArray[Any]
    in_weights: bool
    name: str = ""


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation of the program.

    Attributes:
        type: as `conv`.
        inputs: by parameter, one or more operands: the name of a value, or a constant.
        attributes: constants by name; only old forms of compressed weights have any.
        outputs: what it makes; the first one's name stands for the operation in messages.
    """

    type: str
    inputs: Mapping[str, tuple[str | Constant, ...]]
    attributes: Mapping[str, Constant]
    outputs: tuple[NamedType, ...]

    @property
    def name(self) -> str:
        """Name of the first output."""
        return self.outputs[0].name

    @property
    def is_constexpr(self) -> bool:
        """Whether it only turns constants into a constant, as compressed weights do."""
        return self.type.startswith("constexpr_")

    def __str__(self) -> str:
        """Returns the form for messages."""
        return f"operation {self.name} ({self.type})"


@dataclass(frozen=True, eq=False)
class Program:
    """The only function of a package.

    Attributes:
        opset: version of the operators, as `CoreML6`.
        inputs: of the function.
        operations: in order of execution, without the `const` operations.
        outputs: names of the values that the function returns.
    """

    opset: str
    inputs: tuple[NamedType, ...]
    operations: tuple[Operation, ...]
    outputs: tuple[str, ...]


def read_program(message: Any, weights: Mapping[str, WeightsFile], file: str) -> Program:
    """Reads a message `Program` (see `coreml_schema`).

    Args:
        message: the parsed protobuf.
        weights: by the name under which the program refers to them.
        file: where the program stands, for messages.

    Raises:
        BundleError: the program is broken, or uses what packages of mnelf do not.
    """
    functions, attributes = sorted(message.functions), sorted(message.attributes)
    if message.version != 1 or functions != ["main"] or set(attributes) - {"buildInfo"}:
        raise BundleError(
            f"{file}: program of version {message.version} with functions {functions} and "
            f"attributes {attributes}, expected version 1 with one function 'main'"
        )
    function = message.functions["main"]
    if list(function.block_specializations) != [function.opset]:
        raise BundleError(
            f"{file}: variants {sorted(function.block_specializations)} of the program, "
            f"expected one for {function.opset!r}"
        )
    return _Reader(weights, file).read(function)


class _Reader:
    def __init__(self, weights: Mapping[str, WeightsFile], file: str) -> None:
        self._weights = weights
        self._file = file
        # Values that may be read by the operations to come.
        self._constants: dict[str, Constant] = {}
        self._names: set[str] = set()

    def read(self, function: Any) -> Program:
        block = function.block_specializations[function.opset]
        inputs = self._named_types(function.inputs)
        operations = []
        for message in block.operations:
            operation = self._operation(message)
            if operation.type == "const":
                constant = self._const_value(operation)
                self._constants[operation.name] = replace(constant, name=operation.name)
            else:
                operations.append(operation)
        return Program(function.opset, inputs, tuple(operations), tuple(block.outputs))

    def _operation(self, message: Any) -> Operation:
        where = message.outputs[0].name if message.outputs else "without outputs"
        where = f"operation {where} ({message.type})"
        inputs = {
            parameter: tuple(self._operand(binding, where) for binding in argument.arguments)
            for parameter, argument in message.inputs.items()
        }
        attributes = {
            name: self._constant(value, where)
            for name, value in message.attributes.items()
            # What the operation was called in the source; says nothing about what it computes.
            if name != "name"
        }
        outputs = self._named_types(message.outputs)
        if not outputs or not all(inputs.values()):
            raise BundleError(f"{self._file}: {where} lacks an output or an operand")
        return Operation(message.type, inputs, attributes, outputs)

    def _const_value(self, operation: Operation) -> Constant:
        value = operation.attributes.get("val")
        declared = operation.outputs[0].type
        if (
            value is None
            or value.type != declared
            or operation.inputs
            or len(operation.attributes) + len(operation.outputs) != 2
        ):
            raise BundleError(
                f"{self._file}: constant {operation.name} holds "
                f"{value.type if value else 'nothing'}, expected {declared}"
            )
        return value

    def _operand(self, binding: Any, where: str) -> str | Constant:
        if binding.WhichOneof("one") == "value":
            return self._constant(binding.value, where)
        name: str = binding.name
        if name not in self._names:
            raise BundleError(f"{self._file}: {where} reads {name!r}, which nothing made before it")
        return self._constants.get(name, name)

    def _named_types(self, messages: Iterable[Any]) -> tuple[NamedType, ...]:
        named = tuple(
            NamedType(message.name, self._type(message.type, message.name)) for message in messages
        )
        for value in named:
            if value.name in self._names:
                raise BundleError(f"{self._file}: {value.name!r} is made twice")
            self._names.add(value.name)
        return named

    def _type(self, message: Any, where: str) -> TensorType:
        tensor = message.tensorType
        dtype = _DTYPES.get(tensor.dataType)
        # A dimension that is not static reads as 0.
        shape = tuple(dimension.constant.size for dimension in tensor.dimensions)
        if (
            message.WhichOneof("one") != "tensorType"
            or dtype is None
            or tensor.rank != len(shape)
            or not 1 <= math.prod(shape) <= _MAX_ELEMENTS
        ):
            raise BundleError(
                f"{self._file}: {where} is not a tensor of static shape and of a type that mnelf "
                f"uses (type {tensor.dataType}, rank {tensor.rank}, shape {list(shape)})"
            )
        return TensorType(dtype, shape)

    def _constant(self, message: Any, where: str) -> Constant:
        declared = self._type(message.type, f"a constant of {where}")
        count = math.prod(declared.shape)
        stored = message.WhichOneof("one") == "blobFileValue"
        if stored:
            elements = self._from_weights(message.blobFileValue, declared.dtype, count, where)
        else:
            elements = self._immediate(message.immediateValue.tensor, declared, count, where)
        return Constant(declared, elements.reshape(declared.shape), stored)

    def _from_weights(self, blob: Any, dtype: str, count: int, where: str) -> npt.NDArray[Any]:
        weights = self._weights.get(blob.fileName)
        if weights is None or dtype not in BLOB_TYPES:
            raise BundleError(
                f"{self._file}: {where} has its {dtype} in {blob.fileName!r}, which is missing or "
                f"cannot hold them; the package has {sorted(self._weights) or 'no weights file'}"
            )
        return weights.array(blob.offset, dtype, count)

    def _immediate(
        self, tensor: Any, declared: TensorType, count: int, where: str
    ) -> npt.NDArray[Any]:
        field, array_type = _IMMEDIATE.get(declared.dtype, ("bytes", ""))
        held = tensor.WhichOneof("one") == field
        values: Any = getattr(tensor, field).values if held else ()
        if array_type:
            if len(values) == count:
                return np.array(list(values), array_type)
        else:
            kind = BLOB_TYPES[declared.dtype]
            if len(values) == packed_size(count, kind.bits)[0]:
                return unpack_elements(values, kind, count)
        raise BundleError(
            f"{self._file}: {where} has a constant of {declared} that does not hold {count} "
            "elements of that type"
        )
