"""From what the network renders to what a screen shows.

Without a material a lens can show a texture only stretched to the whole screen, and mix it with
nothing. So both happen in the graph: the picture is padded with its background to the aspect of a
phone, or composited over the camera's image. For a surface with a material the background is taken
away, which leaves what a blend of One and OneMinusSrcAlpha puts in front of anything. White is
255 there, as in every texture: the last conv scales to it. For a mask the same object is drawn
once more, as colours and as how much of each pixel it covers. Conv, Abs,
Relu, Mul, Add and Pad are all that is needed, which SnapML's table lists for all four back-ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from mobile_nelf.deploy.contract import Contract

__all__ = ["LensPicture", "PicturedForm", "over_background", "student_picture"]

#: The matte of a student without alpha, by its distance from the background, summed over RGB: below
#: MATTE_FLOOR clear, 1 / MATTE_SLOPE above that opaque. Students leave up to 0.01 a channel on a
#: white background. A narrower ramp leaves a brighter rim of background round dark objects, a wider
#: one lets the camera shine through pale parts.
MATTE_FLOOR = 0.03
MATTE_SLOPE = 2.0

#: Below this alpha a mask is clear: students leave a little where there is nothing.
MASK_FLOOR = 0.02

#: Of the series that divides by alpha.
MASK_FACTORS = 3

#: Between the two colours behind a picture that tell its alpha: 51 of 255, which 8 bits hold, and
#: little enough that no mixture leaves [0, 1].
BEHIND_STEP = 0.2


class LensPicture(nn.Module):
    """Composites, pads and scales the picture of a student as a contract asks."""

    def __init__(self, contract: Contract) -> None:
        """Takes background, channels and sizes from the contract."""
        super().__init__()
        channels, white = contract.student.out_channels, contract.white
        shown = contract.output.shape[1]
        # Around the object there is nothing: background, and an alpha of 0.
        around = (*contract.background, 0.0)[:shown]
        self.difference = _affine(torch.eye(shown, channels), [-value for value in around])
        self.restore = _affine(white * torch.eye(shown), [white * value for value in around])
        self.has_alpha = channels == 4
        self.composited = contract.camera_image is not None
        top, left = contract.picture_corner
        self.padding = (left, left, top, top)
        self.masked = contract.masked is not None
        if self.masked:
            self.mask = _affine(
                torch.tensor([[0.0, 0.0, 0.0, white / (1.0 - MASK_FLOOR)]]),
                [-white * MASK_FLOOR / (1.0 - MASK_FLOOR)],
            )
            matrix = torch.zeros(3, 4)
            matrix[:, :3] = white * torch.eye(3)
            matrix[:, 3] = white * torch.tensor(contract.background)
            self.over_black = _affine(matrix, [-white * b for b in contract.background])
            self.clear = _affine(torch.tensor([[0.0, 0.0, 0.0, -1.0]] * 3), [1.0] * 3)
            self.plus_one = _affine(torch.eye(3), [1.0] * 3)
        #: Where one conv is all.
        self.whole = None
        if contract.is_cut_out:
            # C − (1 − a)·B is linear in the network's colour C and alpha a.
            matrix = white * torch.eye(4)
            matrix[:3, 3] = white * torch.tensor(contract.background)
            self.whole = _affine(matrix, [*(-white * b for b in contract.background), 0.0])
        elif not self.composited and not any(self.padding):
            self.whole = _affine(white * torch.eye(channels), [0.0] * channels)
        if self.composited:
            self.behind = _affine(torch.eye(3), [-value for value in contract.background])
            if self.has_alpha:
                self.clear = _affine(torch.tensor([[0.0, 0.0, 0.0, -1.0]] * 3), [1.0] * 3)
            else:
                self.above_floor = _affine(
                    torch.full((3, 3), MATTE_SLOPE), [-MATTE_SLOPE * MATTE_FLOOR] * 3
                )
                self.clear = _affine(-torch.eye(3), [1.0] * 3)

    def through_a_mask(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Maps the network's [1, 4, s·h, s·w] to colours and mask of the object alone.

        Colours are over the alpha that they are multiplied by. What divides is not on all
        back-ends: with r = 1 − a, 1 / a = 1 / (1 − r) is (1 + r)·(1 + r²)·(1 + r⁴) but for the
        share r⁸, which the mask makes 0.04 of white at most.
        """
        colour, rest = self.over_black(image), self.clear(image)
        for _ in range(MASK_FACTORS):
            colour = colour * self.plus_one(rest)
            rest = rest * rest
        mask = torch.relu(self.mask(image))
        around = (1, 1, 1, 1)
        return functional.pad(colour, around), functional.pad(mask, around)

    def forward(self, image: Tensor, camera_image: Tensor | None = None) -> Tensor:
        """Maps the network's [1, 3 or 4, s·h, s·w] to the contract's output.

        Args:
            image: RGB over the background, and alpha if the student has it.
            camera_image: [1, 3, s·h, s·w] in [0, 1]; only for composited pictures.
        """
        if self.whole is not None:
            whole: Tensor = self.whole(image)
            return whole
        difference = self.difference(image)
        if camera_image is not None:
            if self.has_alpha:
                clear = self.clear(image)
            else:
                clear = torch.relu(self.clear(torch.relu(self.above_floor(difference.abs()))))
            difference = difference + clear * self.behind(camera_image)
        if any(self.padding):
            # Zeros, since a constant of rank 0 for any other value may not be imported.
            difference = functional.pad(difference, self.padding)
        picture: Tensor = self.restore(difference)
        return picture


