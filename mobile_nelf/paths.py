"""Paths as people pass them."""

from __future__ import annotations

import os
from pathlib import Path

from mobile_nelf.errors import InputError

__all__ = ["AnyPath", "as_path"]

#: What every public function takes for a path.
AnyPath = str | os.PathLike[str]


def as_path(path: AnyPath) -> Path:
    """Returns what a public function was given as a path; `~` is the home folder, as in a shell.

    Raises:
        InputError: `~name` names nobody.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{path}: no such home folder") from error
