"""The icon of a lens: the student's own picture, as Snap asks for it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.rendering import student_frame_function

__all__ = ["ICON_PATH", "lens_icon"]

ICON_PATH = "icon.png"

#: Rows and columns.
SIDE = 320


def lens_icon(checkpoint: Checkpoint) -> bytes:
    """Returns a PNG of 320×320 pixels: the middle of the orbit, on the background of the photos."""
    orbit = checkpoint.orbit
    middle = [sum(limits) / 2 for limits in (orbit.azimuth, orbit.elevation, orbit.radius)]
    picture = student_frame_function(checkpoint)(checkpoint.ray_camera(orbit.pose(*middle)))
    pixels = np.rint(np.clip(picture[..., :3], 0.0, 1.0) * 255.0).astype(np.uint8)
    image = Image.fromarray(pixels)
    scale = SIDE / max(image.size)
    size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
    background = tuple(round(value * 255.0) for value in checkpoint.background)
    icon = Image.new("RGB", (SIDE, SIDE), background)
    place = ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2)
    icon.paste(image.resize(size, Image.Resampling.LANCZOS), place)
    stream = io.BytesIO()
    icon.save(stream, "PNG", optimize=True)
    return stream.getvalue()
