"""Random patches of the views at hand, as the network takes them."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mobile_nelf.compute import image_format
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
        """Returns the same patches on a device; a GPU gets its rays in float32."""
        if device.type == "cpu":
            return self
        rays, corners = self.rays.float(), self.corners.float()
        parts = (rays, corners, self.jitter, self.pixels)
        return Patches(*(part.to(device, non_blocking=True) for part in parts))

    def encoded(self, encoder: EncoderConfig) -> Tensor:
        """Returns the network's input [B, C, rows, columns], float32 and as `image_format` says.

        Each sample lies anywhere in its depth interval, so that over many steps the whole ray is
        seen; the interval of a sample ends midway to its neighbours.
        """
        rows, columns = self.jitter.shape[2:]
        origin, d0, du, dv = self.rays.reshape(-1, 4, 3, 1, 1).unbind(1)
        u, v = self.corners.reshape(-1, 2, 1, 1, 1).unbind(1)
        u = u + torch.arange(columns, device=u.device, dtype=u.dtype)
        v = v + torch.arange(rows, device=v.device, dtype=v.dtype)[:, None]
        directions = d0 + u * du + v * dv  # [B, 3, rows, columns]
        lower, upper = _intervals(encoder, self.rays.dtype, self.rays.device)
        jittered = lower + (upper - lower) * self.jitter  # [B, K, rows, columns]
        points = origin[:, None] + jittered[:, :, None] * directions[:, None]  # [B, K, 3, …]
        encoded = encode(points.flatten(1, 2).float(), encoder.frequencies)
        return encoded.contiguous(memory_format=image_format(encoded.device))

    def targets(self, channels: int) -> Tensor:
        """Returns colour on white and, for 4 channels, alpha: [B, channels, s·rows, s·columns]."""
        rgba = self.pixels.movedim(-1, 1).float() / 255.0
        alpha = rgba[:, 3:]
        on_white = rgba[:, :3] * alpha + (1.0 - alpha)
        return on_white if channels == 3 else torch.cat([on_white, alpha], dim=1)


@cache
def _intervals(
    encoder: EncoderConfig, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Returns nearest and farthest depth of each sample, [K, 1, 1]; made once for each device."""
    depths = torch.from_numpy(sample_depths(encoder.near, encoder.far, encoder.samples))
    middles = (depths[1:] + depths[:-1]) / 2
    bounds = torch.cat([depths[:1], middles]), torch.cat([middles, depths[-1:]])
    lower, upper = (bound[:, None, None].to(dtype).to(device) for bound in bounds)
    return lower, upper


def draw_patches(
    views: ViewCache,
    window: range,
    student: StudentConfig,
    config: FitConfig,
    rng: np.random.Generator,
) -> Patches:
    """Returns a batch from the views in `window`, with pixels and jitter on the device of `views`.

    A patch begins at any pixel, not only where the ray grid of the whole view falls: a view then
    teaches scale² times as many different rays.
    """
    scale, count = student.scale, config.patches
    rows = min(config.patch_rays, student.ray_height)
    columns = min(config.patch_rays, student.ray_width)
    lowest = student.image_height - rows * scale
    rightmost = student.image_width - columns * scale
    slots = views.slots(rng.integers(window.start, window.stop, size=count))
    tops = rng.integers(lowest + 1, size=count)
    lefts = rng.integers(rightmost + 1, size=count)
    if config.foreground > 0.0:
        centred = rng.random(count) < config.foreground
        tried_rows = rng.integers(student.image_height, size=(count, FOREGROUND_TRIES))
        tried_columns = rng.integers(student.image_width, size=(count, FOREGROUND_TRIES))
        hits = views.shows_object(slots, tried_rows, tried_columns)
        first = hits.argmax(axis=1, keepdims=True)
        centred &= np.take_along_axis(hits, first, axis=1)[:, 0]
        middle_rows = np.take_along_axis(tried_rows, first, axis=1)[:, 0]
        middle_columns = np.take_along_axis(tried_columns, first, axis=1)[:, 0]
        tops = np.where(centred, np.clip(middle_rows - rows * scale // 2, 0, lowest), tops)
        lefts = np.where(
            centred, np.clip(middle_columns - columns * scale // 2, 0, rightmost), lefts
        )
    pixels = views.crops(slots, tops, lefts, rows * scale, columns * scale)
    generator = torch.Generator(pixels.device).manual_seed(int(rng.integers(2**63)))
    jitter_shape = (count, student.encoder.samples, rows, columns)
    return Patches(
        torch.from_numpy(views.rays(slots)),
        torch.from_numpy(np.stack([lefts, tops], axis=1) / scale),
        torch.rand(jitter_shape, generator=generator, device=pixels.device),
        pixels,
    )
