"""R2L (Wang et al., ECCV 2022): the fully connected ancestor, one ray at a time."""

from __future__ import annotations

from torch import Tensor, nn

from mobile_nelf.students.blocks import HeadBodyTail, LinearBlock, activation_layer
from mobile_nelf.students.config import StudentConfig
from mobile_nelf.students.rewrite import linear_to_conv

__all__ = ["R2L"]


class R2L(HeadBodyTail):
    """Maps encoded rays [N, C, h, w] to colours [N, 3 or 4, h, w] in [0, 1], ray by ray.

    State-dict names are those of the official code: `head.0`, `body.N.body.M`, `tail.0`.
    """

    def __init__(self, config: StudentConfig) -> None:
        """Builds the network with fresh weights."""
        act, width = config.activation, config.width
        first = width if config.head_width is None else config.head_width
        head = [nn.Linear(config.encoder.channels, first), activation_layer(act)]
        if config.head_width is not None:
            head.append(nn.Linear(first, width))
        super().__init__(
            nn.Sequential(*head),
            nn.Sequential(*(LinearBlock(width, n, act) for n in config.block_inner_widths)),
            nn.Sequential(nn.Linear(config.width, config.out_channels), nn.Sigmoid()),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Runs every pixel of the ray grid as one row of the FC layers."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)

    def as_conv(self) -> HeadBodyTail:
        """Returns the same function as 1×1 convs, without any move of axes."""
        parts = (linear_to_conv(part) for part in (self.head, self.body, self.tail))
        return HeadBodyTail(*parts).train(self.training)
