"""Image quality. Images are [height, width, 3] floats in [0, 1] on a white background."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from mobile_nelf.extras import import_extra
from mobile_nelf.pictures import FloatImage

__all__ = ["SSIM_WINDOW", "flip", "psnr_db", "ssim"]

#: Side of the gaussian window of SSIM in pixels; it must fit into the image.
SSIM_WINDOW = 11
SSIM_SIGMA = 1.5


def psnr_db(image: FloatImage, reference: FloatImage) -> float:
    """Returns the peak signal-to-noise ratio in dB for a peak of 1; infinite for equal images.

    Raises:
        ValueError: the shapes differ.
    """
    if image.shape != reference.shape:
        raise ValueError(f"shapes differ: {image.shape} and {reference.shape}")
    error = float(np.mean((image.astype(np.float64) - reference.astype(np.float64)) ** 2))
    return math.inf if error == 0.0 else -10.0 * math.log10(error)


def ssim(image: FloatImage, reference: FloatImage) -> float:
    """Returns the structural similarity (Wang et al. 2004), 1 for equal images.

    Data range 1, a gaussian window of 11×11 pixels with σ 1.5 around every pixel of the image
    reflected at its borders, averaged over pixels and channels.

    Raises:
        ValueError: the shapes differ, are not [height, width, 3], or the window does not fit.
        MissingExtraError: torchmetrics is not installed.
    """
    _check_images(image, reference)
    if min(image.shape[:2]) < SSIM_WINDOW:
        raise ValueError(f"SSIM needs {SSIM_WINDOW} pixels a side, found {image.shape}")
    functional = import_extra("torchmetrics.functional.image", "train")
    # Channels first: with any other order the window slides over rows and colours, and scores rise.
    # The map is averaged here, since releases of torchmetrics differ in whether they crop it first.
    _, scores = functional.structural_similarity_index_measure(
        _channels_first(image),
        _channels_first(reference),
        data_range=1.0,
        kernel_size=SSIM_WINDOW,
        sigma=SSIM_SIGMA,
        return_full_image=True,
    )
    return float(scores.mean())


def _channels_first(image: FloatImage) -> Tensor:
    """Returns [1, 3, height, width] in float64."""
    return torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float64))


def flip(image: FloatImage, reference: FloatImage) -> float:
    """Returns the mean LDR-FLIP error at 67 pixels a degree, 0 for equal images (lower is better).

    Raises:
        ValueError: the shapes differ or are not [height, width, 3].
        MissingExtraError: flip-evaluator is not installed.
    """
    _check_images(image, reference)
    evaluator = import_extra("flip_evaluator", "train")
    images = (np.ascontiguousarray(i, dtype=np.float32) for i in (reference, image))
    _, mean, _ = evaluator.evaluate(*images, "LDR", applyMagma=False)
    return float(mean)


def _check_images(image: FloatImage, reference: FloatImage) -> None:
    if image.shape != reference.shape:
        raise ValueError(f"shapes differ: {image.shape} and {reference.shape}")
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"expected [height, width, 3], found {image.shape}")
