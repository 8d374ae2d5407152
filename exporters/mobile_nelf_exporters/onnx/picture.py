"""From what the network renders to the textures of a lens.

White is 255 there, as in every texture: the last conv scales to it. An object that stands in
somebody's room is cut out: its background is taken away, which leaves what a blend of One and
OneMinusSrcAlpha puts in front of anything. A student without alpha gets one from its colours: what
has that of the background is clear. For a mask the same object is drawn once more, as colours and
as how much of each pixel it covers. What is shown with its background gets a border of that. Conv,
Abs, Relu, Concat, Mul, Add and Pad are all that is needed, which SnapML's table lists for all four
back-ends.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from mobile_nelf.deploy.contract import Contract

__all__ = ["LensPicture", "PicturedForm", "over_background"]

#: The matte of a student without alpha, by its distance from the background, summed over RGB: below
#: MATTE_FLOOR clear, 1 / MATTE_SLOPE above that opaque. Students leave up to 0.01 a channel on a
#: white background. A narrower ramp leaves a brighter rim of background round dark objects, a wider
#: one lets the room shine through pale parts.
MATTE_FLOOR = 0.03
MATTE_SLOPE = 2.0

#: Below this alpha a mask is clear: students leave a little where there is nothing.
MASK_FLOOR = 0.02

#: Of the series that divides by alpha.
MASK_FACTORS = 3

#: Columns left and right, rows above and below.
BORDER = (1, 1, 1, 1)


class LensPicture(nn.Module):
    """Cuts out, borders and scales the picture of a student as a contract asks."""

    def __init__(self, contract: Contract) -> None:
        """Takes background, channels and sizes from the contract."""
        super().__init__()
        channels, white = contract.student.out_channels, contract.white
        background = contract.background
        self.is_cut_out = contract.is_cut_out
        self.is_bordered = contract.picture_corner != (0, 0)
        self.masked = contract.masked is not None
        self.makes_alpha = self.is_cut_out and channels == 3
        if self.makes_alpha:
            self.difference = _affine(torch.eye(3), [-value for value in background])
            self.matte = _affine(torch.full((1, 3), MATTE_SLOPE), [-MATTE_SLOPE * MATTE_FLOOR])
            self.rest = _affine(-torch.eye(1), [1.0])
        if self.is_cut_out:
            # C − (1 − a)·B is linear in the network's colour C and alpha a.
            matrix = white * torch.eye(4)
            matrix[:3, 3] = white * torch.tensor(background)
            self.shown = _affine(matrix, [*(-white * b for b in background), 0.0])
        elif self.is_bordered:
            # Around the object there is nothing: background, and an alpha of 0.
            around = (*background, 0.0)[:channels]
            self.difference = _affine(torch.eye(channels), [-value for value in around])
            self.shown = _affine(white * torch.eye(channels), [white * value for value in around])
        else:
            self.shown = _affine(white * torch.eye(channels), [0.0] * channels)
        if self.masked:
            self.mask = _affine(
                torch.tensor([[0.0, 0.0, 0.0, white / (1.0 - MASK_FLOOR)]]),
                [-white * MASK_FLOOR / (1.0 - MASK_FLOOR)],
            )
            matrix = torch.zeros(3, 4)
            matrix[:, :3] = white * torch.eye(3)
            matrix[:, 3] = white * torch.tensor(background)
            self.over_black = _affine(matrix, [-white * b for b in background])
            self.clear = _affine(torch.tensor([[0.0, 0.0, 0.0, -1.0]] * 3), [1.0] * 3)
            self.plus_one = _affine(torch.eye(3), [1.0] * 3)

    def with_alpha(self, image: Tensor) -> Tensor:
        """Maps the network's [1, 3, s·h, s·w] to four channels."""
        clear = torch.relu(self.rest(torch.relu(self.matte(self.difference(image).abs()))))
        return torch.cat([image, self.rest(clear)], dim=1)

    def through_a_mask(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Maps [1, 4, s·h, s·w] to colours and mask of the object alone.

        Colours are over the alpha that they are multiplied by. What divides is not on all
        back-ends: with r = 1 − a, 1 / a = 1 / (1 − r) is (1 + r)·(1 + r²)·(1 + r⁴) but for the
        share r⁸, which the mask makes 0.04 of white at most.
        """
        colour, rest = self.over_black(image), self.clear(image)
        for _ in range(MASK_FACTORS):
            colour = colour * self.plus_one(rest)
            rest = rest * rest
        mask = torch.relu(self.mask(image))
        return functional.pad(colour, BORDER), functional.pad(mask, BORDER)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Maps the network's [1, 3 or 4, s·h, s·w] to the contract's outputs."""
        if self.makes_alpha:
            image = self.with_alpha(image)
        if self.is_bordered:
            # Zeros, since a constant of rank 0 for any other value may not be imported.
            picture = self.shown(functional.pad(self.difference(image), BORDER))
        else:
            picture = self.shown(image)
        return (picture, *self.through_a_mask(image)) if self.masked else (picture,)


class PicturedForm(nn.Module):
    """A deploy form that ends in a `LensPicture`."""

    def __init__(self, form: nn.Module, contract: Contract) -> None:
        """Takes the deploy form and what its picture becomes."""
        super().__init__()
        self.form = form
        self.picture = LensPicture(contract)

    def forward(self, *uploads: Tensor) -> tuple[Tensor, ...]:
        """Maps the uploads to the contract's outputs."""
        pictures: tuple[Tensor, ...] = self.picture(self.form(*uploads))
        return pictures


def over_background(
    cut_out: npt.NDArray[np.float32], contract: Contract
) -> npt.NDArray[np.float32]:
    """Returns the network's own picture of one that was cut out.

    Args:
        cut_out: [rows, columns, 4], RGB without its background, and alpha.
        contract: of it.

    Returns:
        [rows, columns, 3], or 4 if the student has alpha itself.
    """
    alpha = cut_out[..., 3:]
    colour = cut_out[..., :3] + (1.0 - alpha) * np.array(contract.background, np.float32)
    if contract.student.out_channels == 3:
        return colour
    return np.concatenate([colour, alpha], axis=-1)


def _affine(matrix: Tensor, offset: Sequence[float]) -> nn.Conv2d:
    """Returns a 1×1 conv that maps channels by `matrix` and adds `offset`."""
    conv = nn.Conv2d(matrix.shape[1], matrix.shape[0], 1)
    conv.weight = nn.Parameter(matrix[:, :, None, None].clone(), requires_grad=False)
    conv.bias = nn.Parameter(torch.tensor(list(offset)), requires_grad=False)
    return conv
