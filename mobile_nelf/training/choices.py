"""What people choose of a run, before it is planned."""

from __future__ import annotations

from dataclasses import dataclass

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import InputError
from mobile_nelf.paths import AnyPath
from mobile_nelf.vocabulary import LossName, PresetName, TrainedPart

__all__ = ["StudentChoices", "check_times", "refuse_both"]


@dataclass(frozen=True, eq=False)
class StudentChoices:
    """What people choose of a student and its training; None is the preset's.

    Attributes:
        preset: size of the student, and how it is trained.
        steps: of the first stage.
        photo_steps: of the last stage, on the photos.
        minutes: wall time of all training, instead of steps: a tenth of the student's for the
            photos, and before that a sixth for a teacher that is trained too.
        photo_stage: whether there is a last stage on the photos, after the views of a teacher.
        initial: a checkpoint to start from. The student has its shape, and the preset only says how
            it is trained.
        train_only: `tail` trains the super-resolution alone; it needs `initial`.
        alpha: learn opacity as a fourth channel.
        loss: beside which `perceptual` stands.
        perceptual: weight of 1 − SSIM.
        learning_rate: peak of the first stage; the step of the matrices keeps its proportion.
        cache_mb: space for views at hand, in 10⁶ bytes.
        half: store the weights as float16.
        prune_to: share of the parameters to keep: channels that matter least shrink in the last
            third of the first stage and are cut at its end; None for all of them.
        seed: of the run.
    """

    preset: PresetName = "small"
    steps: int | None = None
    photo_steps: int | None = None
    minutes: float | None = None
    photo_stage: bool = True
    initial: Checkpoint | AnyPath | None = None
    train_only: TrainedPart = "all"
    alpha: bool = False
    loss: LossName | None = None
    perceptual: float | None = None
    learning_rate: float | None = None
    cache_mb: int | None = None
    half: bool = False
    prune_to: float | None = None
    seed: int = 0


def refuse_both(minutes: float | None, **steps: int | None) -> None:
    """Refuses minutes together with steps.

    Args:
        minutes: wall time.
        steps: by the name of the argument that counts them.

    Raises:
        InputError: both are given.
    """
    for name, count in steps.items():
        if minutes is not None and count is not None:
            raise InputError(
                f"minutes and {name} exclude each other: the minutes say how many steps there are",
                arguments=["minutes", name],
            )


def check_times(choices: StudentChoices) -> None:
    """Refuses minutes together with steps.

    Raises:
        InputError: both are chosen.
    """
    refuse_both(choices.minutes, steps=choices.steps, photo_steps=choices.photo_steps)
