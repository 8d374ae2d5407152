"""Runs a Core ML package off-device, operation by operation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from mobile_nelf.deploy.tolerances import FP16_LIMIT
from mobile_nelf_exporters.coreml.interpreter.ops import Kernel, gelu_by_table, make_kernel
from mobile_nelf_exporters.coreml.package.constexpr import decompress
from mobile_nelf_exporters.coreml.package.package import Package
from mobile_nelf_exporters.coreml.package.program import Constant, Operation

__all__ = ["Interpreter", "operation_counts"]

#: From here on a sum of products is infinite on the Neural Engine, whose accumulator has half the
#: range of its results (ANE guide, section 3, on an M1; 32752 was seen on M2 Pro and M5).
SUM_LIMIT = 32752.0

#: Operators that sum products.
SUMS = ("conv", "conv_transpose")


def operation_counts(package: Package) -> dict[str, int]:
    """Returns how often each operator occurs, constants aside, sorted by name."""
    return dict(sorted(Counter(op.type for op in package.program.operations).items()))


class Interpreter:
    """Computes what a package declares, on a CPU.

    Two modes:

    * exact: stored weights as they are, arithmetic in float32. Of the roundings that the program
      declares, only that of its own inputs is done: a device sees no more of them than fp16,
      whether the host or the program rounds them. What remains against the trained network is the
      error of the weights.
    * fp16 emulated: every result that is declared fp16 is rounded to it, sums are accumulated in
      float32. Too large a number becomes infinite, as on a device.

    Neither says how a device's own kernels sum, nor what it does to a picture after the program.

    Attributes:
        largest_activation: name and magnitude of the largest result that is declared fp16, in the
            last run; to be judged against `deploy.tolerances.FP16_LIMIT`. Infinite if one was
            infinite or no number; `("", 0.0)` before the first run and where nothing is fp16.
    """

    largest_activation: tuple[str, float]

    def __init__(
        self, package: Package, *, emulate_fp16: bool = False, gelu_table: bool = False
    ) -> None:
        """Decompresses the weights and checks every operation.

        Args:
            package: what to run.
            emulate_fp16: round as a device may.
            gelu_table: take GELU from a table, as the Neural Engine does.

        Raises:
            BundleError: an operator or parameter is unknown, weights do not fit together, or an
                operation computes another shape or type than it declares.
        """
        self.largest_activation = ("", 0.0)
        self._package = package
        self._emulate_fp16 = emulate_fp16
        self._inputs = {feature.name for feature in package.inputs}
        self._kernels = _make_kernels(package)
        if gelu_table:
            self._kernels = [
                replace(kernel, function=gelu_by_table)
                if kernel.operation.type == "gelu"
                else kernel
                for kernel in self._kernels
            ]
        last_use = {
            operand: index
            for index, kernel in enumerate(self._kernels)
            for operand in kernel.operands
            if isinstance(operand, str)
        }
        # By index of the kernel, values that nobody reads after it.
        self._dead: dict[int, list[str]] = {}
        for name, index in last_use.items():
            if name not in package.program.outputs:
                self._dead.setdefault(index, []).append(name)

    def run(
        self,
        inputs: Mapping[str, Tensor],
        watch: Callable[[str, Tensor], None] = lambda name, value: None,
    ) -> dict[str, Tensor]:
        """Returns the outputs by name, float32.

        A picture is returned as the program computes it, [1, 3, H, W] in 0 to 255; the platform's
        conversion to 8 bits is left to the caller.

        Args:
            inputs: float32 tensors by name, in the shapes of `package.inputs`; what the package
                takes in fp16 is rounded to it first, as a host does.
            watch: called with the name of each result and the result.

        Raises:
            ValueError: the inputs are not those of the package.
        """
        expected = {
            feature.name: (torch.float32, feature.shape) for feature in self._package.inputs
        }
        halves = {feature.name for feature in self._package.inputs if feature.dtype == "fp16"}
        found = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in inputs.items()}
        if found != expected:
            raise ValueError(f"{self._package.name}: inputs {found}, expected {expected}")
        self.largest_activation = ("", 0.0)
        values = {
            name: _channels_last(tensor.half().float() if name in halves else tensor)
            for name, tensor in inputs.items()
        }
        with torch.inference_mode():
            for index, kernel in enumerate(self._kernels):
                operands = [
                    values[operand] if isinstance(operand, str) else operand
                    for operand in kernel.operands
                ]
                result = self._finished(kernel, kernel.function(*operands))
                watch(kernel.operation.name, result)
                values[kernel.operation.name] = result
                del operands
                for name in self._dead.get(index, ()):
                    del values[name]
            return {name: values[name].contiguous() for name in self._package.program.outputs}

    def _finished(self, kernel: Kernel, result: Tensor) -> Tensor:
        """Rounds where the mode says so, and notes the largest magnitude."""
        if kernel.output_type.dtype != "fp16":
            return result
        source = kernel.operands[0]
        of_input = (
            kernel.operation.type == "cast" and isinstance(source, str) and source in self._inputs
        )
        if self._emulate_fp16 or of_input:
            result = result.half().float()
        low, high = _in_memory_order(result).aminmax()
        magnitude = max(abs(float(low)), abs(float(high)))
        is_sum = kernel.operation.type in SUMS
        if is_sum and self._emulate_fp16 and magnitude >= SUM_LIMIT:
            result = torch.where(result.abs() < SUM_LIMIT, result, result.sign() * math.inf)
        # Beyond the range of fp16 the figure says enough by itself.
        if math.isnan(magnitude) or (is_sum and SUM_LIMIT <= magnitude <= FP16_LIMIT):
            magnitude = math.inf
        if magnitude > self.largest_activation[1]:
            self.largest_activation = (_place(kernel.operation), magnitude)
        return result


def _place(operation: Operation) -> str:
    """Names an operation so that its layer is recognised: the converter only counts them."""
    weight = next(iter(operation.inputs.get("weight", ())), "")
    name = weight.name if isinstance(weight, Constant) else weight
    return f"{operation.name} (weight {name})" if name else operation.name


def _channels_last(tensor: Tensor) -> Tensor:
    """Returns the tensor in the memory order in which 1×1 convs are products of matrices."""
    if tensor.dim() != 4:
        return tensor
    return tensor.contiguous(memory_format=torch.channels_last)


def _in_memory_order(tensor: Tensor) -> Tensor:
    """Returns the elements, flat, without a copy if the tensor is in that order."""
    return (tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor).reshape(-1)


def _make_kernels(package: Package) -> list[Kernel]:
    constants: dict[str, Constant] = {}
    types = {value.name: value.type for value in package.program.inputs}
    kernels = []
    for operation in package.program.operations:
        if operation.is_constexpr:
            constants.update(decompress(operation, constants, package.name))
        else:
            kernels.append(make_kernel(operation, constants, types, package.name))
            types.update((output.name, output.type) for output in operation.outputs)
    return kernels
