"""`mnelf student`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobile_nelf.cli._options import common_options, examples, force_option, path_type
from mobile_nelf.cli._printing import print_fields, print_json
from mobile_nelf.cli._progress import run_report, student_data, student_fields, student_stages
from mobile_nelf.cli._training import student_options
from mobile_nelf.cli.commands.eval import print_evaluation

if TYPE_CHECKING:
    from mobile_nelf.training.student.make import StudentPlan, TrainedStudent

__all__ = ["command"]


@click.command(
    "student",
    epilog=examples(
        "mnelf student examples/mic -o mic.pt --teacher mic-teacher.pt",
        "mnelf student examples/mic -o mic.pt --views mic-views --preset tiny --minutes 20",
        "mnelf student examples/mic -o mic.pt        from the photos alone",
    ),
)
@click.argument("scene", type=path_type)
@click.option("-o", "--output", type=path_type, required=True, help="Checkpoint to write.")
@click.option("--teacher", type=path_type, help="Teacher that renders the views to learn from.")
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
    """Train a student on the views of a teacher, or on photos only.

    With a teacher or its views, a last stage trains on the photos of the scene; without, the photos
    are all there is, and the quality stays modest. An interrupted run resumes when the command is
    repeated.
    """
    from mobile_nelf.runs import check_writable
    from mobile_nelf.training.plan import StudentChoices, plan_student
    from mobile_nelf.training.student.make import train_student

    check_writable(output, [scene, *filter(None, [teacher, views, chosen["initial"]])])
    choices = StudentChoices(**chosen)
    plan = plan_student(scene, choices, teacher=teacher, views=views, device=device)
    origin = f"views of {teacher}" if teacher else str(views or "the photos")
    opening = [*plan.scene.notices, f"{scene}: student {plan.student.student.name} on {origin}"]
    with run_report(output, opening, student_stages(plan.student)) as report:
        trained = train_student(
            plan.scene,
            plan.student,
            output,
            source=plan.source,
            initial=plan.initial,
            device=device,
            force=force,
            on_fit=report.on_fit,
            on_progress=report.on_progress,
        )
    if trained is not None:
        _print(trained, plan.student, as_json)


def _print(trained: TrainedStudent, plan: StudentPlan, as_json: bool) -> None:
    if as_json:
        print_json({"path": str(trained.path), **student_data(trained, plan)})
    else:
        print_fields(student_fields(trained))
        click.echo()
        print_evaluation(trained.evaluation)
