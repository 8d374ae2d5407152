"""Options of the commands that train, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mobile_nelf.cli._options import choice, path_type
from mobile_nelf.vocabulary import DeviceName, LossName, PresetName, TeacherBackend, TrainedPart

if TYPE_CHECKING:
    from mobile_nelf.checkpoints import Checkpoint
    from mobile_nelf.scenes import Scene
    from mobile_nelf.students import StudentConfig
    from mobile_nelf.teachers.config import TeacherConfig
    from mobile_nelf.training.config import FitConfig
    from mobile_nelf.training.student.make import StudentPlan

__all__ = [
    "StudentChoices",
    "backend_option",
    "device_option",
    "preset_option",
    "read_photos",
    "seed_option",
    "student_options",
    "teacher_config",
]

F = TypeVar("F", bound=Callable[..., Any])

preset_option = click.option(
    "--preset",
    type=choice(PresetName),
    default="small",
    show_default=True,
    help="Size of the student, with a teacher and runs that fit it; base is D60-SR3 of the paper.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the run."
)
device_option = click.option(
    "--device",
    type=choice(DeviceName),
    default="auto",
    show_default=True,
    help="Where to compute; auto takes a GPU where there is one.",
)
backend_option = click.option(
    "--backend",
    type=choice(TeacherBackend, "auto"),
    default="auto",
    show_default=True,
    help="Of the teacher; auto takes tinycudann on a GPU where it is installed.",
)


def student_options(command: F) -> F:
    """Adds what `StudentChoices` holds."""
    for option in reversed(
        (
            preset_option,
            click.option(
                "--steps", type=click.IntRange(min=1), help="Of the student. Default: the preset's."
            ),
            click.option(
                "--photo-steps",
                type=click.IntRange(min=1),
                help="Of the last stage, on the photos. Default: the preset's.",
            ),
            click.option(
                "--no-photo-stage", is_flag=True, help="Leave out the last stage, on the photos."
            ),
            click.option(
                "--initial",
                type=path_type,
                help="A checkpoint to start from. The student has its shape, and the preset only "
                "says how it is trained.",
            ),
            click.option(
                "--train-only",
                type=choice(TrainedPart),
                default="all",
                show_default=True,
                help="tail trains the super-resolution alone; it needs --initial.",
            ),
            click.option("--alpha", is_flag=True, help="Learn opacity as a fourth channel."),
            click.option("--loss", type=choice(LossName), help="Default: the preset's."),
            click.option(
                "--perceptual",
                type=click.FloatRange(min=0.0),
                metavar="WEIGHT",
                help="Of 1 − SSIM beside the loss. Default: the preset's.",
            ),
            click.option(
                "--learning-rate",
                type=click.FloatRange(min=0.0, min_open=True),
                help="Peak of the first stage; the step of the matrices goes with it. Default: the "
                "preset's.",
            ),
            click.option(
                "--cache-mb",
                type=click.IntRange(min=1),
                help="Space for views at hand, in MB. Default: the preset's.",
            ),
            click.option(
                "--half", is_flag=True, help="Store the weights as float16, in half the space."
            ),
            seed_option,
            device_option,
        )
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class StudentChoices:
    """The values of `student_options`, apart from the device; None is the preset's."""

    preset: str
    steps: int | None
    photo_steps: int | None
    no_photo_stage: bool
    initial: Path | None
    train_only: Any
    alpha: bool
    loss: Any
    perceptual: float | None
    learning_rate: float | None
    cache_mb: int | None
    half: bool
    seed: int

    def load_initial(self) -> Checkpoint | None:
        """Reads the checkpoint to start from."""
        from mobile_nelf.checkpoints import load_checkpoint

        if self.initial is None:
            if self.train_only == "tail":
                raise click.UsageError(
                    "--train-only tail needs a student to start from, --initial",
                    click.get_current_context(),
                )
            return None
        return load_checkpoint(self.initial)

    def scale(self, initial: Checkpoint | None) -> int:
        """Returns the pixels a ray along each axis, which the size of photos is a multiple of."""
        from mobile_nelf.training.presets import find_preset

        return find_preset(self.preset).scale if initial is None else initial.student.scale

    def plan(self, scene: Scene, initial: Checkpoint | None, *, distilled: bool) -> StudentPlan:
        """Returns what to train.

        Args:
            scene: of a size that the student renders.
            initial: what `load_initial` returned.
            distilled: whether the first stage is on the views of a teacher, so that the photos are
                left for measurements and for another stage.
        """
        from mobile_nelf.training.presets import find_preset
        from mobile_nelf.training.student.make import StudentPlan

        preset = find_preset(self.preset)
        fit = self._fit(preset.fit, steps=self.steps)
        if self.learning_rate is not None:
            # The step of the matrices keeps its proportion.
            factor = self.learning_rate / fit.learning_rate
            fit = replace(
                fit, learning_rate=self.learning_rate, matrix_step=fit.matrix_step * factor
            )
        last = None
        if distilled and not self.no_photo_stage:
            stage = preset.photo_stage
            last = replace(stage, fit=self._fit(stage.fit, steps=self.photo_steps))
        return StudentPlan(
            self._shape(scene, initial),
            fit if distilled else replace(fit, check_every=0),
            last,
            self.half,
        )

    def _shape(self, scene: Scene, initial: Checkpoint | None) -> StudentConfig:
        from mobile_nelf.training.presets import find_preset, on_grid

        if initial is not None:
            if self.alpha and initial.student.out_channels == 3:
                raise click.UsageError(
                    f"{self.initial} has no opacity, so --alpha needs a fresh student",
                    click.get_current_context(),
                )
            return on_grid(initial.student, scene)
        student = find_preset(self.preset).student(scene)
        return replace(student, out_channels=4) if self.alpha else student

    def _fit(self, fit: FitConfig, **own: Any) -> FitConfig:
        chosen = {
            **own,
            "loss": self.loss,
            "perceptual": self.perceptual,
            "cache_mb": self.cache_mb,
            "train_only": self.train_only,
            "seed": self.seed,
        }
        return replace(fit, **{name: value for name, value in chosen.items() if value is not None})


def teacher_config(
    preset: str, steps: int | None, backend: str, device: Any, seed: int
) -> TeacherConfig:
    """Returns the teacher of a preset with what was chosen."""
    from mobile_nelf.training.presets import find_preset
    from mobile_nelf.training.teacher.make import fastest_backend

    config = find_preset(preset).teacher
    chosen: Any = fastest_backend(device) if backend == "auto" else backend
    return replace(config, backend=chosen, steps=steps or config.steps, seed=seed)


def read_photos(path: Path, multiple: int = 1) -> Scene:
    """Reads a scene to train on, whole and of a size that divides by `multiple`."""
    from mobile_nelf.scenes import read_scene

    scene = read_scene(path)
    scene.check_images()
    return scene.cropped(multiple)
