"""`mnelf train`."""

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
from mobile_nelf.cli._printing import plain, print_fields, print_json
from mobile_nelf.cli._progress import (
    RunReport,
    length_text,
    run_report,
    student_data,
    student_fields,
    student_stages,
    watched,
)
from mobile_nelf.cli._training import backend_option, student_options
from mobile_nelf.cli.commands.eval import print_evaluation

if TYPE_CHECKING:
    from mobile_nelf.capturing.beside import Verdict
    from mobile_nelf.teachers.files import TrainedTeacher
    from mobile_nelf.training.pipeline import TrainedScene
    from mobile_nelf.training.plan import PlannedScene
    from mobile_nelf.training.teacher.make import MadeTeacher

__all__ = ["command"]


@click.command(
    "train",
    epilog=examples(
        "mnelf train examples/mic -o mic.pt",
        "mnelf train examples/mic -o mic.pt --minutes 30",
        "mnelf train photos -o mug.pt                  photos of a phone, captured first",
        "mnelf train photos -o mug.pt --object         the object in their middle alone",
        "mnelf train lego -o lego.pt --preset base --half",
        "mnelf train lego -o lego.pt --view",
        "torchrun --nproc-per-node 4 --no-python mnelf train lego -o lego.pt --preset base",
    ),
)
@click.argument("scene", type=path_type)
@click.option("-o", "--output", type=path_type, required=True, help="Checkpoint to write.")
@click.option(
    "--teacher-steps",
    type=click.IntRange(min=1),
    help="Teacher training steps. Default: set by the preset.",
)
@backend_option
@student_options
@mask_options
@click.option("--view", is_flag=True, help="Show the training in the browser while it runs.")
@force_option
@common_options
def command(
    scene: Path,
    output: Path,
    teacher_steps: int | None,
    backend: Any,
    device: Any,
    masks: Path | None,
    object: bool,
    turntable: bool,
    background: Path | None,
    view: bool,
    force: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Train a teacher and a student from photos.

    Trains a teacher, then the student on views that the teacher renders meanwhile, then the student
    on the photos, and judges it on the test views. Of photos without cameras, or of a video, a
    scene is captured first, see `mnelf capture`, of which --masks, --object, --turntable and
    --background are; where its checks fail, nothing is trained. An interrupted run resumes when
    the command is repeated. Under torchrun all processes train the student. With --view a page
    shows the network as it is and its PSNR; the pictures take part of the training's time.
    """
    from mobile_nelf.capturing.beside import (
        capture_options,
        captured_beside,
        needs_capture,
        scene_folder,
    )
    from mobile_nelf.runs import check_writable
    from mobile_nelf.training.pipeline import train_scene
    from mobile_nelf.training.plan import StudentChoices, plan_scene

    check_writable(output, [scene, *filter(None, [chosen["initial"]])])
    options = capture_options(scene, masks, object, turntable, background)
    if needs_capture(scene):
        opening = f"{scene}: has no cameras; a scene is captured first, as {scene_folder(output)}"
        with run_report(scene_folder(output), [opening]) as report:
            scene = captured_beside(
                scene,
                output,
                options,
                on_progress=report.on_progress,
                on_verdict=lambda verdict: _say_verdict(verdict, report),
            )
    choices = StudentChoices(**chosen)
    plan = plan_scene(scene, choices, teacher_steps=teacher_steps, backend=backend, device=device)
    with (
        run_report(output, _opening(scene, plan), _stages(plan)) as report,
        watched(report, plan.scene, output.stem, view) as (on_step, on_fit),
    ):
        trained = train_scene(
            plan.scene,
            plan.teacher,
            plan.student,
            output,
            initial=plan.initial,
            device=device,
            force=force,
            on_step=on_step,
            on_teacher=lambda teacher, made: report.say(_teacher_text(teacher, made)),
            on_fit=on_fit,
            on_progress=report.on_progress,
        )
    if trained is not None:
        _print(trained, plan, as_json)


def _say_verdict(verdict: Verdict, report: RunReport) -> None:
    report.say(
        f"{verdict.path}: {verdict.registered} of {verdict.given} photos have a pose; look at "
        f"{verdict.page}"
    )
    for finding in verdict.findings:
        report.say(f"{finding.level}: {plain(finding.text)}; {finding.advice}")


def _opening(scene: Path, plan: PlannedScene) -> list[str]:
    return [
        *plan.scene.notices,
        f"{scene}: a teacher ({plan.teacher.backend}), then student {plan.student.student.name} on "
        "what it renders",
    ]


def _stages(plan: PlannedScene) -> dict[str, str]:
    photos = len(plan.scene.train)
    return {
        "teacher": f"teacher: {length_text(plan.teacher)} on {photos} photos",
        **student_stages(plan.student),
    }


def _print(trained: TrainedScene, plan: PlannedScene, as_json: bool) -> None:
    if as_json:
        from mobile_nelf.plain import to_dict

        print_json(
            {
                "path": str(trained.path),
                "teacher": {
                    "path": str(trained.teacher_path),
                    "config": to_dict(plan.teacher),
                    "metrics": trained.teacher.metrics,
                },
                **student_data(trained.student, plan.student),
            }
        )
    else:
        text = f"{trained.teacher_path}{_psnr_text(trained.teacher)}"
        print_fields({"teacher": text, **student_fields(trained.student)})
        click.echo()
        print_evaluation(trained.evaluation)


def _teacher_text(trained: TrainedTeacher, made: MadeTeacher | None) -> str:
    origin = "reused from the last run" if made is None else f"{made.view_seconds:.3g} s a view"
    return f"teacher: {origin}{_psnr_text(trained)}"


def _psnr_text(trained: TrainedTeacher) -> str:
    psnr_db = trained.metrics.get("test_psnr_db")
    return "" if psnr_db is None else f", {psnr_db:.2f} dB on the test views"
