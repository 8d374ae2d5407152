"""`mnelf student`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobile_nelf.cli._options import common_options, examples, force_option, path_type
from mobile_nelf.cli._printing import print_fields, print_json
from mobile_nelf.cli._progress import run_report, student_fields, student_stages
from mobile_nelf.cli._training import StudentChoices, read_photos, student_options
from mobile_nelf.cli.commands.eval import print_evaluation

if TYPE_CHECKING:
    from mobile_nelf.training.views.sources import ViewSource

__all__ = ["command"]


@click.command(
    "student",
    epilog=examples(
        "mnelf student examples/mic -o mic.pt --teacher mic-teacher.pt",
        "mnelf student examples/mic -o mic.pt --views mic-views --preset tiny",
        "mnelf student examples/mic -o mic.pt        from the photos alone",
    ),
)
@click.argument("scene", type=path_type)
@click.option("-o", "--output", type=path_type, required=True, help="The checkpoint to write.")
@click.option("--teacher", type=path_type, help="Renders the views to learn from.")
@click.option(
    "--views",
    type=path_type,
    help="Views to learn from: a set of `mnelf distill`, or a `.npy` set of MobileR2L.",
)
@student_options
@force_option
@common_options
def command(
    scene: Path,
    output: Path,
    teacher: Path | None,
    views: Path | None,
    device: Any,
    force: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Train a student on the views of a teacher, or on photos alone.

    With a teacher or its views, a last stage trains on the photos of the scene; without, the photos
    are all there is, and the quality stays modest. After an interruption the same command goes on
    from the state beside the output.
    """
    from mobile_nelf.teachers.files import load_teacher
    from mobile_nelf.training.ranks import launched
    from mobile_nelf.training.student.make import train_student
    from mobile_nelf.training.views.pseudo_set import pseudo_views, read_pseudo_set
    from mobile_nelf.training.views.sources import PhotoViews

    choices = StudentChoices(**chosen)
    distilled = teacher is not None or views is not None
    if teacher is not None and views is not None:
        raise click.UsageError(
            "--teacher and --views exclude each other", click.get_current_context()
        )
    if not distilled and (choices.no_photo_stage or choices.photo_steps is not None):
        raise click.UsageError(
            "without --teacher or --views there is no stage on the photos after another",
            click.get_current_context(),
        )
    initial = choices.load_initial()
    with launched(device) as ranks:
        photos = read_photos(scene, choices.scale(initial))
        plan = choices.plan(photos, initial, distilled=distilled)
        source: ViewSource | None = None
        if teacher is not None:
            trained_teacher = load_teacher(teacher, ranks.device)
            source = pseudo_views(trained_teacher, photos, choices.seed)
        elif views is not None:
            at_hand = replace(photos, train=read_pseudo_set(views), test=())
            source = PhotoViews(at_hand.cropped(plan.student.scale).train)
        origin = f"views of {teacher}" if teacher else str(views or "the photos")
        opening = [*photos.notices, f"{scene}: student {plan.student.name} on {origin}"]
        with run_report(output, opening, student_stages(plan)) as report:
            trained = train_student(
                photos,
                plan,
                output,
                source=source,
                initial=initial,
                device=device,
                force=force,
                on_fit=report.on_fit,
                on_progress=report.on_progress,
            )
    if trained is None:
        return
    if as_json:
        from mobile_nelf.plain import to_dict

        print_json(
            {
                "path": str(output),
                **to_dict(plan),
                "evaluation": trained.evaluation and to_dict(trained.evaluation),
            }
        )
    else:
        print_fields(student_fields(trained))
        click.echo()
        print_evaluation(trained.evaluation)
