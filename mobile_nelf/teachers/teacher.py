"""What a teacher is: anything that renders a camera to colour, opacity and depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mobile_nelf.cameras import Camera
from mobile_nelf.pictures import ByteImage, FloatImage, to_uint8

__all__ = ["ALPHA_FLOOR", "Rendering", "Teacher"]

#: Least opacity by which premultiplied colour is divided.
ALPHA_FLOOR = 1e-3


@dataclass(frozen=True, eq=False)
class Rendering:
    """A rendered view.

    Attributes:
        rgb: [height, width, 3] colour in [0, 1], premultiplied by `alpha`.
        alpha: [height, width] opacity in [0, 1].
        depth: [height, width] mean depth along the optical axis, world units; 0 where nothing is.
    """

    rgb: FloatImage
    alpha: FloatImage
    depth: FloatImage

    def __repr__(self) -> str:
        """Returns the size, without the pixels."""
        return f"Rendering({self.rgb.shape[1]}×{self.rgb.shape[0]})"

    def on_white(self) -> FloatImage:
        """Returns [height, width, 3] float32 in [0, 1] on white."""
        return np.clip(self.rgb + (1.0 - self.alpha[..., None]), 0.0, 1.0)

    def rgba8(self) -> ByteImage:
        """Returns [height, width, 4] 8-bit pixels with straight alpha, as PNG stores them."""
        straight = self.rgb / np.maximum(self.alpha[..., None], ALPHA_FLOOR)
        pixels = np.concatenate([straight, self.alpha[..., None]], axis=-1)
        return to_uint8(pixels)


class Teacher(Protocol):
    """Renders views of one scene."""

    def render(self, camera: Camera) -> Rendering:
        """Renders the view of `camera` on its own pixel grid."""
        ...

    def rgba8(self, camera: Camera) -> ByteImage:
        """Returns `render(camera).rgba8()`, on the way that is fastest for the device."""
        ...
