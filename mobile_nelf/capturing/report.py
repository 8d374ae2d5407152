"""`capture.json`: what was given, tried, found and checked; where a capture may write again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mobile_nelf._version import __version__
from mobile_nelf.capturing.checks import reasons
from mobile_nelf.capturing.finding import Finding
from mobile_nelf.capturing.intake import REPORT, Intake
from mobile_nelf.capturing.measure import Board
from mobile_nelf.capturing.model import Model
from mobile_nelf.capturing.options import CaptureOptions
from mobile_nelf.capturing.structure import Structure
from mobile_nelf.errors import OutputError
from mobile_nelf.outputs import files_below, names_text
from mobile_nelf.parsing import read_json
from mobile_nelf.plain import to_dict

__all__ = ["check_replaceable", "report_content", "write_report"]

#: Raised when a field is renamed, removed or changes its meaning.
SCHEMA = 1


def report_content(
    intake: Intake,
    structure: Structure,
    model: Model,
    findings: Sequence[Finding],
    options: CaptureOptions,
    stamp: str,
    board: Board | None = None,
) -> dict[str, Any]:
    """Returns what `capture.json` holds, in plain values."""
    why = reasons(intake, structure)
    photos = []
    for photo in intake.photos:
        matched = structure.matched.get(photo.name)
        posed = model.photos.get(photo.name)
        photos.append(
            {
                "name": Path(photo.name).stem,
                "source": photo.source,
                "group": photo.group,
                "seconds": photo.seconds,
                "sharpness": round(photo.sharpness, 3),
                "registered": posed is not None,
                "reason": why.get(photo.name, ""),
                "features": matched.features if matched else 0,
                "partners": matched.partners if matched else 0,
                "points": 0 if posed is None else len(posed.points),
            }
        )
    lenses: dict[int, Any] = {}
    for photo in intake.photos:
        if photo.name in model.photos and photo.group not in lenses:
            lens = model.photos[photo.name].lens
            lenses[photo.group] = {"model": lens.model, "params": list(lens.params)}
    return {
        "schema": SCHEMA,
        "mnelf": __version__,
        "inputs": stamp,
        "passed": not any(finding.level == "error" for finding in findings),
        "options": to_dict(options),
        "given": len(intake.photos),
        "registered": len(structure.registered),
        "reprojection": model.reprojection,
        "points": len(model.points),
        "track_length": model.track_length,
        "board": _board_values(board),
        "tries": [to_dict(attempt) for attempt in structure.tries],
        "groups": [
            {**to_dict(group), "found": lenses.get(index)}
            for index, group in enumerate(intake.groups)
        ],
        "findings": [to_dict(finding) for finding in findings],
        "left_out": [to_dict(left) for left in intake.left_out],
        "photos": photos,
    }


def _board_values(board: Board | None) -> dict[str, Any] | None:
    if board is None:
        return None
    return {
        "photos": board.photos,
        "corners": board.corners,
        "rms_mm": board.rms_mm,
        "square_mm": board.square_mm,
        "used": board.fits,
    }


def write_report(content: dict[str, Any], folder: Path) -> None:
    """Writes `capture.json`, which also lists what else is in the folder."""
    files = sorted(files_below(folder))
    text = json.dumps({**content, "files": files}, indent=1)
    (folder / REPORT).write_text(text + "\n", encoding="utf-8")


def check_replaceable(output: Path) -> None:
    """Refuses to replace a folder with files that no capture wrote.

    Raises:
        OutputError: there are such files.
    """
    if not output.exists():
        return
    try:
        listed = {REPORT, *read_json(output / REPORT)["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        raise OutputError(
            f"{output}: was not written by a capture, and force replaces nothing else; choose "
            "another output",
            arguments=["output"],
        ) from None
    foreign = [name for name in files_below(output) if name not in listed]
    if foreign:
        raise OutputError(
            f"{output}: holds files that the capture did not write, which force does not replace: "
            f"{names_text(foreign)}; move them, or choose another output",
            arguments=["output"],
        )
