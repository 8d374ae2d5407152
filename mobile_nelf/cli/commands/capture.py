"""`mnelf capture`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobile_nelf.cli._options import (
    common_options,
    examples,
    force_option,
    mask_options,
    path_type,
)
from mobile_nelf.cli._printing import plain, print_fields, print_json, print_note
from mobile_nelf.cli._progress import run_report
from mobile_nelf.text import command_line

if TYPE_CHECKING:
    from mobile_nelf.capturing.run import Captured

__all__ = ["command", "print_findings"]


@click.command(
    "capture",
    epilog=examples(
        "mnelf capture photos -o mug",
        "mnelf capture walk.mov -o mug --frames 150",
        "mnelf capture photos -o mug --object",
        "mnelf capture photos -o mug --turntable --background empty.jpg",
        "mnelf capture polycam-raw -o mug --refine",
        "mnelf capture --print-board board.pdf",
        "mnelf train mug -o mug.pt",
    ),
)
@click.argument("inputs", type=path_type, nargs=-1, metavar="PHOTOS_OR_VIDEO...")
@click.option("-o", "--output", type=path_type, help="Folder of the scene to write.")
@click.option(
    "--size",
    type=int,
    default=1600,
    show_default=True,
    help="Longer side of the scene's images in pixels; smaller photos keep their size.",
)
@click.option(
    "--frames",
    type=int,
    default=120,
    show_default=True,
    help="Frames to choose from videos, sharp ones at steps of equal motion.",
)
@mask_options
@click.option(
    "--refine",
    is_flag=True,
    help="Start from the poses that came with the photos: Polycam's raw data, Record3D (.r3d), or "
    "transforms.json of any app.",
)
@click.option(
    "--print-board",
    type=path_type,
    metavar="FILE.pdf",
    help="Write the board to print and lay under the object, and do nothing else. Photos that show "
    "it give the true size and which way is up.",
)
@click.option(
    "--square-mm",
    type=float,
    default=30.0,
    show_default=True,
    metavar="MM",
    help="Side of a square of the printed board, if the printer scaled it.",
)
@click.option(
    "--threads",
    type=int,
    help="Threads of structure from motion. Default: all processors. 1 gives the same scene each "
    "time.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything random.")
@force_option
@common_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    inputs: tuple[Path, ...],
    output: Path | None,
    print_board: Path | None,
    force: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Make a scene of photos or a video, and check it.

    Finds out where photos were taken from, undistorts them to one size and checks whether
    training on them can succeed. Photos are JPEG, PNG, HEIC, WebP or TIFF. Exits with 1 if fewer
    than 80 % of the photos have a pose; the scene is written then too. An interrupted run
    resumes when the command is repeated.
    """
    if print_board is not None:
        _print_board(ctx, print_board, inputs, output, force, as_json)
        return
    for name, value in (("inputs", inputs), ("output", output)):
        if not value:
            parameters = {parameter.name: parameter for parameter in ctx.command.params}
            raise click.MissingParameter(ctx=ctx, param=parameters[name])
    assert output is not None
    from mobile_nelf.capturing.run import capture

    given = ", ".join(map(str, inputs))
    with run_report(output, [f"{given}: a scene, as {output}"]) as report:
        captured = capture(inputs, output, force=force, on_progress=report.on_progress, **chosen)
    if as_json:
        from mobile_nelf.parsing import read_json

        content = read_json(output / "capture.json")
        del content["schema"]
        print_json({"path": str(output), **content})
    else:
        print_captured(captured)
    if not captured.passed:
        raise click.exceptions.Exit(1)


def _print_board(
    ctx: click.Context,
    path: Path,
    inputs: tuple[Path, ...],
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    if inputs or output is not None:
        raise click.UsageError(
            "--print-board writes the board and nothing else; capture photos with a second command",
            ctx,
        )
    from mobile_nelf.capturing.board import print_board

    written = print_board(path, force=force)
    if as_json:
        print_json({"path": str(written)})
    else:
        print_fields(
            {
                "board": str(written),
                "next": "print it on A4 or Letter at 100 %, and lay it flat under the object",
            }
        )


def print_captured(captured: Captured) -> None:
    """Prints what a capture found."""
    tries = [f"{attempt.what}: {attempt.registered} photos" for attempt in captured.tries]
    width, height = captured.scene.train[0].size
    print_fields(
        {
            "scene": str(captured.path),
            "photos": f"{captured.registered} of {captured.given} have a pose",
            "tries": "; ".join(tries) if len(tries) > 1 else "",
            "image": f"{width}×{height}",
            "points": f"{captured.points:,}, {captured.reprojection:.2f} pixels off on average",
            "true size": _size_text(captured),
            "time": f"{captured.seconds:.0f} s",
            "look at": str(captured.path / "capture.html"),
            "next": command_line("train {} -o {}", captured.path, f"{captured.path.name}.pt")
            if captured.passed
            else "",
        }
    )
    print_findings(captured)


def _size_text(captured: Captured) -> str:
    board = captured.board
    if board is not None and board.fits:
        return f"known by the board in {board.photos} photos"
    known = captured.scene.metres_per_unit is not None
    return "known by the poses that came with the photos" if known else ""


def print_findings(captured: Captured) -> None:
    """Prints a line for each finding, with what to do next."""
    for finding in captured.findings:
        print_note(finding.level, f"{plain(finding.text)}; {finding.advice}")
