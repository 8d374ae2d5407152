"""`mnelf eval`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobile_nelf.cli._options import common_options, examples, lens_options, load, path_type
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
    """Measure a checkpoint or a teacher on the test views of a scene.

    PSNR, SSIM and FLIP of each view on white, then their means, over all test views at hand and
    over every eighth, the subset of the research code.
    """
    from mobile_nelf.evaluation import evaluate, evaluate_teacher
    from mobile_nelf.scenes import read_scene
    from mobile_nelf.teachers.files import load_teacher
    from mobile_nelf.training.ranks import launched

    if _is_teacher(checkpoint):
        with launched("auto") as ranks:
            teacher = load_teacher(checkpoint, ranks.device).teacher
        photos = read_scene(scene)
        with progress_bar() as on_progress:
            result = evaluate_teacher(teacher, photos, on_progress)
    else:
        trained = load(checkpoint, camera, trained_activation)
        photos = read_scene(scene).cropped(trained.student.scale)
        with progress_bar() as on_progress:
            result = evaluate(trained, photos, on_progress)
    if as_json:
        from mobile_nelf.plain import to_dict

        print_json({"checkpoint": str(checkpoint), **to_dict(result)})
    else:
        print_evaluation(result)


def _is_teacher(path: Path) -> bool:
    """Whether a file says of itself that it is a teacher; what else it is, its reader tells."""
    from mobile_nelf.checkpoints.native import TEACHER_FORMAT
    from mobile_nelf.checkpoints.safe import read_file

    content = read_file(path)
    return isinstance(content, dict) and content.get("format") == TEACHER_FORMAT


def print_evaluation(result: Evaluation | None) -> None:
    """Prints the means and what they are means of."""
    if result is None:
        click.echo("not measured: the scene has no test views")
        return
    worst = min(result.views, key=lambda name: result.views[name].psnr_db)
    print_table(
        ("subset", "views", "PSNR dB", "SSIM", "FLIP"),
        [
            (
                name,
                str(subset.views),
                f"{subset.mean.psnr_db:.2f}",
                f"{subset.mean.ssim:.4f}",
                f"{subset.mean.flip:.4f}",
            )
            for name, subset in result.subsets.items()
        ],
        right=4,
    )
    click.echo()
    print_fields(
        {
            "protocol": f"{result.protocol}, {result.width}×{result.height}",
            "subsets": result.note,
            "worst view": f"{worst}, {result.views[worst].psnr_db:.2f} dB",
            "not measured": "; ".join(result.not_measured),
        }
    )
