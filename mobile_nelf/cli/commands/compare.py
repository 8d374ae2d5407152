"""`mnelf compare`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobile_nelf.cli._options import (
    camera_options,
    common_options,
    examples,
    lens_options,
    path_type,
)
from mobile_nelf.cli._printing import plain, print_json, print_note, print_table, progress_bar
from mobile_nelf.progress import silent

if TYPE_CHECKING:
    from mobile_nelf.comparison import DeviceFigures, Row

__all__ = ["command"]

COLUMNS = (
    *("model", "target", "size", "MMAC", "PSNR dB", "SSIM", "parity dB"),
    *("p50 ms", "FPS", "memory"),
)
#: The column of `--time`, before those of a device.
HERE, PEAK = "ms", "peak MB"
#: Whole words would not leave room for what was measured.
NOT_MEASURED = "n. m."
#: The paper's own sign for what it does not report.
NOT_REPORTED = "-"


@click.command(
    "compare",
    epilog=examples(
        "mnelf compare mic.pt mic-lens mic-coreml",
        "mnelf compare mic-coreml --all-runs --markdown > table.md",
        "mnelf compare mic.pt splat.spz --scene examples/mic",
    ),
)
@click.argument(
    "paths", type=path_type, nargs=-1, required=True, metavar="BUNDLE_CHECKPOINT_OR_SPLATS..."
)
@click.option(
    "--scene",
    type=path_type,
    help="Scene whose test views checkpoints and splats (.ply, .spz) are measured on. Default: "
    "what checkpoints say of themselves.",
)
@click.option(
    "--all-runs", is_flag=True, help="Print a row for each run of a device, not only the fastest."
)
@click.option(
    "--paper/--no-paper", default=True, show_default=True, help="Add the rows of the paper."
)
@click.option(
    "--time",
    "timed",
    is_flag=True,
    help="Time checkpoints in ONNX Runtime on this machine, on one core and all in turns.",
)
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
@lens_options
@common_options
def command(
    paths: tuple[Path, ...],
    scene: Path | None,
    all_runs: bool,
    paper: bool,
    timed: bool,
    markdown: bool,
    camera: tuple[float, ...] | None,
    trained_activation: Any,
    as_json: bool,
) -> None:
    """Compare size, speed, memory and quality of bundles, checkpoints and splats.

    Speed and memory come from devices, through `mnelf bench import`. Where there are several runs
    of a model the fastest with the right picture is shown, with its conditions. Splats are what
    `mnelf export` writes, or others of degree 0 in the same frame.
    """
    from mobile_nelf.comparison import PAPER_ROWS, compare
    from mobile_nelf.plain import to_dict

    if markdown and as_json:
        raise click.UsageError("--markdown and --json exclude each other")
    with progress_bar() if scene else nullcontext(silent) as on_progress:
        rows: tuple[Row, ...] = compare(
            *paths,
            scene=scene,
            all_runs=all_runs,
            timed=timed,
            camera=camera_options(camera),
            trained_activation=trained_activation,
            on_progress=on_progress,
        )
    rows += PAPER_ROWS if paper else ()
    if as_json:
        print_json({"rows": [to_dict(row) for row in rows]})
        return
    # Rows that share their conditions share a number.
    conditions = list(dict.fromkeys(filter(None, map(_conditions, rows))))
    wanted = (*COLUMNS[:-3], HERE, PEAK, *COLUMNS[-3:]) if timed else COLUMNS
    columns, cells, unknown = _with_figures(
        wanted, [_cells(row, conditions, timed) for row in rows]
    )
    legend = [(f"[{number}]", text) for number, text in enumerate(conditions, start=1)]
    legend += _legend(rows, scene, columns)
    if any(NOT_MEASURED in line for line in cells):
        legend.append((NOT_MEASURED, "not measured"))
    if unknown:
        legend.append(("not measured", ", ".join(unknown)))
    if markdown:
        _print_markdown(columns, cells, legend)
    else:
        print_table(columns, cells, right=len(columns) - 2)
        click.echo()
        for label, text in legend:
            print_note(label, text)


def _with_figures(
    columns: Sequence[str], cells: Sequence[tuple[str, ...]]
) -> tuple[tuple[str, ...], list[tuple[str, ...]], list[str]]:
    """Leaves out columns without any figure; those that nobody measured are named at the end."""
    found = [{line[index] for line in cells} for index in range(len(columns))]
    shown = [
        index for index, values in enumerate(found) if not values <= {NOT_MEASURED, NOT_REPORTED}
    ]
    unknown = [
        column
        for index, column in enumerate(columns)
        if index not in shown and NOT_MEASURED in found[index]
    ]
    lines = [tuple(line[index] for index in shown) for line in cells]
    return tuple(columns[index] for index in shown), lines, unknown


def _cells(row: Row, conditions: Sequence[str], timed: bool) -> tuple[str, ...]:
    text = _conditions(row)
    missing = NOT_REPORTED if row.kind == "paper" else NOT_MEASURED
    parity = NOT_REPORTED if row.kind != "bundle" else NOT_MEASURED
    if row.parity_db is not None:
        from mobile_nelf.export.parity import IDENTICAL_DB

        parity = "identical" if row.parity_db >= IDENTICAL_DB else f"{row.parity_db:.1f}"
    return (
        f"{row.name} [{conditions.index(text) + 1}]" if text else row.name,
        _target_text(row),
        NOT_REPORTED if row.size_bytes is None else _size_text(row.size_bytes),
        NOT_REPORTED if row.macs is None else _mmac_text(row.macs),
        missing if row.psnr_db is None else f"{row.psnr_db:.2f}",
        missing if row.ssim is None else f"{row.ssim:.3f}",
        parity,
        *(_here(row) if timed else ()),
        *(_figure_cells(row.figures, missing) if row.figures else (missing,) * 3),
    )


def _mmac_text(macs: int) -> str:
    return f"{macs / 1e6:,.0f}" if macs >= 10**7 else f"{macs / 1e6:.2g}"


def _here(row: Row) -> tuple[str, str]:
    missing = NOT_MEASURED if row.kind == "bundle" else NOT_REPORTED
    return (
        missing if row.runtime_ms is None else f"{row.runtime_ms:.1f}",
        missing if row.peak_bytes is None else f"{row.peak_bytes / 1e6:.1f}",
    )


def _figure_cells(figures: DeviceFigures, missing: str) -> tuple[str, str, str]:
    """Returns latency, FPS and memory."""
    if figures.error:
        return "failed", missing, missing
    wrong = "" if figures.picture_is_right in (True, None) else " !"
    derived = "*" if figures.fps_source == "1000 / p50" else ""
    return (
        missing if figures.p50_ms is None else f"{figures.p50_ms:.4g}{wrong}",
        missing if figures.fps is None else f"{figures.fps:.3g}{derived}{wrong}",
        missing if figures.memory_bytes is None else _size_text(figures.memory_bytes),
    )


def _target_text(row: Row) -> str:
    if row.kind == "paper":
        return "paper"
    return ", ".join(filter(None, (_subject(row), row.weights)))


def _subject(row: Row) -> str:
    return "splats" if row.kind == "splat" else row.target or "student"


def _conditions(row: Row) -> str:
    """Returns where the figures of a row come from; empty for a row without any."""
    figures = row.figures
    if figures is None:
        return row.note
    parts = [row.note, figures.device, figures.os, figures.compute_units, figures.date]
    if figures.slowed_by:
        parts.append(f"slowed by {figures.slowed_by}")
    if figures.thermal_end in ("serious", "critical"):
        parts.append(f"slowed by heat ({figures.thermal_end} at the end)")
    if figures.picture_is_right is False and not figures.error:
        parts.append(f"WRONG PICTURE, worst frame {figures.self_check_db:.1f} dB")
    if figures.error:
        parts.append(f"failed: {figures.error}")
    if row.further_runs:
        parts.append(f"the best of {row.further_runs + 1} runs, see --all-runs")
    return ", ".join(filter(None, parts))


def _legend(
    rows: Sequence[Row], scene: Path | None, columns: Sequence[str]
) -> list[tuple[str, str]]:
    """Returns what the figures mean and the signs that occur among them."""
    sizes = {_subject(row): row.size_of for row in rows if row.kind != "paper"}
    measured = [row.figures for row in rows if row.figures and row.kind != "paper"]
    notes = [
        ("size", "; ".join(f"{name}: {size_of}" for name, size_of in sizes.items())),
        ("MMAC", "10⁶ multiply-accumulates of a frame, without those of the encoding"),
        ("PSNR", "of the student on its test views, before any export"),
        ("parity", "the artefact as executed here against the student, worst reference frame"),
    ]
    notes = [note for note in notes if any(column.startswith(note[0]) for column in columns)]
    if scene is not None:
        notes.append(("scene", f"{scene}: checkpoints and splats were measured on it now"))
    if any(row.kind != "bundle" for row in rows):
        notes.append(
            ("-", "checkpoints and splats have no artefact, and the paper reports no such figure")
        )
    if any(row.runtime_ms is not None for row in rows):
        notes.append(
            (HERE, "a frame in ONNX Runtime here, on one core, without the encoding; medians")
        )
        notes.append((PEAK, "largest sum of activations alive at once in that frame, in fp32"))
    if any(figures.memory_bytes for figures in measured):
        notes.append(("memory", "largest footprint of the whole app"))
    if any(figures.fps_source == "1000 / p50" for figures in measured):
        notes.append(("*", "1000 / p50, since nothing was measured under the display link"))
    if any(figures.picture_is_right is False and not figures.error for figures in measured):
        notes.append(("!", "the device's frames are wrong, so its speed does not count"))
    return notes


def _print_markdown(
    columns: Sequence[str], cells: Sequence[Sequence[str]], notes: Sequence[tuple[str, str]]
) -> None:
    numbers = len(columns) - 2
    click.echo(_markdown_line(columns))
    click.echo(_markdown_line(("---",) * 2 + ("---:",) * numbers))
    for row in cells:
        click.echo(_markdown_line([_escaped(cell) for cell in row]))
    click.echo()
    for label, text in notes:
        click.echo(f"- {_escaped(label)}: {_escaped(text)}")


def _markdown_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Returns text from files that starts no markup of its own."""
    return re.sub(r"([\\|`*_<\[\]])", r"\\\1", plain(text))


def _size_text(size: int) -> str:
    """Returns bytes to three digits, since the paper has two."""
    unit, divisor = ("MB", 1e6) if size >= 1e6 else ("kB", 1e3)
    return f"{float(f'{size / divisor:.3g}'):g} {unit}"