class PicturedForm(nn.Module):
    """A deploy form that ends in a `LensPicture`."""

    def __init__(self, form: nn.Module, contract: Contract) -> None:
        """Takes the deploy form and what its picture becomes."""
        super().__init__()
        self.form = form
        self.picture = LensPicture(contract)

    def forward(self, *uploads: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Maps the uploads, then the camera's image if there is one, to the contract's outputs."""
        if self.picture.composited:
            composited: Tensor = self.picture(self.form(*uploads[:-1]), uploads[-1])
            return composited
        image = self.form(*uploads)
        picture: Tensor = self.picture(image)
        return (picture, *self.picture.through_a_mask(image)) if self.picture.masked else picture


def over_background(
    cut_out: npt.NDArray[np.float32], background: tuple[float, float, float]
) -> npt.NDArray[np.float32]:
    """Returns the network's own picture of one that was cut out.

    Args:
        cut_out: [rows, columns, 4], RGB without its background, and alpha.
        background: that was taken away.
    """
    alpha = cut_out[..., 3:]
    colour = cut_out[..., :3] + (1.0 - alpha) * np.array(background, np.float32)
    return np.concatenate([colour, alpha], axis=-1)


def student_picture(
    composite: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]], contract: Contract
) -> npt.NDArray[np.float32]:
    """Returns the network's own picture, from what is shown over plain colours.

    Over its background a composite is the network's colour; what another colour behind it changes
    is 1 − alpha.

    Args:
        composite: takes a colour [3] in [0, 1] that the camera sees everywhere; gives the
            composited picture [rows, columns, 3].
        contract: of the composited picture.

    Returns:
        [rows, columns, 3], or 4 if the student has alpha.
    """
    background = np.array(contract.background, np.float32)
    colour = composite(background)
    if contract.student.out_channels == 3:
        return colour
    step = np.where(background < 0.5, np.float32(BEHIND_STEP), np.float32(-BEHIND_STEP))
    change = composite(background + step) - colour
    alpha = 1.0 - (change / step).mean(axis=-1, keepdims=True)
    return np.concatenate([colour, alpha], axis=-1)


def _affine(matrix: Tensor, offset: Sequence[float]) -> nn.Conv2d:
    """Returns a 1×1 conv that maps channels by `matrix` and adds `offset`."""
    conv = nn.Conv2d(matrix.shape[1], matrix.shape[0], 1)
    conv.weight = nn.Parameter(matrix[:, :, None, None].clone(), requires_grad=False)
    conv.bias = nn.Parameter(torch.tensor(list(offset)), requires_grad=False)
    return conv
