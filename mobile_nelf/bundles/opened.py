"""Bundles in the target's own tool. A bundle stays as it was proved: the tool gets a copy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from mobile_nelf.atomic import written_beside
from mobile_nelf.bundles.reports import SCHEMA_VERSION, StoredReport, judged
from mobile_nelf.bundles.verify import read_bundle
from mobile_nelf.errors import BundleError
from mobile_nelf.export.exporter import find_exporter
from mobile_nelf.export.tool import ToolReport
from mobile_nelf.outputs import check_output
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.plain import to_dict

__all__ = ["REPORT_NAME", "Opened", "open_bundle"]

REPORT_NAME = "opened.json"


@dataclass(frozen=True)
class Opened:
    """A bundle's project, as the target's own tool saved it.

    Attributes:
        bundle: folder of the bundle, which is as it was.
        folder: of the project.
        path: of the report in it, to be imported into the bundle.
        report: what it says.
    """

    bundle: Path
    folder: Path
    path: Path
    report: ToolReport


def open_bundle(
    bundle: AnyPath,
    output: AnyPath | None = None,
    *,
    program: AnyPath | None = None,
    force: bool = False,
) -> Opened:
    """Opens a copy of a bundle's project in the target's own tool, completes it and saves it.

    Args:
        bundle: its folder.
        output: folder of the project; the bundle's name with `-opened` beside it if `None`.
        program: the tool; where it is usually installed if `None`.
        force: replace `output`.

    Raises:
        InputError: the target has no such tool, or it is not installed.
        BundleError: a file of the bundle was changed, or the tool said nothing of the project.
        OutputError: `output` exists or cannot be written.
    """
    bundle = as_path(bundle)
    contents = read_bundle(bundle)
    if contents.problems:
        raise BundleError(f"{bundle}: {contents.problems[0]}")
    manifest = contents.manifest
    place = bundle.absolute()
    folder = place.with_name(f"{place.name}-opened") if output is None else as_path(output)
    check_output(folder, force, [bundle])
    with written_beside(folder) as partial:
        partial.mkdir()
        told = find_exporter(manifest.target).open_in_tool(
            contents.files, manifest.name, partial, None if program is None else as_path(program)
        )
        stored = StoredReport(SCHEMA_VERSION, manifest.name, manifest.contract.weights_sha256, told)
        report = judged(stored, manifest, contents.files)
        text = json.dumps(to_dict(stored), indent=1, allow_nan=False) + "\n"
        (partial / REPORT_NAME).write_text(text, encoding="utf-8")
    return Opened(bundle, folder, folder / REPORT_NAME, report)
