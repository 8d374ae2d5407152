"""Random patches of the views at hand, as the network takes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mobile_nelf.encoding import encode
from mobile_nelf.rays import sample_depths
from mobile_nelf.students import EncoderConfig, StudentConfig
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.views.cache import ViewCache

__all__ = ["Patches", "draw_patches"]

#: Random pixels that are looked at to find one of the object; a view that shows it on a hundredth
#: of its area then gets every second patch right.
FOREGROUND_TRIES = 64


class Patches(NamedTuple):
    """A batch of patches of rays and of the pixels they stand for.

    Attributes:
        rays: [B, 12] float64, the flat ray map of each patch's view on the whole ray grid.
        corners: [B, 2] float64, column and row of each patch's first ray on that grid; a patch
            may begin between its rays.
        jitter: [B, K, rows, columns] float32 in [0, 1), place of each sample in its interval.
        pixels: [B, s·rows, s·columns, 4] uint8 with straight alpha.
    """

    rays: Tensor
    corners: Tensor
    jitter: Tensor
    pixels: Tensor

    def to(self, device: torch.device) -> Patches:
        """Returns the same patches on a device."""
        return Patches(*(part.to(device, non_blocking=True) for part in self))

    def encoded(self, encoder: EncoderConfig) -> Tensor:
        """Returns the network's input [B, C, rows, columns], float32 and channels last.

        Each sample lies anywhere in its depth interval, so that over many steps the whole ray is
        seen; the interval of a sample ends midway to its neighbours.
        """
        rows, columns = self.jitter.shape[2:]
        origin, d0, du, dv = self.rays.reshape(-1, 4, 3, 1, 1).unbind(1)
        u, v = self.corners.reshape(-1, 2, 1, 1, 1).unbind(1)
        u = u + torch.arange(columns, device=u.device, dtype=u.dtype)
        v = v + torch.arange(rows, device=v.device, dtype=v.dtype)[:, None]
        directions = d0 + u * du + v * dv  # [B, 3, rows, columns]
        depths = torch.from_numpy(sample_depths(encoder.near, encoder.far, encoder.samples))
        depths = depths.to(self.rays.device)
        middles = (depths[1:] + depths[:-1]) / 2
        lower = torch.cat([depths[:1], middles])[:, None, None]
        upper = torch.cat([middles, depths[-1:]])[:, None, None]
        jittered = lower + (upper - lower) * self.jitter  # [B, K, rows, columns]
        points = origin[:, None] + jittered[:, :, None] * directions[:, None]  # [B, K, 3, …]
        encoded = encode(points.flatten(1, 2).float(), encoder.frequencies)
        return encoded.contiguous(memory_format=torch.channels_last)

    def targets(self, channels: int) -> Tensor:
        """Returns colour on white and, for 4 channels, alpha: [B, channels, s·rows, s·columns]."""
        rgba = self.pixels.movedim(-1, 1).float() / 255.0
        alpha = rgba[:, 3:]
        on_white = rgba[:, :3] * alpha + (1.0 - alpha)
        return on_white if channels == 3 else torch.cat([on_white, alpha], dim=1)


def draw_patches(
    cache: ViewCache,
    window: range,
    student: StudentConfig,
    config: FitConfig,
    rng: np.random.Generator,
) -> Patches:
    """Returns a batch from the views in `window`.

    A patch begins at any pixel, not only where the ray grid of the whole view falls: a view then
    teaches scale² times as many different rays.
    """
    scale = student.scale
    rows = min(config.patch_rays, student.ray_height)
    columns = min(config.patch_rays, student.ray_width)
    lowest = student.image_height - rows * scale
    rightmost = student.image_width - columns * scale
    rays, corners, pixels = [], [], []
    for _ in range(config.patches):
        slot = cache.slot(int(rng.integers(window.start, window.stop)))
        view = cache.pixels[slot]
        top = int(rng.integers(lowest + 1))
        left = int(rng.integers(rightmost + 1))
        if rng.random() < config.foreground:
            found = _foreground_pixel(view[..., 3], rng)
            if found is not None:
                top = min(max(found[0] - rows * scale // 2, 0), lowest)
                left = min(max(found[1] - columns * scale // 2, 0), rightmost)
        rays.append(cache.rays(slot))
        corners.append((left / scale, top / scale))
        pixels.append(view[top : top + rows * scale, left : left + columns * scale])
    jitter_shape = (config.patches, student.encoder.samples, rows, columns)
    return Patches(
        torch.from_numpy(np.stack(rays)),
        torch.tensor(corners, dtype=torch.float64),
        torch.from_numpy(rng.random(jitter_shape, np.float32)),
        torch.from_numpy(np.stack(pixels)),
    )


def _foreground_pixel(
    alpha: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], rng: np.random.Generator
) -> tuple[int, int] | None:
    """Returns row and column of a random pixel with alpha above 0; None if tries find none."""
    rows = rng.integers(alpha.shape[0], size=FOREGROUND_TRIES)
    columns = rng.integers(alpha.shape[1], size=FOREGROUND_TRIES)
    hits = np.flatnonzero(alpha[rows, columns])
    return (int(rows[hits[0]]), int(columns[hits[0]])) if len(hits) else None
