"""`mnelf check`."""

from __future__ import annotations

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
from mobile_nelf.cli._printing import (
    inspection_fields,
    print_fields,
    print_json,
    print_note,
    print_report_table,
    print_table,
    size_text,
)
from mobile_nelf.cli._target_options import target_help, target_options_of_all
from mobile_nelf.vocabulary import CHECK_TARGET

if TYPE_CHECKING:
    from mobile_nelf.export.check import CheckResult
    from mobile_nelf.export.inspection import ProjectCheck

__all__ = ["command"]


@click.command(
    "check",
    epilog=examples(
        "mnelf check mic.pt",
        "mnelf check mic.pt --target coreml --layout camera",
        "mnelf check model.onnx --target lens",
        "mnelf check MyLens/ --target lens",
    ),
)
@click.argument("file", type=path_type, metavar="CHECKPOINT_ONNX_OR_PROJECT")
@click.option(
    "--target",
    default=CHECK_TARGET,
    show_default=True,
    help=target_help("What it is checked for"),
)
@target_options_of_all
@lens_options
@common_options
def command(
    file: Path,
    target: str,
    camera: tuple[float, ...] | None,
    trained_activation: Any,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Check whether a target supports a checkpoint, an ONNX file or a project.

    Prints what the target makes of each operation, the size on the device against the budget, and
    the cost of a frame. Exits with 1 if the target refuses the network. Takes any ONNX file, also
    one that mnelf did not write, for targets that take ONNX.

    A folder is checked as a project of the target's tool, such as Lens Studio: ids and references,
    metas against the models, scripts, the size of all models together. It may be a bundle, or a
    project made by hand.
    """
    from mobile_nelf.export.check import check_path
    from mobile_nelf.export.exporter import find_exporter

    project = find_exporter(target).find_project(file)
    if project is not None:
        chosen |= {"camera": camera, "trained_activation": trained_activation}
        raise click.exceptions.Exit(_check_project(project, target, chosen, as_json))
    result = check_path(
        file,
        target=target,
        options=chosen,
        camera=camera_options(camera),
        trained_activation=trained_activation,
    )
    if as_json:
        from mobile_nelf.plain import to_dict

        print_json({"path": str(file), "passed": result.passed, **to_dict(result)})
    else:
        _print(file, result)
    raise click.exceptions.Exit(0 if result.passed else 1)


def _check_project(folder: Path, target: str, chosen: dict[str, Any], as_json: bool) -> int:
    """Prints what is wrong with a project and returns the exit code."""
    from mobile_nelf.export.check import refuse_choices
    from mobile_nelf.export.exporter import find_exporter

    exporter = find_exporter(target)
    refuse_choices(folder, "a project", chosen)
    check = exporter.check_project(folder)
    if as_json:
        from mobile_nelf.plain import to_dict

        data = {"path": str(folder), "target": target, "passed": check.passed, **to_dict(check)}
        print_json(data)
    else:
        _print_project(folder, target, check)
    return 0 if check.passed else 1


def _print_project(folder: Path, target: str, check: ProjectCheck) -> None:
    errors = sum(finding.severity == "error" for finding in check.findings)
    warnings = len(check.findings) - errors
    fields = {"project": str(folder / check.project), "target": target}
    fields["found"] = f"{errors} error(s), {warnings} warning(s)"
    print_fields(fields)
    for path, inspection in check.models.items():
        click.echo()
        print_fields({"model": path, **inspection_fields(inspection)})
        for table in inspection.tables:
            click.echo()
            print_report_table(table)
    click.echo()
    # Names within the project are short enough to stay whole in a column.
    start = check.project.rpartition("/")[0]
    for severity in ("error", "warning"):
        rows = [
            (
                finding.path.removeprefix(start).lstrip("/") or "the project",
                finding.problem,
                finding.advice,
            )
            for finding in check.findings
            if finding.severity == severity
        ]
        if rows:
            print_table((f"{severity} in", "problem", "what to do"), rows)
            click.echo()
    click.echo("passed" if check.passed else "failed")


def _print(file: Path, result: CheckResult) -> None:
    contract, inspection = result.contract, result.inspection
    fields = {"file": str(file), "target": result.target}
    if contract is not None:
        fields["layout"] = f"{contract.layout} ({result.layout_reason})"
        fields["activation"] = contract.activation
        fields["upload"] = f"{size_text(contract.upload_bytes)} a frame"
    print_fields(fields | inspection_fields(inspection))
    for table in inspection.tables:
        click.echo()
        print_report_table(table)
    click.echo()
    for severity, label in (("warning", "warning"), ("error", "problem")):
        for finding in inspection.findings:
            if finding.severity == severity:
                print_note(label, "; ".join(filter(None, (finding.problem, finding.advice))))
    click.echo("passed" if result.passed else "failed")
