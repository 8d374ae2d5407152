"""Checkpoints: trained students on disk and in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.checkpoints.native import TEACHER_FORMAT, read_native, save_checkpoint
from mobile_nelf.checkpoints.official.reader import STATE_DICT_KEY, CameraOptions, read_official
from mobile_nelf.checkpoints.safe import describe, printable, read_file
from mobile_nelf.errors import CheckpointError, InputError
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.vocabulary import Activation, CheckpointKind

__all__ = [
    "CameraOptions",
    "Checkpoint",
    "OpenedFile",
    "as_checkpoint",
    "load_checkpoint",
    "open_checkpoint",
    "save_checkpoint",
]

#: Keys of an unknown file that the message lists.
KEYS_SHOWN = 5


@dataclass(frozen=True, eq=False, repr=False)
class OpenedFile:
    """A file that was read once, so that whoever asks for its kind need not read it again.

    Attributes:
        path: of the file.
        kind: what the file says that it is.
        content: plain values and tensors; nothing of it was checked yet.
    """

    path: Path
    kind: CheckpointKind
    content: dict[Any, Any]

    def refuse_lens(
        self, camera: CameraOptions | None, trained_activation: Activation | None
    ) -> None:
        """Refuses what only files of the research code leave open.

        Raises:
            InputError: one was given, and the file says so itself.
        """
        if self.kind == "official" or (camera is None and trained_activation is None):
            return
        argument = "trained_activation" if camera is None else "camera"
        raise InputError(
            f"{self.path}: is a {'teacher' if self.kind == 'teacher' else 'checkpoint'} of "
            f"mobile-nelf and has its own {argument}; leave it out",
            arguments=[argument],
        )

    def checkpoint(
        self,
        *,
        camera: CameraOptions | None = None,
        trained_activation: Activation | None = None,
    ) -> Checkpoint:
        """Returns the student in it; see `load_checkpoint`."""
        self.refuse_lens(camera, trained_activation)
        if self.kind == "official":
            return read_official(self.content, self.path, camera, trained_activation)
        return Checkpoint(**read_native(self.content, self.path))


def open_checkpoint(path: AnyPath) -> OpenedFile:
    """Reads a file of a student or a teacher. No code from a file is ever run.

    Raises:
        CheckpointError: the file is broken, hostile or of an unknown kind.
        InputError: there is no file.
    """
    path = as_path(path)
    content = read_file(path)
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path}: holds {describe(content)}, expected the dict of a checkpoint"
        )
    if "format" in content:
        is_teacher = content["format"] == TEACHER_FORMAT
        return OpenedFile(path, "teacher" if is_teacher else "student", content)
    if STATE_DICT_KEY in content:
        return OpenedFile(path, "official", content)
    keys = ", ".join(printable(str(key)) for key in list(content)[:KEYS_SHOWN])
    raise CheckpointError(
        f"{path}: has neither `format` (a checkpoint of mobile-nelf) nor `{STATE_DICT_KEY}` "
        f"(MobileR2L or R2L), found {keys or 'nothing'}"
    )


def load_checkpoint(
    path: AnyPath,
    *,
    camera: CameraOptions | None = None,
    trained_activation: Activation | None = None,
) -> Checkpoint:
    """Reads a trained student: this project's own file, or one of MobileR2L or R2L.

    What a file is, is told by its content. No code from a file is ever run.

    Args:
        path: the file.
        camera: the lens of an official file that has no `intrinsics.json`; overrides one that is
            there.
        trained_activation: the non-linearity of an official file, if not the one of the official
            scripts.

    Raises:
        CheckpointError: the file is broken, hostile or of an unknown kind.
        InputError: there is no file, or an option was given for a file that says so itself.
    """
    opened = open_checkpoint(path)
    return opened.checkpoint(camera=camera, trained_activation=trained_activation)


def as_checkpoint(checkpoint: Checkpoint | AnyPath) -> Checkpoint:
    """Returns a student that was given as such or as its file.

    Raises:
        CheckpointError: the file is broken, hostile or of an unknown kind.
        InputError: there is no file.
    """
    return checkpoint if isinstance(checkpoint, Checkpoint) else load_checkpoint(checkpoint)
