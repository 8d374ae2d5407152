"""Checkpoints: trained students on disk and in memory."""

from __future__ import annotations

from pathlib import Path

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.checkpoints.native import read_native, save_checkpoint
from mobile_nelf.checkpoints.official.reader import STATE_DICT_KEY, CameraOptions, read_official
from mobile_nelf.checkpoints.safe import describe, printable, read_file
from mobile_nelf.errors import CheckpointError, InputError
from mobile_nelf.vocabulary import Activation

__all__ = ["CameraOptions", "Checkpoint", "load_checkpoint", "save_checkpoint"]

#: Keys of an unknown file that the message lists.
KEYS_SHOWN = 5


def load_checkpoint(
    path: Path, *, camera: CameraOptions | None = None, trained_activation: Activation | None = None
) -> Checkpoint:
    """Reads a trained student: this project's own file, or one of MobileR2L or R2L.

    What a file is, is told by its content. No code from a file is ever run.

    Args:
        path: the file.
        camera: the lens of an official file that has no `intrinsics.json`; overrides one that is
            there.
        trained_activation: the non-linearity of an official file, if not the one of the
            official scripts.

    Raises:
        CheckpointError: the file is broken, hostile or of an unknown kind.
        InputError: there is no file, or an option was given for a file that says so itself.
    """
    content = read_file(path)
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path}: holds {describe(content)}, expected the dict of a checkpoint"
        )
    if "format" in content:
        if camera is not None or trained_activation is not None:
            argument = "trained_activation" if camera is None else "camera"
            raise InputError(
                f"{path}: is a checkpoint of mobile-nelf and has its own {argument}; leave it out",
                arguments=[argument],
            )
        return read_native(content, path)
    if STATE_DICT_KEY in content:
        return read_official(content, path, camera, trained_activation)
    keys = ", ".join(printable(str(key)) for key in list(content)[:KEYS_SHOWN])
    raise CheckpointError(
        f"{path}: has neither `format` (a checkpoint of mobile-nelf) nor `{STATE_DICT_KEY}` "
        f"(MobileR2L or R2L), found {keys or 'nothing'}"
    )
