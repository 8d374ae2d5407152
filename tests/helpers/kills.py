"""Real commands that die at any moment, before the steps in which they change files too."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from mobile_nelf import atomic, cli
from mobile_nelf.training import presets
from tests.helpers.sphere import PRESET, start

__all__ = ["content", "leftovers", "moments", "run", "start_command", "steps"]

#: What Python tells before it changes a folder; `open` counts where it may write.
CHANGES = ("open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def start_command(folder: Path, *arguments: str, **settings: Any) -> BaseProcess:
    """Starts `mnelf` in `folder`; see `_command`."""
    return start(_command, folder, arguments, **settings)


def run(folder: Path, *arguments: str, **settings: Any) -> int:
    """Returns the exit code of `mnelf`, negative for a signal that ended it."""
    process = start_command(folder, *arguments, **settings)
    process.join(120)
    assert process.exitcode is not None
    return process.exitcode


def steps(folder: Path, *arguments: str, **settings: Any) -> int:
    """Returns how often a command that nothing stops changes the files in `folder`."""
    count = folder.parent / "steps"
    assert run(folder, *arguments, count=count, **settings) == 0
    return int(count.read_text())


def moments(last: int, count: int) -> Iterator[tuple[int, int]]:
    """Yields steps spread over a whole run, and the two signals in turn."""
    for index in range(count):
        step = round((index + 0.5) * last / count)
        yield step, (signal.SIGKILL, signal.SIGTERM)[index % 2]


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; the log without its times."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "log.jsonl"
    }


def leftovers(folder: Path) -> list[str]:
    """What no finished command leaves, hidden files and empty folders among it."""
    found = []
    for path in folder.rglob("*"):
        empty = path.is_dir() and not any(path.iterdir())
        ours = path.name.startswith(".") or path.suffix in (".partial", ".state", ".lock")
        if empty or ours or path.name.startswith("finished."):
            found.append(path.relative_to(folder).as_posix())
    return found


def _command(
    folder: Path,
    arguments: tuple[str, ...],
    *,
    die_at: int | None = None,
    number: int = signal.SIGKILL,
    count: Path | None = None,
    exchange: bool = True,
) -> None:
    """`mnelf` as a user starts it, in a process that may send itself a signal.

    Args:
        folder: where it runs.
        arguments: of the command line.
        die_at: before which change of a file the signal comes.
        number: of the signal.
        count: where to write how many changes there were.
        exchange: whether folders can trade places in one step on this system.
    """
    torch.set_num_threads(1)
    os.chdir(folder)
    os.environ["XDG_STATE_HOME"] = str(folder.parent / "state")
    output = os.open(folder.parent / "said", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    presets.PRESETS = {"tiny": PRESET}
    sys.argv = ["mnelf", *arguments]
    done = 0

    def change() -> None:
        nonlocal done
        done += 1
        if done == die_at:
            os.kill(os.getpid(), number)

    def audit(event: str, values: tuple[Any, ...]) -> None:
        if event not in CHANGES or not isinstance(values[0], str | os.PathLike):
            return
        reads = event == "open" and not (values[2] or 0) & WRITING
        if not reads and Path(os.path.abspath(values[0])).is_relative_to(folder):
            change()

    whole = atomic._exchange

    def _exchange(first: Path, second: Path) -> bool:
        change()
        return exchange and whole(first, second)

    atomic._exchange = _exchange
    sys.addaudithook(audit)
    try:
        cli.main()
    finally:
        if count is not None:
            count.write_text(str(done))
