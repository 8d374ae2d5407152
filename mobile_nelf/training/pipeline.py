"""From photos to a student with one call: teacher, the views that it renders, student."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import InputError
from mobile_nelf.evaluation import Evaluation, require_metrics
from mobile_nelf.plain import to_dict
from mobile_nelf.progress import Progress, silent
from mobile_nelf.runs import (
    check_run_output,
    check_writable,
    differing_names,
    finished_run,
    hold_run,
    open_run_folder,
    run_folder,
)
from mobile_nelf.scenes import Scene
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.teachers.files import TrainedTeacher, load_teacher
from mobile_nelf.training.ranks import launched
from mobile_nelf.training.student.losses import check_loss
from mobile_nelf.training.student.make import StudentPlan, TrainedStudent, train_student
from mobile_nelf.training.student.stage import FitProgress
from mobile_nelf.training.teacher.fit import TeacherProgress
from mobile_nelf.training.teacher.make import MadeTeacher, make_teacher, state_path
from mobile_nelf.training.views.pseudo_set import pseudo_views
from mobile_nelf.training.views.sources import PhotoViews, check_size
from mobile_nelf.vocabulary import DeviceName

__all__ = ["TrainedScene", "teacher_path", "train_scene"]

COMMAND = "mnelf train"


@dataclass(frozen=True, eq=False)
class TrainedScene:
    """A finished run.

    Attributes:
        teacher: what the teacher's file holds.
        teacher_path: that file, in the folder of the run.
        student: the student.
    """

    teacher: TrainedTeacher
    teacher_path: Path
    student: TrainedStudent

    @property
    def path(self) -> Path:
        """The student's file."""
        return self.student.path

    @property
    def checkpoint(self) -> Checkpoint:
        """The student."""
        return self.student.checkpoint

    @property
    def evaluation(self) -> Evaluation | None:
        """Quality of the student on the test views; None for a scene without any."""
        return self.student.evaluation

    def __repr__(self) -> str:
        """Returns file and student."""
        return f"TrainedScene({self.path}, {self.checkpoint!r})"


def teacher_path(output: Path) -> Path:
    """Returns where the teacher of a run that writes `output` is kept."""
    return run_folder(output) / "teacher.pt"


def train_scene(
    scene: Scene,
    config: TeacherConfig,
    plan: StudentPlan,
    output: Path,
    *,
    initial: Checkpoint | None = None,
    device: DeviceName = "auto",
    force: bool = False,
    on_step: Callable[[TeacherProgress], None] = lambda progress: None,
    on_teacher: Callable[[TrainedTeacher, MadeTeacher | None], None] = lambda trained, made: None,
    on_fit: Callable[[FitProgress], None] = lambda progress: None,
    on_progress: Progress = silent,
) -> TrainedScene | None:
    """Trains a teacher and, on the views that it renders meanwhile, a student.

    An interrupted run resumes from the files in its folder beside `output`. A finished
    teacher is kept there, and taken again if its settings and the photos are the same. Under
    `torchrun` the first process trains the teacher, and then all of them the student.

    Args:
        scene: the photos, of a size that the student renders.
        config: the teacher and its training.
        plan: the student and its training; `plan.fit.seed` is that of the pseudo views too.
        output: the student's checkpoint.
        initial: a student to start from.
        device: where to compute.
        force: replace an existing output, and a finished teacher of other settings.
        on_step: called after each step of the teacher.
        on_teacher: called once there is a teacher, with what was just measured of it; that is None
            if it was there already.
        on_fit: called after each step of the student.
        on_progress: called with a stage's name, steps done and steps in all, while views are made
            or judged.

    Returns:
        The finished run; None in all processes but the first.

    Raises:
        SceneError: a photo cannot be read, or the photos do not have the size that the student
            renders.
        InputError: what lies in the folder of the run belongs to another one.
        OutputError: `output` exists or cannot be written.
        TrainingError: the student went wrong by itself.
        MissingExtraError: a back-end, or a package that judges the test views, is not installed.
    """
    check_writable(output, [scene.path])
    # Before the teacher takes its time.
    check_size(str(scene.path), PhotoViews(scene.views("train")).size, plan.student)
    check_loss(plan.student, plan.fit)
    if scene.test:
        require_metrics()
    path = teacher_path(output)
    with launched(device) as ranks, hold_run(output, main=ranks.main):
        # One that a process had finished when it died is for `train_student` to tell about.
        if finished_run(output) is None:
            check_run_output(output, force, [scene.path])
        made = None
        if ranks.main:
            with open_run_folder(output) as folder:
                if _is_there(path, scene, config, ranks.device, force):
                    state_path(folder).unlink(missing_ok=True)
                else:
                    check_run_output(output, force, [scene.path])
                    made = make_teacher(
                        scene,
                        config,
                        path,
                        folder=folder,
                        command=COMMAND,
                        device=device,
                        force=True,
                        on_step=on_step,
                        on_progress=on_progress,
                    )
        ranks.from_main(None)  # the others wait here
        # From the file, so that a resumed run learns from the very same views.
        trained = load_teacher(path, ranks.device)
        if ranks.main:
            on_teacher(trained, made)
        student = train_student(
            scene,
            plan,
            output,
            source=pseudo_views(trained, scene, plan.fit.seed),
            initial=initial,
            command=COMMAND,
            device=device,
            force=force,
            on_fit=on_fit,
            on_progress=on_progress,
        )
    return None if student is None else TrainedScene(trained, path, student)


def _is_there(
    path: Path, scene: Scene, config: TeacherConfig, device: torch.device, force: bool
) -> bool:
    """Whether a finished teacher of this very run lies at `path`."""
    if not path.exists():
        return False
    found = load_teacher(path, device)
    wanted = {**to_dict(config), "photos": PhotoViews(scene.views("train")).identity()}
    known = {**to_dict(found.teacher.config), "photos": found.provenance.get("photos")}
    if config.minutes is not None:
        known["steps"] = config.steps  # a finished teacher has those that fitted into the minutes
    differing = differing_names(wanted, known)
    if differing and not force:
        raise InputError(
            f"{path}: was trained on other photos or settings ({', '.join(differing)}); delete it "
            "to train another, or use another output"
        )
    return not differing
