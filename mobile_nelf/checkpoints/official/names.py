"""Undoes what tools of PyTorch do to the names of a state dict: wrappers and pruning masks."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from mobile_nelf.checkpoints.safe import printable
from mobile_nelf.errors import CheckpointError

__all__ = ["WRAPPERS", "plain_names"]

#: What torch.compile and DistributedDataParallel put around a network.
WRAPPERS = ("_orig_mod", "module")

#: What torch.nn.utils.prune keeps in place of a weight until `prune.remove`: weight and mask.
ORIGINAL, MASK = "_orig", "_mask"


def plain_names(weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Returns a state dict without the names of wrappers, with masks applied to their weights.

    Args:
        weights: of the file.
        path: of the file, for messages.

    Raises:
        CheckpointError: two names become one, or a mask and its weight do not fit.
    """
    unwrapped = {_unwrapped(name): value for name, value in weights.items()}
    if len(unwrapped) != len(weights):
        raise CheckpointError(
            f"{path}: has the same name with and without {' or '.join(WRAPPERS)}; save one network"
        )
    plain = {}
    for name, value in unwrapped.items():
        if name.endswith(ORIGINAL):
            plain[name.removesuffix(ORIGINAL)] = _masked(name, value, unwrapped, path)
        elif not (name.endswith(MASK) and name.removesuffix(MASK) + ORIGINAL in unwrapped):
            plain.setdefault(name, value)
    return plain


def _unwrapped(name: str) -> str:
    """Returns a name without wrappers, which may stand around each other and around parts."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def _masked(name: str, value: Tensor, weights: dict[str, Tensor], path: Path) -> Tensor:
    plain = name.removesuffix(ORIGINAL)
    mask = weights.get(plain + MASK)
    if mask is None or mask.shape != value.shape or plain in weights:
        found = "no mask" if mask is None else f"a mask of shape {list(mask.shape)}"
        raise CheckpointError(
            f"{path}: {printable(name)} of shape {list(value.shape)} was pruned and has {found}"
            f"{' and the weight itself beside it' if plain in weights else ''}; save it again "
            "after torch.nn.utils.prune.remove"
        )
    return value * mask.to(value.dtype)
