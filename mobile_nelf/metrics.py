"""Image quality. Images are [height, width, 3] floats in [0, 1] on a white background."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["psnr_db"]

ImageArray = npt.NDArray[np.float32]


def psnr_db(image: ImageArray, reference: ImageArray) -> float:
    """Returns the peak signal-to-noise ratio in dB for a peak of 1; infinite for equal images.

    Raises:
        ValueError: the shapes differ.
    """
    if image.shape != reference.shape:
        raise ValueError(f"shapes differ: {image.shape} and {reference.shape}")
    error = float(np.mean((image.astype(np.float64) - reference.astype(np.float64)) ** 2))
    return math.inf if error == 0.0 else -10.0 * math.log10(error)
