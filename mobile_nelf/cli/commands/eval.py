"""`mnelf eval`."""

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
from mobile_nelf.cli._printing import print_fields, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from mobile_nelf.evaluation import Evaluation

__all__ = ["command", "print_evaluation"]


@click.command(
    "eval",
    epilog=examples("mnelf eval mic.pt examples/mic", "mnelf eval mic-teacher.pt examples/mic"),
)
@click.argument("checkpoint", type=path_type, metavar="CHECKPOINT_OR_TEACHER")
@click.argument("scene", type=path_type)
@lens_options
@common_options
def command(
    checkpoint: Path,
    scene: Path,
    camera: tuple[float, ...] | None,
    trained_activation: Any,
    as_json: bool,
) -> None:
    """Evaluate a checkpoint or a teacher on the test views of a scene.

    PSNR, SSIM and FLIP of each view on white, then their means, over all test views at hand and
    over every eighth, the subset of the research code.
    """
    from mobile_nelf.evaluation import evaluate

    with progress_bar() as on_progress:
        result = evaluate(
            checkpoint,
            scene,
            on_progress,
            camera=camera_options(camera),
            trained_activation=trained_activation,
        )
    if as_json:
        from mobile_nelf.plain import to_dict

        print_json({"checkpoint": str(checkpoint), **to_dict(result)})
    else:
        print_evaluation(result)


def print_evaluation(result: Evaluation | None) -> None:
    """Prints the means and what they are means of."""
    from mobile_nelf.evaluation import MEANS

    if result is None:
        click.echo("not measured: the scene has no test views")
        return
    worst = min(result.views, key=lambda name: result.views[name].psnr_db)
    print_table(MEANS, result.mean_rows(), right=len(MEANS) - 1)
    click.echo()
    print_fields(
        {
            "protocol": f"{result.protocol}, {result.width}×{result.height}",
            "subsets": result.note,
            "worst view": f"{worst}, {result.views[worst].psnr_db:.2f} dB",
            "not measured": "; ".join(result.not_measured),
        }
    )
