"""`mnelf train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobile_nelf.cli._options import common_options, examples, force_option, path_type
from mobile_nelf.cli._printing import print_fields, print_json
from mobile_nelf.cli._progress import run_report, student_fields, student_stages
from mobile_nelf.cli._training import (
    StudentChoices,
    backend_option,
    read_photos,
    student_options,
    teacher_config,
)
from mobile_nelf.cli.commands.eval import print_evaluation

if TYPE_CHECKING:
    from mobile_nelf.teachers.files import TrainedTeacher
    from mobile_nelf.training.teacher.make import MadeTeacher

__all__ = ["command"]


@click.command(
    "train",
    epilog=examples(
        "mnelf train examples/mic -o mic.pt",
        "mnelf train lego -o lego.pt --preset base --half",
        "torchrun --nproc-per-node 4 --no-python mnelf train lego -o lego.pt --preset base",
    ),
)
@click.argument("scene", type=path_type)
@click.option("-o", "--output", type=path_type, required=True, help="The checkpoint to write.")
@click.option(
    "--teacher-steps", type=click.IntRange(min=1), help="Of the teacher. Default: the preset's."
)
@backend_option
@student_options
@force_option
@common_options
def command(
    scene: Path,
    output: Path,
    teacher_steps: int | None,
    backend: str,
    device: Any,
    force: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Train a student on photos through a teacher, in one go.

    Trains a teacher, then the student on views that the teacher renders meanwhile, then the student
    on the photos, and judges it on the test views. After an interruption at any moment the same
    command goes on. Under torchrun all processes train the student.
    """
    from mobile_nelf.training.pipeline import train_scene

    choices = StudentChoices(**chosen)
    initial = choices.load_initial()
    photos = read_photos(scene, choices.scale(initial))
    plan = choices.plan(photos, initial, distilled=True)
    config = teacher_config(choices.preset, teacher_steps, backend, device, choices.seed)
    opening = [
        *photos.notices,
        f"{scene}: a teacher ({config.backend}), then student {plan.student.name} on what it "
        "renders",
    ]
    stages = {
        "teacher": f"teacher: {config.steps:,} steps on {len(photos.train)} photos",
        **student_stages(plan),
    }
    with run_report(output, opening, stages) as report:

        def on_teacher(trained: TrainedTeacher, made: MadeTeacher | None) -> None:
            report.say(_teacher_text(trained, made))

        trained = train_scene(
            photos,
            config,
            plan,
            output,
            initial=initial,
            device=device,
            force=force,
            on_step=report.on_step,
            on_teacher=on_teacher,
            on_fit=report.on_fit,
            on_progress=report.on_progress,
        )
    if trained is None:
        return
    evaluation = trained.student.evaluation
    if as_json:
        from mobile_nelf.plain import to_dict

        print_json(
            {
                "path": str(output),
                "teacher": {
                    "path": str(trained.teacher_path),
                    "config": to_dict(config),
                    "metrics": trained.teacher.metrics,
                },
                **to_dict(plan),
                "evaluation": evaluation and to_dict(evaluation),
            }
        )
    else:
        text = f"{trained.teacher_path}{_psnr_text(trained.teacher)}"
        print_fields({"teacher": text, **student_fields(trained.student)})
        click.echo()
        print_evaluation(evaluation)


def _teacher_text(trained: TrainedTeacher, made: MadeTeacher | None) -> str:
    origin = "taken from the last run" if made is None else f"{made.view_seconds:.3g} s a view"
    return f"teacher: {origin}{_psnr_text(trained)}"


def _psnr_text(trained: TrainedTeacher) -> str:
    psnr_db = trained.metrics.get("test_psnr_db")
    return "" if psnr_db is None else f", {psnr_db:.2f} dB on the test views"
