"""What a compression tells: the whole path, what was chosen on it, and what became of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mobile_nelf.compression.goals import Goals
from mobile_nelf.text import text_table
from mobile_nelf.vocabulary import CompressionMethod

__all__ = [
    "PATH_COLUMNS",
    "CompressionReport",
    "DeviceTime",
    "PathRow",
    "path_cells",
    "path_picture",
    "with_devices",
]

PATH_COLUMNS = ("kept", "parameters", "MMAC", "ms", "widths", "against the student", "test views")


@dataclass(frozen=True)
class PathRow:
    """A student on the path, or the result.

    Attributes:
        kept: share of the parameters.
        parameters: weights and biases.
        macs: multiply-accumulates of a frame, without the encoding.
        widths: of head, streams and blocks, as text.
        fidelity_db: PSNR against the uncompressed student; None for that one itself.
        test_db: PSNR of the test views; None if it is not known at all.
        estimated: whether `test_db` was computed from the other two, without a photo.
        ms: milliseconds of a frame in ONNX Runtime here, one thread; None if it was not timed.
        model_bytes: size of the target's model; None if it was not made.
    """

    kept: float
    parameters: int
    macs: int
    widths: str
    fidelity_db: float | None
    test_db: float | None
    estimated: bool
    ms: float | None = None
    model_bytes: int | None = None


@dataclass(frozen=True)
class DeviceTime:
    """What a device measured of the uncompressed student, and what follows for the compressed one.

    Attributes:
        bundle: name of the folder that holds the measurement.
        model: that was measured, by its path in the bundle.
        device: what measured.
        os: system and version; empty if not reported.
        compute_units: which processors were allowed.
        p50_ms: measured median latency of a frame.
        fps: measured frames a second; None if not measured.
        fps_source: where `fps` comes from; the screen bounds what it shows.
        expected_ms: median latency of the compressed student, *inferred*: `p50_ms` times the ratio
            of the two students' times here. Nobody measured it; None if there is no result.
    """

    bundle: str
    model: str
    device: str
    os: str
    compute_units: str
    p50_ms: float
    fps: float | None
    fps_source: str
    expected_ms: float | None = None


@dataclass(frozen=True)
class CompressionReport:
    """A compression in numbers.

    Attributes:
        method: how weights were chosen.
        goals: what was asked for.
        bound: the goal that decided; empty without any.
        path: the student at hand, then smaller ones right after their cut.
        result: what was written; None if only the path was asked for.
        notes: what was assumed and what was not measured.
        devices: what devices measured of the student at hand, the fastest first.
    """

    method: CompressionMethod
    goals: Goals
    bound: str
    path: tuple[PathRow, ...]
    result: PathRow | None
    notes: tuple[str, ...]
    devices: tuple[DeviceTime, ...] = ()

    def __repr__(self) -> str:
        """Returns the path as a table, then the result."""
        rows = [path_cells(row) for row in self.path]
        if self.result is not None:
            rows.append(path_cells(self.result, "result"))
        return text_table(PATH_COLUMNS, rows, right=2)


def with_devices(
    report: CompressionReport, devices: Sequence[DeviceTime], notes: Sequence[str]
) -> CompressionReport:
    """Returns a report with devices' times of the student at hand, and notes on them.

    What the result will take on a device is inferred from the times here, or from the work where
    nothing was timed, and marked as that.
    """
    if report.result is not None and devices:
        before, after = report.path[0], report.result
        ratio, ground = after.macs / before.macs, "multiply-accumulates"
        if before.ms is not None and after.ms is not None:
            ratio, ground = after.ms / before.ms, "ONNX Runtime here"
        devices = [replace(found, expected_ms=ratio * found.p50_ms) for found in devices]
        notes = (
            f"a device's time of the compressed student is inferred from {ground} and not "
            "measured; bundle it, measure it there, and import the result",
            *notes,
        )
    return replace(report, devices=tuple(devices), notes=(*report.notes, *notes))


def path_cells(row: PathRow, name: str = "") -> tuple[str, ...]:
    """Returns a row of the table of a path."""
    tested = "not measured"
    if row.test_db is not None:
        tested = f"{'about ' if row.estimated else ''}{row.test_db:.2f} dB"
    return (
        name or f"{row.kept:.0%}",
        f"{row.parameters:,}",
        f"{row.macs / 1e6:.0f}",
        "" if row.ms is None else f"{row.ms:.1f}",
        row.widths,
        "" if row.fidelity_db is None else f"{row.fidelity_db:.2f} dB",
        tested,
    )


#: Of the picture of a path, in pixels.
WIDTH, HEIGHT, MARGIN = 640, 360, 56


def path_picture(report: CompressionReport) -> str:
    """Returns an SVG: dB over megabytes of fp16 weights and over milliseconds of a frame here.

    Where not all were timed, multiply-accumulates take the place of milliseconds.
    """
    rows = [row for row in report.path if _db(row) is not None]
    every = [*rows, *([report.result] if report.result is not None else [])]
    levels = [level for row in every for level in [_db(row)] if level is not None]
    low, high = min(levels) - 1.0, max(levels) + 1.0
    times = [row.ms for row in every if row.ms is not None]
    work = ("ms a frame in ONNX Runtime, one thread", times)
    if len(times) < len(every):
        work = ("GMAC a frame", [1e-9 * row.macs for row in every])
    halves = [
        _half(index, title, values, levels, len(rows), (low, high))
        for index, (title, values) in enumerate(
            (("MB as fp16", [2e-6 * row.parameters for row in every]), work)
        )
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n' + "".join(halves) + "</svg>\n"
    )


def _db(row: PathRow) -> float | None:
    return row.fidelity_db if row.test_db is None else row.test_db


def _half(
    index: int,
    title: str,
    values: Sequence[float],
    levels: Sequence[float],
    on_path: int,
    limits: tuple[float, float],
) -> str:
    left, right = index * WIDTH // 2 + MARGIN, (index + 1) * WIDTH // 2 - 24
    top, bottom = 16, HEIGHT - MARGIN
    low, high = limits
    most = 1.05 * max(values)
    places = [
        (
            left + (right - left) * value / most,
            bottom - (bottom - top) * (level - low) / (high - low),
        )
        for value, level in zip(values, levels, strict=True)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places[:on_path])
    parts = [
        f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#666"/>\n',
        f'<polyline points="{line}" fill="none" stroke="#36c"/>\n',
    ]
    for number, (x, y) in enumerate(places):
        colour = "#36c" if number < on_path else "#c33"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>\n')
    for share in (0.0, 0.5, 1.0):
        y, level = bottom - (bottom - top) * share, low + (high - low) * share
        parts.append(f'<text x="{left - 6}" y="{y:.1f}" text-anchor="end">{level:.1f}</text>\n')
        x, value = left + (right - left) * share, most * share
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{value:.2f}</text>\n'
        )
    middle = (left + right) / 2
    parts.append(f'<text x="{middle}" y="{bottom + 36}" text-anchor="middle">{title}</text>\n')
    if index == 0:
        parts.append(f'<text x="{left + 6}" y="{top + 6}">dB</text>\n')
    if on_path < len(places):
        parts.append(
            f'<text x="{right}" y="{bottom - 6}" text-anchor="end" fill="#c33">result</text>\n'
        )
    return "".join(parts)
