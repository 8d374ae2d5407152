"""What a device said of each run beside its speed: inputs, staying power, charge, processors."""

from __future__ import annotations

from pathlib import Path

from mobile_nelf.devices import Measurement, Run, Sustained
from mobile_nelf.export.tables import Table, TableRow

__all__ = ["measured_runs"]

COLUMNS = ("model", "compute units", "inputs ms", "FPS, first to last", "heat", "charge", "cost")


def measured_runs(measurement: Measurement) -> tuple[Table, ...]:
    """Returns a row for each run that ended; empty where none did."""
    runs = [run for run in measurement.runs if run.error is None]
    if not runs:
        return ()
    notes = [
        "inputs: until the numbers of a pose are where the model reads them, which p50 leaves out",
        "FPS: in the first and the last whole second of the longest run without a pause",
        "cost: share of the Neural Engine by the device's own estimate, and how many of the "
        "operations it could run",
    ]
    charged = [run for run in runs if run.battery and run.battery.charging]
    if charged:
        notes.append("The device was charging, which warms it; measure again unplugged")
    return (
        Table(
            "What the device said of each run",
            COLUMNS,
            tuple(TableRow(_cells(run)) for run in runs),
            notes=tuple(notes),
        ),
    )


def _cells(run: Run) -> tuple[str, ...]:
    longest = max(run.sustained, key=lambda part: part.seconds, default=None)
    heat = "-"
    if run.thermal is not None:
        heat = f"{run.thermal.start} to {run.thermal.end}{_when(longest)}"
    charge = "-"
    if run.battery is not None:
        charge = f"{100 * run.battery.start:.0f} to {100 * run.battery.end:.0f} %"
        charge += ", charging" if run.battery.charging else ""
    return (
        Path(run.model).stem,
        run.setting,
        "-" if run.inputs_ms is None else f"{run.inputs_ms:.3g}",
        _ends(longest),
        heat,
        charge,
        _cost(run),
    )


def _ends(longest: Sustained | None) -> str:
    if longest is None or not longest.frames_by_second:
        return "-"
    return f"{longest.frames_by_second[0]} to {longest.frames_by_second[-1]}"


def _when(longest: Sustained | None) -> str:
    """Returns after how many seconds the device first was hotter than at the start of the run."""
    heat = longest.thermal_by_second if longest else ()
    changed = next((second for second, level in enumerate(heat, 1) if level != heat[0]), None)
    return "" if changed is None else f" ({heat[changed - 1]} after {changed} s)"


def _cost(run: Run) -> str:
    if run.placement is None:
        return "-"
    placed = run.placement
    total = placed.neural_engine + placed.gpu + placed.cpu + placed.unknown
    share = (run.placement_cost or {}).get("neural_engine")
    text = "" if share is None else f"{100 * share:.0f} %"
    if run.neural_engine_supported is not None:
        text += f"{text and ', '}{run.neural_engine_supported} of {total} could"
    return text or "-"
