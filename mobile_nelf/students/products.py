"""Learnt local features: at each sample of a ray, products of three functions, one of each axis.

f(x)·g(y)·h(z) is a volume of rank one, as in the CP form of TensoRF. Each function is a weighted
sum of what the encoding already says about its coordinate. Nothing but 1×1 convs, products and a
concat is left on a device, and the features are as exact in fp16 as the encoding is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mobile_nelf.students.config import EncoderConfig

__all__ = ["AXES", "LineProducts", "ProductConvs"]

AXES = ("x", "y", "z")

#: Spread of the weights at the start, beside a constant of one: a product then begins as about
#: 1 + f + g + h, in which each function has a gradient of its own.
INITIAL_SPREAD = 0.1


class LineProducts(nn.Module):
    """Appends K·P products to the official encoding; all samples share the functions.

    Attributes:
        weight: [3, 2L+1, P], the functions of each axis over the encoding of a coordinate.
        bias: [3, 1, P].
    """

    def __init__(self, encoder: EncoderConfig, count: int) -> None:
        """Builds `count` products a sample with fresh weights."""
        super().__init__()
        self.samples = encoder.samples
        self.count = count
        each = encoder.channels // encoder.coords
        self.weight = nn.Parameter(torch.randn(3, each, count) * INITIAL_SPREAD)
        self.bias = nn.Parameter(torch.ones(3, 1, count))

    def forward(self, encoded: Tensor) -> Tensor:
        """Maps [N, 3·K·(2L+1), h, w] to [N, 3·K·(2L+1) + K·P, h, w]; product k·P + p is last."""
        batch, _, rows, columns = encoded.shape
        each = self.weight.shape[1]
        coordinates = encoded.movedim(1, -1).reshape(-1, 3, each).transpose(0, 1)
        x, y, z = torch.baddbmm(self.bias, coordinates, self.weight)  # [N·h·w·K, P] each
        products = (x * y * z).reshape(batch, rows, columns, self.samples * self.count)
        return torch.cat([encoded, products.movedim(-1, 1).to(encoded.dtype)], dim=1)

    def as_conv(self) -> ProductConvs:
        """Returns the same function as 1×1 convs, products and a concat alone."""
        each = self.weight.shape[1]
        weight, bias = self.weight.detach(), self.bias.detach()
        dense = weight.new_zeros(3, self.samples, self.count, self.samples, 3, each)
        for axis in range(3):
            for sample in range(self.samples):
                dense[axis, sample, :, sample, axis] = weight[axis].T
        convs = []
        for axis in range(3):
            conv = nn.Conv2d(self.samples * 3 * each, self.samples * self.count, 1)
            conv.weight = nn.Parameter(dense[axis].reshape(conv.weight.shape))
            conv.bias = nn.Parameter(bias[axis, 0].repeat(self.samples))
            convs.append(conv)
        return ProductConvs(*convs)


class ProductConvs(nn.Module):
    """`LineProducts` for a device."""

    def __init__(self, x: nn.Conv2d, y: nn.Conv2d, z: nn.Conv2d) -> None:
        """Takes the conv of each axis, from the encoding to K·P channels."""
        super().__init__()
        self.x = x
        self.y = y
        self.z = z

    def forward(self, encoded: Tensor) -> Tensor:
        """Appends the products to the encoding [N, C, h, w]."""
        return torch.cat([encoded, self.x(encoded) * self.y(encoded) * self.z(encoded)], dim=1)
