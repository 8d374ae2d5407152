"""Where the operations of a Core ML program will run: on the Neural Engine, or on GPU or CPU.

The rules are rows of `placement_rules`; this module applies them to a program and counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mobile_nelf.export.tables import Table, TableRow
from mobile_nelf_exporters.coreml.facts import OperationFacts, ProgramFacts
from mobile_nelf_exporters.coreml.placement_rules import (
    EVERYWHERE,
    PLACEMENT_RULES,
    Limit,
    LimitRule,
)

__all__ = [
    "PLACEMENT_TITLE",
    "UNIT_TITLES",
    "PlacementReport",
    "PlacementRow",
    "Unit",
    "place",
    "placement_table",
]

Unit = Literal["neural_engine", "gpu_or_cpu"]
UNIT_TITLES: dict[Unit, str] = {"neural_engine": "Neural Engine", "gpu_or_cpu": "GPU or CPU"}

PLACEMENT_TITLE = "Placement by the rules"

UNKNOWN = "Unknown to the placement rules"


@dataclass(frozen=True)
class PlacementRow:
    """All operations of one kind that run in one place for one reason.

    Attributes:
        kind: operator, as Core ML's MIL calls it.
        form: kernel, stride or mode; empty if the kind has none.
        precision: type of the results.
        count: how many there are.
        unit: where they run by the rules.
        reason: why not on the Neural Engine; empty if they do.
    """

    kind: str
    form: str
    precision: str
    count: int
    unit: Unit
    reason: str = ""


@dataclass(frozen=True)
class PlacementReport:
    """Where a program will run by the rules; a device may differ.

    Attributes:
        rows: in order of first appearance.
        notes: what a reader should know about operators, one sentence each.
    """

    rows: tuple[PlacementRow, ...]
    notes: tuple[str, ...]

    def count(self, unit: Unit, kinds: tuple[str, ...] = ()) -> int:
        """Returns how many operations run on a unit; of some kinds only, if any are given."""
        return sum(
            row.count for row in self.rows if row.unit == unit and (not kinds or row.kind in kinds)
        )


def place(program: ProgramFacts) -> PlacementReport:
    """Applies the rules to every operation of a program."""
    counts: dict[tuple[str, str, str, str], int] = {}
    for operation in program.operations:
        key = (operation.kind, _form(operation), operation.precision, _reason(operation))
        counts[key] = counts.get(key, 0) + 1
    rows = tuple(
        PlacementRow(
            kind, form, precision, count, "gpu_or_cpu" if reason else "neural_engine", reason
        )
        for (kind, form, precision, reason), count in counts.items()
    )
    placed = dict.fromkeys(row.kind for row in rows if row.unit == "neural_engine")
    notes = (PLACEMENT_RULES[kind].note for kind in placed)
    return PlacementReport(rows, tuple(note for note in notes if note))


def placement_table(report: PlacementReport) -> Table:
    """Returns a table with a row for each row of the report."""
    return Table(
        PLACEMENT_TITLE,
        ("operation", "form", "precision", "runs on (by the rules)", "count"),
        tuple(
            TableRow(
                (row.kind, row.form or "-", row.precision, UNIT_TITLES[row.unit], str(row.count)),
                (row.reason,) if row.reason else (),
            )
            for row in report.rows
        ),
        numbers=1,
        notes=("Based on published third-party measurements. Confirm on a device.", *report.notes),
    )


def _form(operation: OperationFacts) -> str:
    """Returns what tells operations of one kind apart, for the table."""
    settings = operation.settings
    if operation.kind in ("conv", "conv_transpose"):
        rows, columns = operation.inputs["weight"][0][2:]
        strides = set(settings.get("strides", (1,)))
        stride = "" if strides == {1} else f", stride {'×'.join(map(str, sorted(strides)))}"
        return f"{rows}×{columns}{stride}"
    if operation.kind == "gelu":
        return str(settings.get("mode", "EXACT"))
    return f"to {settings['dtype']}" if operation.kind == "cast" else ""


def _reason(operation: OperationFacts) -> str:
    """Returns why an operation does not run on the Neural Engine; empty if it does."""
    rule = PLACEMENT_RULES.get(operation.kind)
    if rule is None:
        return UNKNOWN
    # What an operator never does is said before what this one does not meet.
    for limit in (*rule.limits, *EVERYWHERE):
        if not _HOLDS[limit.rule](operation, limit):
            return limit.text
    return ""


def _never(operation: OperationFacts, limit: Limit) -> bool:
    return False


def _fp16(operation: OperationFacts, limit: Limit) -> bool:
    # What 8 bits hold is not computed in float32 at any rate.
    return operation.precision != "fp32"


def _rank(operation: OperationFacts, limit: Limit) -> bool:
    return len(operation.output) <= limit.values[0]


def _extent(operation: OperationFacts, limit: Limit) -> bool:
    tensors = [operation.output]
    tensors += [shape for shapes in operation.inputs.values() for shape in shapes]
    return all(
        size <= most
        for shape in tensors
        if len(shape) == 4
        for size, most in zip(shape[1:], limit.values, strict=True)
    )


def _kernel(operation: OperationFacts, limit: Limit) -> bool:
    kernel = operation.inputs["weight"][0][2:]
    return all(size <= most for size, most in zip(kernel, limit.values, strict=True))


def _stride(operation: OperationFacts, limit: Limit) -> bool:
    strides: tuple[int, ...] = operation.settings.get("strides", (1,))
    return max(strides) <= limit.values[0]


_HOLDS: dict[LimitRule, Callable[[OperationFacts, Limit], bool]] = {
    "never": _never,
    "fp16": _fp16,
    "rank": _rank,
    "extent": _extent,
    "kernel": _kernel,
    "stride": _stride,
}
