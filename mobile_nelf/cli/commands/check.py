"""`mnelf check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobile_nelf.cli._options import (
    camera_options,
    common_options,
    deploy_options,
    examples,
    lens_options,
    path_type,
)
from mobile_nelf.cli._printing import print_fields, print_json, print_note, print_table, size_text

if TYPE_CHECKING:
    from mobile_nelf.deploy.cost import Cost
    from mobile_nelf.export.check import CheckResult
    from mobile_nelf.export.inspection import ProjectCheck
    from mobile_nelf.export.options import ExportOptions
    from mobile_nelf.export.seam import PlacementReport, SnapmlReport

__all__ = ["backend_fields", "command", "cost_fields", "print_placement"]


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
    default="lens",
    show_default=True,
    help="What it is checked for, such as lens, coreml or onnx.",
)
@deploy_options
@lens_options
@common_options
@click.pass_context
def command(
    ctx: click.Context,
    file: Path,
    target: str,
    layout: Any,
    activation: Any,
    weights: Any,
    output_form: Any,
    ios: int | None,
    camera: tuple[float, ...] | None,
    trained_activation: Any,
    as_json: bool,
) -> None:
    """Check whether a target supports a checkpoint, an ONNX file or a project.

    Lists the layers by back-end, the size after import against the budget, and the cost of a frame;
    for coreml, where each operation will run. Exits with 1 if the target refuses the network. Takes
    any ONNX file, also one that mnelf did not write.

    A folder is checked as a Lens Studio project: ids and references, metas against the models,
    scripts, the size of all models together. It may be a bundle, or a project made by hand.
    """
    from mobile_nelf.export.check import check_path
    from mobile_nelf.export.options import ExportOptions

    options = ExportOptions(layout, activation, tuple(weights), output_form, ios)
    if file.is_dir():
        foreign = bool(camera or trained_activation)
        ctx.exit(_check_project(file, target, options, foreign, as_json))
    result = check_path(
        file,
        target=target,
        options=options,
        camera=camera_options(camera),
        trained_activation=trained_activation,
    )
    if as_json:
        from mobile_nelf.plain import to_dict

        print_json({"path": str(file), "passed": result.passed, **to_dict(result)})
    else:
        _print(file, result)
    ctx.exit(0 if result.passed else 1)


def _check_project(
    folder: Path, target: str, options: ExportOptions, foreign: bool, as_json: bool
) -> int:
    """Prints what is wrong with a project and returns the exit code."""
    from mobile_nelf.errors import InputError
    from mobile_nelf.export.exporter import find_exporter
    from mobile_nelf.export.options import NO_OPTIONS

    exporter = find_exporter(target)
    if options != NO_OPTIONS or foreign:
        raise InputError(
            f"{folder}: is a project and is checked as it is; layout, activation, camera and the "
            "like are options for checkpoints"
        )
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
    for path, report in check.models.items():
        click.echo()
        print_fields(
            {
                "model": path,
                "upload": f"{size_text(report.upload_bytes)} a frame",
                **cost_fields(report.cost),
                "opset": str(report.opset),
                **backend_fields(report),
            }
        )
        click.echo()
        _print_layers(report)
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
    contract, report = result.contract, result.operators
    fields = {"file": str(file), "target": result.target}
    if contract is not None:
        fields["layout"] = f"{contract.layout} ({result.layout_reason})"
        fields["activation"] = contract.activation
        fields["upload"] = f"{size_text(contract.upload_bytes)} a frame"
    elif report is not None:
        fields["upload"] = f"{size_text(report.upload_bytes)} a frame"
    fields |= cost_fields(result.cost)
    if report is not None:
        fields["opset"] = str(report.opset)
        fields |= backend_fields(report)
    print_fields(fields)
    if report is not None:
        click.echo()
        _print_layers(report)
    if result.placement is not None:
        click.echo()
        print_placement(result.placement)
    click.echo()
    for text in result.warnings:
        print_note("warning", text)
    for text in result.problems:
        print_note("problem", text)
    click.echo("passed" if result.passed else "failed")


def cost_fields(cost: Cost | None) -> dict[str, str]:
    """Returns work and memory of a frame for `print_fields`."""
    if cost is None:
        return {"work": "unknown (the graph has dynamic shapes)"}
    return {
        "work": f"{cost.macs / 1e9:.2f} GMAC a frame",
        "activations": f"{size_text(cost.peak_activation_bytes)} at the peak, in fp32",
    }


def backend_fields(report: SnapmlReport) -> dict[str, str]:
    """Returns predicted size and support by back-end for `print_fields`."""
    from mobile_nelf.export.seam import BACKEND_TITLES, BACKENDS

    return {
        "size": f"{size_text(report.import_bytes)} after import (predicted), "
        f"of {size_text(report.budget_bytes)}",
        **{
            BACKEND_TITLES[backend]: f"cannot run {', '.join(report.lacking[backend])}"
            if report.lacking[backend]
            else "runs every layer"
            for backend in BACKENDS
        },
    }


def print_placement(placement: PlacementReport) -> None:
    """Prints where the operations of a program will run by the rules, and why not elsewhere."""
    from mobile_nelf.export.seam import UNIT_TITLES

    print_table(
        ("operation", "form", "precision", "runs on (by the rules)", "count"),
        [
            (row.kind, row.form, row.precision, UNIT_TITLES[row.unit], str(row.count))
            for row in placement.rows
        ],
        right=1,
    )
    reasons: dict[str, list[str]] = {}
    for row in placement.rows:
        if row.reason:
            kinds = reasons.setdefault(row.reason, [])
            kinds += [row.kind] if row.kind not in kinds else []
    if reasons or placement.notes:
        click.echo()
    for reason, kinds in reasons.items():
        print_note(", ".join(kinds), reason)
    for note in placement.notes:
        print_note("note", note)


def _print_layers(report: SnapmlReport) -> None:
    from mobile_nelf.export.seam import BACKEND_TITLES, BACKENDS

    print_table(
        ("layer", "from", *(BACKEND_TITLES[backend] for backend in BACKENDS), "count"),
        [
            (
                row.layer,
                ", ".join(row.operators),
                *(row.support(backend) for backend in BACKENDS),
                str(row.count),
            )
            for row in report.layers
        ],
        right=1,
    )
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in report.layers:
        for backend in BACKENDS:
            verdict = row.verdicts[backend]
            if verdict.failing:
                key = (row.layer, f"{verdict.reason} (first at {verdict.node})")
                reasons.setdefault(key, []).append(BACKEND_TITLES[backend])
    if reasons:
        click.echo()
    for (layer, reason), titles in reasons.items():
        print_note(f"{layer} on {', '.join(titles)}", reason)
