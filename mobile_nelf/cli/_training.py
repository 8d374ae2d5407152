"""Options of the commands that train."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from mobile_nelf.cli._options import choice, path_type
from mobile_nelf.vocabulary import DeviceName, LossName, PresetName, TeacherBackend, TrainedPart

__all__ = [
    "backend_option",
    "device_option",
    "preset_option",
    "seed_option",
    "student_options",
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
    """Adds what `training.plan.StudentChoices` holds, and the device."""
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
                "--no-photo-stage",
                "photo_stage",
                flag_value=False,
                default=True,
                help="Leave out the last stage, on the photos.",
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
