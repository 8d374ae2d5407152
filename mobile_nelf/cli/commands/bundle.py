"""`mnelf bundle`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobile_nelf.cli._options import (
    common_options,
    examples,
    force_option,
    lens_options,
    load,
    path_type,
)
from mobile_nelf.cli._printing import (
    inspection_fields,
    parity_table,
    plain,
    print_fields,
    print_json,
    print_report_table,
    progress_bar,
    size_text,
)
from mobile_nelf.cli._target_options import target_help, target_options_of_all
from mobile_nelf.text import command_line

if TYPE_CHECKING:
    from mobile_nelf.bundles import Bundle

__all__ = ["command"]


@click.command(
    "bundle",
    epilog=examples(
        "mnelf bundle mic.pt --target lens",
        "mnelf bundle --target coreml          the only checkpoint of this folder",
        "mnelf bundle mic.pt --target lens --target coreml",
        "mnelf bundle mic.pt --target coreml --weights fp16 --weights palette6",
        "mnelf bundle ckpt.tar --target onnx --camera 100,100,138.889,2,6,4",
    ),
)
@click.argument("checkpoint", type=path_type, required=False)
@click.option(
    "--target",
    "targets",
    required=True,
    multiple=True,
    help=f"{target_help('What the bundle is for')} A bundle for each if given more than once.",
)
@click.option(
    "-o",
    "--output",
    type=path_type,
    help="Folder to write; with several targets the folder for their bundles. Default: "
    "<checkpoint>-<target>, one for each target.",
)
@click.option("--name", help="Project name. Default: name of the bundle's folder.")
@target_options_of_all
@lens_options
@force_option
@common_options
def command(
    checkpoint: Path | None,
    targets: tuple[str, ...],
    output: Path | None,
    name: str | None,
    camera: tuple[float, ...] | None,
    trained_activation: Any,
    force: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Export a checkpoint as a verified bundle.

    The bundle holds the model, everything around it, reference frames and a manifest. It is written
    only if the model reproduces the trained network.

    CHECKPOINT may be left out where the current folder has only one. With several targets an option
    counts for those that have it, and the bundles are written only if all of them pass.
    """
    from mobile_nelf.bundles import create_bundles, plan_bundles

    if checkpoint is None:
        from mobile_nelf.checkpoints.find import only_checkpoint

        checkpoint = only_checkpoint(Path())
        click.echo(plain(f"{checkpoint}: the only checkpoint of this folder"), err=True)
    plans = plan_bundles(
        targets,
        checkpoint.stem,
        output=output,
        name=name,
        options=chosen,
        force=force,
        inputs=[checkpoint],
    )
    trained = load(checkpoint, camera, trained_activation)
    with progress_bar() as on_progress:
        bundles = create_bundles(trained, plans, on_progress)
    if as_json:
        from mobile_nelf.plain import to_dict

        data = [{"path": str(b.path), "manifest": to_dict(b.manifest)} for b in bundles]
        print_json({"checkpoint": str(checkpoint), "bundles": data})
        return
    for number, bundle in enumerate(bundles):
        if number > 0:
            click.echo()
        _print(bundle)


def _print(bundle: Bundle) -> None:
    from mobile_nelf.bundles.report.page import REPORT_NAME

    manifest = bundle.manifest
    contract = manifest.contract
    print_fields(
        {
            "bundle": str(bundle.path),
            "network": f"{contract.student.name}, renders {contract.student.image_width}×"
            f"{contract.student.image_height}",
            "layout": f"{contract.layout} ({manifest.layout_reason})",
            "activation": contract.activation,
            "guessed": manifest.provenance.get("guessed", ""),
            "upload": f"{size_text(contract.upload_bytes)} a frame",
            **inspection_fields(manifest.inspection),
        }
    )
    for table in manifest.inspection.tables:
        click.echo()
        print_report_table(table)
    click.echo()
    parity_table(manifest.parity)
    click.echo()
    print_fields(
        {
            "not measured": "; ".join(manifest.not_measured),
            "look at": str(bundle.path / REPORT_NAME),
            "next": command_line("verify {}", bundle.path),
            "then": bundle.next_step,
        }
    )
