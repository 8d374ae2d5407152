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
    "minutes_option",
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
    help="Size of the student, with a matching teacher and training; base is D60-SR3 of the paper.",
)
minutes_option = click.option(
    "--minutes",
    type=click.FloatRange(min=0.0, min_open=True),
    help="Time to train for, instead of a number of steps, which is worked out from the first ones "
    "on this machine. Test views are judged afterwards.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed."
)
device_option = click.option(
    "--device",
    type=choice(DeviceName),
    default="auto",
    show_default=True,
    help="Device to compute on; auto uses a GPU if there is one. mps is the GPU of a Mac, on which "
    "nothing has been tried yet.",
)
backend_option = click.option(
    "--backend",
    type=choice(TeacherBackend, "auto"),
    default="auto",
    show_default=True,
    help="Back-end of the teacher; auto uses tinycudann on a GPU if it is installed.",
)


def student_options(command: F) -> F:
    """Adds what `training.plan.StudentChoices` holds, and the device."""
    for option in reversed(
        (
            preset_option,
            minutes_option,
            click.option(
                "--steps",
                type=click.IntRange(min=1),
                help="Student training steps. Default: set by the preset.",
            ),
            click.option(
                "--photo-steps",
                type=click.IntRange(min=1),
                help="Steps of the last stage, on the photos. Default: set by the preset.",
            ),
            click.option(
                "--no-photo-stage",
                "photo_stage",
                flag_value=False,
                default=True,
                help="Skip the last stage, on the photos.",
            ),
            click.option(
                "--initial",
                type=path_type,
                help="Checkpoint to start from. It sets the shape of the student, and the preset "
                "only how it is trained.",
            ),
            click.option(
                "--train-only",
                type=choice(TrainedPart),
                default="all",
                show_default=True,
                help="Part to train; tail is the super-resolution alone and requires --initial.",
            ),
            click.option("--alpha", is_flag=True, help="Learn opacity as a fourth channel."),
            click.option(
                "--loss",
                type=choice(LossName),
                help="Loss of the pixels. Default: set by the preset.",
            ),
            click.option(
                "--perceptual",
                type=click.FloatRange(min=0.0),
                metavar="WEIGHT",
                help="Weight of an additional 1 − SSIM loss term. Default: set by the preset.",
            ),
            click.option(
                "--learning-rate",
                type=click.FloatRange(min=0.0, min_open=True),
                help="Peak learning rate of the first stage; the step of the matrices scales with "
                "it. Default: set by the preset.",
            ),
            click.option(
                "--cache-mb",
                type=click.IntRange(min=1),
                help="Size of the view cache, in MB. Default: set by the preset.",
            ),
            click.option(
                "--half", is_flag=True, help="Store the weights as float16, which halves the file."
            ),
            click.option(
                "--prune-to",
                type=float,
                metavar="SHARE",
                help="Share of the parameters to keep, such as 0.5: channels that matter least "
                "shrink in the last third of the training and are cut at its end.",
            ),
            seed_option,
            device_option,
        )
    ):
        command = option(command)
    return command
