"""What a run writes: its output, settings beside it, and a folder with its resumable state.

For the output `mic.pt` that is `mic.pt.config.json` and the folder `mic.pt.run`.
"""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from mobile_nelf.atomic import refuse_existing, replacing, written_beside
from mobile_nelf.errors import InputError, OutputError

__all__ = [
    "check_output",
    "config_path",
    "differing_names",
    "load_state",
    "open_run_folder",
    "run_folder",
    "save_state",
    "write_settings",
]


def run_folder(output: Path) -> Path:
    """Returns the folder of a run that writes `output`: its state, log and sample frames."""
    return output.with_name(output.name + ".run")


def config_path(output: Path) -> Path:
    """Returns the file beside `output` that says how it was made."""
    return output.with_name(output.name + ".config.json")


def check_output(output: Path, force: bool) -> None:
    """Refuses the file to write before hours of work.

    Raises:
        OutputError: it exists and `force` is not set, or it cannot be written.
    """
    if output.is_dir():
        raise OutputError(f"{output}: is a directory, expected a file to write")
    refuse_existing(output, force)
    folder = output.absolute().parent
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); choose another output",
            arguments=["output"],
        ) from error


@contextmanager
def open_run_folder(output: Path) -> Iterator[Path]:
    """Yields the folder of a run that writes `output`, made if it is not there.

    A run that failed or was refused before it wrote anything leaves no folder.

    Raises:
        OutputError: it cannot be made.
    """
    folder = run_folder(output)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be made ({error.strerror}), expected a folder for the run's files; "
            "choose another output",
            arguments=["output"],
        ) from error
    try:
        yield folder
    finally:
        with suppress(OSError):  # it is not empty
            folder.rmdir()


def write_settings(settings: dict[str, Any], path: Path) -> None:
    """Writes what a run was told, in plain values.

    Raises:
        OutputError: the file cannot be written.
    """
    with written_beside(path) as partial:
        partial.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def differing_names(own: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Returns the settings in which what was found belongs to another run; empty for this run's."""
    return [name for name in {**own, **found} if own.get(name) != found.get(name)]


def save_state(path: Path, run: dict[str, Any], content: dict[str, Any]) -> None:
    """Writes beside and renames, so a kill leaves the last whole state.

    Args:
        path: the file.
        run: tells this run from others, in plain values.
        content: tensors, numbers and containers of such.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        with replacing(path) as partial:
            torch.save({"run": run, **content}, partial)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        raise OutputError(f"{path}: cannot be written ({error}); free some space") from error


def load_state(path: Path, run: dict[str, Any], names: Collection[str]) -> dict[str, Any] | None:
    """Returns the content of the state at `path`; None without one.

    Raises:
        InputError: the file is not a state, lacks one of `names`, or belongs to another run.
    """
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise InputError(
            f"{path}: cannot be read as the state of a run ({type(error).__name__}); delete it to "
            "start over, or use another output"
        ) from error
    if not (
        isinstance(state, dict)
        and {"run", *names} <= state.keys()
        and isinstance(state["run"], dict)
    ):
        raise InputError(f"{path}: is not the state of a run; use another output")
    differing = differing_names(run, state["run"])
    if differing:
        raise InputError(
            f"{path}: belongs to a run with different settings or views ({', '.join(differing)}); "
            "delete it to start over, or use another output"
        )
    return state
