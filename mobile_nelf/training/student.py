"""From a scene to a checkpoint on disk: fit, judge, save, and only then drop the run's state."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mobile_nelf.atomic import refuse_existing
from mobile_nelf.checkpoints import save_checkpoint
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import OutputError
from mobile_nelf.evaluation import PROTOCOL, Evaluation, evaluate, require_metrics
from mobile_nelf.progress import Progress, silent
from mobile_nelf.scenes import Scene
from mobile_nelf.students import StudentConfig
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.fit import FitProgress, fit_student

__all__ = ["TrainedStudent", "state_path", "train_student"]


@dataclass(frozen=True)
class TrainedStudent:
    """A finished run.

    Attributes:
        path: the checkpoint on disk.
        checkpoint: what it holds.
        evaluation: its quality on the test views; None for a scene without any.
    """

    path: Path
    checkpoint: Checkpoint
    evaluation: Evaluation | None


def state_path(output: Path) -> Path:
    """Returns where the resumable state of a run that writes `output` lies."""
    return output.with_name(output.name + ".state")


def train_student(
    scene: Scene,
    student: StudentConfig,
    config: FitConfig,
    output: Path,
    *,
    half: bool = False,
    force: bool = False,
    on_fit: Callable[[FitProgress], None] = lambda progress: None,
    on_progress: Progress = silent,
) -> TrainedStudent:
    """Fits a student to the photos of `scene` and writes its checkpoint.

    A run that was interrupted goes on from its state beside `output`, which is deleted at the end.

    Args:
        scene: the photos.
        student: the network to train.
        config: the run.
        output: the checkpoint to write.
        half: store the weights as float16; the metrics are those of the rounded weights.
        force: replace an existing file.
        on_fit: called after each training step.
        on_progress: called with a stage's name, steps done and steps in all, after the training.

    Raises:
        SceneError: the images do not have the size that the student renders.
        InputError: the state beside `output` belongs to another run.
        OutputError: `output` exists or cannot be written.
        MissingExtraError: the packages that judge the test views are not installed.
    """
    _check_output(output, force)
    if scene.test:
        require_metrics()
    state = state_path(output)
    checkpoint = fit_student(scene, student, config, state, on_fit)
    if half:
        rounded = {
            name: value.half().float() if value.is_floating_point() else value
            for name, value in checkpoint.weights.items()
        }
        checkpoint = replace(checkpoint, weights=rounded)
    evaluation = evaluate(checkpoint, scene, on_progress) if scene.test else None
    if evaluation is not None:
        checkpoint = replace(
            checkpoint,
            metrics=evaluation.as_metrics(),
            provenance={**checkpoint.provenance, "protocol": PROTOCOL},
        )
    save_checkpoint(checkpoint, output, half=half)
    state.unlink(missing_ok=True)
    return TrainedStudent(output, checkpoint, evaluation)


def _check_output(output: Path, force: bool) -> None:
    """Refuses a destination before hours of work."""
    if output.is_dir():
        raise OutputError(f"{output}: is a directory, expected a file to write")
    refuse_existing(output, force)
    folder = output.absolute().parent
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); choose another --output"
        ) from error
