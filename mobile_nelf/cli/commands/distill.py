"""`mnelf distill`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobile_nelf.cli._options import common_options, examples, force_option, path_type
from mobile_nelf.cli._printing import print_fields, print_json, size_text
from mobile_nelf.cli._progress import run_report
from mobile_nelf.cli._training import device_option, seed_option
from mobile_nelf.text import command_line

if TYPE_CHECKING:
    from mobile_nelf.scenes import Scene

__all__ = ["command"]


@click.command(
    "distill",
    epilog=examples("mnelf distill mic-teacher.pt examples/mic -o mic-views --views 1000"),
)
@click.argument("teacher", type=path_type)
@click.argument("scene", type=path_type)
@click.option("-o", "--output", type=path_type, required=True, help="Folder to write.")
@click.option(
    "--views", type=click.IntRange(min=1), required=True, help="Number of views to render."
)
@click.option(
    "--quality",
    type=click.IntRange(1, 100),
    default=90,
    show_default=True,
    help="Quality of the WebP images; 100 is lossless. Opacity is always lossless.",
)
@seed_option
@device_option
@force_option
@common_options
def command(
    teacher: Path,
    scene: Path,
    output: Path,
    views: int,
    quality: int,
    seed: int,
    device: Any,
    force: bool,
    as_json: bool,
) -> None:
    """Render the views of a teacher to disk, as images and cameras.

    Students need no such set, they take their views from the teacher while they train; it is for
    other programs, and to train many students. An interrupted run resumes when the
    command is repeated.
    """
    from mobile_nelf.compute import compute_device
    from mobile_nelf.outputs import refuse_inputs
    from mobile_nelf.teachers.files import load_teacher
    from mobile_nelf.training.plan import read_photos
    from mobile_nelf.training.views.pseudo_set import PseudoSetConfig, write_pseudo_set

    refuse_inputs(output, [teacher, scene])
    trained = load_teacher(teacher, compute_device(device))
    photos = read_photos(scene)
    opening = [*photos.notices, f"{scene}: {views:,} views of {teacher}"]
    with run_report(output, opening) as report:
        write_pseudo_set(
            trained,
            photos,
            PseudoSetConfig(views, quality, seed),
            output,
            force=force,
            on_progress=report.on_progress,
        )
    _print(output, scene, photos, views, as_json)


def _print(output: Path, scene: Path, photos: Scene, views: int, as_json: bool) -> None:
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    if as_json:
        print_json({"path": str(output), "views": views, "bytes": size})
        return
    lens = photos.train[0].camera.intrinsics
    print_fields(
        {
            "pseudo set": f"{output}, {views} views of {lens.width}×{lens.height}, "
            f"{size_text(size)}",
            "next": command_line("student {} -o student.pt --views {}", scene, output),
        }
    )
