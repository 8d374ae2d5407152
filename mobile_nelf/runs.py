"""What a run writes: its output, settings beside it, and a folder with its resumable state.

For the output `mic.pt` that is `mic.pt.config.json` and the folder `mic.pt.run`, and while a
process works in that folder the file `mic.pt.run.lock`. At the end the folder holds `finished.pt`,
which becomes the output, and from before that until the states are gone `finished.json`.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from mobile_nelf.atomic import replace_file, replacing, written_beside
from mobile_nelf.disk import cannot_write, io_reason
from mobile_nelf.errors import InputError, OutputError
from mobile_nelf.locks import is_locked, take
from mobile_nelf.outputs import check_output, refuse_inputs
from mobile_nelf.parsing import parse_json, read_json

__all__ = [
    "STATE_SUFFIX",
    "check_run_output",
    "check_writable",
    "clear_states",
    "config_path",
    "differing_names",
    "finish_run",
    "finished_run",
    "hold_run",
    "is_held",
    "load_state",
    "open_run_folder",
    "put_in_place",
    "read_state",
    "result_path",
    "run_folder",
    "save_state",
    "taking_up",
    "write_settings",
]

RESULT, FINISHED = "finished.pt", "finished.json"

#: Ends the names of states.
STATE_SUFFIX = ".state"

#: Folders that this thread holds; a run holds its folder for all of its parts.
_HELD: ContextVar[frozenset[Path]] = ContextVar("held", default=frozenset())


def run_folder(output: Path) -> Path:
    """Returns the folder of a run that writes `output`: its state, log and sample frames."""
    return output.with_name(output.name + ".run")


def result_path(output: Path) -> Path:
    """Returns where a run writes its result, which `put_in_place` then moves to `output`."""
    return run_folder(output) / RESULT


def config_path(output: Path) -> Path:
    """Returns the file beside `output` that says how it was made."""
    return output.with_name(output.name + ".config.json")


def check_writable(output: Path, inputs: Collection[Path] = ()) -> None:
    """Refuses the file to write before hours of work, whether it is there or not.

    Raises:
        OutputError: it is a folder, an input or a link that leads nowhere, or its folder cannot be
            written.
    """
    if output.is_dir():
        raise OutputError(f"{output}: is a directory, expected a file to write")
    refuse_inputs(output, inputs)
    folder = output.absolute().parent
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({io_reason(error)}); choose another output",
            arguments=["output"],
        ) from error


def check_run_output(output: Path, force: bool, inputs: Collection[Path] = ()) -> None:
    """Refuses what is there already, and what `check_writable` refuses.

    Raises:
        OutputError: that is so.
    """
    check_writable(output, inputs)
    # People train inside the folder of their photos; only another file there may be one of them.
    check_output(output, force, () if config_path(output).exists() else inputs)


@contextmanager
def hold_run(output: Path, *, main: bool = True) -> Iterator[None]:
    """Keeps other processes out of the folder of the run that writes `output`.

    Args:
        output: of the run, in a folder that can be written.
        main: whether this process speaks for all; the others hold nothing.

    Raises:
        InputError: another process works there; the message says which.
        OutputError: the lock cannot be written.
    """
    folder = run_folder(output.absolute())
    if not main or folder in _HELD.get():
        yield
        return
    path = folder.with_name(folder.name + ".lock")
    try:
        lock = take(path)
    except BlockingIOError as error:
        raise InputError(
            f"{run_folder(output)}: is in use by {_holder(path)}; wait until it ends, or use "
            "another output",
            arguments=["output"],
        ) from error
    except OSError as error:
        raise cannot_write(path, error) from error
    held = _HELD.set(_HELD.get() | {folder})
    try:
        since = datetime.now().astimezone().isoformat(" ", "seconds")
        mine = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
        with suppress(OSError):  # a full disk costs the name of the holder, and the lock holds
            lock.truncate(0)
            os.write(lock.fileno(), json.dumps(mine).encode())
        yield
    finally:
        _HELD.reset(held)
        path.unlink(missing_ok=True)
        lock.close()


def is_held(output: Path) -> bool:
    """Whether a process works in the folder of the run that writes `output`."""
    folder = run_folder(output.absolute())
    try:
        # Opened and not made: looking leaves nothing behind.
        with folder.with_name(folder.name + ".lock").open("rb") as file:
            return is_locked(file)
    except OSError:
        return False


def _holder(path: Path) -> str:
    """Who holds a lock, as its file says."""
    try:
        found = read_json(path)
        return f"process {found['pid']} on {found['host']} since {found['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


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
            f"{folder}: cannot be made ({io_reason(error)}), expected a folder for the run's "
            "files; choose another output",
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
        # Not to a path: torch would report a full disk without the system's words.
        with replacing(path) as partial, partial.open("wb") as file:
            torch.save({"run": run, **content}, file)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:
        raise cannot_write(path, error) from error


def load_state(path: Path, run: dict[str, Any], names: Collection[str]) -> dict[str, Any] | None:
    """Returns the content of the state at `path`; None without one.

    Raises:
        InputError: the file is not a state, lacks one of `names`, or belongs to another run.
    """
    if not path.exists():
        return None
    state = read_state(path, names)
    differing = differing_names(run, state["run"])
    if differing:
        raise InputError(
            f"{path}: belongs to a run with different settings or views ({', '.join(differing)}); "
            "delete it to start over, or use another output"
        )
    return state


def read_state(path: Path, names: Collection[str]) -> dict[str, Any]:
    """Returns the content of a state, whichever run it belongs to; `run` tells.

    Raises:
        InputError: the file is not a state, or lacks one of `names`.
    """
    with taking_up(path):
        state = torch.load(path, map_location="cpu", weights_only=True)
    if not (
        isinstance(state, dict)
        and {"run", *names} <= state.keys()
        and isinstance(state["run"], dict)
    ):
        raise InputError(f"{path}: is not the state of a run; use another output")
    return state


@contextmanager
def taking_up(path: Path) -> Iterator[None]:
    """Says of a damaged state what to do, while it is read and taken up.

    Torch raises nearly anything for one.

    Raises:
        InputError: it is damaged.
    """
    try:
        yield
    except Exception as error:
        raise InputError(
            f"{path}: cannot be read as the state of a run ({type(error).__name__}); delete it to "
            "start over, or use another output"
        ) from error


def put_in_place(output: Path, settings: dict[str, Any], told: Any) -> None:
    """Moves the result of a run from its folder to `output`, and only then drops the states.

    Args:
        output: the destination of the file at `result_path`.
        settings: of the run, in plain values.
        told: what else the run tells at its end, in plain values; see `finished_run`.

    Raises:
        OutputError: the file system refuses.
    """
    result = result_path(output)
    try:
        finished = {"sha256": _sha256(result), "settings": settings, "told": told}
        replace_file(result.with_name(FINISHED), (json.dumps(finished) + "\n").encode())
        os.replace(result, output)
    except OSError as error:
        raise cannot_write(output, error) from error
    clear_states(output)


def finished_run(output: Path) -> dict[str, Any] | None:
    """Returns `settings` and `told` of a run that died between its last two steps.

    Its output is in place, and its states may be there still; None if that is not so.
    """
    try:
        found = read_json(run_folder(output) / FINISHED)
        whole = found["sha256"] == _sha256(output) and {"settings", "told"} <= found.keys()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if whole else None


def finish_run(output: Path, settings: dict[str, Any]) -> Any:
    """Does what `finished_run` says is left, whoever asks.

    Returns:
        What the run had to tell, if it had these settings; otherwise None.
    """
    found = finished_run(output)
    if found is None:
        return None
    clear_states(output)
    same = found["settings"] == parse_json(json.dumps(settings))
    return found["told"] if same else None


def clear_states(output: Path) -> None:
    """Removes the states of a finished run, and its folder if nothing else is in it."""
    folder = run_folder(output)
    for state in folder.glob(f"*{STATE_SUFFIX}"):
        state.unlink()
    (folder / FINISHED).unlink(missing_ok=True)
    with suppress(OSError):  # log and sample frames stay
        folder.rmdir()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
