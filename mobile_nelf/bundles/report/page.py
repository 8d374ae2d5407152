"""`report.html`: what a bundle is and what was proved about it, as one page to look at.

Everything on the page comes from the manifest and from frames; pictures and style are inside, so it
can be sent around as a file. It is listed in the manifest, so it holds nothing of the digest and of
what a device measures later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobile_nelf.assets import asset_dir
from mobile_nelf.bundles.manifest import Manifest
from mobile_nelf.bundles.report.pictures import (
    ERROR_COLOURS,
    Comparison,
    compare_pictures,
    error_scale,
)
from mobile_nelf.export.parity import IDENTICAL_DB, ParityLeg, proves_artefact
from mobile_nelf.export.seam import (
    BACKEND_TITLES,
    BACKENDS,
    UNIT_TITLES,
    PlacementReport,
    SnapmlReport,
)
from mobile_nelf.extras import import_extra
from mobile_nelf.pictures import FloatImage

__all__ = ["REPORT_NAME", "SIZE_NOTE", "render_report"]

REPORT_NAME = "report.html"

#: Of files that a Lens imports.
SIZE_NOTE = "as a file; the budget counts what Lens Studio makes of it"

#: Reference frames on the page, spread over all that there are.
SHOWN_FRAMES = 4


@dataclass(frozen=True)
class TableRow:
    """A row of a table on the page.

    Attributes:
        cells: as many as the table has columns.
        notes: sentences below the first cell.
    """

    cells: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table on the page.

    Attributes:
        title: its heading.
        columns: their headings.
        rows: at least one.
        numbers: how many of the last columns hold numbers.
        notes: sentences below it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    numbers: int = 0
    notes: tuple[str, ...] = ()


def render_report(
    manifest: Manifest,
    frames: Sequence[FloatImage],
    artefact_frames: Sequence[FloatImage],
) -> bytes:
    """Returns the page as UTF-8; the same arguments give the same bytes.

    Args:
        manifest: of the bundle; its digest and its record of the page itself are not read.
        frames: [height, width, 3 or 4] in [0, 1] each, by the trained network.
        artefact_frames: of the same poses in the same order, as rendered for the first leg that
            `proves_artefact`; fewer than `frames` if not all were rendered, or none.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    jinja2 = import_extra("jinja2", extra="lens")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(asset_dir("templates")),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    pairs = list(zip(frames, artefact_frames, strict=False))
    step = math.ceil(len(pairs) / SHOWN_FRAMES) or 1
    shown = {index: pairs[index] for index in range(0, len(pairs), step)}
    largest = max(
        (float(np.abs(ours - theirs).max()) for theirs, ours in shown.values()), default=0.0
    )
    scale = error_scale(largest)
    comparisons, shrink = compare_pictures(shown, scale)
    proving = next((leg for leg in manifest.parity if proves_artefact(leg)), None)
    inspection = manifest.inspection
    text: str = environment.get_template("report.html.j2").render(
        manifest=manifest,
        contract=manifest.contract,
        failed=[leg for leg in manifest.parity if not leg.passed],
        demanded=[leg for leg in manifest.parity if leg.tolerance],
        proving=proving,
        comparisons=[(comparison, _frame_text(comparison)) for comparison in comparisons],
        frame_count=len(frames),
        has_alpha=bool(pairs) and pairs[0][0].shape[-1] == 4,
        shrink=shrink,
        scale=scale,
        amplified=scale and f"{float(f'{1.0 / scale:.2g}'):,.0f}",
        error_colours=ERROR_COLOURS,
        parity=_parity(manifest.parity),
        sizes=_sizes(manifest),
        layers=inspection.operators and _layers(inspection.operators),
        placement=inspection.placement and _placement(inspection.placement),
        worst_db=proving and _psnr_text(proving.psnr_db),
    )
    return text.encode()


def _frame_text(comparison: Comparison) -> str:
    if comparison.max_error == 0.0:
        return "identical"
    return f"{comparison.psnr_db:.1f} dB, largest error {comparison.max_error:.1e}"


def _psnr_text(psnr_db: float) -> str:
    return "identical" if psnr_db >= IDENTICAL_DB else f"{psnr_db:.1f}"


def _parity(legs: Sequence[ParityLeg]) -> Table:
    rows = tuple(
        TableRow(
            (
                leg.name,
                ("ok" if leg.passed else "FAILED") if leg.tolerance else "reported",
                leg.tolerance or "nothing",
                str(leg.frames),
                _psnr_text(leg.psnr_db),
                f"{leg.max_error:.1e}",
            ),
            (leg.note,) if leg.note else (),
        )
        for leg in legs
    )
    columns = ("comparison", "verdict", "demanded", "frames", "worst dB", "largest error")
    return Table("Parity, step by step", columns, rows, numbers=3)


def _sizes(manifest: Manifest) -> Table:
    """Returns the size of each artefact that was executed, and of what a Lens imports."""
    report = manifest.inspection.operators
    rows = []
    for artefact in dict.fromkeys(leg.artefact for leg in manifest.parity if leg.artefact):
        size = sum(
            record.size
            for path, record in manifest.files.items()
            if path == artefact or path.startswith(f"{artefact}/")
        )
        program = manifest.inspection.programs.get(artefact)
        note = f"weights as {program.weights}" if program else ""
        budget = "none"
        if report is not None:
            note, budget = SIZE_NOTE, "-"
        rows.append(TableRow((artefact, _megabytes(size), budget), (note,) if note else ()))
    notes: tuple[str, ...] = ()
    if report is not None:
        share = f"{report.import_bytes / report.budget_bytes:.0%}"
        budget = f"{_megabytes(report.budget_bytes)} ({share} used)"
        rows.append(TableRow(("models after import", _megabytes(report.import_bytes), budget)))
        notes = ("The size after import is predicted; Lens Studio shows the real one.",)
    return Table("Size against budget", ("what", "size", "budget"), tuple(rows), 2, notes)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB"


def _layers(report: SnapmlReport) -> Table:
    rows = []
    for row in report.layers:
        reasons: dict[str, list[str]] = {}
        for backend in BACKENDS:
            verdict = row.verdicts[backend]
            if verdict.failing:
                reason = f"{verdict.reason} (first at {verdict.node})"
                reasons.setdefault(reason, []).append(BACKEND_TITLES[backend])
        cells = (
            row.layer,
            ", ".join(row.operators),
            *(row.support(backend) for backend in BACKENDS),
            str(row.count),
        )
        notes = tuple(f"{', '.join(titles)}: {reason}" for reason, titles in reasons.items())
        rows.append(TableRow(cells, notes))
    columns = ("layer", "from", *(BACKEND_TITLES[backend] for backend in BACKENDS), "count")
    return Table(
        "Operators by back-end",
        columns,
        tuple(rows),
        numbers=1,
        notes=(*report.problems, *report.warnings),
    )


def _placement(report: PlacementReport) -> Table:
    rows = tuple(
        TableRow(
            (row.kind, row.form or "-", row.precision, UNIT_TITLES[row.unit], str(row.count)),
            (row.reason,) if row.reason else (),
        )
        for row in report.rows
    )
    columns = ("operation", "form", "precision", "runs on", "count")
    return Table(
        "Placement by the rules",
        columns,
        rows,
        numbers=1,
        notes=("Based on published third-party measurements. Confirm on a device.", *report.notes),
    )
