"""Posed images and the box around what they show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf.cameras import Camera, FloatArray, Intrinsics
from mobile_nelf.errors import SceneError
from mobile_nelf.scenes.distortion import DistortedLens

__all__ = ["Box", "Extent", "View"]

#: An object on a transparent ground; an object with all that is around it; a view to one side.
Extent = Literal["bounded", "unbounded", "forward"]


@dataclass(frozen=True)
class Box:
    """An axis-aligned box.

    Attributes:
        lower: corner with the smallest coordinates, world units.
        upper: opposite corner.
    """

    lower: tuple[float, float, float]
    upper: tuple[float, float, float]

    @staticmethod
    def around(points: FloatArray, margin: float | FloatArray = 0.0) -> Box:
        """Returns the box of points [N, 3], wider by `margin` on all sides."""
        (x0, y0, z0), (x1, y1, z1) = points.min(0) - margin, points.max(0) + margin
        return Box((float(x0), float(y0), float(z0)), (float(x1), float(y1), float(z1)))


@dataclass(frozen=True)
class View:
    """One posed image.

    Attributes:
        path: the image file.
        camera: a pinhole on the pixel grid that `rgba` returns.
        lens: that took the photo, if it was no pinhole; the photo is undistorted when it is read.
        whole: pinhole of the whole photo, if the view is only a part of it.
    """

    path: Path
    camera: Camera
    lens: DistortedLens | None = None
    whole: Intrinsics | None = None

    def rgba(self) -> npt.NDArray[np.uint8]:
        """Returns the image as [height, width, 4]; a file without alpha is opaque.

        Raises:
            SceneError: the file is no image or has another size than its camera.
        """
        try:
            with Image.open(self.path) as image:
                pixels = np.asarray(image.convert("RGBA"))
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise SceneError(f"{self.path}: not a readable image ({error})") from error
        own = self.camera.intrinsics
        grid = self.whole or own
        if pixels.shape[:2] != (grid.height, grid.width):
            raise SceneError(
                f"{self.path}: is {pixels.shape[1]}×{pixels.shape[0]}, but the first image of its "
                f"split is {grid.width}×{grid.height}; all must have one size"
            )
        if self.lens is not None:
            pixels = self.lens.undistorted(pixels, grid)
        left, top = round(grid.cx - own.cx), round(grid.cy - own.cy)
        return pixels[top : top + own.height, left : left + own.width]

    def cropped(self, width: int, height: int) -> View:
        """Returns the middle of the view."""
        own = self.camera.intrinsics
        left, top = (own.width - width) // 2, (own.height - height) // 2
        middle = replace(own, width=width, height=height, cx=own.cx - left, cy=own.cy - top)
        return replace(
            self, camera=replace(self.camera, intrinsics=middle), whole=self.whole or own
        )
