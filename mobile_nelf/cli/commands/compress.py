"""`mnelf compress`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobile_nelf.cli._options import choice, common_options, examples, force_option, path_type
from mobile_nelf.cli._printing import (
    print_fields,
    print_json,
    print_note,
    print_table,
    progress_bar,
    size_text,
)
from mobile_nelf.cli._progress import run_report
from mobile_nelf.cli._training import device_option, seed_option
from mobile_nelf.text import command_line
from mobile_nelf.vocabulary import CompressionMethod, RoundingBits, TrainedPart

if TYPE_CHECKING:
    from mobile_nelf.compression.compress import Compressed
    from mobile_nelf.compression.report import DeviceTime

__all__ = ["command"]


def _db(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Reads a number of dB, with or without its unit."""
    if value is None:
        return None
    try:
        return float(value.removesuffix("dB"))
    except ValueError:
        raise click.BadParameter(f"expected dB such as 0.5 or 0.5dB, found {value!r}") from None


def _times(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Reads a factor, with or without an x."""
    if value is None:
        return None
    try:
        return float(value.removesuffix("x"))
    except ValueError:
        raise click.BadParameter(f"expected a factor such as 2 or 2x, found {value!r}") from None


@click.command(
    "compress",
    epilog=examples(
        "mnelf compress mic.pt                                   what there is to choose from",
        "mnelf compress mic.pt -o small.pt --keep 0.5 --scene examples/mic",
        "mnelf compress mic.pt -o small.pt --max-mb 0.5 --target coreml --bits mixed",
        "mnelf compress mic.pt -o small.pt --speed 2 --max-loss 1.5dB",
    ),
)
@click.argument("checkpoint", type=path_type)
@click.option("-o", "--output", type=path_type, help="Checkpoint to write; requires a goal.")
@click.option("--keep", type=float, metavar="SHARE", help="Share of the parameters that may stay.")
@click.option(
    "--max-mb",
    type=float,
    metavar="MB",
    help="Largest size of the model of --target, in MB.",
)
@click.option("--target", help="Target whose model --max-mb is about.")
@click.option(
    "--speed",
    callback=_times,
    metavar="FACTOR",
    help="How many times faster, in multiply-accumulates and in ONNX Runtime here.",
)
@click.option(
    "--max-loss",
    callback=_db,
    metavar="DB",
    help="What the test views may lose; estimated without --scene.",
)
@click.option(
    "--at-least",
    callback=_db,
    metavar="DB",
    help="What the test views must reach; estimated without --scene.",
)
@click.option(
    "--scene",
    type=path_type,
    help="Photos of the student: half of the fine-tuning is on them, and dB are measured.",
)
@click.option(
    "--method",
    type=choice(CompressionMethod),
    default="narrow",
    show_default=True,
    help="narrow makes layers narrower; magnitude is the paper's way, which sets the smallest "
    "weights to zero.",
)
@click.option(
    "--bits",
    type=choice(RoundingBits),
    default="none",
    show_default=True,
    help="Round the weights of each layer onto a table of so many bits; mixed chooses them by what "
    "each layer loses.",
)
@click.option(
    "--table-steps",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Steps of tuning the tables of --bits, as the last step; each weight keeps its place.",
)
@click.option(
    "--steps", type=click.IntRange(min=1), help="Steps of the long fine-tuning. Default: 1,000."
)
@click.option(
    "--multiple",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="What widths are a multiple of; those of narrow stages go in quarters.",
)
@click.option(
    "--train-only",
    type=choice(TrainedPart),
    default="all",
    show_default=True,
    help="Part to fine-tune; tail is the super-resolution alone.",
)
@click.option("--half", is_flag=True, help="Store the weights as float16, which halves the file.")
@seed_option
@device_option
@force_option
@common_options
def command(checkpoint: Path, output: Path | None, as_json: bool, **chosen: Any) -> None:
    """Make a trained student smaller or faster.

    Needs nothing but the checkpoint: the student itself teaches the smaller one. Without a goal it
    shows what there is to choose from and stops. An interrupted run resumes when the command is
    repeated. What devices measured of the student is told beside the result, where a bundle of it
    lies beside the checkpoint or in the current folder.
    """
    from mobile_nelf.compression.compress import compress

    goals = ("keep", "max_mb", "speed", "max_loss", "at_least")
    asked = any(chosen[name] is not None for name in goals) or chosen["bits"] != "none"
    if asked and output is None:
        raise click.UsageError("a goal requires --output, the checkpoint to write")
    if output is not None and not asked:
        raise click.UsageError("--output requires a goal, such as --keep 0.5 or --bits mixed")
    if output is None:
        with progress_bar() as show:
            compressed = compress(checkpoint, on_progress=show, **chosen)
    else:
        with run_report(output, [f"{checkpoint}: smaller, as {output}"]) as report:
            compressed = compress(checkpoint, output, on_progress=report.on_progress, **chosen)
    if as_json:
        from mobile_nelf.plain import to_dict

        path = None if compressed.path is None else str(compressed.path)
        print_json({"path": path, **to_dict(compressed.report)})
    else:
        _print(checkpoint, compressed)


def _print(checkpoint: Path, compressed: Compressed) -> None:
    from mobile_nelf.compression.report import PATH_COLUMNS, path_cells

    report = compressed.report
    if len(report.path) > 1:
        rows = [path_cells(row) for row in report.path]
        print_table(PATH_COLUMNS, rows)
        print_note("note", "each row is right after its cut; fine-tuning brings most of it back")
        click.echo()
    result = report.result
    if result is None or compressed.path is None:
        _print_devices(report.devices)
        print_fields({"next": command_line("compress {} -o small.pt --keep 0.5", checkpoint)})
        return
    before = report.path[0]
    tested = ""
    if result.test_db is not None and before.test_db is not None:
        kind = ", estimated without photos" if result.estimated else ""
        lost = before.test_db - result.test_db
        tested = f"{result.test_db:.2f} dB on test views, {lost:.2f} dB lost{kind}"
    fidelity = "" if result.fidelity_db is None else f"{result.fidelity_db:.2f} dB"
    ms = ""
    if result.ms is not None and before.ms is not None:
        ms = f"{before.ms:.1f} → {result.ms:.1f} ms in ONNX Runtime, one thread"
    _print_devices(report.devices)
    print_fields(
        {
            "checkpoint": f"{compressed.path}, {size_text(compressed.path.stat().st_size)}",
            "bound by": report.bound and f"--{report.bound.replace('_', '-')}",
            "parameters": f"{before.parameters:,} → {result.parameters:,} ({result.kept:.0%})",
            "work": f"{before.macs / 1e6:.0f} → {result.macs / 1e6:.0f} MMAC a frame",
            "time": ms,
            "model": "" if result.model_bytes is None else size_text(result.model_bytes),
            "widths": result.widths,
            "quality": tested,
            "against the student": fidelity,
            "next": f"mnelf bundle {compressed.path} --target lens",
        }
    )
    for note in report.notes:
        print_note("note", note)


def _print_devices(devices: tuple[DeviceTime, ...]) -> None:
    """Prints what devices measured of the student before, and what that lets one expect."""
    if not devices:
        return
    columns = ("device", "bundle", "p50 ms measured", "FPS measured", "p50 ms expected")
    rows = [
        (
            f"{found.device}, {found.os}, {found.compute_units}",
            found.bundle,
            f"{found.p50_ms:.4g}",
            "-" if found.fps is None else f"{found.fps:.3g}",
            "-" if found.expected_ms is None else f"about {found.expected_ms:.3g}",
        )
        for found in devices
    ]
    print_table(columns, rows)
    print_note("measured", "of the student before compression, by the device itself")
    click.echo()
