"""From photos to a student as Python users ask for it: every choice is a keyword."""

from __future__ import annotations

import os
from typing import Literal

from mobile_nelf.capturing.beside import captured_beside, needs_capture
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import InputError
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.progress import Progress, silent
from mobile_nelf.runs import check_writable
from mobile_nelf.scenes import Scene
from mobile_nelf.training.pipeline import TrainedScene, train_scene
from mobile_nelf.training.plan import StudentChoices, plan_scene
from mobile_nelf.vocabulary import DeviceName, LossName, PresetName, TeacherBackend, TrainedPart

__all__ = ["train"]


def train(
    scene: Scene | AnyPath,
    output: AnyPath,
    *,
    preset: PresetName = "small",
    teacher_steps: int | None = None,
    steps: int | None = None,
    photo_steps: int | None = None,
    minutes: float | None = None,
    photo_stage: bool = True,
    backend: TeacherBackend | Literal["auto"] = "auto",
    device: DeviceName = "auto",
    initial: Checkpoint | AnyPath | None = None,
    train_only: TrainedPart = "all",
    alpha: bool = False,
    loss: LossName | None = None,
    perceptual: float | None = None,
    learning_rate: float | None = None,
    cache_mb: int | None = None,
    half: bool = False,
    prune_to: float | None = None,
    seed: int = 0,
    force: bool = False,
    on_progress: Progress = silent,
) -> TrainedScene:
    """Trains a teacher on photos, then a student on what it renders, then that on the photos.

    A run that was interrupted is resumed from the files in its folder beside `output`. What is None
    is the preset's. This is one process; several GPUs take `torchrun` and the command line.

    Args:
        scene: the photos, or the folder of a scene. From a folder of photos without cameras, or a
            video, a scene is captured first, as `OUTPUT.scene`.
        output: the checkpoint to write.
        preset: size of the student, with a teacher and runs that fit it.
        teacher_steps: training steps of the teacher.
        steps: training steps of the student on the teacher's views.
        photo_steps: training steps of the student on the photos.
        minutes: wall time of all training, instead of steps. Each stage times its first steps and
            then keeps the number that fits, also when it is resumed; a sixth is the teacher's, a
            tenth of the rest the photos'.
        photo_stage: whether there is that stage.
        backend: of the teacher; `auto` is tinycudann on a GPU where it is installed.
        device: where to compute; `auto` is a GPU where there is one.
        initial: a student to start from, or its file. The result has its shape.
        train_only: `tail` trains the super-resolution alone; it needs `initial`.
        alpha: learn opacity as a fourth channel.
        loss: of the colours.
        perceptual: weight of 1 − SSIM beside the loss.
        learning_rate: peak of the first stage; the step of the matrices keeps its proportion.
        cache_mb: space for views at hand, in 10⁶ bytes.
        half: store the weights as float16.
        prune_to: share of the parameters to keep: channels that matter least shrink in the last
            third of the student's training and are cut at its end; None for all of them.
        seed: of the run.
        force: replace an existing output, and a finished teacher of other settings.
        on_progress: called with a stage's name, steps done and steps in all.

    Raises:
        CaptureError: the photos make no scene that is worth a training.
        SceneError: the scene or a photo of it cannot be read.
        InputError: choices contradict each other or cannot be used, what lies in the folder of the
            run belongs to another one, or `torchrun` started several processes.
        CheckpointError: the student to start from cannot be read.
        OutputError: `output` exists or cannot be written.
        TrainingError: the student went wrong by itself.
        MissingExtraError: a back-end, or a package that judges the test views, is not installed.
    """
    choices = StudentChoices(
        preset=preset,
        steps=steps,
        photo_steps=photo_steps,
        minutes=minutes,
        photo_stage=photo_stage,
        initial=initial,
        train_only=train_only,
        alpha=alpha,
        loss=loss,
        perceptual=perceptual,
        learning_rate=learning_rate,
        cache_mb=cache_mb,
        half=half,
        prune_to=prune_to,
        seed=seed,
    )
    several = InputError("train runs in one process; under torchrun use the command `mnelf train`")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise several
    given = [path for path in (scene, initial) if isinstance(path, str | os.PathLike)]
    check_writable(as_path(output), [as_path(path) for path in given])
    if isinstance(scene, str | os.PathLike) and needs_capture(as_path(scene)):
        scene = captured_beside(as_path(scene), as_path(output), on_progress=on_progress)
    planned = plan_scene(
        scene, choices, teacher_steps=teacher_steps, backend=backend, device=device
    )
    trained = train_scene(
        planned.scene,
        planned.teacher,
        planned.student,
        as_path(output),
        initial=planned.initial,
        device=device,
        force=force,
        on_step=lambda progress: on_progress("teacher", progress.step, progress.steps),
        on_fit=lambda progress: on_progress(progress.stage, progress.step, progress.steps),
        on_progress=on_progress,
    )
    if trained is None:
        raise several
    return trained
