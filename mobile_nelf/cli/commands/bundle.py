"""`mnelf bundle`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobile_nelf.cli._options import (
    choice,
    common_options,
    deploy_options,
    examples,
    force_option,
    lens_options,
    load,
    path_type,
)
from mobile_nelf.cli._printing import (
    parity_table,
    print_fields,
    print_json,
    progress_bar,
    size_text,
)
from mobile_nelf.vocabulary import Experience

if TYPE_CHECKING:
    from mobile_nelf.bundles import Bundle, Manifest

__all__ = ["command"]


@click.command(
    "bundle",
    epilog=examples(
        "mnelf bundle mic.pt --target lens",
        "mnelf bundle mic.pt --target coreml --weights fp16 --weights palette6",
        "mnelf bundle ckpt.tar --target onnx --camera 100,100,138.889,2,6,4",
    ),
)
@click.argument("checkpoint", type=path_type)
@click.option("--target", required=True, help="What the bundle is for: lens, coreml or onnx.")
@click.option(
    "-o", "--output", type=path_type, help="Folder to write. Default: <checkpoint>-<target>."
)
@click.option("--name", help="Project name. Default: name of the output folder.")
@deploy_options
@click.option(
    "--experience",
    type=choice(Experience),
    help="For lens: turn the object under the finger (orbit, default) or walk round it (world).",
)
@click.option(
    "--second-opinion",
    is_flag=True,
    help="For coreml: run the same graph in Apple's Core AI runtime as well.",
)
@lens_options
@force_option
@common_options
def command(
    checkpoint: Path,
    target: str,
    output: Path | None,
    name: str | None,
    layout: Any,
    activation: Any,
    weights: Any,
    output_form: Any,
    ios: int | None,
    experience: Any,
    second_opinion: bool,
    camera: tuple[float, ...] | None,
    trained_activation: Any,
    force: bool,
    as_json: bool,
) -> None:
    """Export a checkpoint as a verified bundle.

    The bundle holds the model, everything around it, reference frames and a manifest. It is written
    only if the model reproduces the trained network.
    """
    from mobile_nelf.bundles import create_bundle
    from mobile_nelf.export.options import ExportOptions
    from mobile_nelf.outputs import check_output

    path = output or Path(f"{checkpoint.stem}-{target}")
    check_output(path, force, [checkpoint])
    trained = load(checkpoint, camera, trained_activation)
    with progress_bar() as on_progress:
        bundle = create_bundle(
            trained,
            target=target,
            output=path,
            name=name,
            options=ExportOptions(
                layout, activation, tuple(weights), output_form, ios, experience, second_opinion
            ),
            force=force,
            on_progress=on_progress,
        )
    if as_json:
        from mobile_nelf.plain import to_dict

        print_json({"path": str(bundle.path), "manifest": to_dict(bundle.manifest)})
    else:
        _print(bundle)


def _print(bundle: Bundle) -> None:
    from mobile_nelf.bundles.report.page import REPORT_NAME
    from mobile_nelf.cli.commands.check import backend_fields, cost_fields, print_placement

    manifest = bundle.manifest
    contract = manifest.contract
    report = manifest.inspection.operators
    placement = manifest.inspection.placement
    print_fields(
        {
            "bundle": str(bundle.path),
            "network": f"{contract.student.name}, renders {contract.student.image_width}×"
            f"{contract.student.image_height}",
            "layout": f"{contract.layout} ({manifest.layout_reason})",
            "activation": contract.activation,
            "upload": f"{size_text(contract.upload_bytes)} a frame",
            **cost_fields(manifest.inspection.cost),
            **(backend_fields(report) if report else {}),
            **_package_fields(manifest),
        }
    )
    click.echo()
    if placement is not None:
        print_placement(placement)
        click.echo()
    parity_table(manifest.parity)
    click.echo()
    fields = {"not measured": "; ".join(manifest.not_measured)}
    fields["look at"] = str(bundle.path / REPORT_NAME)
    fields["next"] = f"mnelf verify {bundle.path}"
    projects = [name for name in manifest.files if name.endswith(".esproj")]
    if projects:
        fields["then"] = f"open {bundle.path / projects[0]} in Lens Studio"
    elif placement is not None:
        fields["then"] = f"read {bundle.path / 'README.md'}: how it gets onto an iPad"
    print_fields(fields)


def _package_fields(manifest: Manifest) -> dict[str, str]:
    """Returns the size of each Core ML package for `print_fields`."""
    from mobile_nelf.bundles.measured import packages

    sizes = dict.fromkeys(packages(manifest), 0)
    for path, record in manifest.files.items():
        top = path.partition("/")[0]
        if top in sizes:
            sizes[top] += record.size
    return {name: size_text(size) for name, size in sizes.items()}
