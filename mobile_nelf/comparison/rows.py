"""The rows of a comparison and what a device contributes to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mobile_nelf.devices import Device, Measurement, Run
from mobile_nelf.text import text_table
from mobile_nelf.vocabulary import RowKind

__all__ = ["Comparison", "DeviceFigures", "Row", "runs_of"]


@dataclass(frozen=True)
class DeviceFigures:
    """What a device did with a model, and under which conditions.

    Attributes:
        device: its model.
        os: system and version; empty if not reported.
        compute_units: which processors were allowed; empty if not reported.
        date: of the measurement; empty if not reported.
        p50_ms: median latency; None if not measured.
        p90_ms: nine of ten frames took no longer.
        fps: frames a second; None if not measured.
        fps_source: where they come from: `display link`, `1000 / p50`, or the source of the row.
        memory_bytes: largest footprint of the app.
        thermal_end: how hot the device was at the end; empty if not reported.
        slowed_by: what made the device slower than it could be; empty if nothing is known.
        self_check_db: worst frame of the device against the reference; None if not measured.
        picture_is_right: the verdict of the self-check; None if there was none.
        error: why the run failed; empty if it did not.
    """

    device: str
    os: str = ""
    compute_units: str = ""
    date: str = ""
    p50_ms: float | None = None
    p90_ms: float | None = None
    fps: float | None = None
    fps_source: str = ""
    memory_bytes: int | None = None
    thermal_end: str = ""
    slowed_by: str = ""
    self_check_db: float | None = None
    picture_is_right: bool | None = None
    error: str = ""


@dataclass(frozen=True)
class Row:
    """One line of the comparison.

    Attributes:
        name: the path that was given, or what the paper calls it.
        kind: what the row is about.
        model: file of a bundle that the row is about; empty for other rows.
        network: such as `D60-SR3`; empty if not reported.
        target: that a bundle is for; empty for other rows.
        weights: how they are stored; empty if unknown.
        size_bytes: of the model; None if not reported.
        size_of: what that is the size of.
        psnr_db: of the student on its test views, before any export, or of splats; None if not
            measured.
        parity_db: of the artefact against the student, worst reference frame of all ways in which
            it was executed here; 999 if identical, None where there is no artefact.
        figures: of a device; None if not measured.
        further_runs: of the same model, that this row leaves out.
        note: where the row comes from, if it is none of the user's, or what it is.
        ssim: structural similarity of the same pictures.
        macs: multiply-accumulates of a frame, without those of the encoding; None where nothing is
            known of the network.
        runtime_ms: of one processor for a frame in ONNX Runtime here, all rows in turns; None if
            not measured.
        peak_bytes: largest sum of activations alive at once in that frame, as float32; None if
            not built.
    """

    name: str
    kind: RowKind
    model: str
    network: str
    target: str
    weights: str
    size_bytes: int | None
    size_of: str
    psnr_db: float | None
    parity_db: float | None
    figures: DeviceFigures | None
    further_runs: int = 0
    note: str = ""
    ssim: float | None = None
    macs: int | None = None
    runtime_ms: float | None = None
    peak_bytes: int | None = None


class Comparison(tuple[Row, ...]):
    """Rows side by side, which show themselves as a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Returns a table; what was not measured is left empty."""
        quality = ("PSNR dB", "SSIM", "parity dB")
        columns = ("model", "target", "weights", "MB", "MMAC", *quality, "p50 ms", "FPS")
        rows = [
            (
                f"{row.name} {row.model}".rstrip(),
                row.target,
                row.weights,
                _number(row.size_bytes and row.size_bytes / 1e6, 2),
                _number(row.macs and row.macs / 1e6, 0),
                _number(row.psnr_db, 2),
                _number(row.ssim, 3),
                _number(row.parity_db, 1),
                _number(row.figures.p50_ms if row.figures else None, 2),
                _number(row.figures.fps if row.figures else None, 1),
            )
            for row in self
        ]
        return text_table(columns, rows, right=7)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def runs_of(model: str, measurements: Sequence[Measurement]) -> list[DeviceFigures]:
    """Returns the runs of a model: those with the right picture first, the fastest of them first.

    A wrong picture says nothing about speed, and a failed run has none.
    """
    found = [
        _figures(measurement.device, measurement.date, run)
        for measurement in measurements
        for run in measurement.runs
        if run.model == model
    ]
    return sorted(
        found,
        key=lambda figures: (
            bool(figures.error),
            not figures.picture_is_right,
            figures.p50_ms if figures.p50_ms is not None else 0.0,
        ),
    )


def _figures(device: Device, date: str, run: Run) -> DeviceFigures:
    latency, check = run.latency_ms, run.self_check
    if run.error is not None or latency is None:
        # What it measured until then belongs to no finished run.
        return DeviceFigures(
            device=device.model,
            os=device.os,
            compute_units=run.setting,
            date=date,
            slowed_by=device.slowed_by,
            error=run.error or "no latency",
        )
    fps, fps_source = run.fps or (None, "")
    return DeviceFigures(
        device=device.model,
        os=device.os,
        compute_units=run.setting,
        date=date,
        p50_ms=latency.p50,
        p90_ms=latency.p90,
        fps=fps,
        fps_source=fps_source,
        memory_bytes=run.memory.peak if run.memory else None,
        thermal_end=run.thermal.end if run.thermal else "",
        slowed_by=device.slowed_by,
        self_check_db=check.worst_psnr_db if check else None,
        picture_is_right=run.picture_is_right,
    )
