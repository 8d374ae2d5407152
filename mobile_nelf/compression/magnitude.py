"""The paper's own way: the smallest weights of the whole network become zero.

Unstructured, by magnitude over all layers together, in rounds. A mask keeps them at zero while the
others are tuned. Nothing is computed faster; a target that stores sparse weights has less to store.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.pruning.layers import anatomy, working_network

__all__ = ["magnitude_masks", "masked"]


def magnitude_masks(checkpoint: Checkpoint, keep: float) -> dict[str, Tensor]:
    """Returns 1 for the share of weights that are largest and 0 for the others, by weight.

    Args:
        checkpoint: without BatchNorm. What is zero already stays the smallest.
        keep: share of the weights of all layers together; biases stay.
    """
    layers = anatomy(working_network(checkpoint), checkpoint.student).layers()
    names = [f"{layer.name}.weight" for layer in layers]
    sizes = torch.cat([checkpoint.weights[name].abs().flatten() for name in names])
    dropped = len(sizes) - round(keep * len(sizes))
    order = sizes.argsort(stable=True)
    kept = torch.ones_like(sizes)
    kept[order[:dropped]] = 0.0
    parts = torch.split(kept, [checkpoint.weights[name].numel() for name in names])
    return {
        name: part.reshape(checkpoint.weights[name].shape)
        for name, part in zip(names, parts, strict=True)
    }


def masked(checkpoint: Checkpoint, masks: dict[str, Tensor]) -> Checkpoint:
    """Returns a student whose weights are zero where its masks are."""
    weights = {
        name: value * masks[name] if name in masks else value
        for name, value in checkpoint.weights.items()
    }
    return Checkpoint(**{**vars(checkpoint), "weights": weights})
