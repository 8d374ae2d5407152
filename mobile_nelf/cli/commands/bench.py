"""`mnelf bench`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mobile_nelf.cli._options import common_options, debug_option, examples, force_option, path_type
from mobile_nelf.cli._printing import (
    print_fields,
    print_json,
    print_note,
    print_report_table,
    print_table,
    progress_bar,
    size_text,
)
from mobile_nelf.text import command_line

if TYPE_CHECKING:
    from mobile_nelf.bundles.measured import Imported
    from mobile_nelf.bundles.reports import ImportedReport
    from mobile_nelf.devices import Placement, Run

__all__ = ["command"]


@click.group(
    "bench",
    epilog=examples(
        "mnelf bench import result.json mic-coreml",
        "mnelf bench import result.json --json       the same for machines",
    ),
    invoke_without_command=True,
)
@debug_option
@click.pass_context
def command(ctx: click.Context) -> None:
    """Import device benchmark results into their bundle.

    The measuring itself is done by the app in a bundle for Core ML: open its folder `ios_harness`
    on an iPad, run the benchmark, and share the result as a JSON file. A web page measures by
    itself: open its information panel on the phone.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command(
    "import",
    epilog=examples(
        "mnelf bench import result.json mic-coreml",
        "mnelf compare mic-coreml                    the figures beside others",
    ),
)
@click.argument("result", type=path_type, metavar="RESULT.json")
@click.argument("bundle", type=path_type, required=False)
@force_option
@common_options
@click.pass_context
def import_command(
    ctx: click.Context, result: Path, bundle: Path | None, force: bool, as_json: bool
) -> None:
    """Check the JSON file of a device and store it in its bundle.

    BUNDLE may be left out where the current folder holds just one that fits. The file is stored as
    the device wrote it, under measurements/. Exits with 1 if the device's own frames were wrong in
    any run: the figures are kept, but such a speed says nothing.

    RESULT may also be the report of `mnelf lens open`: the guesses of the bundle are then told as
    confirmed or refuted with that version, here and by `mnelf verify`.
    """
    from mobile_nelf.bundles.measured import import_measurement
    from mobile_nelf.bundles.reports import import_report, is_report

    if is_report(result):
        ctx.exit(_show_report(import_report(result, bundle, force), as_json))
    ctx.exit(_show(import_measurement(result, bundle, force), as_json))


@command.command(
    "run",
    epilog=examples(
        "mnelf bench run mic-coreml                  on a Mac",
        "mnelf bench run mic-coreml -o result.json   and a file to import elsewhere",
    ),
)
@click.argument("bundle", type=path_type)
@click.option("-o", "--output", type=path_type, help="Also write the figures to this JSON file.")
@common_options
@click.pass_context
def run_command(ctx: click.Context, bundle: Path, output: Path | None, as_json: bool) -> None:
    """Measure a bundle for Core ML on this Mac and store the figures in it.

    Runs every model with every choice of compute units, as the app does on an iPad, for a minute
    each, without a screen. Exits with 1 if a frame was wrong. Its authors have no Mac: it is tested
    against a stand-in for Core ML.
    """
    from mobile_nelf.bundles.measured import measure_bundle

    with progress_bar() as on_progress:
        imported = measure_bundle(bundle, output=output, on_progress=on_progress)
    ctx.exit(_show(imported, as_json))


def _show_report(imported: ImportedReport, as_json: bool) -> int:
    """Prints what a tool made of the bundle and returns the exit code."""
    from mobile_nelf.cli.commands.lens import print_tool_report, tool_report_data

    if as_json:
        print_json(
            {
                "path": str(imported.path),
                "bundle": str(imported.bundle),
                **tool_report_data(imported.report),
            }
        )
    else:
        print_fields({"bundle": str(imported.bundle), "stored": str(imported.path)})
        print_tool_report(imported.report)
    return 0 if imported.report.passed else 1


def _show(imported: Imported, as_json: bool) -> int:
    """Prints what was measured and returns the exit code."""
    from mobile_nelf.bundles.manifest import read_manifest
    from mobile_nelf.export.exporter import find_exporter

    manifest = read_manifest(imported.bundle)
    tables = find_exporter(manifest.target).measured_tables(
        manifest.inspection, imported.measurement
    )
    runs = imported.measurement.runs
    wrong = [run for run in runs if run.error is None and not run.picture_is_right]
    if as_json:
        from mobile_nelf.plain import to_dict

        print_json(
            {
                "path": str(imported.path),
                "bundle": str(imported.bundle),
                "passed": not wrong,
                "measurement": to_dict(imported.measurement),
                "tables": [to_dict(table) for table in tables],
            }
        )
    else:
        _print(imported, wrong)
        for table in tables:
            click.echo()
            print_report_table(table)
        click.echo()
        print_fields({"next": command_line("compare {}", imported.bundle)})
    return 1 if wrong else 0


def _print(imported: Imported, wrong: list[Run]) -> None:
    measurement = imported.measurement
    device = measurement.device
    slowed = f", slowed by {device.slowed_by}" if device.slowed_by else ""
    print_fields(
        {
            "bundle": str(imported.bundle),
            "stored": str(imported.path),
            "device": f"{device.model}, {device.os}{slowed}",
            "date": measurement.date,
        }
    )
    click.echo()
    print_table(
        (
            "model",
            "compute units",
            "p50/p90 ms",
            "1000/p50",
            "FPS",
            "memory",
            "self-check",
            "placement",
        ),
        [_cells(run) for run in measurement.runs],
    )
    click.echo()
    print_note("1000/p50", "one prediction after the other, nothing shown; FPS: on the screen")
    for hertz in sorted({run.display_hz for run in measurement.runs if run.display_hz}):
        print_note("display", f"shows at most {hertz:.0f} frames a second")
    if any(run.placement for run in measurement.runs):
        print_note("placement", "operations on Neural Engine/GPU/CPU/not known")
    for run in measurement.runs:
        label = f"{run.model} on {run.setting}"
        if run.error is not None:
            print_note(label, f"failed: {run.error}")
        elif run.thermal is not None and run.thermal.end in ("serious", "critical"):
            print_note(label, f"slowed by heat ({run.thermal.end} at the end)")
    for run in wrong:
        worst = f"{run.self_check.worst_psnr_db:.1f} dB" if run.self_check else "none"
        print_note(
            f"WRONG PICTURE, {run.model} on {run.setting}",
            f"the device's frames differ from the reference ({worst}), so its speed does not "
            "count; use other compute units or another layout",
        )


def _cells(run: Run) -> tuple[str, ...]:
    model = Path(run.model).stem
    latency, check = run.latency_ms, run.self_check
    if run.error is not None or latency is None:
        return (model, run.setting, "failed", "-", "-", "-", "-", "-")
    return (
        model,
        run.setting,
        f"{latency.p50:.4g}/{latency.p90:.4g}",
        f"{1000.0 / latency.p50:.3g}",
        "-" if run.display_fps is None else f"{run.display_fps:.3g}",
        size_text(run.memory.peak) if run.memory else "not measured",
        f"{check.worst_psnr_db:.1f} dB {'ok' if check.passed else 'WRONG'}"
        if check
        else "not measured",
        _placement_text(run.placement),
    )


def _placement_text(placement: Placement | None) -> str:
    if placement is None:
        return "not measured"
    counts = (placement.neural_engine, placement.gpu, placement.cpu, placement.unknown)
    return "/".join(map(str, counts))
