"""Photos of lenses with distortion, resampled to a pinhole."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from mobile_nelf.lenses import DistortedLens

__all__ = ["undistorted"]


def undistorted(lens: DistortedLens, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Returns what the pinhole of a lens would have seen of its photo [height, width, 4]."""
    colour = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
    # What is transparent has no colour to mix in.
    colour[:, :3] *= colour[:, 3:] / 255.0
    mixed = F.grid_sample(colour, _places(lens), "bicubic", "border", align_corners=False)[0]
    # Alpha is divided by before it is clamped: both overshoot alike at the rim of an object.
    alpha = mixed[3:]
    straight = torch.cat([mixed[:3] * (255.0 / alpha.clamp_min(0.5)), alpha])
    rounded = straight.round().clamp(0.0, 255.0).to(torch.uint8)
    return np.ascontiguousarray(rounded.permute(1, 2, 0).numpy())


#: Photos of a scene mostly share a lens, and looking up its places takes as long as sampling.
@lru_cache(maxsize=1)
def _places(lens: DistortedLens) -> Tensor:
    """Where in the photo each pixel of the pinhole picture lies, [1, H, W, 2] in −1 to 1."""
    scaled = 2.0 * lens.places(lens.pinhole()) / (lens.width, lens.height) - 1.0
    return torch.from_numpy(scaled).float()[None]
