"""A program of operations, as far as cost and placement can be read from it.

Exporters whose artefacts are not ONNX graphs say in this form what they wrote.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mobile_nelf.deploy.cost import Cost

__all__ = ["OperationFacts", "ProgramFacts", "program_cost"]

#: Sizes of a tensor, all known.
StaticShape = tuple[int, ...]


@dataclass(frozen=True)
class OperationFacts:
    """One operation.

    Attributes:
        kind: operator, as Core ML's MIL calls it (`conv`).
        name: of its result.
        precision: type of its result, `fp16` or `fp32`.
        reads: names of the values that it takes, without constants.
        inputs: shapes of its operands by parameter, constants included.
        output: shape of its result.
        settings: constants that are not operands, such as strides and modes.
    """

    kind: str
    name: str
    precision: str
    reads: tuple[str, ...]
    inputs: dict[str, tuple[StaticShape, ...]]
    output: StaticShape
    settings: dict[str, Any]


@dataclass(frozen=True)
class ProgramFacts:
    """A program whose weights are constants.

    Attributes:
        uploads: shapes of the inputs by name.
        operations: in order of execution; what unpacks weights is none.
        results: names of the values that it returns.
    """

    uploads: dict[str, StaticShape]
    operations: tuple[OperationFacts, ...]
    results: tuple[str, ...]


def program_cost(program: ProgramFacts) -> Cost:
    """Returns what one run costs, counted as `deploy.cost.model_cost` counts an ONNX graph."""
    return Cost(
        macs=sum(map(_macs, program.operations)),
        peak_activation_bytes=_peak_bytes(program),
    )


def _macs(operation: OperationFacts) -> int:
    if operation.kind == "conv":  # weight [out, in/groups, ...]: a row of it for each output
        return math.prod(operation.output) * math.prod(operation.inputs["weight"][0][1:])
    if operation.kind == "conv_transpose":  # weight [in, out/groups, ...]: a row for each input
        return math.prod(operation.inputs["x"][0]) * math.prod(operation.inputs["weight"][0][1:])
    return 0


def _peak_bytes(program: ProgramFacts) -> int:
    size = {name: 4 * math.prod(shape) for name, shape in program.uploads.items()}
    last_reader: dict[str, int] = {}
    for index, operation in enumerate(program.operations):
        size[operation.name] = 4 * math.prod(operation.output)
        last_reader.update((name, index) for name in (operation.name, *operation.reads))
    last_reader.update((name, len(program.operations)) for name in program.results)
    current = peak = sum(size[name] for name in program.uploads)
    for index, operation in enumerate(program.operations):
        current += size[operation.name]
        peak = max(peak, current)
        for name in {operation.name, *operation.reads}:
            if last_reader[name] == index:
                current -= size[name]
    return peak
