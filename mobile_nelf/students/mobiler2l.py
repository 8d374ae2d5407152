"""MobileR2L (Cao et al., CVPR 2023): a conv body on a coarse ray grid, then super-resolution."""

from __future__ import annotations

from torch import nn

from mobile_nelf.students.blocks import ConvBlock, HeadBodyTail, activation_layer
from mobile_nelf.students.config import StudentConfig
from mobile_nelf.students.products import LineProducts

__all__ = ["MobileR2L"]


class MobileR2L(HeadBodyTail):
    """Maps encoded rays [N, C, h, w] to an image [N, 3 or 4, s·h, s·w] in [0, 1].

    State-dict names are those of the official code: `head.0`, `body.N.conv_block.M`, `tail.N`. A
    head of a width of its own has a second layer, `head.2`; `products` has no official name.
    """

    def __init__(self, config: StudentConfig) -> None:
        """Builds the network with fresh weights."""
        act, norm = config.activation, config.batchnorm
        width = config.width
        first = width if config.head_width is None else config.head_width
        head = [nn.Conv2d(config.encoder.channels, first, 1), activation_layer(act)]
        if config.head_width is not None:
            head.append(nn.Conv2d(first, width, 1))
        inner = iter(config.block_inner_widths)
        body = [ConvBlock(width, next(inner), act, norm) for _ in range(config.blocks)]
        tail: list[nn.Module] = []
        for index, sr_width in enumerate(config.sr_widths, start=1):
            # Layers draw their weights in the order of the list, so that a seed keeps its meaning.
            blocks = (ConvBlock(sr_width, next(inner), act, norm) for _ in range(config.sr_blocks))
            tail += [_upsampling(width, sr_width, config, index), *blocks]
            width = sr_width
        if config.direct_output:
            tail.append(_upsampling(width, config.out_channels, config, config.stages))
        else:
            tail.append(nn.Conv2d(width, config.out_channels, 1))
        super().__init__(
            nn.Sequential(*head), nn.Sequential(*body), nn.Sequential(*tail, nn.Sigmoid())
        )
        if config.products:
            self.products = LineProducts(config.encoder, config.products, first)

    def as_conv(self) -> HeadBodyTail:
        """Returns the same function as convs, and products of their results."""
        if not isinstance(self.products, LineProducts):
            return self
        network = HeadBodyTail(self.head, self.body, self.tail, self.products.as_conv())
        return network.train(self.training)


def _upsampling(width: int, out: int, config: StudentConfig, stage: int) -> nn.ConvTranspose2d:
    """The layer that begins a stage; stages count from 1."""
    if stage == config.stages and config.last_scale == 3:
        return nn.ConvTranspose2d(width, out, 3, stride=3)
    return nn.ConvTranspose2d(width, out, 4, stride=2, padding=1)
