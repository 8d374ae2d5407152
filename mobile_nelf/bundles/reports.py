"""Reports of the target's own tool inside a bundle.

They come after the manifest was written and are not listed in it. Whenever one is read it is judged
anew against the bundle's files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_nelf.atomic import written_beside
from mobile_nelf.bundles.manifest import MANIFEST_NAME, Manifest, read_manifest
from mobile_nelf.disk import io_reason
from mobile_nelf.errors import ConfigError, InputError, OutputError
from mobile_nelf.export.exporter import find_exporter
from mobile_nelf.export.tool import ToolReport
from mobile_nelf.outputs import refuse_existing, refuse_inputs
from mobile_nelf.parsing import read_json
from mobile_nelf.plain import from_dict

__all__ = [
    "REPORTS_FOLDER",
    "ImportedReport",
    "StoredReport",
    "import_report",
    "is_report",
    "judged",
    "read_report",
    "report_names",
    "reports_of",
]

REPORTS_FOLDER = "opened"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class StoredReport:
    """The file of a report.

    Attributes:
        schema: of this file.
        name: of the bundle.
        weights_sha256: of its student.
        opened: what the tool told, in the exporter's own form.
    """

    schema: int
    name: str
    weights_sha256: str
    opened: dict[str, Any]


@dataclass(frozen=True)
class ImportedReport:
    """A report that now is in a bundle.

    Attributes:
        bundle: folder of the bundle.
        path: the file in it.
        report: what it says of the bundle.
    """

    bundle: Path
    path: Path
    report: ToolReport


def is_report(path: Path) -> bool:
    """Whether a file is a report of a tool, and not a measurement of a device."""
    try:
        content = read_json(path) if path.is_file() else None
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "opened" in content


def read_report(path: Path) -> StoredReport:
    """Returns the file of a report.

    Raises:
        InputError: it is not one.
    """
    try:
        stored = from_dict(StoredReport, read_json(path), "report")
    except (OSError, ValueError, ConfigError) as error:
        raise InputError(
            f"{path}: is not the report that opening a bundle writes ({error})"
        ) from error
    if stored.schema != SCHEMA_VERSION:
        raise InputError(f"{path}: schema is {stored.schema}, expected {SCHEMA_VERSION}")
    return stored


def judged(stored: StoredReport, manifest: Manifest, files: Mapping[str, bytes]) -> ToolReport:
    """Returns what a report says of a bundle.

    Raises:
        InputError: it belongs to another bundle, or does not hold what the target writes.
    """
    own = manifest.contract.weights_sha256
    if (stored.name, stored.weights_sha256) != (manifest.name, own):
        raise InputError(
            f"is of {stored.name!r} with weights {stored.weights_sha256[:12]}…, expected "
            f"{manifest.name!r} with weights {own[:12]}…; open the bundle again"
        )
    return find_exporter(manifest.target).read_tool_report(stored.opened, files)


def report_names(bundle: Path) -> list[str]:
    """Returns the files of reports, as paths inside the bundle."""
    return sorted(
        f"{REPORTS_FOLDER}/{file.name}" for file in (bundle / REPORTS_FOLDER).glob("*.json")
    )


def reports_of(
    bundle: Path, manifest: Manifest, files: Mapping[str, bytes]
) -> tuple[dict[str, ToolReport], list[str]]:
    """Returns the reports in a bundle by path, and what is wrong with others."""
    reports, problems = {}, []
    for name in report_names(bundle):
        try:
            reports[name] = judged(read_report(bundle / name), manifest, files)
        except InputError as error:
            said = str(error).removeprefix(f"{bundle / name}: ")
            problems.append(f"{name}: {said}; remove it, or import the report again")
    return reports, problems


def import_report(result: Path, bundle: Path | None, force: bool = False) -> ImportedReport:
    """Checks a report and stores it in its bundle.

    Args:
        result: the file that opening a bundle wrote.
        bundle: that was opened.
        force: replace a report of the same version of the tool.

    Raises:
        InputError: the file is not a report, or belongs to another bundle.
        BundleError: the bundle's manifest is missing or was edited.
        OutputError: the report is there already, or cannot be written.
    """
    stored = read_report(result)
    if bundle is None:
        raise InputError(f"{result}: is a report of {stored.name!r}; name the bundle, too")
    if not (bundle / MANIFEST_NAME).is_file():
        raise InputError(f"{bundle}: is not a bundle, expected the one that was opened")
    manifest = read_manifest(bundle)
    files = {
        name: (bundle / name).read_bytes() for name in manifest.files if (bundle / name).is_file()
    }
    try:
        report = judged(stored, manifest, files)
    except InputError as error:
        raise InputError(f"{result}: {error}") from error
    file_name = re.sub(r"[^A-Za-z0-9.]+", "-", report.tool).strip("-.").lower()
    path = bundle / REPORTS_FOLDER / f"{file_name or 'tool'}.json"
    refuse_inputs(path, [result])
    refuse_existing(path, force)
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path.parent}: cannot be made ({io_reason(error)})") from error
    content = result.read_bytes()
    with written_beside(path) as partial:
        partial.write_bytes(content)
    return ImportedReport(bundle, path, report)
