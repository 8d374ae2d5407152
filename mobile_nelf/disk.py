"""Why the system refuses to read or write, in its own words."""

from __future__ import annotations

import errno
from pathlib import Path

from mobile_nelf.errors import OutputError

__all__ = ["cannot_write", "io_reason"]

#: A full disk, and a full share of one.
FULL = (errno.ENOSPC, errno.EDQUOT)


def io_reason(error: BaseException) -> str:
    """Returns why input or output failed, in the words of the system.

    A library may report a full disk in its own; what the system said is what it was handling then.
    """
    full = _full(error)
    found = error if full is None else full
    return (isinstance(found, OSError) and found.strerror) or str(found)


def cannot_write(path: Path, error: BaseException) -> OutputError:
    """Returns what to raise for a file or folder that could not be written."""
    advice = "" if _full(error) is None else "; free some space"
    return OutputError(f"{path}: cannot be written ({io_reason(error)}){advice}")


def _full(error: BaseException) -> OSError | None:
    """Returns the error of a full disk at the bottom of another error; None without one."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in FULL:
            return cause
        cause = cause.__cause__ or cause.__context__
    return None
