"""Real commands that die at any moment, before the steps in which they change files too."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from mobile_nelf import atomic, cli
from mobile_nelf.training import presets
from tests.helpers.sphere import PRESET, start

__all__ = ["content", "dying", "leftovers", "moments", "run", "start_command", "steps"]

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


def steps(folder: Path, *arguments: str, **settings: Any) -> list[str]:
    """Returns the changes of files in `folder` by a command that nothing stops, in order."""
    trace = folder.parent / "steps"
    assert run(folder, *arguments, trace=trace, **settings) == 0
    return trace.read_text().splitlines()


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


@contextmanager
def dying(
    folder: Path,
    *,
    die_at: int | None = None,
    number: int = signal.SIGKILL,
    trace: Path | None = None,
    exchange: bool = True,
) -> Iterator[None]:
    """Lets this process send itself a signal before some change of a file below `folder`.

    Args:
        folder: where changes count.
        die_at: before which change the signal comes.
        number: of the signal.
        trace: where to write which changes there were.
        exchange: whether folders can trade places in one step on this system.
    """
    done: list[str] = []

    def change(what: str) -> None:
        done.append(what)
        if len(done) == die_at:
            os.kill(os.getpid(), number)

    def audit(event: str, values: tuple[Any, ...]) -> None:
        if event not in CHANGES or not isinstance(values[0], str | os.PathLike):
            return
        reads = event == "open" and not (values[2] or 0) & WRITING
        if not reads and Path(os.path.abspath(values[0])).is_relative_to(folder):
            change(f"{event} {' '.join(map(str, values[:2]))}")

    whole = atomic._exchange

    def _exchange(first: Path, second: Path) -> bool:
        change(f"exchange {second}")
        return exchange and whole(first, second)

    atomic._exchange = _exchange
    sys.addaudithook(audit)
    try:
        yield
    finally:
        if trace is not None:
            trace.write_text("\n".join(done))


def _command(folder: Path, arguments: tuple[str, ...], **settings: Any) -> None:
    """`mnelf` as a user starts it; the settings are those of `dying`."""
    torch.set_num_threads(1)
    os.chdir(folder)
    os.environ["XDG_STATE_HOME"] = str(folder.parent / "state")
    output = os.open(folder.parent / "said", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    presets.PRESETS = {"tiny": PRESET}
    sys.argv = ["mnelf", *arguments]
    with dying(folder, **settings):
        cli.main()
