"""Reads the shape of a student off an official state dict."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from torch import Tensor

from mobile_nelf.checkpoints.weights import listed
from mobile_nelf.errors import CheckpointError

__all__ = ["infer_architecture"]

#: The first layer of a residual block, of both networks.
_FIRST_OF_BLOCK = re.compile(r"(body|tail)\.(\d{1,9})\.(?:conv_block|body)\.0\.weight")


def infer_architecture(weights: dict[str, Tensor], path: Path) -> dict[str, Any]:
    """Returns the fields of `StudentConfig` that the shapes of an official state dict tell.

    Also returns `channels`, the input channels of the head, which is not a field.

    Raises:
        CheckpointError: the names or shapes are of neither MobileR2L nor the residual R2L.
    """
    head = weights.get("head.0.weight")
    if head is None or head.dim() not in (2, 4):
        names = listed(weights)
        raise CheckpointError(
            f"{path}: has no first layer head.0.weight with 2 or 4 dimensions, found {names}; "
            "expected the network of MobileR2L or R2L, other architectures are not supported"
        )
    width, channels = head.shape[:2]
    fields: dict[str, Any] = {"channels": channels, "width": width}
    narrowed = weights.get("head.2.weight")
    if narrowed is not None and narrowed.dim() == head.dim():
        fields |= {"width": narrowed.shape[0], "head_width": width}
    if head.dim() == 2:
        return fields | _r2l_fields(weights, path)
    return fields | _mobiler2l_fields(weights, path)


def _inner_widths(weights: dict[str, Tensor]) -> tuple[int, ...]:
    """The inner width of each residual block; empty if all are as wide inside as outside."""
    blocks = []
    for name, value in weights.items():
        match = _FIRST_OF_BLOCK.fullmatch(name)
        if match and value.dim() in (2, 4):
            blocks.append((match[1], int(match[2]), *value.shape[:2]))
    blocks.sort()
    if all(inner == outer for _, _, inner, outer in blocks):
        return ()
    return tuple(inner for _, _, inner, _ in blocks)


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
        "inner_widths": _inner_widths(weights),
        "out_channels": _tail_layers(weights, path)[-1].shape[0],
    }


def _mobiler2l_fields(weights: dict[str, Tensor], path: Path) -> dict[str, Any]:
    layers = _tail_layers(weights, path)
    stages = [layer for layer in layers if layer.dim() == 4 and layer.shape[-1] > 1]
    fields: dict[str, Any] = {
        "architecture": "mobiler2l",
        "depth": 2 + 2 * _count(weights, r"body\.(\d+)\.conv_block\."),
        "sr_widths": tuple(stage.shape[1] for stage in stages),
        "inner_widths": _inner_widths(weights),
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
        raise CheckpointError(f"{path}: has no output layer tail.N.weight, found {listed(weights)}")
    return [weights[name] for _, name in numbered]
