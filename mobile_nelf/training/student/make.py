"""From views to a checkpoint on disk: train, judge, save, and only then drop the run's state."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from mobile_nelf._version import __version__
from mobile_nelf.checkpoints import load_checkpoint, save_checkpoint
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import InputError
from mobile_nelf.evaluation import PROTOCOL, Evaluation, evaluate, require_metrics
from mobile_nelf.plain import from_dict, to_dict
from mobile_nelf.progress import Progress, silent
from mobile_nelf.pruning.shrink import Pruning, check_prunable
from mobile_nelf.runs import (
    check_run_output,
    check_writable,
    config_path,
    finish_run,
    hold_run,
    open_run_folder,
    put_in_place,
    result_path,
    write_settings,
)
from mobile_nelf.scenes import Scene, View
from mobile_nelf.students import StudentConfig
from mobile_nelf.training.config import FitConfig, PhotoStageConfig
from mobile_nelf.training.ranks import launched
from mobile_nelf.training.student.fit import fit_stage
from mobile_nelf.training.student.stage import FitProgress, FitResult, Run, Stage
from mobile_nelf.training.views.sources import PhotoViews, ViewSource, check_size
from mobile_nelf.vocabulary import DeviceName

__all__ = ["StudentPlan", "TrainedStudent", "train_student"]

#: Names of the stages, which are those of their files and of the lines in the log.
TRAIN, PHOTOS = "train", "photos"

#: Every so many photos, one is measured where no photo stage says otherwise.
HOLD_OUT = 8

#: What the checkpoint itself tells of a stage.
KEPT_APART = ("student", "weights")


@dataclass(frozen=True)
class StudentPlan:
    """What to train and how.

    Attributes:
        student: the network.
        fit: the run on the views of a source or, without one, on the photos.
        photo_stage: the last stage on the real photos; None to leave it out.
        half: store the weights as float16; the metrics are those of the rounded weights.
        prune_to: share of the parameters that the first stage leaves; None for all.
    """

    student: StudentConfig
    fit: FitConfig
    photo_stage: PhotoStageConfig | None = None
    half: bool = False
    prune_to: float | None = None


@dataclass(frozen=True, eq=False)
class TrainedStudent:
    """A finished run.

    Attributes:
        path: the checkpoint on disk.
        checkpoint: what it holds.
        evaluation: its quality on the test views; None for a scene without any.
        train: what the first stage left.
        photos: what the photo stage left; None without one.
    """

    path: Path
    checkpoint: Checkpoint
    evaluation: Evaluation | None
    train: FitResult
    photos: FitResult | None

    def __repr__(self) -> str:
        """Returns file and student."""
        return f"TrainedStudent({self.path}, {self.checkpoint!r})"


def train_student(
    scene: Scene,
    plan: StudentPlan,
    output: Path,
    *,
    source: ViewSource | None = None,
    initial: Checkpoint | None = None,
    command: str = "mnelf student",
    device: DeviceName = "auto",
    force: bool = False,
    on_fit: Callable[[FitProgress], None] = lambda progress: None,
    on_progress: Progress = silent,
) -> TrainedStudent | None:
    """Trains a student and writes its checkpoint.

    An interrupted run resumes from the state in its folder beside `output`. At the end the
    state is deleted; log and sample frames stay there. Under `torchrun` every process calls this.

    Args:
        scene: the photos that the student is meant to reproduce.
        plan: what to train and how.
        output: the checkpoint to write; beside it goes a JSON file with all settings.
        source: pseudo views to learn from; None for the photos themselves.
        initial: a student to start from.
        command: what the provenance names as the origin.
        device: where to compute.
        force: replace an existing file.
        on_fit: called after each training step.
        on_progress: called with a stage's name, steps done and steps in all, while views are made
            and while the test views are judged.

    Returns:
        The finished run; None in all processes but the first.

    Raises:
        SceneError: the images do not have the size that the student renders.
        InputError: the state belongs to another run, or the plan contradicts itself.
        OutputError: `output` exists or cannot be written.
        TrainingError: the student collapsed to one colour, or left the finite numbers.
        MissingExtraError: the packages that judge the test views are not installed.
    """
    check_writable(output, [scene.path])
    photos = PhotoViews(scene.views("train"))
    check_size(str(scene.path), photos.size, plan.student)
    if scene.test:
        require_metrics()
    stages = _stages(scene, plan, source)
    if plan.prune_to is not None:
        check_prunable(plan.student, plan.prune_to)
        pruning = Pruning(plan.prune_to, scene.train[0].camera.intrinsics, scene.orbit)
        stages[0] = replace(stages[0], pruning=pruning)
    results: list[FitResult] = []
    checkpoint = initial
    with ExitStack() as opened:
        with launched(device) as ranks:
            opened.enter_context(hold_run(output, main=ranks.main))
            settings = {
                "command": command,
                "version": __version__,
                "scene": scene.path.resolve().name,
                "views": stages[0].source.identity(),
                "processes": ranks.world,
                "initial": None if initial is None else initial.weights_sha256(),
                **to_dict(plan),
            }
            told = ranks.from_main(finish_run(output, settings) if ranks.main else None)
            if told is not None and not force:
                return _finished(output, told) if ranks.main else None
            check_run_output(output, force, [scene.path])
            folder = opened.enter_context(open_run_folder(output))
            lens_camera = (scene.test or scene.train)[0].camera
            run = Run(folder, ranks, lens_camera, on_fit, on_progress)
            for stage in stages:
                shape = results[-1].student if results else plan.student
                results.append(fit_stage(shape, stage, run, checkpoint))
                checkpoint = Checkpoint(
                    student=results[-1].student,
                    intrinsics=scene.train[0].camera.intrinsics,
                    orbit=scene.orbit,
                    weights=results[-1].weights,
                    metres_per_unit=scene.metres_per_unit,
                )
        if not ranks.main or checkpoint is None:
            return None
        checkpoint = replace(
            checkpoint,
            weights=_rounded(checkpoint.weights) if plan.half else checkpoint.weights,
            provenance=_provenance(settings, results),
        )
        evaluation = evaluate(checkpoint, scene, on_progress) if scene.test else None
        if evaluation is not None:
            checkpoint = replace(
                checkpoint,
                metrics=evaluation.as_metrics(),
                provenance={**checkpoint.provenance, "protocol": PROTOCOL},
            )
        write_settings(_with_steps(settings, results), config_path(output))
        save_checkpoint(checkpoint, result_path(output), half=plan.half)
        put_in_place(output, settings, _told(evaluation, results))
    return TrainedStudent(
        output, checkpoint, evaluation, results[0], results[1] if len(results) > 1 else None
    )


def _with_steps(settings: dict[str, Any], results: list[FitResult]) -> dict[str, Any]:
    """Returns the settings with the steps that fitted into the minutes of each stage."""
    first, *last = (result.steps for result in results)
    fit, photos = settings["fit"], settings["photo_stage"]
    if fit["minutes"] is not None:
        settings = {**settings, "fit": {**fit, "steps": first}}
    if last and photos["fit"]["minutes"] is not None:
        stage = {**photos, "fit": {**photos["fit"], "steps": last[0]}}
        settings = {**settings, "photo_stage": stage}
    return settings


def _told(evaluation: Evaluation | None, results: list[FitResult]) -> dict[str, Any]:
    """Returns what a finished run tells beside its checkpoint, in plain values."""
    return {
        "evaluation": evaluation and to_dict(evaluation),
        "results": [
            {name: value for name, value in vars(result).items() if name not in KEPT_APART}
            for result in results
        ],
    }


def _finished(output: Path, told: dict[str, Any]) -> TrainedStudent:
    """Returns the run whose process died when all was done but the cleaning."""
    checkpoint = load_checkpoint(output)
    first, *last = (
        FitResult(checkpoint.student, weights={}, **result) for result in told["results"]
    )
    evaluation = None if told["evaluation"] is None else from_dict(Evaluation, told["evaluation"])
    return TrainedStudent(output, checkpoint, evaluation, first, last[0] if last else None)


def _stages(scene: Scene, plan: StudentPlan, source: ViewSource | None) -> list[Stage]:
    if source is None:
        if plan.photo_stage is not None or plan.fit.check_every:
            raise InputError(
                "a student that learns from all photos cannot be measured on some of them; leave "
                "out photo_stage and check_every, or train on the views of a teacher"
            )
        return [Stage(TRAIN, PhotoViews(scene.train), plan.fit)]
    last = plan.photo_stage
    learnt, held = _split(scene, HOLD_OUT if last is None else last.hold_out)
    stages = [Stage(TRAIN, source, plan.fit, held if plan.fit.check_every else ())]
    if last is not None:
        if not learnt:
            raise InputError(
                f"{scene.path}: has 1 training photo, too few to hold one out; leave out the "
                "photo stage"
            )
        stages.append(Stage(PHOTOS, PhotoViews(learnt), last.fit, held, last.patience))
    return stages


def _split(scene: Scene, hold_out: int) -> tuple[tuple[View, ...], tuple[View, ...]]:
    """Returns the photos to learn from and those held out: every so many, at least one."""
    numbered = list(enumerate(scene.train, start=1))
    held = [view for number, view in numbered if number % hold_out == 0] or [scene.train[-1]]
    learnt = [view for view in scene.train if not any(view is other for other in held)]
    return tuple(learnt), tuple(held)


def _provenance(settings: dict[str, Any], results: list[FitResult]) -> dict[str, str]:
    provenance = {
        "source": settings["command"],
        "scene": settings["scene"],
        "views": settings["views"],
        "views_seen": str(results[0].views),
        "steps": str(results[0].steps),
        "version": settings["version"],
    }
    if len(results) > 1:
        provenance["photo_steps"] = str(results[1].steps)
    if settings["prune_to"] is not None:
        provenance["prune_to"] = f"{settings['prune_to']:g}"
    if settings["initial"] is not None:
        provenance["initial"] = settings["initial"]
    return provenance


def _rounded(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: value.half().float() if value.is_floating_point() else value
        for name, value in weights.items()
    }
