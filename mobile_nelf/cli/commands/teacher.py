"""`mnelf teacher`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobile_nelf.cli._options import common_options, examples, force_option, path_type
from mobile_nelf.cli._printing import print_fields, print_json, size_text
from mobile_nelf.cli._progress import length_text, run_report
from mobile_nelf.cli._training import (
    backend_option,
    device_option,
    minutes_option,
    preset_option,
    seed_option,
)
from mobile_nelf.cli.commands.eval import print_evaluation
from mobile_nelf.text import command_line

if TYPE_CHECKING:
    from mobile_nelf.scenes import Scene
    from mobile_nelf.training.teacher.make import MadeTeacher

__all__ = ["command"]


@click.command(
    "teacher",
    epilog=examples(
        "mnelf teacher examples/mic -o mic-teacher.pt",
        "mnelf teacher examples/mic -o mic-teacher.pt --minutes 10",
    ),
)
@click.argument("scene", type=path_type)
@click.option("-o", "--output", type=path_type, required=True, help="Teacher file to write.")
@preset_option
@click.option(
    "--steps", type=click.IntRange(min=1), help="Training steps. Default: set by the preset."
)
@minutes_option
@backend_option
@seed_option
@device_option
@force_option
@common_options
def command(
    scene: Path,
    output: Path,
    preset: str,
    steps: int | None,
    minutes: float | None,
    backend: Any,
    seed: int,
    device: Any,
    force: bool,
    as_json: bool,
) -> None:
    """Train a teacher: a radiance field that renders views for students.

    An interrupted run resumes when the command is repeated.
    """
    from mobile_nelf.runs import check_writable
    from mobile_nelf.training.plan import read_photos, teacher_config
    from mobile_nelf.training.teacher.make import make_teacher

    check_writable(output, [scene])
    photos = read_photos(scene)
    config = teacher_config(preset, steps, backend, device, seed, minutes=minutes)
    opening = [*photos.notices, f"{scene}: teacher on back-end {config.backend}"]
    stages = {"teacher": f"teacher: {length_text(config)} on {len(photos.train)} photos"}
    with run_report(output, opening, stages) as report:
        made = make_teacher(
            photos,
            config,
            output,
            device=device,
            force=force,
            on_step=report.on_step,
            on_progress=report.on_progress,
        )
    if made is not None:
        _print(made, scene, photos, as_json)


def _print(made: MadeTeacher, path: Path, photos: Scene, as_json: bool) -> None:
    if as_json:
        from mobile_nelf.plain import to_dict

        print_json(
            {
                "path": str(made.path),
                "teacher": to_dict(made.trained.teacher.config),
                "evaluation": made.evaluation and to_dict(made.evaluation),
                "view_seconds": made.view_seconds,
            }
        )
        return
    lens = photos.train[0].camera.intrinsics
    print_fields(
        {
            "teacher": f"{made.path}, {size_text(made.path.stat().st_size)}",
            "back-end": made.trained.teacher.config.backend,
            "rendering": f"{made.view_seconds:.3g} s a view of {lens.width}×{lens.height}",
            "next": command_line("student {} -o student.pt --teacher {}", path, made.path),
        }
    )
    click.echo()
    print_evaluation(made.evaluation)
