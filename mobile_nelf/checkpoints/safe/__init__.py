"""The only opener of foreign checkpoints. Nothing outside imports more of it than stands here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mobile_nelf.checkpoints.safe.archive import open_archive
from mobile_nelf.checkpoints.safe.machine import read_pickle
from mobile_nelf.checkpoints.safe.names import Inert, describe, printable

__all__ = ["Inert", "describe", "printable", "read_file"]


def read_file(path: Path) -> Any:
    """Returns the object that `torch.save` wrote; see `machine.read_pickle`.

    Raises:
        CheckpointError: the file names code, asks for memory that it does not hold, or is damaged.
        InputError: there is no file.
    """
    with open_archive(path) as archive:
        return read_pickle(archive)
