"""Pictures of the report: frames side by side and maps of their difference, small and inline."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf.metrics import psnr_db
from mobile_nelf.pictures import FloatImage, to_uint8

__all__ = ["ERROR_COLOURS", "Comparison", "compare_pictures", "error_scale"]

#: Longest side of a picture on the page, in pixels.
MAX_SIDE = 320

#: What all pictures may take as text, so that the page stays below 1.5 MB. Real frames need less at
#: `MAX_SIDE`; noise, which does not compress, is shrunk further.
MAX_CHARACTERS = 1_400_000

#: RGB of an error map from no error to the end of its scale, evenly spaced. Their brightness rises
#: steadily, so that the map also reads without colour.
ERROR_COLOURS = ((0, 0, 4), (120, 28, 109), (203, 65, 73), (250, 158, 30), (252, 255, 164))


@dataclass(frozen=True)
class Comparison:
    """One reference frame beside that of the artefact.

    Attributes:
        index: of the frame among the reference frames.
        reference: picture by the trained network, a data URI like the others.
        artefact: picture by the artefact.
        error_map: largest difference among the channels of each pixel.
        psnr_db: of the artefact's frame; infinite if it is identical.
        max_error: largest difference of any pixel, in [0, 1].
    """

    index: int
    reference: str
    artefact: str
    error_map: str
    psnr_db: float
    max_error: float


def compare_pictures(
    pairs: Mapping[int, tuple[FloatImage, FloatImage]], scale: float
) -> tuple[list[Comparison], int]:
    """Returns the pictures of some poses and how many pixels along an axis share one in them.

    The colours of frames with alpha are on the background already and are shown as they are.

    Args:
        pairs: by the index of the reference frame, [height, width, 3 or 4] in [0, 1] by the trained
            network and by the artefact.
        scale: error at the end of the map's colours; 0 if there is none.
    """
    longest = max((max(ours.shape[:2]) for _, ours in pairs.values()), default=1)
    factor = math.ceil(longest / MAX_SIDE)
    while True:
        shown = [_comparison(index, *pair, scale, factor) for index, pair in pairs.items()]
        used = sum(len(c.reference) + len(c.artefact) + len(c.error_map) for c in shown)
        if used <= MAX_CHARACTERS:
            return shown, factor
        factor += 1


def _comparison(
    index: int, reference: FloatImage, artefact: FloatImage, scale: float, factor: int
) -> Comparison:
    error = np.abs(artefact.astype(np.float64) - reference).max(axis=-1)
    return Comparison(
        index,
        _data_uri(Image.fromarray(to_uint8(reference[..., :3])).reduce(factor)),
        _data_uri(Image.fromarray(to_uint8(artefact[..., :3])).reduce(factor)),
        _data_uri(_coloured(_shrunk_by_largest(error, factor) / (scale or 1.0))),
        psnr_db(artefact, reference),
        float(error.max()),
    )


def error_scale(largest: float) -> float:
    """Returns the next number with one digit other than zero, for the end of a scale.

    Args:
        largest: error that the scale must hold; 0 returns 0.
    """
    if largest == 0.0:
        return 0.0
    exponent = math.floor(math.log10(largest))
    # Through text, since 5 * 10.0**-5 is 5.000000000000001e-05.
    steps = (float(f"{digit}e{exponent}") for digit in range(1, 11))
    return next(step for step in steps if step >= largest)


def _shrunk_by_largest(error: npt.NDArray[np.float64], factor: int) -> npt.NDArray[np.float64]:
    """Returns the largest error of each block; a mean would hide a single wrong pixel."""
    rows, columns = error.shape
    padded = np.pad(error, ((0, -rows % factor), (0, -columns % factor)))
    blocks = padded.reshape(padded.shape[0] // factor, factor, -1, factor)
    largest: npt.NDArray[np.float64] = blocks.max(axis=(1, 3))
    return largest


def _coloured(share: npt.NDArray[np.float64]) -> Image.Image:
    """Returns a picture of values in [0, 1], with one palette entry for each of 256 steps."""
    picture = Image.fromarray(to_uint8(share.astype(np.float32)), "P")
    steps = np.linspace(0.0, len(ERROR_COLOURS) - 1, 256)
    anchors = np.arange(len(ERROR_COLOURS))
    channels = [np.interp(steps, anchors, channel) for channel in zip(*ERROR_COLOURS, strict=True)]
    picture.putpalette(np.rint(np.stack(channels, axis=1)).astype(np.uint8).tobytes())
    return picture


def _data_uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
