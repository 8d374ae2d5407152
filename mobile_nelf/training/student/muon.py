"""Muon: momentum whose matrices are orthogonalised (Jordan et al., 2024).

Why it and not AdamW: docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from mobile_nelf.compute import is_apple_gpu

__all__ = ["Muon", "orthogonalised"]

#: Coefficients of the quintic Newton-Schulz iteration, which sends singular values to about 1, and
#: its steps. Published with the method.
QUINTIC = (3.4445, -4.7750, 2.0315)
STEPS = 5


class Muon(torch.optim.Optimizer):
    """Muon for weights of two or more dimensions; each is a matrix [first, all others].

    PyTorch's own takes matrices only, and 1×1 convs have four dimensions. Matrices of one shape are
    orthogonalised together: a GPU would otherwise wait for thousands of tiny products.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float | Tensor,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        """Takes the weights and the step length, relative to an orthogonal matrix.

        A step length that is a tensor may change between replays of a captured step.
        """
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter]["average"] = torch.zeros_like(parameter)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Takes one step; gradients must be there."""
        for group in self.param_groups:
            moving = [p for p in group["params"] if p.grad is not None]
            moving.sort(key=_matrix_shape)
            for (rows, columns), same in groupby(moving, key=_matrix_shape):
                parameters = list(same)
                gradients = [parameter.grad for parameter in parameters]
                averages = [self.state[parameter]["average"] for parameter in parameters]
                torch._foreach_lerp_(averages, gradients, 1.0 - group["momentum"])
                updates = torch._foreach_lerp(gradients, averages, group["momentum"])  # Nesterov
                stacked = torch.stack([update.flatten(1) for update in updates])
                stretch = max(1.0, rows / columns) ** 0.5
                steps = orthogonalised(stacked) * (group["lr"] * stretch)
                torch._foreach_mul_(parameters, 1.0 - group["lr"] * group["weight_decay"])
                torch._foreach_sub_(
                    parameters,
                    [step.view_as(p) for step, p in zip(steps, parameters, strict=True)],
                )


def _matrix_shape(parameter: Tensor) -> tuple[int, int]:
    return parameter.shape[0], parameter[0].numel()


def orthogonalised(matrices: Tensor) -> Tensor:
    """Returns about U·Vᵀ of the singular value decompositions U·S·Vᵀ of [n, r, c], in float32."""
    a, b, c = QUINTIC
    # Half precision does: the iteration forgives errors. Older Macs have none, so theirs is whole.
    x = matrices if is_apple_gpu(matrices.device) else matrices.bfloat16()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(STEPS):
        # a·x + (b·gram + c·gram²)·x, with each sum inside its product.
        gram = x @ x.mT
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, factor, x, beta=a)
    result: Tensor = (x.mT if tall else x).float()
    return result
