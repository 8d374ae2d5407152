"""Muon: momentum whose matrices are orthogonalised (Jordan et al., 2024).

Why it and not AdamW: docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Muon", "orthogonalised"]

#: Coefficients of the quintic Newton-Schulz iteration, which sends singular values to about 1, and
#: its steps. Published with the method.
QUINTIC = (3.4445, -4.7750, 2.0315)
STEPS = 5


class Muon(torch.optim.Optimizer):
    """Muon for weights of two or more dimensions; each is a matrix [first, all others].

    PyTorch's own takes matrices only, and 1×1 convs have four dimensions.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        """Takes the weights and the step length, relative to an orthogonal matrix."""
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Takes one step; gradients must be there."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["average"] = torch.zeros_like(parameter)
                average = state["average"].lerp_(parameter.grad, 1.0 - group["momentum"])
                update = parameter.grad.lerp(average, group["momentum"])  # Nesterov
                matrix = update.flatten(1)
                stretch = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                parameter.mul_(1.0 - group["lr"] * group["weight_decay"])
                parameter.add_(
                    orthogonalised(matrix).view_as(parameter), alpha=-group["lr"] * stretch
                )


def orthogonalised(matrix: Tensor) -> Tensor:
    """Returns about U·Vᵀ of the singular value decomposition U·S·Vᵀ of [m, n], in float32."""
    a, b, c = QUINTIC
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(STEPS):
        # a·x + (b·gram + c·gram²)·x, with each sum inside its product.
        gram = x @ x.T
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.addmm(x, factor, x, beta=a)
    result: Tensor = (x.T if tall else x).float()
    return result
