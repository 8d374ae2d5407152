"""State dicts from files, and every tensor of them checked against its network."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mobile_nelf.checkpoints.safe import describe, printable
from mobile_nelf.errors import CheckpointError
from mobile_nelf.students import StudentConfig, build_student

__all__ = ["checked_weights", "listed", "state_dict"]

#: Names that a message lists before it says "and more".
NAMES_SHOWN = 3


def state_dict(found: Any, path: Path, key: str) -> dict[str, Tensor]:
    """Returns `found` as a state dict, without the `module.` of DistributedDataParallel.

    Args:
        found: what the file has under `key`.
        path: of the file, for messages.
        key: for messages.

    Raises:
        CheckpointError: it is not a dict of names and dense tensors.
    """
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: {key} is {describe(found)}, expected a dict of tensors")
    for name, value in found.items():
        if not isinstance(name, str):
            raise CheckpointError(f"{path}: {key} has {describe(name)} as a key, expected a name")
        if not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path}: {key}[{printable(name)}] is {describe(value)}, expected a dense tensor"
            )
    weights = {name.removeprefix("module."): value for name, value in found.items()}
    if len(weights) != len(found):
        raise CheckpointError(f"{path}: {key} has the same name with and without `module.`")
    # Each tensor is copied later. Many names for one storage would make much of a small file.
    storages = [value.untyped_storage() for value in weights.values()]
    held = sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
    used = sum(value.nbytes for value in weights.values())
    if used > held:
        raise CheckpointError(
            f"{path}: the tensors of {key} have {used} bytes and share {held}; students share no "
            "weights, so it is damaged or made to exhaust memory"
        )
    return weights


def checked_weights(
    weights: dict[str, Tensor], student: StudentConfig, path: Path, hint: str = ""
) -> dict[str, Tensor]:
    """Returns `weights` in the order of the network, floating ones as float32 copies.

    `num_batches_tracked`, which PyTorch before 0.4.1 did not save and no inference reads, may be
    missing and is then 0.

    Args:
        weights: a state dict.
        student: the network that they should fit.
        path: of the file, for messages.
        hint: what else is known about a network that they do not fit.

    Raises:
        CheckpointError: a name is missing or unknown, a shape or type is wrong, a value is NaN or
            infinite; the message names the tensors.
    """
    expected = _expected_tensors(student, len(weights), path)
    complete = {
        name: torch.zeros((), dtype=torch.int64)
        for name in expected
        if name.endswith(".num_batches_tracked")
    } | weights
    missing = [name for name in expected if name not in complete]
    unknown = [name for name in complete if name not in expected]
    if missing or unknown:
        lists = ((missing, "missing"), (unknown, "not part of it"))
        found = " and ".join(f"{listed(names)} {state}" for names, state in lists if names)
        raise CheckpointError(
            f"{path}: does not hold a {student.architecture} {student.name}: found {found}{hint}"
        )
    return {name: _checked(name, complete[name], like, path) for name, like in expected.items()}


def _expected_tensors(student: StudentConfig, count: int, path: Path) -> dict[str, Tensor]:
    """Shape and type of every tensor of the network, without memory for the values."""
    blocks = student.blocks + len(student.sr_widths) * student.sr_blocks
    if blocks > count:
        raise CheckpointError(
            f"{path}: claims a student with {blocks} residual blocks, which {count} tensors cannot "
            "hold"
        )
    with torch.device("meta"):
        return build_student(student).state_dict()


def _checked(name: str, value: Tensor, like: Tensor, path: Path) -> Tensor:
    if value.shape != like.shape:
        raise CheckpointError(
            f"{path}: {name} has shape {list(value.shape)}, expected {list(like.shape)}"
        )
    if value.is_floating_point() != like.is_floating_point():
        raise CheckpointError(f"{path}: {name} is of type {value.dtype}, expected {like.dtype}")
    converted = value.to(like.dtype, copy=True, memory_format=torch.contiguous_format)
    if not bool(torch.isfinite(converted).all()):
        bad = int((~torch.isfinite(converted)).sum())
        raise CheckpointError(
            f"{path}: {name} has {bad} of {math.prod(value.shape)} values that are NaN or "
            "infinite; training diverged, use an earlier checkpoint"
        )
    return converted


def listed(names: Collection[str]) -> str:
    """Returns the first names, for messages."""
    shown = ", ".join(printable(str(name)) for name in list(names)[:NAMES_SHOWN])
    return f"{shown} and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else shown
