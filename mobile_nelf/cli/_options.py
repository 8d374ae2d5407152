"""Options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from mobile_nelf.vocabulary import Activation

if TYPE_CHECKING:
    from mobile_nelf.checkpoints import CameraOptions, Checkpoint

__all__ = [
    "camera_options",
    "choice",
    "common_options",
    "debug_option",
    "examples",
    "force_option",
    "lens_options",
    "load",
    "mask_options",
    "option_text",
    "path_type",
    "run_scripts_option",
]

F = TypeVar("F", bound=Callable[..., Any])

#: The library says what is wrong with a path, with what was expected there.
path_type = click.Path(path_type=Path)

CAMERA_FORM = "W,H,FOCAL,NEAR,FAR[,RADIUS]"

#: Read from the arguments where errors are printed; the option only makes it known to the parser.
debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, help="Print the traceback of an error."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for machines, with a schema number."
)
force_option = click.option("--force", is_flag=True, help="Replace an existing output.")
run_scripts_option = click.option(
    "--run-scripts",
    is_flag=True,
    help="Run scripts of a bundle that was not made on this machine. They cannot access files, the "
    "network or processes, and their time and memory are limited.",
)


def choice(words: Any, *others: str) -> click.Choice[str]:
    """Returns the type of an option with the words of a `Literal`, after some others."""
    return click.Choice((*others, *get_args(words)))


def common_options(command: F) -> F:
    """Adds `--json` and `--debug`."""
    return json_option(debug_option(command))


def examples(*lines: str) -> str:
    """Returns the end of a help text, with each command line on a line of its own."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def option_text(argument: str) -> str:
    """Returns the option for an argument of the SDK, as an error names it.

    Options are called what the SDK calls the argument, so that this is all the translation.
    """
    return f"--camera {CAMERA_FORM}" if argument == "camera" else f"--{argument.replace('_', '-')}"


def _camera(
    ctx: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[float, ...] | None:
    """Reads the value of `--camera`."""
    if value is None:
        return None
    try:
        numbers = tuple(float(part) for part in value.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (5, 6) or not all(map(math.isfinite, numbers)):
        raise click.BadParameter(f"expected {CAMERA_FORM}, found {value!r}")
    if not all(side.is_integer() and side > 0 for side in numbers[:2]):
        raise click.BadParameter(f"W and H count rays, found {value!r}")
    return numbers


def lens_options(command: F) -> F:
    """Adds what an official checkpoint may not say about itself."""
    camera = click.option(
        "--camera",
        metavar=CAMERA_FORM,
        callback=_camera,
        help="Lens of an official checkpoint without intrinsics.json: the ray grid, the focal "
        "length in pixels of that grid, depths and distance in world units.",
    )
    activation = click.option(
        "--trained-activation",
        type=choice(Activation),
        help="Activation function of an official checkpoint, if not that of the official scripts.",
    )
    return camera(activation(command))


def mask_options(command: F) -> F:
    """Adds what is the object in photos that are captured."""
    masks = click.option(
        "--masks",
        type=path_type,
        help="Folder of masks of any tool, called like the photos (IMG_1.png), white for the "
        "object.",
    )
    middle = click.option(
        "--object",
        is_flag=True,
        help="Cut out what stands in the middle of all photos, by poses and colours. Masks that "
        "are given stay as they are, and may be of some photos alone.",
    )
    turntable = click.option(
        "--turntable",
        is_flag=True,
        help="Say that the object turned before a still camera; what moves becomes the mask.",
    )
    background = click.option(
        "--background",
        type=path_type,
        help="Photo of the turntable without the object, for better masks.",
    )
    return masks(middle(turntable(background(command))))


def load(
    path: Path, camera: tuple[float, ...] | None, trained_activation: Activation | None
) -> Checkpoint:
    """Loads a checkpoint with the values of `lens_options`."""
    from mobile_nelf.checkpoints import load_checkpoint

    return load_checkpoint(path, camera=camera_options(camera), activation=trained_activation)


def camera_options(numbers: tuple[float, ...] | None) -> CameraOptions | None:
    """Returns the value of `--camera` as the library takes it."""
    from mobile_nelf.checkpoints import CameraOptions

    if numbers is None:
        return None
    width, height, *rest = numbers
    return CameraOptions(int(width), int(height), *rest)
