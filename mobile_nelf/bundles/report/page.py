"""`report.html`: what a bundle is and what was proved about it, as one page to look at.

Everything on the page comes from the manifest and from frames; pictures and style are inside, so it
can be sent around as a file. It is listed in the manifest, so it holds nothing of the digest and of
what a device measures later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

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
from mobile_nelf.export.tables import Table, TableRow
from mobile_nelf.extras import import_extra
from mobile_nelf.pictures import FloatImage

__all__ = ["REPORT_NAME", "SIZE_NOTE", "render_report"]

REPORT_NAME = "report.html"

#: Of files that the device's tools import.
SIZE_NOTE = "as a file; the budget counts the size after import"

#: Reference frames on the page, spread over all that there are.
SHOWN_FRAMES = 4


def render_report(
    manifest: Manifest,
    frames: Sequence[FloatImage],
    artefact_frames: Sequence[FloatImage],
    advice: tuple[str, str] = ("", ""),
) -> bytes:
    """Returns the page as UTF-8; the same arguments give the same bytes.

    Args:
        manifest: of the bundle; its digest and its record of the page itself are not read.
        frames: [height, width, 3 or 4] in [0, 1] each, by the trained network.
        artefact_frames: of the same poses in the same order, as rendered for the first leg that
            `proves_artefact`; fewer than `frames` if not all were rendered, or none.
        advice: heading and paragraph; see `Exporter.advice`.

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
    text: str = environment.get_template("report.html.j2").render(
        manifest=manifest,
        advice=advice,
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
        inspection=manifest.inspection,
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
    """Returns the size of each artefact that was executed, and of what the device makes of them."""
    inspection = manifest.inspection
    on_device, allowed = inspection.bytes_on_device, inspection.budget
    rows = []
    for artefact in dict.fromkeys(leg.artefact for leg in manifest.parity if leg.artefact):
        size = sum(
            record.size
            for path, record in manifest.files.items()
            if path == artefact or path.startswith(f"{artefact}/")
        )
        model = inspection.models.get(artefact)
        note = f"weights as {model.weights}" if model else ""
        budget = "none"
        if on_device is not None:
            note, budget = SIZE_NOTE, "-"
        rows.append(TableRow((artefact, _megabytes(size), budget), (note,) if note else ()))
    notes: tuple[str, ...] = ()
    if on_device is not None:
        budget = "none"
        if allowed is not None:
            budget = f"{_megabytes(allowed)} ({on_device / allowed:.0%} used)"
        rows.append(TableRow(("models after import", _megabytes(on_device), budget)))
        notes = ("The size after import is predicted.",)
    return Table("Size against budget", ("what", "size", "budget"), tuple(rows), 2, notes)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB"
