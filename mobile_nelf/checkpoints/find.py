"""Which checkpoint is meant where none is named."""

from __future__ import annotations

from pathlib import Path

from mobile_nelf.checkpoints import open_checkpoint
from mobile_nelf.errors import CheckpointError, InputError

__all__ = ["only_checkpoint"]

#: How files of checkpoints are called; what a file is, its content tells.
SUFFIXES = {".pt", ".pth", ".tar", ".ckpt"}


def only_checkpoint(folder: Path) -> Path:
    """Returns the file of the only student in `folder`; teachers and subfolders do not count.

    Raises:
        InputError: there is none, or there are several.
    """
    students, others = [], []
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES):
        if not path.is_file():
            continue
        try:
            is_teacher = open_checkpoint(path).kind == "teacher"
        except CheckpointError as error:
            others.append(str(error))
            continue
        if is_teacher:
            others.append(f"{path}: is a teacher")
        else:
            students.append(path)
    if len(students) == 1:
        return students[0]
    if students:
        raise InputError(
            f"{_name(folder)} has several checkpoints: {', '.join(map(str, students))}; name one "
            "of them"
        )
    found = f" ({'; '.join(others)})" if others else ""
    raise InputError(f"{_name(folder)} has no checkpoint of a student{found}; name one")


def _name(folder: Path) -> str:
    return "the current folder" if folder == Path() else str(folder)
