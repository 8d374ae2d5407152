"""Building blocks of the students. Attribute names are those of the official state dicts."""

from __future__ import annotations

from typing import ClassVar, cast

from torch import Tensor, nn

from mobile_nelf.vocabulary import Activation

__all__ = ["ConvBlock", "HeadBodyTail", "LinearBlock", "activation_layer"]


def activation_layer(activation: Activation) -> nn.Module:
    """Returns the trained non-linearity; GELU is the exact erf form."""
    return nn.GELU() if activation == "gelu" else nn.ReLU()


class ConvBlock(nn.Module):
    """Residual block of MobileR2L: x + BN(conv(act(BN(conv(x))))) with 1×1 convs."""

    def __init__(self, width: int, inner: int, activation: Activation, batchnorm: bool) -> None:
        """Builds a block of `width` channels, `inner` inside.

        Without BatchNorm it begins as the identity.
        """
        super().__init__()
        # In the order in which they draw their weights, so that a seed keeps its meaning.
        first, last = nn.Conv2d(width, inner, 1), nn.Conv2d(inner, width, 1)
        self.conv_block = nn.Sequential(
            first,
            nn.BatchNorm2d(inner) if batchnorm else nn.Identity(),
            activation_layer(activation),
            last,
            nn.BatchNorm2d(width) if batchnorm else nn.Identity(),
        )
        if not batchnorm:
            # Nothing else would bound the sum of all residuals at the start.
            nn.init.zeros_(last.weight)
            nn.init.zeros_(cast(Tensor, last.bias))

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, width, h, w] to the same shape."""
        residual: Tensor = self.conv_block(x)
        return x + residual


class LinearBlock(nn.Module):
    """Residual block of R2L: x + fc(act(fc(x)))."""

    def __init__(self, width: int, inner: int, activation: Activation) -> None:
        """Builds a block of `width` features, `inner` inside."""
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(width, inner), activation_layer(activation), nn.Linear(inner, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps [..., width] to the same shape; after the rewrite to conv, [N, width, h, w]."""
        residual: Tensor = self.body(x)
        return x + residual


class HeadBodyTail(nn.Module):
    """tail(body(h) + h) with h = head(x), the skeleton of every R2L network.

    Attributes:
        FIRST_LAYER: name of the layer that reads the encoding, also in what `as_conv` returns.
    """

    FIRST_LAYER: ClassVar[str] = "head.0"

    def __init__(
        self,
        head: nn.Module,
        body: nn.Module,
        tail: nn.Module,
        products: nn.Module | None = None,
    ) -> None:
        """Takes the parts as they are.

        Args:
            head: a sequence of layers.
            body: residual blocks.
            tail: from the body's channels to colours.
            products: from the encoding to what is added to the result of the head's first layer.
        """
        super().__init__()
        self.products = products
        self.head = head
        self.body = body
        self.tail = tail

    def as_conv(self) -> HeadBodyTail:
        """Returns the same function as convs on [N, C, h, w] alone."""
        return self

    @property
    def output_layer(self) -> nn.Module:
        """The last layer with a weight, whose rows are colours."""
        return [m for m in self.tail.modules() if getattr(m, "weight", None) is not None][-1]

    def forward(self, x: Tensor) -> Tensor:
        """Maps encoded rays to colours."""
        if self.products is None:
            x = self.head(x)
        else:
            first, *rest = self.head.children()
            x = first(x) + self.products(x)
            for layer in rest:
                x = layer(x)
        colours: Tensor = self.tail(self.body(x) + x)
        return colours
