"""8 bits for weights and activations of a Core ML package, calibrated on the student's own orbit.

Apple's way to such a package is either a Mac or `coremltools.optimize.torch`, whose quantizer does
not take a graph of torch.export. So ranges are read off the very program that is shipped, run by
our interpreter, and a pair of `quantize` and `dequantize` is put before each operation that is to
compute in 8 bits, which is what both of those write, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.eight_bits import Kind, Ranges, calibration_uploads, eight_bit_span
from mobile_nelf.extras import import_extra
from mobile_nelf.students import StudentConfig
from mobile_nelf_exporters.coreml.convert import package_files, quiet_coremltools
from mobile_nelf_exporters.coreml.interpreter.interpreter import Interpreter
from mobile_nelf_exporters.coreml.package.package import read_package

__all__ = ["MIN_IOS", "Grid", "activations_in_8_bits", "grid"]

#: Of the operators that turn activations into 8 bits and back.
MIN_IOS = 17

#: Operators that compute in 8 bits; all others read and write fp16.
OPERATORS: dict[str, Kind] = {"conv": "conv", "conv_transpose": "enlarging"}

#: Smallest scale, which is the smallest fp16 number with all its digits.
MIN_SCALE = 2.0**-14


@dataclass(frozen=True)
class Grid:
    """The 256 values of a tensor: scale · (n − zero point)."""

    scale: np.float16
    zero_point: np.uint8


def grid(low: float, high: float) -> Grid:
    """Returns the grid from `low` to `high`, with 0 on it."""
    low, high = min(low, 0.0), max(high, 0.0)
    # Upwards, so that the ends still are on it.
    scale = np.nextafter(np.float16(max((high - low) / 255.0, MIN_SCALE)), np.float16(np.inf))
    return Grid(scale, np.uint8(min(round(-low / float(scale)), 255)))


def activations_in_8_bits(model: Any, checkpoint: Checkpoint, contract: Contract) -> Any:
    """Returns a copy of an ML program whose body computes in 8 bits.

    Weights get a scale for each output channel. The same arguments give the same program.

    Args:
        model: a `coremltools.models.MLModel` with fp16 weights, for iOS 17 or later.
        checkpoint: the student in it.
        contract: of the model.

    Raises:
        DeployError: nothing lies between the head and the last stage.
        MissingExtraError: coremltools is not installed.
    """
    with quiet_coremltools() as ct:
        ranges = _ranges(model, checkpoint, contract)
        utilities = import_extra("coremltools.models.utils", "coreml")
        passes = import_extra("coremltools.converters.mil.mil.passes.graph_pass", "coreml")
        builder = import_extra("coremltools.converters.mil.mil", "coreml").Builder
        weights: list[str] = []

        class Pairs(passes.AbstractGraphPass):  # type: ignore[misc,name-defined]
            """Puts the pairs into a program, and notes whose weights take 8 bits."""

            def apply(self, prog: Any) -> None:
                block = prog.functions["main"]
                chosen = _chosen(list(block.operations), checkpoint.student)
                weights.extend(operation.weight.op.name for operation in chosen)
                with block:
                    _put_pairs(builder, block, chosen, ranges)

        # The one function that takes a finished model through a pass of one's own; coremltools'
        # compression of weights is made of it.
        paired = utilities._apply_graph_pass(model, Pairs())
        optimize = ct.optimize.coreml
        of_weights = optimize.OpLinearQuantizerConfig(
            mode="linear_symmetric", dtype="int8", weight_threshold=0
        )
        config = optimize.OptimizationConfig(op_name_configs=dict.fromkeys(weights, of_weights))
        return optimize.linear_quantize_weights(paired, config)


def _ranges(
    model: Any, checkpoint: Checkpoint, contract: Contract
) -> Mapping[str, tuple[float, float]]:
    """Returns the range of each value of a program, by its name."""
    name = "calibration.mlpackage"
    package = read_package(package_files(model, name, contract, "fp16"), name)
    interpreter = Interpreter(package)
    ranges = Ranges()

    def see(value: str, tensor: Tensor) -> None:
        ranges.see(value, tensor.float().numpy())

    for uploads in calibration_uploads(checkpoint, contract):
        interpreter.run(
            {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in uploads.items()},
            watch=see,
        )
    return ranges.found()


def _chosen(operations: list[Any], student: StudentConfig) -> list[Any]:
    """Returns what computes in 8 bits, in order."""
    listed = [operation for operation in operations if operation.op_type != "const"]
    seen: list[tuple[Kind, tuple[int, ...]]] = [
        (
            OPERATORS.get(operation.op_type, "other"),
            tuple(operation.weight.shape) if operation.op_type == "conv" else (),
        )
        for operation in listed
    ]
    return [
        listed[place]
        for place in eight_bit_span(seen, student)
        if listed[place].op_type in OPERATORS
    ]


def _put_pairs(
    builder: Any, block: Any, chosen: list[Any], ranges: Mapping[str, tuple[float, float]]
) -> None:
    """One pair for what each of them reads; others read the value itself."""
    for operation in chosen:
        value = operation.x
        found = grid(*ranges[value.name])
        small = builder.quantize(
            input=value,
            scale=found.scale,
            zero_point=found.zero_point,
            output_dtype="uint8",
            before_op=operation,
            name=f"{value.name}_8_bits",
        )
        back = builder.dequantize(
            input=small,
            scale=found.scale,
            zero_point=found.zero_point,
            before_op=operation,
            name=f"{value.name}_from_8_bits",
        )
        block.replace_uses_of_var_after_op(
            anchor_op=back.op, end_op=operation, old_var=value, new_var=back
        )
