"""Locks on files, which the kernel releases however their process ends."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["is_locked", "take", "take_over"]

#: What file systems answer that have no locks, some network ones among them.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


def take(path: Path) -> BinaryIO:
    """Makes the file unless it is there, and holds it until it is closed or this process ends.

    Where there are no locks the file is returned without one.

    Raises:
        BlockingIOError: another process holds it.
        OSError: the file cannot be made.
    """
    return _take(path, certain=False)


def take_over(path: Path) -> BinaryIO:
    """Like `take`, for what another process may be using: only if it certainly is not.

    Raises:
        BlockingIOError: another process holds it.
        OSError: the file cannot be made, or there are no locks.
    """
    return _take(path, certain=True)


def is_locked(file: BinaryIO) -> bool:
    """Whether another process holds an open file; False where there are no locks."""
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(file, fcntl.LOCK_UN)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _take(path: Path, *, certain: bool) -> BinaryIO:
    while True:
        file = path.open("a+b")
        try:
            _lock(file, certain)
            if _is_at(file, path):
                return file
        except BaseException:
            file.close()
            raise
        # Whoever held it until now has removed it: the next process would lock another file.
        file.close()


def _lock(file: BinaryIO, certain: bool) -> None:
    try:
        if fcntl is None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if certain or error.errno not in NO_LOCKS:
            raise


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
