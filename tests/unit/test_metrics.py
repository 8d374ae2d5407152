"""Image metrics against hand computation, a slow oracle and a known mistake."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mobile_nelf.metrics import SSIM_SIGMA, SSIM_WINDOW, flip, psnr_db, ssim

#: Both sides compute in float64; the rest is the order of summation.
SSIM_TOLERANCE = 1e-9


def _images(height=14, width=13):
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:height, :width]
    reference = np.stack(
        [np.sin(rows / 2.0), np.cos(columns / 3.0), np.sin(rows * columns / 20.0)], axis=-1
    )
    reference = (0.5 + 0.5 * reference).astype(np.float32)
    noisy = np.clip(reference + rng.normal(0.0, 0.1, reference.shape), 0.0, 1.0)
    return noisy.astype(np.float32), reference


def test_psnr_by_hand():
    reference = np.zeros((2, 2, 3), np.float32)
    image = reference.copy()
    image[0, 0] = 0.5  # 3 of 12 values are off by a half: mse 0.0625
    assert psnr_db(image, reference) == pytest.approx(-10.0 * math.log10(0.0625))
    assert psnr_db(reference + 0.1, reference) == pytest.approx(20.0, abs=1e-5)
    assert psnr_db(image, image) == math.inf


def _slow_ssim(image, reference):
    """Equation 13 of Wang et al. 2004, a window around every pixel, reflected at the borders."""
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    gauss = np.exp(-(offsets**2) / (2.0 * SSIM_SIGMA**2))
    window = np.outer(gauss, gauss)
    window /= window.sum()
    c1, c2 = 0.01**2, 0.03**2
    shape, margin = image.shape, ((SSIM_WINDOW // 2,) * 2, (SSIM_WINDOW // 2,) * 2, (0, 0))
    image, reference = (np.pad(i, margin, mode="reflect") for i in (image, reference))
    scores = []
    for channel in range(shape[2]):
        for top in range(shape[0]):
            for left in range(shape[1]):
                place = (
                    slice(top, top + SSIM_WINDOW),
                    slice(left, left + SSIM_WINDOW),
                    channel,
                )
                x, y = image[place].astype(np.float64), reference[place].astype(np.float64)
                mx, my = (window * x).sum(), (window * y).sum()
                vx = (window * (x - mx) ** 2).sum()
                vy = (window * (y - my) ** 2).sum()
                cov = (window * (x - mx) * (y - my)).sum()
                scores.append(
                    (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
                )
    return float(np.mean(scores))


def test_ssim_agrees_with_a_slow_oracle():
    image, reference = _images()
    assert ssim(image, reference) == pytest.approx(_slow_ssim(image, reference), abs=SSIM_TOLERANCE)
    assert ssim(reference, reference) == pytest.approx(1.0)


def _ssim_of_rows_as_channels(image, reference):
    """The published mistake: [1, H, W, 3] goes into a function that takes [1, C, H, W]."""
    offsets = torch.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    gauss = torch.exp(-(offsets**2) / (2.0 * SSIM_SIGMA**2))
    window = torch.outer(gauss, gauss)
    window = window / window.sum()
    x, y = (torch.from_numpy(i)[None] for i in (image, reference))
    channels = x.shape[1]
    kernel = window.expand(channels, 1, -1, -1)

    def blur(value):
        return F.conv2d(value, kernel, padding=SSIM_WINDOW // 2, groups=channels)

    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    scores = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(scores.mean())


def test_ssim_is_not_the_one_of_the_wrong_tensor_layout():
    image, reference = _images(48, 48)
    right, wrong = ssim(image, reference), _ssim_of_rows_as_channels(image, reference)
    assert wrong > right + 0.05


def test_flip_is_zero_for_equal_images_and_grows_with_the_difference():
    image, reference = _images(32, 32)
    before = image.copy(), reference.copy()
    assert flip(reference, reference) == 0.0
    halfway = (image + reference) / 2
    assert 0.0 < flip(halfway, reference) < flip(image, reference) < 1.0
    assert (before[0] == image).all()
    assert (before[1] == reference).all()


def test_flip_of_black_and_white_is_near_its_maximum():
    black = np.zeros((32, 32, 3), np.float32)
    assert flip(black, black + 1.0) > 0.9


@pytest.mark.parametrize("metric", [psnr_db, ssim, flip])
def test_shapes_must_agree(metric):
    with pytest.raises(ValueError, match="shapes differ"):
        metric(np.zeros((12, 12, 3), np.float32), np.zeros((12, 13, 3), np.float32))


@pytest.mark.parametrize("metric", [ssim, flip])
def test_images_have_their_channels_last(metric):
    with pytest.raises(ValueError, match=r"expected \[height, width, 3\]"):
        metric(np.zeros((3, 12, 12), np.float32), np.zeros((3, 12, 12), np.float32))


def test_ssim_needs_room_for_its_window():
    small = np.zeros((10, 20, 3), np.float32)
    with pytest.raises(ValueError, match="SSIM needs 11 pixels a side"):
        ssim(small, small)
