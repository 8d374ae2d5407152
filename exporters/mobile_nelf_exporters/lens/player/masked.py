"""Draws what a camera clears the screen with, through its mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mobile_nelf_exporters.lens.player.draw import sampled

__all__ = ["Masked", "Part", "draw_masked", "draw_part"]

Floats = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Part:
    """A part of a texture that a model drew, on the whole screen.

    Attributes:
        component: that drew it, and which of its outputs.
        output: see `component`.
        part: left, right, bottom and top of it in the texture, whose borders are -1 and 1.
    """

    component: int
    output: int
    part: tuple[float, float, float, float]


@dataclass(frozen=True)
class Masked:
    """Colours on the whole screen, and how strongly they are drawn."""

    colour: Part
    mask: Part


def draw_masked(screen: Picture, masked: Masked, colour: Floats, mask: Floats) -> Picture:
    """Returns a screen over which a camera drew.

    Guesses `mask` and `crop`; a texture holds 8 bits a channel, by guess `texture-bytes`.

    Args:
        screen: [rows, columns, 3].
        masked: what is drawn.
        colour: [rows, columns, 3 or 4] in [0, 1], the texture; its first row is the upper edge.
        mask: [rows, columns, channels], of which the first counts.
    """
    rows, columns, _ = screen.shape
    strength = draw_part(mask[..., :1], masked.mask.part, columns, rows)
    drawn = draw_part(colour[..., :3], masked.colour.part, columns, rows)
    mixed = strength * drawn + (1.0 - strength) * (screen / 255.0)
    return np.rint(mixed * 255.0).astype(np.uint8)


def draw_part(
    texture: Floats, part: tuple[float, float, float, float], columns: int, rows: int
) -> Floats:
    """Returns a part of a texture (see `Part`), stretched to a screen [rows, columns]."""
    texels = np.rint(np.clip(texture, 0.0, 1.0) * 255.0) / 255.0
    left, right, bottom, top = part
    across = left + (right - left) * (np.arange(columns) + 0.5) / columns
    up = top + (bottom - top) * (np.arange(rows) + 0.5) / rows
    u, v = np.meshgrid((across + 1.0) / 2.0, (up + 1.0) / 2.0)
    shown = sampled(texels, u.ravel(), v.ravel())
    return shown.reshape(rows, columns, -1)
