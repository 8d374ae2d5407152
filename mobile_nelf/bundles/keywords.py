"""Bundles as Python users ask for them: options of a target are keywords."""

from __future__ import annotations

from typing import Any

from mobile_nelf.bundles.create import Bundle, create_bundle
from mobile_nelf.checkpoints import as_checkpoint
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.progress import Progress, silent

__all__ = ["bundle"]


def bundle(
    checkpoint: Checkpoint | AnyPath,
    output: AnyPath,
    *,
    target: str,
    name: str | None = None,
    force: bool = False,
    on_progress: Progress = silent,
    **options: Any,
) -> Bundle:
    """Exports a student, proves the artefact, and writes the bundle.

    Args:
        checkpoint: the trained student, or its file.
        output: folder to write; appears whole or not at all.
        target: name of an installed exporter, such as `onnx`.
        name: of the project inside; made from that of `output` if None.
        force: replace an existing bundle.
        on_progress: called with a stage's name, steps done and steps in all.
        **options: of the target, as its options dataclass has them, such as
            `weights=("fp16", "palette6")`; what is left out the exporter chooses.

    Raises:
        ConfigError: a value of an option is none of its choices.
        InputError: unknown target, an option or name that it does not have, or a student that it
            cannot take, for its operators or its size.
        CheckpointError: the checkpoint cannot be read.
        OutputError: `output` exists or cannot be written.
        ParityError: the artefact does not reproduce the trained network; nothing is written.
        MissingExtraError: the target's optional dependencies are not installed.
    """
    return create_bundle(
        as_checkpoint(checkpoint),
        target=target,
        output=as_path(output),
        name=name,
        options=options,
        force=force,
        on_progress=on_progress,
    )
