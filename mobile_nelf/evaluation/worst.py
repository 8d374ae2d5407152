"""A picture of the worst views: photo, render and error side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from mobile_nelf.evaluation.scores import Score
from mobile_nelf.pictures import ByteImage, FloatImage, to_uint8

__all__ = ["SHOWN_ERROR", "SeenView", "error_colours", "worst_views_picture"]

#: Panels are enlarged by whole pixels to about this width, and shrunk beyond the second.
PANEL, WIDEST_PANEL = 360, 640
MARGIN, GAP = 24, 12
TITLE, CAPTION = 66, 34
TITLE_SIZE, TEXT_SIZE = 20, 15
#: Of the bar that explains the colours of errors.
BAR_WIDTH, BAR_HEIGHT = 120, 12

#: Error of the last colour, in the range of a channel. Fixed, so that pictures compare.
SHOWN_ERROR = 0.25

#: Colours of errors from none to `SHOWN_ERROR`, evenly spaced. None is the white of the paper.
RAMP = ((255, 255, 255), (255, 205, 84), (226, 63, 46), (66, 8, 60))

PAPER, INK, GREY = (255, 255, 255), (38, 43, 51), (110, 117, 128)
FRAME = (226, 229, 234)

COLUMNS = ("photo", "render", "error")


@dataclass(frozen=True, eq=False)
class SeenView:
    """A test view and what was rendered of it.

    Attributes:
        name: of the photo.
        score: of the render.
        photo: [height, width, 3] in [0, 1] on white.
        render: likewise.
    """

    name: str
    score: Score
    photo: FloatImage
    render: FloatImage

    def caption(self) -> str:
        """Returns name and figures in a line."""
        psnr, of_object, ssim, flip = self.score.cells()
        object_text = "" if self.score.object_psnr_db is None else f", object {of_object} dB"
        return f"{self.name}    {psnr} dB{object_text}, SSIM {ssim}, FLIP {flip}"


def worst_views_picture(title: str, views: Sequence[SeenView]) -> Image.Image:
    """Draws a row for each view: photo, render, and the error as colours.

    Args:
        title: one line above all.
        views: of one size, at least one.
    """
    height, width = views[0].photo.shape[:2]
    factor = max(1, round(PANEL / width)) if width <= WIDEST_PANEL else WIDEST_PANEL / width
    across, up = round(width * factor), round(height * factor)
    row = CAPTION + up + GAP
    lefts = [MARGIN + column * (across + GAP) for column in range(len(COLUMNS))]
    size = (lefts[-1] + across + MARGIN, MARGIN + TITLE + row * len(views) + MARGIN)
    canvas = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(canvas)
    large, small = ImageFont.load_default(TITLE_SIZE), ImageFont.load_default(TEXT_SIZE)
    draw.text((MARGIN, MARGIN - 6), title, INK, large)
    heading = MARGIN + TITLE - TEXT_SIZE - 10
    for name, left in zip(COLUMNS, lefts, strict=True):
        draw.text((left, heading), name, GREY, small)
    _scale(canvas, draw, (lefts[-1] + across, heading), small)
    for index, view in enumerate(views):
        top = MARGIN + TITLE + index * row
        draw.text((MARGIN, top + 8), view.caption(), INK, small)
        panels = (to_uint8(view.photo), to_uint8(view.render), _errors(view))
        for panel, left in zip(panels, lefts, strict=True):
            image = _resized(panel, (across, up))
            canvas.paste(image, (left, top + CAPTION))
            corner = (left - 1, top + CAPTION - 1, left + across, top + CAPTION + up)
            draw.rectangle(corner, outline=FRAME)
    return canvas


def error_colours(errors: npt.NDArray[np.floating]) -> ByteImage:
    """Returns the colours [..., 3] of errors [...], which from `SHOWN_ERROR` on are the last."""
    stops = np.linspace(0.0, SHOWN_ERROR, len(RAMP))
    channels = [np.interp(errors, stops, values) for values in zip(*RAMP, strict=True)]
    colours: ByteImage = np.rint(np.stack(channels, -1)).astype(np.uint8)
    return colours


def _errors(view: SeenView) -> ByteImage:
    """The root of the mean squared error over the channels of each pixel, as colours."""
    difference = view.render.astype(np.float64) - view.photo.astype(np.float64)
    return error_colours(np.sqrt(np.mean(difference**2, -1)))


def _resized(panel: ByteImage, size: tuple[int, int]) -> Image.Image:
    # Enlarged pixels stay pixels: what the student renders is shown, and not a filter.
    larger = size[0] >= panel.shape[1]
    return Image.fromarray(panel).resize(
        size, Image.Resampling.NEAREST if larger else Image.Resampling.BOX
    )


def _scale(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """Draws the bar of error colours, whose upper right end is `corner`."""
    right, top = corner
    label = f"{SHOWN_ERROR:g} of the range or more"
    x = right - round(draw.textlength(label, font))
    draw.text((x, top), label, GREY, font)
    left = x - 8 - BAR_WIDTH
    bar = error_colours(np.linspace(0.0, SHOWN_ERROR, BAR_WIDTH)[None].repeat(BAR_HEIGHT, 0))
    canvas.paste(Image.fromarray(bar), (left, top + 4))
    draw.rectangle((left - 1, top + 3, left + BAR_WIDTH, top + 4 + BAR_HEIGHT), outline=GREY)
    draw.text((left - 8 - draw.textlength("0", font), top), "0", GREY, font)
