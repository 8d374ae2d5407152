"""Pictures as arrays: their types, 8 bits to and from [0, 1], on white, as a PNG file."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["ByteImage", "FloatImage", "from_uint8", "on_white", "png_bytes", "to_uint8"]

#: [height, width, 1, 3 or 4] in [0, 1].
FloatImage = npt.NDArray[np.float32]

#: [height, width, 3 or 4] in 0 to 255.
ByteImage = npt.NDArray[np.uint8]


def to_uint8(image: npt.NDArray[Any]) -> ByteImage:
    """Rounds [0, 1] to 8 bits."""
    rounded: ByteImage = np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
    return rounded


def from_uint8(image: ByteImage) -> FloatImage:
    """Returns 8-bit values in [0, 1]."""
    return image.astype(np.float32) / np.float32(255.0)


def on_white(rgba: ByteImage) -> FloatImage:
    """Returns [height, width, 4] straight alpha as [height, width, 3] in [0, 1] on white."""
    scaled = rgba.astype(np.float64) / 255.0
    return (scaled[..., :3] * scaled[..., 3:] + (1.0 - scaled[..., 3:])).astype(np.float32)


def png_bytes(image: ByteImage) -> bytes:
    """Returns an RGB or RGBA picture as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
