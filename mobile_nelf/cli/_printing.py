"""What commands print: lines and tables or JSON to stdout, progress to stderr."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import click

from mobile_nelf.text import Command

if TYPE_CHECKING:
    from mobile_nelf.cameras import OrbitLimits
    from mobile_nelf.export.inspection import Inspection
    from mobile_nelf.export.parity import ParityLeg
    from mobile_nelf.export.tables import Table

__all__ = [
    "JSON_SCHEMA",
    "inspection_fields",
    "orbit_text",
    "parity_table",
    "plain",
    "print_fields",
    "print_json",
    "print_note",
    "print_report_table",
    "print_table",
    "progress_bar",
    "size_text",
]

PIPE_WIDTH = 100

#: Stands in every JSON output; raised when a field is renamed, removed or changes its meaning.
JSON_SCHEMA = 1


def plain(text: str) -> str:
    """Returns one line without control characters; names in files may hold anything."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def print_json(data: dict[str, Any]) -> None:
    """Prints the output for machines, with the number of its schema."""
    click.echo(json.dumps({"schema": JSON_SCHEMA, **data}, indent=1, allow_nan=False))


def print_fields(fields: dict[str, str]) -> None:
    """Prints names and values in two columns; empty values are left out."""
    shown = {name: value for name, value in fields.items() if value}
    indent = max(map(len, shown)) + 2
    for name, value in shown.items():
        _print_wrapped(f"{name:<{indent}}", value, indent)


def print_note(label: str, text: str) -> None:
    """Prints a sentence after a label; what does not fit continues on further, indented lines."""
    _print_wrapped(f"{plain(label)}: ", text, indent=2)


def _print_wrapped(start: str, text: str, indent: int) -> None:
    if isinstance(text, Command):
        click.echo(start + "".join(c if c.isprintable() else "?" for c in text))
        return
    # Paths and commands stay whole, so that they can be copied.
    lines = textwrap.wrap(
        start + plain(text),
        _width(),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    click.echo("\n".join(lines))


def _width() -> int:
    """Columns to fit into; a file or a pipe has as many as a wide terminal."""
    return max(shutil.get_terminal_size().columns, 60) if sys.stdout.isatty() else PIPE_WIDTH


#: Names up to this length stay whole in a table.
NAME_WIDTH = 24


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: int = 0) -> None:
    """Prints a table; the last `right` columns hold numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    # Names stay whole where others can wrap between words, as "not measured" can.
    named = max((len(row[0]) for row in rows), default=0)
    for index, column in enumerate(columns):
        table.add_column(
            column,
            justify="right" if index >= len(columns) - right else "left",
            overflow="fold",
            no_wrap=index == 0 and named <= NAME_WIDTH,
        )
    for row in rows:
        table.add_row(*(plain(cell) for cell in row))
    Console(markup=False, highlight=False, emoji=False, width=_width()).print(table)


def print_report_table(table: Table) -> None:
    """Prints a table of a report, then each note once, after the rows that it is about."""
    print_table(table.columns, [row.cells for row in table.rows], right=table.numbers)
    about: dict[str, list[str]] = {}
    for row in table.rows:
        for note in row.notes:
            names = about.setdefault(note, [])
            names += [row.cells[0]] if row.cells[0] not in names else []
    if about or table.notes:
        click.echo()
    for note, names in about.items():
        print_note(", ".join(names), note)
    for note in table.notes:
        print_note("note", note)


def inspection_fields(inspection: Inspection) -> dict[str, str]:
    """Returns work, memory and sizes for `print_fields`."""
    cost, on_device = inspection.cost, inspection.bytes_on_device
    fields = {"work": "unknown (the graph has dynamic shapes)"}
    if cost is not None:
        fields["work"] = f"{cost.macs / 1e9:.2f} GMAC a frame"
        fields["activations"] = f"{size_text(cost.peak_activation_bytes)} at the peak, in fp32"
    if on_device is None:
        records = {path: inspection.models[path] for path in inspection.model_paths}
        return fields | {path: size_text(record.bytes) for path, record in records.items()}
    allowed = "" if inspection.budget is None else f", of {size_text(inspection.budget)}"
    return fields | {"size": f"{size_text(on_device)} after import (predicted){allowed}"}


def parity_table(legs: Sequence[ParityLeg]) -> None:
    """Prints a row for each parity leg, then what the legs assume."""
    print_table(
        ("parity", "verdict", "demanded", "frames", "worst dB", "largest error"),
        [
            (
                leg.name,
                ("ok" if leg.tolerance else "reported") if leg.passed else "FAILED",
                leg.tolerance or "-",
                str(leg.frames),
                leg.worst_text,
                "NaN" if leg.broken_frames else f"{leg.max_error:.1e}",
            )
            for leg in legs
        ],
        right=3,
    )
    for note in dict.fromkeys((leg.name, leg.note) for leg in legs if leg.note):
        print_note(*note)


def size_text(size: int) -> str:
    """Returns bytes in a unit that suits them."""
    for unit, divisor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= divisor:
            return f"{size / divisor:.2f} {unit}"
    return f"{size} bytes"


def orbit_text(orbit: OrbitLimits) -> str:
    """Returns the limits of an orbit in a line."""
    around = "all round" if orbit.full_turn else "azimuth {:.0f}° to {:.0f}°".format(*orbit.azimuth)
    elevation = "elevation {:.0f}° to {:.0f}°".format(*orbit.elevation)
    return f"{around}, {elevation}, distance {orbit.radius[0]:.3g} to {orbit.radius[1]:.3g}"


class Report(Protocol):
    """What a library calls to tell how far it is."""

    def __call__(self, stage: str, done: int, total: int, detail: str = "") -> None:
        """Says that `done` of `total` steps of a stage are over, and what they showed."""


@contextmanager
def progress_bar() -> Iterator[Report]:
    """Yields a callback that moves a bar on stderr; without a terminal, lines report progress."""
    from rich.console import Console

    console = Console(stderr=True, markup=False, highlight=False)
    if not console.is_terminal:
        from mobile_nelf.cli._progress_lines import ProgressLines

        with ProgressLines() as lines:
            yield lines.report
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    tasks: dict[str, Any] = {}

    def report(stage: str, done: int, total: int, detail: str = "") -> None:
        if stage not in tasks:
            # Starting from `done` keeps a resumed run from looking infinitely fast.
            tasks[stage] = progress.add_task(stage, total=total, completed=done)
        description = f"{stage} {detail}".rstrip()
        progress.update(tasks[stage], completed=done, total=total, description=description)

    with progress:
        yield report
