"""From photos to a teacher on disk: train, judge, save, and only then drop the run's state."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mobile_nelf._version import __version__
from mobile_nelf.errors import InputError
from mobile_nelf.evaluation import PROTOCOL, Evaluation, evaluate_teacher, require_metrics
from mobile_nelf.plain import from_dict, to_dict
from mobile_nelf.progress import Progress, silent
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
from mobile_nelf.scenes import Scene
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.teachers.files import TrainedTeacher, load_teacher, save_teacher
from mobile_nelf.teachers.teacher import Teacher
from mobile_nelf.training.ranks import launched
from mobile_nelf.training.teacher.fit import TeacherProgress, train_teacher
from mobile_nelf.training.views.pseudo_cameras import PseudoCameras
from mobile_nelf.training.views.sources import PhotoViews
from mobile_nelf.vocabulary import DeviceName, TeacherBackend

__all__ = ["MadeTeacher", "fastest_backend", "make_teacher", "state_path", "view_seconds"]

#: Views whose rendering is timed, after one that warms up.
TIMED_VIEWS = 3


@dataclass(frozen=True, eq=False)
class MadeTeacher:
    """A finished run.

    Attributes:
        path: the file on disk.
        trained: what it holds.
        evaluation: its quality on the test views; None for a scene without any.
        view_seconds: time to render a view of the photos' size, on the device that trained.
    """

    path: Path
    trained: TrainedTeacher
    evaluation: Evaluation | None
    view_seconds: float

    def __repr__(self) -> str:
        """Returns file, teacher and speed."""
        return f"MadeTeacher({self.path}, {self.trained!r}, {self.view_seconds:.3g} s a view)"


def fastest_backend(device: DeviceName) -> TeacherBackend:
    """Returns `tinycudann` on a GPU where it can be imported, otherwise `torch`."""
    if device == "cpu" or not torch.cuda.is_available():
        return "torch"
    try:
        importlib.import_module("tinycudann")
    except (ImportError, OSError):  # OSError: it finds no GPU that it was compiled for
        return "torch"
    return "tinycudann"


def state_path(folder: Path) -> Path:
    """Returns where the resumable state lies in the folder of a run."""
    return folder / "teacher.state"


def make_teacher(
    scene: Scene,
    config: TeacherConfig,
    output: Path,
    *,
    folder: Path | None = None,
    command: str = "mnelf teacher",
    device: DeviceName = "auto",
    force: bool = False,
    on_step: Callable[[TeacherProgress], None] = lambda progress: None,
    on_progress: Progress = silent,
) -> MadeTeacher | None:
    """Trains a teacher and writes its file.

    An interrupted run resumes from the state in its folder. At the end the state is deleted; the
    log stays there. Under `torchrun` the first process does it all, and the others return at once.

    Args:
        scene: the photos.
        config: the teacher and its training.
        output: the file to write; beside it goes a JSON file with all settings.
        folder: existing folder of the run that the teacher is a part of, for state and log; None
            for a run of its own, with a folder beside `output`.
        command: what the provenance names as the origin.
        device: where to compute.
        force: replace an existing file.
        on_step: called after each training step.
        on_progress: called with a stage's name, views done and views in all, while the test views
            are judged.

    Returns:
        The finished run; None in all processes but the first.

    Raises:
        SceneError: a photo cannot be read, or photos have different sizes.
        InputError: the state belongs to another run, or there is no such device.
        OutputError: `output` exists or cannot be written.
        MissingExtraError: the back-end, or a package that judges the test views, is not installed.
    """
    with ExitStack() as opened:
        with launched(device) as ranks:
            if not ranks.main:
                return None
            check_writable(output, [scene.path])
            own_run = folder is None
            if own_run:
                opened.enter_context(hold_run(output))
            if config.backend == "tinycudann" and ranks.device.type != "cuda":
                raise InputError(
                    "tinycudann computes on an NVIDIA GPU only; choose backend torch or device "
                    "cuda",
                    arguments=["backend", "device"],
                )
            photos = PhotoViews(scene.views("train")).identity()
            settings = {
                "command": command,
                "version": __version__,
                "scene": scene.path.resolve().name,
                "photos": photos,
                **to_dict(config),
            }
            told = finish_run(output, settings) if own_run else None
            if told is not None and not force:
                return _finished(output, told, scene, ranks.device)
            check_run_output(output, force, [scene.path])
            if scene.test:
                require_metrics()
            folder = folder or opened.enter_context(open_run_folder(output))
            state = state_path(folder)
            teacher = train_teacher(scene, config, state, ranks.device, on_step)
        provenance = {
            "source": command,
            **{name: settings[name] for name in ("scene", "photos", "version")},
            "steps": str(teacher.config.steps),
        }
        evaluation = evaluate_teacher(teacher, scene, on_progress) if scene.test else None
        trained = TrainedTeacher(
            teacher,
            evaluation.as_metrics() if evaluation else {},
            {**provenance, "protocol": PROTOCOL} if evaluation else provenance,
            scene.metres_per_unit,
        )
        write_settings({**settings, "steps": teacher.config.steps}, config_path(output))
        if own_run:
            save_teacher(trained, result_path(output))
            put_in_place(output, settings, {"evaluation": evaluation and to_dict(evaluation)})
        else:
            save_teacher(trained, output)
            state.unlink(missing_ok=True)
    return MadeTeacher(output, trained, evaluation, view_seconds(teacher, scene))


def view_seconds(teacher: Teacher, scene: Scene) -> float:
    """Returns how long it takes to render a view of the photos' size."""
    cameras = PseudoCameras(scene)
    teacher.render(cameras.camera(0))
    began = time.perf_counter()
    for index in range(1, 1 + TIMED_VIEWS):
        teacher.render(cameras.camera(index))
    return (time.perf_counter() - began) / TIMED_VIEWS


def _finished(
    output: Path, told: dict[str, Any], scene: Scene, device: torch.device
) -> MadeTeacher:
    """Returns the run whose process died when all was done but the cleaning."""
    trained = load_teacher(output, device)
    evaluation = None if told["evaluation"] is None else from_dict(Evaluation, told["evaluation"])
    return MadeTeacher(output, trained, evaluation, view_seconds(trained.teacher, scene))
