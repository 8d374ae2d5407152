"""The optimizers of a student and their schedule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mobile_nelf.compute import is_apple_gpu
from mobile_nelf.students.blocks import HeadBodyTail
from mobile_nelf.students.products import LineProducts
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.student.muon import Muon

__all__ = ["Optimizers", "build_optimizers", "schedule"]


#: Features see few samples in each step, so that their second moments forget sooner than usual.
PRODUCT_BETAS = (0.9, 0.99)


class Optimizers:
    """Several optimizers of one network, stepped and saved together."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        """Takes the optimizers; the learning rate of each of their groups is its peak."""
        self._parts = tuple(parts)
        self._peaks = [float(group["lr"]) for group in self._groups()]

    def set_factor(self, factor: float) -> None:
        """Makes the learning rates `factor` times their peaks."""
        for group, peak in zip(self._groups(), self._peaks, strict=True):
            if isinstance(group["lr"], Tensor):  # in place, where a captured step reads it
                group["lr"].fill_(peak * factor)
            else:
                group["lr"] = peak * factor

    def step(self) -> None:
        """Takes a step and drops the gradients."""
        for part in self._parts:
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        """Returns what a resumed run needs."""
        return [part.state_dict() for part in self._parts]

    def load_state_dict(self, states: Sequence[dict[str, Any]]) -> None:
        """Takes what `state_dict` returned."""
        for part, state in zip(self._parts, states, strict=True):
            rates = [group["lr"] for group in part.param_groups]
            part.load_state_dict(state)
            for group, rate in zip(part.param_groups, rates, strict=True):
                group["lr"] = rate  # of this device; `set_factor` gives it its value

    def tensors(self) -> list[Tensor]:
        """Returns everything that a step changes beside the parameters."""
        states = (state for part in self._parts for state in part.state.values())
        return [value for state in states for value in state.values() if isinstance(value, Tensor)]

    def _groups(self) -> list[dict[str, Any]]:
        return [group for part in self._parts for group in part.param_groups]


def build_optimizers(network: HeadBodyTail, config: FitConfig) -> Optimizers:
    """Returns the optimizers of the parameters that are trained.

    With `muon`, matrices are orthogonalised and all else (BatchNorm, biases and the output layer,
    whose rows are colours and no features) goes to AdamW. The functions of learnt products have an
    Adam of their own, whose steps are longer.
    """
    products = network.products
    lines = [products.weight, products.bias] if isinstance(products, LineProducts) else []
    lines = [parameter for parameter in lines if parameter.requires_grad]
    apart = {id(parameter) for parameter in lines}
    trained = [p for p in network.parameters() if p.requires_grad and id(p) not in apart]
    on_gpu = trained[0].is_cuda
    fused = not is_apple_gpu(trained[0].device)
    matrices: list[nn.Parameter] = []
    if config.optimizer == "muon":
        output = network.output_layer.weight
        matrices = [p for p in trained if p.ndim >= 2 and p is not output]
    taken = {id(parameter) for parameter in matrices}
    rest = [parameter for parameter in trained if id(parameter) not in taken]

    def rate(peak: float) -> float | Tensor:
        return torch.tensor(peak, device=trained[0].device) if on_gpu else peak

    adamw = torch.optim.AdamW(
        rest,
        lr=rate(config.learning_rate),
        weight_decay=config.weight_decay,
        fused=fused,
        capturable=on_gpu,
    )
    parts: list[torch.optim.Optimizer] = [adamw]
    if matrices:
        parts.append(Muon(matrices, rate(config.matrix_step), weight_decay=config.weight_decay))
    if lines:
        parts.append(
            torch.optim.Adam(
                lines,
                lr=rate(config.product_step),
                betas=PRODUCT_BETAS,
                fused=fused,
                capturable=on_gpu,
            )
        )
    return Optimizers(parts)


def schedule(step: int, config: FitConfig) -> float:
    """Returns the factor of the learning rate: linear warm-up, then half a cosine down to 1 %."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done))
