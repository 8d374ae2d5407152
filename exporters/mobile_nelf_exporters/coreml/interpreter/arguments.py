"""Parameters of an operation of a Core ML program, handed out to whoever makes its kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.coreml.package.program import Constant, Operation, TensorType

__all__ = ["FLOATS", "Arguments"]

#: Types in which operators compute.
FLOATS = ("fp16", "fp32")


@dataclass(eq=False)
class Arguments:
    """The parameters of one operation; notes which were asked for.

    Attributes:
        operation: whose parameters these are.
        constants: decompressed weights by name.
        types: of the values that are there when the operation runs, by name.
        where: package and operation, for messages.
        operands: of the kernel so far: names of values, or constants as float32 tensors.
        cast_to: type of the result, if it is not that of the operands.

    All methods raise `BundleError` for a parameter that is missing or not as asked for.
    """

    operation: Operation
    constants: Mapping[str, Constant]
    types: Mapping[str, TensorType]
    where: str
    operands: list[str | Tensor] = field(default_factory=list)
    cast_to: str | None = None
    _dtypes: set[str] = field(default_factory=set)
    _asked: set[str] = field(default_factory=set)

    def __contains__(self, name: str) -> bool:
        """Whether the operation has such an input."""
        return name in self.operation.inputs

    def add_operand(
        self, name: str, rank: int | None = None, dtypes: tuple[str, ...] = FLOATS
    ) -> TensorType:
        """Appends a parameter to the operands of the kernel, and returns its type."""
        return self._add(self._single(name), name, rank, dtypes)

    def add_operands(self, name: str, rank: int) -> list[TensorType]:
        """Appends a list of operands, at least one."""
        self._asked.add(name)
        operands = self.operation.inputs.get(name, ())
        if not operands:
            raise BundleError(f"{self.where}: no operands {name}, expected at least one")
        return [self._add(self._resolved(operand), name, rank) for operand in operands]

    def dtype_of(self, name: str) -> str:
        """Returns the type of a parameter that must be a constant of floats."""
        operand = self._single(name)
        if not isinstance(operand, Constant) or operand.type.dtype not in FLOATS:
            raise BundleError(f"{self.where}: {name} is not a constant of floats")
        return operand.type.dtype

    def take(self, name: str, dtype: str, shape: tuple[int, ...] | None = None) -> Any:
        """Returns a constant of a type as Python value or nested list.

        Args:
            name: of the parameter.
            dtype: that it must have.
            shape: that it must have, if given.
        """
        operand = self._single(name)
        if (
            not isinstance(operand, Constant)
            or operand.type.dtype != dtype
            or (shape is not None and operand.type.shape != shape)
        ):
            found = operand.type if isinstance(operand, Constant) else f"the value {operand}"
            raise BundleError(f"{self.where}: {name} is {found}, expected {dtype}{shape or ''}")
        return operand.array.tolist()

    def expect(self, name: str, dtype: str, *allowed: Any) -> Any:
        """Returns a constant that must be one of the values `allowed`."""
        value = self.take(name, dtype)
        if value not in allowed:
            expected = " or ".join(map(repr, allowed))
            raise BundleError(f"{self.where}: {name} is {value!r}, expected {expected}")
        return value

    def refuse_others(self) -> None:
        """Refuses parameters that nobody asked for."""
        left = {*self.operation.inputs, *self.operation.attributes} - self._asked
        if left:
            raise BundleError(f"{self.where}: unknown parameters {', '.join(sorted(left))}")

    def misfit(self, *shapes: tuple[int, ...]) -> BundleError:
        """Returns the error for operands whose shapes do not go together."""
        listing = " and ".join(str(list(shape)) for shape in shapes)
        return BundleError(f"{self.where}: shapes {listing} do not fit together")

    def result_dtype(self) -> str:
        """Returns the type of the result: that of all operands, or of the cast."""
        if self.cast_to is not None:
            return self.cast_to
        if self._dtypes not in ({"fp16"}, {"fp32"}):
            raise BundleError(
                f"{self.where}: operands of types {', '.join(sorted(self._dtypes))}, "
                "expected one type of floats"
            )
        (dtype,) = self._dtypes
        return dtype

    def _single(self, name: str) -> str | Constant:
        self._asked.add(name)
        operands = self.operation.inputs.get(name, ())
        if len(operands) != 1:
            raise BundleError(f"{self.where}: {len(operands)} operands {name}, expected one")
        return self._resolved(operands[0])

    def _resolved(self, operand: str | Constant) -> str | Constant:
        return self.constants.get(operand, operand) if isinstance(operand, str) else operand

    def _add(
        self,
        operand: str | Constant,
        name: str,
        rank: int | None,
        dtypes: tuple[str, ...] = FLOATS,
    ) -> TensorType:
        kind = self.types[operand] if isinstance(operand, str) else operand.type
        if kind.dtype not in dtypes or rank not in (None, len(kind.shape)):
            expected = "floats" if dtypes == FLOATS else " or ".join(dtypes)
            expected += "" if rank is None else f" of rank {rank}"
            raise BundleError(f"{self.where}: {name} is {kind}, expected {expected}")
        self._dtypes.add(kind.dtype)
        if isinstance(operand, str):
            self.operands.append(operand)
        else:
            self.operands.append(torch.from_numpy(operand.array.astype(np.float32)))
        return kind
