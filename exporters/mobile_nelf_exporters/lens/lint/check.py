"""Checks a Lens Studio project without Lens Studio, also one that a person made there.

The rules are what projects of Lens Studio 5.14 to 5.22 have in common and what is known to keep a
project from opening or working. Asset types and components that no rule knows are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from mobile_nelf.errors import InputError
from mobile_nelf.export.inspection import Finding, ProjectCheck
from mobile_nelf_exporters.lens.lint.ids import check_ids, check_references
from mobile_nelf_exporters.lens.lint.keys import check_keys
from mobile_nelf_exporters.lens.lint.models import check_models
from mobile_nelf_exporters.lens.lint.project import (
    check_metas,
    check_project_file,
    check_text,
)
from mobile_nelf_exporters.lens.lint.scene import check_scenes
from mobile_nelf_exporters.lens.lint.scripts import check_scripts
from mobile_nelf_exporters.lens.paths import PROJECT
from mobile_nelf_exporters.lens.studio.project import PROJECT_SUFFIX, parse_lens_project
from mobile_nelf_exporters.snapml.inspection import inspection_of, model_record

__all__ = ["check_lens_files", "check_lens_folder", "lint_lens_project", "refuse_old_project"]

#: Project file of Lens Studio before 5.
OLD_SUFFIX = ".lsproj"

#: Folders of a project that are looked at; the others are made anew by Lens Studio.
FOLDERS = ("Assets", "Packages")


def lint_lens_project(files: Mapping[str, bytes], folder: str = "") -> tuple[Finding, ...]:
    """Returns what is wrong with a Lens Studio project, errors first.

    Args:
        files: content by POSIX path.
        folder: of the project within `files`; files elsewhere are ignored. Findings name the paths
            of `files`.

    Raises:
        MissingExtraError: PyYAML or onnx is not installed.
    """
    return check_lens_files(files, folder).findings


def check_lens_files(files: Mapping[str, bytes], folder: str = "") -> ProjectCheck:
    """Returns what is wrong with a Lens Studio project, and the operator report of its models.

    Args and errors are those of `lint_lens_project`.
    """
    start = f"{folder}/" if folder else ""
    project = parse_lens_project(
        {path.removeprefix(start): files[path] for path in files if path.startswith(start)}
    )
    model_findings, reports = check_models(project)
    findings = [
        *project.holes,
        *check_project_file(project),
        *check_metas(project),
        *check_text(project),
        *check_ids(project),
        *check_references(project),
        *check_keys(project),
        *check_scenes(project),
        *check_scripts(project),
        *model_findings,
    ]
    placed = {replace(finding, path=(start + finding.path).rstrip("/")) for finding in findings}
    name = next((p for p in project.files if p.endswith(PROJECT_SUFFIX) and "/" not in p), "")
    return ProjectCheck(
        project=start + name,
        findings=tuple(sorted(placed, key=lambda f: (f.severity, f.path, f.problem))),
        models={
            start + path: inspection_of(
                report, {start + path: model_record(report, project.files[path])}, start + path
            )
            for path, report in reports.items()
        },
    )


def check_lens_folder(folder: Path) -> ProjectCheck:
    """Checks the project in a folder, or in the bundle that the folder is.

    Raises:
        InputError: `folder` does not contain a project.
        MissingExtraError: PyYAML or onnx is not installed.
    """
    for inner in ("", PROJECT):
        if any((folder / inner).glob(f"*{PROJECT_SUFFIX}")):
            files = {path.relative_to(folder).as_posix(): path for path in _files(folder / inner)}
            return check_lens_files({name: p.read_bytes() for name, p in files.items()}, inner)
    for path in folder.iterdir():
        refuse_old_project(path)
    raise InputError(
        f"{folder}: is a directory, expected a checkpoint, an ONNX file, or a Lens Studio project "
        f"(a folder with one {PROJECT_SUFFIX} file and `Assets`) or a bundle with one inside; give "
        "the folder that holds the project file"
    )


def refuse_old_project(path: Path) -> None:
    """Refuses a project file of Lens Studio before 5.

    Raises:
        InputError: it is one.
    """
    if path.suffix == OLD_SUFFIX:
        raise InputError(
            f"{path}: is a project of Lens Studio 4 or older; open it in Lens Studio 5, which "
            f"saves it as a folder with a {PROJECT_SUFFIX} file, and give that folder"
        )


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.iterdir() if path.is_file())
    for name in FOLDERS:
        yield from sorted(path for path in (folder / name).rglob("*") if path.is_file())
