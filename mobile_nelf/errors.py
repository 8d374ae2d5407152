"""Typed errors. The CLI turns each into one line and an exit code; the SDK only raises them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = [
    "BundleError",
    "CaptureError",
    "CheckpointError",
    "ConfigError",
    "DeployError",
    "InputError",
    "MissingExtraError",
    "MissingToolError",
    "MnelfError",
    "OutputError",
    "ParityError",
    "SceneError",
    "TrainingError",
    "require",
]


class MnelfError(Exception):
    """Base of every error that mnelf raises on purpose; its text is meant for the user.

    Attributes:
        exit_code: of the command line: 2 for wrong usage or input, 1 for a failed check.
        arguments: names of the arguments that solve it, as the SDK's functions call them. The
            command line adds its options of these names.
    """

    exit_code = 2

    def __init__(self, message: str = "", *, arguments: Sequence[str] = ()) -> None:
        """Takes the text, which speaks of arguments and never of options of the command line."""
        super().__init__(message)
        self.arguments = tuple(arguments)


class InputError(MnelfError):
    """An argument or a file that cannot be used as given."""


class ConfigError(InputError):
    """A configuration with unknown, missing or ill-typed keys."""


class CheckpointError(InputError):
    """A checkpoint that is broken, hostile or of an unknown kind."""


class SceneError(InputError):
    """A scene folder that cannot be read as posed images."""


class OutputError(InputError):
    """A destination that exists already or cannot be written."""


class DeployError(InputError):
    """A student that the chosen target or layout cannot take."""


class MissingExtraError(InputError):
    """An optional dependency that is not installed."""


class MissingToolError(InputError):
    """A program that is not a Python package is not installed."""


class CaptureError(MnelfError):
    """Photos from which no scene comes, or structure from motion that ended by itself."""

    exit_code = 1


class BundleError(MnelfError):
    """A bundle whose files do not agree with its manifest."""

    exit_code = 1


class ParityError(MnelfError):
    """An artefact whose frames differ from those of the trained network by more than allowed."""

    exit_code = 1


class TrainingError(MnelfError):
    """A training run that went wrong by itself."""

    exit_code = 1


def require(path: Path, kind: str) -> Path:
    """Returns `path` if it is an existing regular file.

    Args:
        path: what the user gave.
        kind: what was expected there, for the message (`"a checkpoint"`).

    Raises:
        InputError: the path does not exist or is a directory.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a directory, expected {kind}")
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected {kind}")
    return path
