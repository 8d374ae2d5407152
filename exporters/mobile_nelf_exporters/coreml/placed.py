"""Where operations run: by the rules when the bundle was made, and by the device's own answer."""

from __future__ import annotations

from mobile_nelf.devices import Measurement
from mobile_nelf.export.inspection import Inspection
from mobile_nelf.export.tables import Table, TableRow
from mobile_nelf.vocabulary import ComputeUnits, Processor
from mobile_nelf_exporters.coreml.placement import PLACEMENT_TITLE, UNIT_TITLES

__all__ = ["measured_placement"]

#: Settings that allow every processor that the rules speak of.
WITH_NEURAL_ENGINE: tuple[ComputeUnits, ...] = ("all", "cpuAndNeuralEngine")

PROCESSOR_TITLES: dict[Processor, str] = {
    "neural_engine": UNIT_TITLES["neural_engine"],
    "gpu": "GPU",
    "cpu": "CPU",
    "unknown": "not known",
}


def measured_placement(inspection: Inspection, measurement: Measurement) -> tuple[Table, ...]:
    """Puts the rules beside the device, for the main model under settings with a Neural Engine.

    The other models compute the same and differ in how weights are stored. Empty where the bundle
    has no rules or the device gave no answer.
    """
    answers = {
        run.compute_units: _by_kind(run.placement_by_operation)
        for run in measurement.runs
        if run.model == inspection.model_paths[0]
        and run.compute_units in WITH_NEURAL_ENGINE
        and run.placement_by_operation is not None
    }
    rules = _rules(inspection)
    if not rules or not answers:
        return ()
    kinds = dict.fromkeys([*rules, *(kind for found in answers.values() for kind in found)])
    columns = ("operation", "by the rules", *(f"device, {units}" for units in answers))
    rows = tuple(_row(kind, rules.get(kind, {}), answers) for kind in kinds)
    return (Table("Placement by the rules and by the device", columns, rows),)


def _row(
    kind: str,
    rules: dict[str, int],
    answers: dict[ComputeUnits, dict[str, dict[Processor, int]]],
) -> TableRow:
    """Returns the row of all operations of one kind."""
    device = {units: found.get(kind, {}) for units, found in answers.items()}
    expected = rules.get(UNIT_TITLES["neural_engine"], 0)
    missing = {units: expected - found.get("neural_engine", 0) for units, found in device.items()}
    named = (
        {PROCESSOR_TITLES[processor]: count for processor, count in found.items()}
        for found in device.values()
    )
    return TableRow(
        (kind, _where(rules), *map(_where, named)),
        tuple(
            f"{units}: {count} fewer on the Neural Engine than by the rules"
            for units, count in missing.items()
            if count > 0
        ),
    )


def _where(counts: dict[str, int]) -> str:
    """Returns how many operations run where."""
    return ", ".join(f"{count} {title}" for title, count in counts.items() if count) or "-"


def _rules(inspection: Inspection) -> dict[str, dict[str, int]]:
    """Returns how many operations of a kind run where, from the table that the bundle keeps."""
    rules: dict[str, dict[str, int]] = {}
    for table in inspection.tables:
        if table.title == PLACEMENT_TITLE:
            for kind, _, _, title, count in (row.cells for row in table.rows):
                counts = rules.setdefault(kind, {})
                counts[title] = counts.get(title, 0) + int(count)
    return rules


def _by_kind(found: dict[str, dict[Processor, int]]) -> dict[str, dict[Processor, int]]:
    """Renames a device's operators as the rules call them: `ios17.conv` is their `conv`."""
    kinds: dict[str, dict[Processor, int]] = {}
    for name, counts in found.items():
        kind = kinds.setdefault(name.rpartition(".")[2], {})
        for processor, count in counts.items():
            kind[processor] = kind.get(processor, 0) + count
    return kinds
