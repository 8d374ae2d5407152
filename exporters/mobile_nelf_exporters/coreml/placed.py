"""Where operations run: by the rules when the bundle was made, and by the device's own answer."""

from __future__ import annotations

from dataclasses import dataclass

from mobile_nelf.bundles.manifest import Manifest
from mobile_nelf.bundles.measured import packages
from mobile_nelf.devices import Measurement
from mobile_nelf.vocabulary import ComputeUnits, Processor
from mobile_nelf_exporters.coreml.placement import Unit

__all__ = ["PlacedOperations", "placed_operations"]

#: Settings that allow every processor that the rules speak of.
WITH_NEURAL_ENGINE: tuple[ComputeUnits, ...] = ("all", "cpuAndNeuralEngine")


@dataclass(frozen=True)
class PlacedOperations:
    """All operations of one kind.

    Attributes:
        kind: operator, as Core ML's MIL calls it.
        rules: how many run where by the rules; empty if the rules saw none.
        device: by setting of compute units, how many run where by the device.
    """

    kind: str
    rules: dict[Unit, int]
    device: dict[ComputeUnits, dict[Processor, int]]

    @property
    def off_neural_engine(self) -> dict[ComputeUnits, int]:
        """By setting, how many fewer run on the Neural Engine than by the rules."""
        expected = self.rules.get("neural_engine", 0)
        missing = {
            units: expected - counts.get("neural_engine", 0)
            for units, counts in self.device.items()
        }
        return {units: count for units, count in missing.items() if count > 0}


def placed_operations(manifest: Manifest, measurement: Measurement) -> tuple[PlacedOperations, ...]:
    """Puts the rules beside the device, for the main model under settings with a Neural Engine.

    The other models compute the same and differ in how weights are stored. Empty where the bundle
    has no rules or the device gave no answer.
    """
    report = manifest.inspection.placement
    device = {
        run.compute_units: run.placement_by_operation
        for run in measurement.runs
        if run.model == packages(manifest)[0]
        and run.compute_units in WITH_NEURAL_ENGINE
        and run.placement_by_operation is not None
    }
    if report is None or not device:
        return ()
    rules: dict[str, dict[Unit, int]] = {}
    for row in report.rows:
        counts = rules.setdefault(row.kind, {})
        counts[row.unit] = counts.get(row.unit, 0) + row.count
    answers = {units: _by_kind(found) for units, found in device.items()}
    kinds = dict.fromkeys([*rules, *(kind for found in answers.values() for kind in found)])
    return tuple(
        PlacedOperations(
            kind,
            rules.get(kind, {}),
            {units: found.get(kind, {}) for units, found in answers.items()},
        )
        for kind in kinds
    )


def _by_kind(found: dict[str, dict[Processor, int]]) -> dict[str, dict[Processor, int]]:
    """Renames a device's operators as the rules call them: `ios17.conv` is their `conv`."""
    kinds: dict[str, dict[Processor, int]] = {}
    for name, counts in found.items():
        kind = kinds.setdefault(name.rpartition(".")[2], {})
        for processor, count in counts.items():
            kind[processor] = kind.get(processor, 0) + count
    return kinds
