"""The resumable state of a stage: one file that is whole or not there."""

from __future__ import annotations

import os
import pickle
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from mobile_nelf.errors import InputError, OutputError

__all__ = ["load_state", "save_state"]


def save_state(path: Path, run: dict[str, Any], content: dict[str, Any]) -> None:
    """Writes beside and renames, so a kill leaves the last whole state.

    Args:
        path: the file.
        run: tells this run from others, in plain values.
        content: tensors, numbers and containers of such.

    Raises:
        OutputError: the file cannot be written.
    """
    beside = path.with_name(path.name + ".partial")
    try:
        torch.save({"run": run, **content}, beside)
        os.replace(beside, path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        beside.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error}); free some space") from error


def load_state(path: Path, run: dict[str, Any], names: Collection[str]) -> dict[str, Any] | None:
    """Returns the content of the state at `path`; None without one.

    Raises:
        InputError: the file is no state, lacks one of `names`, or belongs to another run.
    """
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise InputError(
            f"{path}: cannot be read as the state of a run ({type(error).__name__}); delete it to "
            "start afresh or use another output"
        ) from error
    if not (
        isinstance(state, dict)
        and {"run", *names} <= state.keys()
        and isinstance(state["run"], dict)
    ):
        raise InputError(
            f"{path}: holds something else than the state of a run; use another output"
        )
    if state["run"] != run:
        differing = [
            name for name in {**run, **state["run"]} if run.get(name) != state["run"].get(name)
        ]
        raise InputError(
            f"{path}: is the state of a run with other settings or views ({', '.join(differing)}); "
            "delete it to start afresh or use another output"
        )
    return state
