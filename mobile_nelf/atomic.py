"""Outputs that appear whole or not at all, whatever ends the process that writes them.

Beside an output under way lies a folder `.mnelf-<16 digits>` that its process has locked: in it
`new` holds what is written and `old` what that replaces, both under the name of the output. The
next command that writes into the same place clears those of dead processes away.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mobile_nelf.disk import cannot_write
from mobile_nelf.locks import take, take_over

__all__ = [
    "clear_leftovers",
    "partial_path",
    "replace_file",
    "replace_folder",
    "replacing",
    "written_beside",
]

SCRATCH = re.compile(r"\.mnelf-[0-9a-f]{16}")
LOCK, NEW, OLD = "lock", "new", "old"

#: Of `renameat2` (Linux): paths are relative to the current folder; both names stay.
AT_FDCWD, RENAME_EXCHANGE = -100, 2
#: Of `renamex_np` (macOS): the same.
RENAME_SWAP = 2


@contextmanager
def written_beside(output: Path) -> Iterator[Path]:
    """Yields a path for a new file or folder that takes the place of `output` at the end.

    An error or an interruption leaves `output` as it was. The folder of `output` must exist.

    Raises:
        OutputError: the file system refuses.
    """
    place = _place(output)
    try:
        with _scratch(place.parent) as scratch:
            (scratch / NEW).mkdir()
            partial = scratch / NEW / place.name
            yield partial
            _flush(partial)
            if place.is_dir() and partial.is_dir():  # a file never takes the place of a folder
                _swap(partial, place, scratch)
            else:
                os.replace(partial, place)
    except OSError as error:
        raise cannot_write(output, error) from error


def replace_folder(folder: Path, output: Path) -> None:
    """Moves a finished folder to `output`; deletes what was there only once that succeeded.

    Raises:
        OSError: the file system refuses.
    """
    place = _place(output)
    with _scratch(place.parent) as scratch:
        if place.exists():
            _swap(folder, place, scratch)
        else:
            folder.rename(place)


def partial_path(path: Path) -> Path:
    """Returns where `replacing` writes the new content of `path`."""
    return path.with_name(path.name + ".partial")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path for a new file that takes the place of `path` at the end.

    For the folder of a run, which may be killed at any moment: that leaves `path` as it was, and
    beside it at most one file, which the next attempt overwrites.

    Raises:
        OSError: the file system refuses.
    """
    partial = partial_path(path)
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def replace_file(path: Path, content: bytes) -> None:
    """Puts a whole file at `path`; a kill or a power failure leaves the old one or the new one.

    Raises:
        OSError: the file system refuses.
    """
    with replacing(path) as partial, partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def clear_leftovers(folder: Path) -> None:
    """Removes what dead processes left of outputs in `folder`, and puts back what they took away.

    What a living process is writing stays, and so does whatever cannot be told from that.
    """
    with contextlib.suppress(OSError):
        for path in [path for path in folder.iterdir() if SCRATCH.fullmatch(path.name)]:
            with contextlib.suppress(OSError):
                if {entry.name for entry in path.iterdir()} <= {LOCK, NEW, OLD}:
                    with take_over(path / LOCK):
                        _clear(path)


def _place(output: Path) -> Path:
    """Returns an absolute path that ends in a name, unlike `..`."""
    return output.resolve() if output.name in ("", "..") else output.absolute()


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    """Yields a new folder that no other process takes for a leftover."""
    clear_leftovers(parent)
    while True:
        scratch = parent / f".mnelf-{secrets.token_hex(8)}"
        scratch.mkdir(mode=0o700)
        try:
            lock = take(scratch / LOCK)
        except (BlockingIOError, FileNotFoundError):
            continue  # between the two lines above another process cleared it away
        except OSError:
            scratch.rmdir()
            raise
        break
    with lock:
        try:
            yield scratch
        finally:
            _clear(scratch)


def _clear(scratch: Path) -> None:
    """Removes a scratch folder; first what it took away and nothing has replaced goes back.

    Raises:
        OSError: that cannot be put back, so that everything stays.
    """
    for taken in (scratch / OLD).iterdir() if (scratch / OLD).is_dir() else ():
        if not os.path.lexists(scratch.parent / taken.name):
            taken.rename(scratch.parent / taken.name)
    shutil.rmtree(scratch, ignore_errors=True)


def _flush(path: Path) -> None:
    """Waits until everything at or below `path` is on the disk.

    Some file systems tell only then that they are full.
    """
    for file in path.rglob("*") if path.is_dir() else (path,):
        if file.is_file():
            with file.open("r+b") as opened:
                os.fsync(opened.fileno())


def _swap(folder: Path, place: Path, scratch: Path) -> None:
    """Puts `folder` at `place`, and what was there into `scratch`."""
    (scratch / OLD).mkdir()
    old = scratch / OLD / place.name
    if _exchange(folder, place):
        folder.rename(old)
    else:
        # A kill in between leaves nothing at `place`, until the next command puts it back.
        place.rename(old)
        folder.rename(place)


def _exchange(first: Path, second: Path) -> bool:
    """Lets two folders trade places in one step; False where the system cannot do that."""
    rename = _exchanging_rename()
    return rename is not None and rename(os.fsencode(first), os.fsencode(second)) == 0


@functools.cache
def _exchanging_rename() -> Callable[[bytes, bytes], int] | None:
    if sys.platform == "linux":
        renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
        if renameat2 is None:
            return None
        return lambda first, second: int(
            renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE)
        )
    if sys.platform == "darwin":
        renamex_np = getattr(ctypes.CDLL(None), "renamex_np", None)
        return None if renamex_np is None else lambda a, b: int(renamex_np(a, b, RENAME_SWAP))
    return None
