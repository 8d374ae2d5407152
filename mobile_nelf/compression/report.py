"""What a compression tells: the whole path, what was chosen on it, and what became of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mobile_nelf.compression.goals import Goals
from mobile_nelf.text import text_table
from mobile_nelf.vocabulary import CompressionMethod

__all__ = ["PATH_COLUMNS", "CompressionReport", "PathRow", "path_cells", "path_picture"]

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
class CompressionReport:
    """A compression in numbers.

    Attributes:
        method: how weights were chosen.
        goals: what was asked for.
        bound: the goal that decided; empty without any.
        path: the student at hand, then smaller ones right after their cut.
        result: what was written; None if only the path was asked for.
        notes: what was assumed and what was not measured.
    """

    method: CompressionMethod
    goals: Goals
    bound: str
    path: tuple[PathRow, ...]
    result: PathRow | None
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        """Returns the path as a table, then the result."""
        rows = [path_cells(row) for row in self.path]
        if self.result is not None:
            rows.append(path_cells(self.result, "result"))
        return text_table(PATH_COLUMNS, rows, right=2)


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
