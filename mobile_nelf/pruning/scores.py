"""What it costs to do without channels: predicted, in squared error of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Removal", "removal_order", "stream_losses"]

#: Ridge of the Gram matrix, relative to its mean diagonal.
RIDGE = 1e-4


@dataclass(frozen=True, eq=False)
class Removal:
    """In which order channels go, the least needed first.

    Attributes:
        order: [n] channels.
        losses: [n + 1] predicted mean squared error of the picture after so many are gone; the
            first is 0, and the last leaves a constant.
    """

    order: Tensor
    losses: Tensor

    def kept(self, count: int) -> Tensor:
        """Returns the `count` channels that stay, in ascending order."""
        return self.order[len(self.order) - count :].sort().values


def removal_order(covariance: Tensor, matrix: Tensor, metric: Tensor) -> Removal:
    """Removes columns of a layer one after the other, with all others re-fitted each time.

    That is the optimal brain surgeon with the layer's output measured by what the picture makes of
    it, so that the losses of different layers compare.

    Args:
        covariance: [n, n] of what the layer reads.
        matrix: [m, n] of the layer.
        metric: [m, m] of its output, see `Moments.metric`.
    """
    n = len(covariance)
    ridge = RIDGE * covariance.diagonal().mean().clamp_min(1e-30)
    inverse = torch.linalg.inv(covariance + ridge * torch.eye(n, dtype=covariance.dtype))
    values, vectors = torch.linalg.eigh(metric)
    seen = (vectors * values.clamp_min(0.0).sqrt()).T @ matrix  # [m, n]; its squares are errors
    gone = torch.zeros(n, dtype=torch.bool)
    order = torch.zeros(n, dtype=torch.int64)
    losses = torch.zeros(n + 1, dtype=covariance.dtype)
    for step in range(n):
        costs = seen.square().sum(0) / inverse.diagonal().clamp_min(1e-30)
        costs[gone] = torch.inf
        worst = int(costs.argmin())
        order[step], gone[worst] = worst, True
        losses[step + 1] = losses[step] + costs[worst]
        column = inverse[:, worst] / inverse[worst, worst]
        seen = seen - torch.outer(seen[:, worst], column)
        inverse = inverse - torch.outer(column, inverse[worst])
        seen[:, worst] = 0.0
    return Removal(order, losses)


def stream_losses(basis: Tensor, places: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Returns [n + 1] what is lost if only the first k directions of a basis are kept, by n − k.

    Args:
        basis: [n, n] orthonormal columns, the most needed first.
        places: covariance and metric of the stream at each place where it is read.
    """
    total = torch.zeros(len(basis) + 1, dtype=basis.dtype)
    for covariance, metric in places:
        turned = basis.T @ covariance @ basis
        seen = basis.T @ metric @ basis
        product = turned * seen  # of what is dropped, the sum over its square part
        dropped = product.flip(0, 1).cumsum(0).cumsum(1).diagonal()
        total[1:] = torch.maximum(total[1:], dropped)
    return total
