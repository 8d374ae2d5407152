"""Options of a target as keywords, as Python users give them."""

from __future__ import annotations

from typing import Any

from mobile_nelf.checkpoints import CameraOptions
from mobile_nelf.export.check import CheckResult, check_path
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.vocabulary import Activation

__all__ = ["check"]


def check(
    path: AnyPath,
    *,
    target: str,
    camera: CameraOptions | None = None,
    trained_activation: Activation | None = None,
    **options: Any,
) -> CheckResult:
    """Says whether a target takes the network in a file, and at what cost.

    Args:
        path: a checkpoint, which is exported first, or any ONNX file; told by its content.
        target: name of an installed exporter.
        camera: lens of an official checkpoint, see `load_checkpoint`.
        trained_activation: non-linearity of an official checkpoint, see `load_checkpoint`.
        **options: of the target, as its options dataclass has them.

    Raises:
        ConfigError: a value of an option is none of its choices.
        InputError: no such file or target, an option that the target does not have, or options
            that the file has no use for.
        CheckpointError: the file is neither a checkpoint nor an ONNX model.
        MissingExtraError: the target's optional dependencies are not installed.
    """
    return check_path(
        as_path(path),
        target=target,
        options=options,
        camera=camera,
        trained_activation=trained_activation,
    )
