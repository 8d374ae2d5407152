"""What a run will do: from a preset and what was chosen besides to the settings of each stage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.compute import compute_device
from mobile_nelf.errors import ConfigError, InputError
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.pruning.shrink import check_prunable
from mobile_nelf.scenes import Scene, read_scene
from mobile_nelf.students import StudentConfig
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.teachers.files import load_teacher
from mobile_nelf.training.choices import StudentChoices, check_times, refuse_both
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.presets import find_preset, on_grid
from mobile_nelf.training.student.make import StudentPlan
from mobile_nelf.training.teacher.make import fastest_backend
from mobile_nelf.training.views.pseudo_set import pseudo_views, read_pseudo_set
from mobile_nelf.training.views.sources import PhotoViews, ViewSource
from mobile_nelf.vocabulary import DeviceName, TeacherBackend

__all__ = [
    "PlannedScene",
    "PlannedStudent",
    "StudentChoices",
    "plan_scene",
    "plan_student",
    "read_photos",
    "teacher_config",
]


T = TypeVar("T", FitConfig, TeacherConfig)

#: Of the minutes of `mnelf train`, for the teacher: it learns faster than a student.
TEACHER_SHARE = 1 / 6
#: Of the student's minutes, for the last stage on the photos, if there is one.
PHOTO_SHARE = 1 / 10


@dataclass(frozen=True, eq=False)
class PlannedScene:
    """A run from photos to a student through a teacher.

    Attributes:
        scene: the photos, cropped to a size that the student renders.
        teacher: the teacher and its training.
        student: the student and its training.
        initial: the student to start from.
    """

    scene: Scene
    teacher: TeacherConfig
    student: StudentPlan
    initial: Checkpoint | None


@dataclass(frozen=True, eq=False)
class PlannedStudent:
    """A run from views to a student.

    Attributes:
        scene: the photos, cropped to a size that the student renders.
        student: the student and its training.
        initial: the student to start from.
        source: the views of a teacher; None for the photos themselves.
    """

    scene: Scene
    student: StudentPlan
    initial: Checkpoint | None
    source: ViewSource | None


def plan_scene(
    scene: Scene | AnyPath,
    choices: StudentChoices,
    *,
    teacher_steps: int | None = None,
    backend: TeacherBackend | Literal["auto"] = "auto",
    device: DeviceName = "auto",
) -> PlannedScene:
    """Plans a teacher on photos and a student on what it renders.

    Args:
        scene: the photos; all of them are read once, so that a broken one is found here.
        choices: of the student.
        teacher_steps: of the teacher; the preset's if None.
        backend: of the teacher, see `teacher_config`.
        device: where the teacher will be trained.

    Raises:
        SceneError: the scene cannot be read.
        InputError: the choices contradict each other, or there is no such preset.
        CheckpointError: the student to start from cannot be read.
    """
    refuse_both(choices.minutes, teacher_steps=teacher_steps)
    check_times(choices)
    teacher_minutes = None
    if choices.minutes is not None:
        teacher_minutes = choices.minutes * TEACHER_SHARE
        choices = replace(choices, minutes=choices.minutes - teacher_minutes)
    initial = _load_initial(choices)
    photos = read_photos(scene, _scale(choices, initial))
    student = _student_plan(photos, choices, initial, distilled=True)
    teacher = teacher_config(
        choices.preset, teacher_steps, backend, device, choices.seed, minutes=teacher_minutes
    )
    return PlannedScene(photos, teacher, student, initial)


def plan_student(
    scene: Scene | AnyPath,
    choices: StudentChoices,
    *,
    teacher: AnyPath | None = None,
    views: AnyPath | None = None,
    device: DeviceName = "auto",
) -> PlannedStudent:
    """Plans a student on the views of a teacher, on a set of such views, or on the photos alone.

    Args:
        scene: the photos; all of them are read once, so that a broken one is found here.
        choices: of the student.
        teacher: file of a teacher, which renders the views.
        views: folder of a set that a teacher rendered, or of a `.npy` set of MobileR2L.
        device: where the teacher renders.

    Raises:
        SceneError: scene or views cannot be read.
        InputError: the choices contradict each other, or there is no such preset or device.
        CheckpointError: teacher or student cannot be read.
        MissingExtraError: the teacher's back-end is not installed.
    """
    check_times(choices)
    distilled = teacher is not None or views is not None
    if teacher is not None and views is not None:
        raise InputError("teacher and views exclude each other", arguments=["teacher", "views"])
    if not distilled and (choices.photo_steps is not None or not choices.photo_stage):
        raise InputError(
            "without a teacher or views the photos are the only stage; give "
            "one of them, or leave out photo_steps and photo_stage",
            arguments=["teacher", "views"],
        )
    initial = _load_initial(choices)
    photos = read_photos(scene, _scale(choices, initial))
    student = _student_plan(photos, choices, initial, distilled=distilled)
    source: ViewSource | None = None
    if teacher is not None:
        trained = load_teacher(as_path(teacher), compute_device(device))
        source = pseudo_views(trained, photos, choices.seed)
    elif views is not None:
        at_hand = replace(photos, train=read_pseudo_set(as_path(views)), test=())
        source = PhotoViews(at_hand.cropped(student.student.scale).train)
    return PlannedStudent(photos, student, initial, source)


def read_photos(scene: Scene | AnyPath, multiple: int = 1) -> Scene:
    """Returns a scene to train on, with every photo read once and cropped to a multiple in size.

    Raises:
        SceneError: it cannot be read, or the photos are smaller than `multiple`.
    """
    photos = scene if isinstance(scene, Scene) else read_scene(scene)
    photos.check_images()
    return photos.cropped(multiple)


def teacher_config(
    preset: str,
    steps: int | None,
    backend: TeacherBackend | Literal["auto"],
    device: DeviceName,
    seed: int,
    *,
    minutes: float | None = None,
) -> TeacherConfig:
    """Returns the teacher of a preset with what was chosen.

    Args:
        preset: its name.
        steps: of the training; the preset's if None.
        backend: `auto` is tinycudann on a GPU where it is installed.
        device: where it will be trained.
        seed: of the run.
        minutes: wall time of the training, instead of steps.

    Raises:
        InputError: there is no such preset, or a value cannot be used.
    """
    refuse_both(minutes, steps=steps)
    config = find_preset(preset).teacher
    chosen = fastest_backend(device) if backend == "auto" else backend
    return _with(config, backend=chosen, steps=steps, minutes=minutes, seed=seed)


def _load_initial(choices: StudentChoices) -> Checkpoint | None:
    if choices.initial is None:
        if choices.train_only == "tail":
            raise InputError(
                "train_only tail needs a student to start from; give it as initial",
                arguments=["initial"],
            )
        return None
    given = choices.initial
    return given if isinstance(given, Checkpoint) else load_checkpoint(given)


def _scale(choices: StudentChoices, initial: Checkpoint | None) -> int:
    """Returns the pixels a ray along each axis, which the size of photos is a multiple of."""
    return find_preset(choices.preset).scale if initial is None else initial.student.scale


def _student_plan(
    scene: Scene, choices: StudentChoices, initial: Checkpoint | None, *, distilled: bool
) -> StudentPlan:
    """Plans the stages.

    Args:
        scene: of a size that the student renders.
        choices: of the student.
        initial: the student to start from.
        distilled: whether the first stage is on the views of a teacher, so that the photos are left
            for measurements and for another stage.
    """
    preset = find_preset(choices.preset)
    fit = _fit(preset.fit_of(choices.steps, choices.minutes), choices, choices.steps)
    if choices.learning_rate is not None:
        # The step of the matrices keeps its proportion.
        factor = choices.learning_rate / fit.learning_rate
        fit = _with(fit, learning_rate=choices.learning_rate, matrix_step=fit.matrix_step * factor)
    last = None
    if distilled and choices.photo_stage:
        stage = preset.photo_stage
        last = replace(stage, fit=_fit(stage.fit, choices, choices.photo_steps))
        if choices.minutes is not None:
            minutes = choices.minutes * PHOTO_SHARE
            fit = _with(fit, minutes=choices.minutes - minutes)
            last = replace(last, fit=_with(last.fit, minutes=minutes))
    shape = _shape(scene, choices, initial)
    if choices.prune_to is not None:
        check_prunable(shape, choices.prune_to)
        if choices.train_only != "all":
            raise InputError(
                "prune_to cuts all parts, so all of them have to be trained; leave out train_only",
                arguments=["prune_to", "train_only"],
            )
    return StudentPlan(
        shape,
        fit if distilled else replace(fit, check_every=0),
        last,
        choices.half,
        choices.prune_to,
    )


def _shape(scene: Scene, choices: StudentChoices, initial: Checkpoint | None) -> StudentConfig:
    if initial is not None:
        if choices.alpha and initial.student.out_channels == 3:
            raise InputError(
                "the student to start from has no opacity, so alpha needs a fresh student",
                arguments=["initial", "alpha"],
            )
        return on_grid(initial.student, scene)
    student = find_preset(choices.preset).student(scene)
    return replace(student, out_channels=4) if choices.alpha else student


def _fit(fit: FitConfig, choices: StudentChoices, steps: int | None) -> FitConfig:
    return _with(
        fit,
        steps=steps,
        minutes=choices.minutes,
        loss=choices.loss,
        perceptual=choices.perceptual,
        cache_mb=choices.cache_mb,
        train_only=choices.train_only,
        seed=choices.seed,
    )


def _with(config: T, **chosen: Any) -> T:
    """Returns a config with what was chosen; None leaves what it has.

    Raises:
        ConfigError: the config refuses a value.
    """
    given = {name: value for name, value in chosen.items() if value is not None}
    try:
        return replace(config, **given)
    except ValueError as error:
        raise ConfigError(str(error)) from error
