"""Learnt local features: at each sample of a ray, products of three functions, one of each axis.

f(x)·g(y)·h(z) is a volume of rank one, as in the CP form of TensoRF. Each function is a weighted
sum of what the encoding already says about its coordinate. A device needs nothing but 1×1 convs,
products and a sum for them, and they are as exact in fp16 as the encoding is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mobile_nelf.students.config import EncoderConfig

__all__ = ["AXES", "MIX", "LineProducts", "ProductConvs"]

#: State-dict name of what adds the products to the channels of the head's first layer.
MIX = "products.mix.weight"

AXES = ("x", "y", "z")

#: Spread of the weights at the start, beside a constant of one: a product then begins as about
#: 1 + f + g + h, in which each function has a gradient of its own.
INITIAL_SPREAD = 0.1


class LineProducts(nn.Module):
    """What the products add to the first layer of the head; all samples share the functions.

    Attributes:
        weight: [3, 2L+1, P], the functions of each axis over the encoding of a coordinate.
        bias: [3, P].
        mix: from the products of all samples, channel k·P + p, to the channels of the head.
    """

    def __init__(self, encoder: EncoderConfig, count: int, width: int) -> None:
        """Builds `count` products a sample with fresh weights, for a head of `width` channels."""
        super().__init__()
        each = encoder.channels // encoder.coords
        self.weight = nn.Parameter(torch.randn(3, each, count) * INITIAL_SPREAD)
        self.bias = nn.Parameter(torch.ones(3, count))
        self.mix = nn.Conv2d(encoder.samples * count, width, 1, bias=False)

    def forward(self, encoded: Tensor) -> Tensor:
        """Maps the official encoding [N, 3·K·(2L+1), h, w] to [N, width, h, w]."""
        batch, _, rows, columns = encoded.shape
        points = encoded.movedim(1, -1).reshape(-1, 3 * self.weight.shape[1])
        # The three axes as one matrix with blocks: most of it is 0, and it still is the fastest.
        blocks = torch.block_diag(*self.weight)  # type: ignore[no-untyped-call]  # untyped in torch
        lines = torch.addmm(self.bias.flatten(), points, blocks)
        x, y, z = lines.chunk(3, dim=1)  # [N·h·w·K, P] each
        products = (x * y * z).reshape(batch, rows, columns, -1).movedim(-1, 1)
        mixed: Tensor = self.mix(products)
        return mixed

    def as_conv(self) -> ProductConvs:
        """Returns the same function as 1×1 convs and products alone."""
        _, each, count = self.weight.shape
        samples = self.mix.in_channels // count
        convs = []
        for axis in range(3):
            weight = self.weight.new_zeros(samples, count, samples, 3, each)
            for sample in range(samples):
                weight[sample, :, sample, axis] = self.weight[axis].detach().T
            conv = nn.Conv2d(samples * 3 * each, samples * count, 1)
            conv.weight = nn.Parameter(weight.reshape(conv.weight.shape))
            conv.bias = nn.Parameter(self.bias[axis].detach().repeat(samples))
            convs.append(conv)
        return ProductConvs(convs, self.mix)


class ProductConvs(nn.Module):
    """`LineProducts` for a device: convs `x`, `y` and `z`, whose results are multiplied."""

    def __init__(self, lines: list[nn.Conv2d], mix: nn.Conv2d) -> None:
        """Takes the conv of each axis, from the encoding to K·P channels, and the last one."""
        super().__init__()
        self.x, self.y, self.z = lines
        self.mix = mix

    def forward(self, encoded: Tensor) -> Tensor:
        """Maps the encoding [N, C, h, w] to [N, width, h, w]."""
        mixed: Tensor = self.mix(self.x(encoded) * self.y(encoded) * self.z(encoded))
        return mixed
