"""How the commands that train tell what they do and what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from mobile_nelf.cli._printing import Report, plain, progress_bar, size_text
from mobile_nelf.cli._progress_lines import pace_text
from mobile_nelf.text import command_line

if TYPE_CHECKING:
    from mobile_nelf.scenes import Scene
    from mobile_nelf.teachers.config import TeacherConfig
    from mobile_nelf.training.config import FitConfig
    from mobile_nelf.training.length import StepPlan
    from mobile_nelf.training.student.make import StudentPlan, TrainedStudent
    from mobile_nelf.training.student.stage import FitProgress
    from mobile_nelf.training.teacher.fit import TeacherProgress

__all__ = [
    "RunReport",
    "length_text",
    "run_report",
    "student_data",
    "student_fields",
    "student_stages",
    "watched",
]


def length_text(config: FitConfig | TeacherConfig) -> str:
    """Returns how long a stage is, as it was asked for."""
    if config.minutes is None:
        return f"{config.steps:,} steps"
    return f"{config.minutes:.3g} minutes"


def student_stages(plan: StudentPlan) -> dict[str, str]:
    """Returns what the stages of a student do, by name."""
    stages = {"train": f"student: {length_text(plan.fit)}"}
    if plan.prune_to is not None:
        stages["train"] += f", then cut to {plan.prune_to:.0%} of its parameters"
    if plan.photo_stage is not None:
        length = length_text(plan.photo_stage.fit)
        stages["photos"] = f"photos: up to {length}, while it gains on photos held out"
    return stages


class RunReport:
    """Tells on stderr what a run does: lines at its start and at each stage, and a bar."""

    def __init__(self, show: Report, opening: Sequence[str], stages: Mapping[str, str]) -> None:
        """Says nothing yet; the opening comes with the first sign of work.

        Args:
            show: moves the bar.
            opening: lines about the run.
            stages: what each stage does, by its name and in their order.
        """
        self._show = show
        self._opening = list(opening)
        self._planned: set[str] = set()
        self._stages = {
            name: text if len(stages) == 1 else f"{number}/{len(stages)} {text}"
            for number, (name, text) in enumerate(stages.items(), start=1)
        }

    def on_step(self, progress: TeacherProgress) -> None:
        """Shows a step of the teacher."""
        self._step("teacher", progress.step, progress.steps, progress.psnr_db, progress.plan)

    def on_fit(self, progress: FitProgress) -> None:
        """Shows a step of the student."""
        self._step(progress.stage, progress.step, progress.steps, progress.psnr_db, progress.plan)

    def on_progress(self, stage: str, done: int, total: int) -> None:
        """Shows views that are rendered or evaluated."""
        if stage == "evaluate" and done == 0:
            self.say(f"evaluating {total} test views")
        self._open()
        self._show(stage, done, total)

    def say(self, line: str) -> None:
        """Prints a line."""
        self._open()
        click.echo(line, err=True)

    def _step(
        self, stage: str, step: int, steps: int, psnr_db: float, plan: StepPlan | None
    ) -> None:
        if stage in self._stages:
            resumed = f", resumed after step {step - 1:,}" if step > 1 else ""
            self.say(self._stages.pop(stage) + resumed)
        if plan is not None and stage not in self._planned:
            self._planned.add(stage)
            self.say(f"{stage}: {plan.steps:,} steps, {pace_text(plan.seconds_a_step)} measured")
        self._show(stage, step, steps, f"{psnr_db:.1f} dB")

    def _open(self) -> None:
        for line in self._opening:
            click.echo(plain(line), err=True)
        self._opening.clear()


class _Silence(RunReport):
    """For a process that another one speaks for."""

    def on_progress(self, stage: str, done: int, total: int) -> None:
        """Says nothing; of all else only the main process hears."""


@contextmanager
def run_report(
    output: Path, opening: Sequence[str], stages: Mapping[str, str] = MappingProxyType({})
) -> Iterator[RunReport]:
    """Yields a report; an interruption then says how to resume the run of `output`."""
    from mobile_nelf.runs import run_folder

    folder = run_folder(output)
    again = f"repeat the command to resume from {folder}"
    # Of the processes that torchrun starts, the first one speaks.
    speaks = os.environ.get("RANK", "0") == "0"
    try:
        with progress_bar() as show:
            report = RunReport if speaks else _Silence
            yield report(show, [*opening, f"if interrupted, {again}"], stages)
    except KeyboardInterrupt:
        raise click.exceptions.Abort(again if folder.exists() else "") from None


@contextmanager
def watched(
    report: RunReport, scene: Scene, name: str, wanted: bool
) -> Iterator[tuple[Callable[[TeacherProgress], None], Callable[[FitProgress], None]]]:
    """Yields whom a training tells of its steps: the report, and a page if that is wanted."""
    if not wanted or isinstance(report, _Silence):
        yield report.on_step, report.on_fit
        return
    import webbrowser

    from mobile_nelf.viewing import Server, TrainingView

    view = TrainingView(scene, name, on_step=report.on_step, on_fit=report.on_fit)
    with Server(view.shown) as server:
        server.start()
        report.say(f"watch it at {server.url}")
        webbrowser.open(server.url)
        yield view.on_step, view.on_fit


def student_data(trained: TrainedStudent, plan: StudentPlan) -> dict[str, Any]:
    """Returns what a finished student is, for `print_json`."""
    from mobile_nelf.plain import to_dict

    stages = {"train": trained.train, "photos": trained.photos}
    names = ("steps", "views", "start_psnr_db", "photo_psnr_db")
    return {
        **to_dict(plan),
        # What was written: narrower than planned if it was pruned.
        "student": to_dict(trained.checkpoint.student),
        "stages": {
            stage: {name: getattr(result, name) for name in names}
            for stage, result in stages.items()
            if result is not None
        },
        "evaluation": trained.evaluation and to_dict(trained.evaluation),
    }


def student_fields(trained: TrainedStudent) -> dict[str, str]:
    """Returns what a finished student is, for `print_fields`."""
    fields = {
        "checkpoint": f"{trained.path}, {size_text(trained.path.stat().st_size)}",
        "trained": f"{trained.train.steps:,} steps on {trained.train.views:,} views",
    }
    student = trained.checkpoint.student
    if "prune_to" in trained.checkpoint.provenance:
        from mobile_nelf.pruning.widths import parameters, widths_text

        fields["pruned"] = f"{parameters(student):,} parameters, widths {widths_text(student)}"
    photos = trained.photos
    if photos is not None:
        fields["photo stage"] = (
            f"{photos.steps:,} steps; photos held out {photos.start_psnr_db:.2f} dB before, "
            f"{photos.photo_psnr_db:.2f} dB after"
        )
    return {**fields, "next": command_line("bundle {} --target lens", trained.path)}
