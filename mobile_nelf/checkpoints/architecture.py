"""Reads the shape of a student off its state dict, and checks every tensor against it."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mobile_nelf.checkpoints.names import describe, printable
from mobile_nelf.errors import CheckpointError
from mobile_nelf.students import StudentConfig, build_student

__all__ = ["checked_weights", "infer_architecture", "state_dict"]

#: No layer is wider; the limit stops a config that would need terabytes before it is built.
MAX_CHANNELS = 2**16
#: Names that a message lists before it says "and more".
NAMES_SHOWN = 3


def state_dict(found: Any, path: Path, key: str) -> dict[str, Tensor]:
    """Returns `found` as a state dict, without the `module.` of DistributedDataParallel.

    Args:
        found: what the file has under `key`.
        path: of the file, for messages.
        key: for messages.

    Raises:
        CheckpointError: it is no dict of names and dense tensors.
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


def infer_architecture(weights: dict[str, Tensor], path: Path) -> dict[str, Any]:
    """Returns the fields of `StudentConfig` that the shapes of an official state dict tell.

    Also returns `channels`, the input channels of the head, which is not a field.

    Raises:
        CheckpointError: the names or shapes are of neither MobileR2L nor the residual R2L.
    """
    head = weights.get("head.0.weight")
    if head is None or head.dim() not in (2, 4):
        names = _listed(weights)
        raise CheckpointError(
            f"{path}: has no first layer head.0.weight with 2 or 4 dimensions, found {names}; "
            "expected the network of MobileR2L or R2L"
        )
    width, channels = head.shape[:2]
    fields = {"channels": channels, "width": width}
    if head.dim() == 2:
        return fields | _r2l_fields(weights, path)
    return fields | _mobiler2l_fields(weights, path)


def _r2l_fields(weights: dict[str, Tensor], path: Path) -> dict[str, Any]:
    if any(re.fullmatch(r"body\.\d+\.weight", name) for name in weights):
        raise CheckpointError(
            f"{path}: its body is a plain MLP (body.N.weight); only R2L with residual blocks of "
            "two layers (body.N.body.0 and body.N.body.2) is supported"
        )
    return {
        "architecture": "r2l",
        "depth": 2 + 2 * _count(weights, r"body\.(\d+)\.body\."),
        "sr_widths": (),
        "out_channels": _tail_layers(weights, path)[-1].shape[0],
    }


def _mobiler2l_fields(weights: dict[str, Tensor], path: Path) -> dict[str, Any]:
    layers = _tail_layers(weights, path)
    stages = [layer for layer in layers if layer.dim() == 4 and layer.shape[-1] > 1]
    fields: dict[str, Any] = {
        "architecture": "mobiler2l",
        "depth": 2 + 2 * _count(weights, r"body\.(\d+)\.conv_block\."),
        "sr_widths": tuple(stage.shape[1] for stage in stages),
        "out_channels": layers[-1].shape[0],
        "batchnorm": any(re.match(r"body\.\d+\.conv_block\.1\.", name) for name in weights),
    }
    if stages:
        kernel = stages[-1].shape[-1]
        if kernel not in (3, 4):
            raise CheckpointError(
                f"{path}: its last up-sampling has a kernel of {kernel}, expected 4 (×2) or 3 (×3)"
            )
        fields["last_scale"] = 3 if kernel == 3 else 2
        fields["sr_blocks"] = _count(weights, r"tail\.(\d+)\.conv_block\.") // len(stages)
    return fields


def _count(weights: dict[str, Tensor], pattern: str) -> int:
    """How many different numbers the names have where `pattern` has its group."""
    matches = (re.match(pattern, name) for name in weights)
    return len({match[1] for match in matches if match})


def _tail_layers(weights: dict[str, Tensor], path: Path) -> list[Tensor]:
    """The weights of the up-sampling layers and of the output layer, in order."""
    matches = ((re.fullmatch(r"tail\.(\d{1,9})\.weight", name), name) for name in weights)
    numbered = sorted((int(match[1]), name) for match, name in matches if match)
    if not numbered or weights[numbered[-1][1]].dim() not in (2, 4):
        raise CheckpointError(
            f"{path}: has no output layer tail.N.weight, found {_listed(weights)}"
        )
    return [weights[name] for _, name in numbered]


def checked_weights(
    weights: dict[str, Tensor], student: StudentConfig, path: Path
) -> dict[str, Tensor]:
    """Returns `weights` in the order of the network, floating ones as float32 copies.

    `num_batches_tracked`, which PyTorch before 0.4.1 did not save and no inference reads, may be
    missing and is then 0.

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
        found = " and ".join(f"{_listed(names)} {state}" for names, state in lists if names)
        raise CheckpointError(
            f"{path}: does not hold a {student.architecture} {student.name}: found {found}"
        )
    return {name: _checked(name, complete[name], like, path) for name, like in expected.items()}


def _expected_tensors(student: StudentConfig, count: int, path: Path) -> dict[str, Tensor]:
    """Shape and type of every tensor of the network, without memory for the values."""
    widths = (student.width, student.encoder.channels, *student.sr_widths)
    blocks = student.blocks + len(student.sr_widths) * student.sr_blocks
    if max(widths) > MAX_CHANNELS or blocks > count:
        raise CheckpointError(
            f"{path}: claims a student with {blocks} residual blocks and up to {max(widths)} "
            f"channels, which {count} tensors cannot hold"
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
            "infinite; the training diverged, take an earlier checkpoint"
        )
    return converted


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(printable(str(name)) for name in list(names)[:NAMES_SHOWN])
    return f"{shown} and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else shown
