"""`mnelf eval`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobile_nelf.cli._options import (
    camera_options,
    common_options,
    examples,
    force_option,
    lens_options,
    path_type,
)
from mobile_nelf.cli._printing import print_fields, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from mobile_nelf.evaluation import Evaluation

__all__ = ["command", "print_evaluation"]


@click.command(
    "eval",
    epilog=examples(
        "mnelf eval mic.pt examples/mic",
        "mnelf eval mic-teacher.pt examples/mic",
        "mnelf eval splat.spz examples/mic",
        "mnelf eval mic.pt examples/mic --worst 5 --picture worst.png",
    ),
)
@click.argument("checkpoint", type=path_type, metavar="CHECKPOINT_TEACHER_OR_SPLATS")
@click.argument("scene", type=path_type)
@click.option(
    "--worst",
    type=click.IntRange(min=1),
    help="Number of views to list and to draw, the worst first.  [default: 1, with --picture 5]",
)
@click.option(
    "--picture",
    type=path_type,
    help="PNG file to draw the worst views into: photo, render and error side by side.",
)
@click.option(
    "--teacher",
    type=path_type,
    help="Teacher to compare the steadiness of a turn around the object with.",
)
@force_option
@lens_options
@common_options
def command(
    checkpoint: Path,
    scene: Path,
    worst: int | None,
    picture: Path | None,
    teacher: Path | None,
    force: bool,
    camera: tuple[float, ...] | None,
    trained_activation: Any,
    as_json: bool,
) -> None:
    """Evaluate a checkpoint, a teacher or splats on the test views of a scene.

    PSNR, SSIM and FLIP of each view on white, then their means, over all test views at hand and
    over every eighth, the subset of the research code. Object dB is the PSNR over the pixels of the
    object alone, where the photos have alpha. Splats are files as `mnelf export` writes them (.ply,
    .spz), drawn on the CPU.
    """
    from mobile_nelf.evaluation import evaluate

    listed = worst or (5 if picture else 1)

    with progress_bar() as on_progress:
        result = evaluate(
            checkpoint,
            scene,
            on_progress,
            camera=camera_options(camera),
            trained_activation=trained_activation,
            picture=picture,
            worst=listed,
            teacher=teacher,
            force=force,
        )
    if as_json:
        from mobile_nelf.plain import to_dict

        own = {"checkpoint": str(checkpoint), "worst": result.worst(listed)}
        print_json({**own, "picture": picture and str(picture), **to_dict(result)})
    else:
        print_evaluation(result, listed, picture)


def print_evaluation(
    result: Evaluation | None, worst: int = 1, picture: Path | None = None
) -> None:
    """Prints the means, what they are means of, and the worst views.

    Args:
        result: None for a scene without test views.
        worst: how many views are named; from two on in a table of their own.
        picture: file in which they are drawn.
    """
    from mobile_nelf.evaluation import MEANS

    if result is None:
        click.echo("not measured: the scene has no test views")
        return
    names = result.worst(worst)
    print_table(MEANS, result.mean_rows(), right=len(MEANS) - 1)
    click.echo()
    if worst > 1:
        rows = [(name, *result.views[name].cells()) for name in names]
        print_table(("worst views", *MEANS[2:]), rows, right=len(MEANS) - 2)
        click.echo()
    steady = result.steadiness
    print_fields(
        {
            "protocol": f"{result.protocol}, {result.width}×{result.height}",
            "object dB": "" if result.object_protocol is None else result.object_protocol,
            "subsets": result.note,
            "worst view": ""
            if worst > 1
            else f"{names[0]}, {result.views[names[0]].psnr_db:.2f} dB",
            "picture": "" if picture is None else str(picture),
            "steadiness": "" if steady is None else steady.text,
            "not measured": "; ".join(result.not_measured),
        }
    )
