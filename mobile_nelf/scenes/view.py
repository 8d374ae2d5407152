"""Posed images and the box around what they show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf.cameras import Camera, FloatArray, Intrinsics
from mobile_nelf.lenses import DistortedLens
from mobile_nelf.scenes.photos import decoded, decoded_mask, may_have_alpha
from mobile_nelf.scenes.undistortion import undistorted

__all__ = ["Box", "View"]

#: An object on a transparent ground; an object with all that is around it; a view to one side.


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

    def corners(self) -> FloatArray:
        """Returns its corners, [8, 3]."""
        sides = zip(self.lower, self.upper, strict=True)
        return np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class View:
    """One posed image.

    When it is read, the file is turned, masked, undistorted, resized and cropped, in this order;
    most need none of it.

    Attributes:
        path: the image file.
        camera: a pinhole on the pixel grid that `rgba` returns.
        lens: that took the photo, if it was no pinhole.
        whole: pinhole of the whole photo, if the view is only a part of it.
        stored: width and height of the file after turning, if the photo is resized.
        orientation: EXIF orientation by which the file is turned; 1 leaves it.
        mask: file whose white becomes alpha.
    """

    path: Path
    camera: Camera
    lens: DistortedLens | None = None
    whole: Intrinsics | None = None
    stored: tuple[int, int] | None = None
    orientation: int = 1
    mask: Path | None = None

    def __repr__(self) -> str:
        """Returns file and size."""
        return f"View({self.path.name}, {self.size[0]}×{self.size[1]})"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.camera.intrinsics.width, self.camera.intrinsics.height

    @property
    def may_have_alpha(self) -> bool:
        """Whether some pixels may be transparent, without decoding the file."""
        return self.mask is not None or may_have_alpha(self.path)

    def rgba(self) -> npt.NDArray[np.uint8]:
        """Returns the image as [height, width, 4] with straight alpha.

        A file without alpha is opaque.

        Raises:
            SceneError: the file is not an image or has another size than when the scene was read.
        """
        pixels = self.file_pixels()
        if self.lens is not None:
            pixels = undistorted(self.lens, pixels)
        own = self.camera.intrinsics
        whole = self.whole or own
        if self.stored is not None:
            resized = Image.fromarray(pixels).resize(
                (whole.width, whole.height), Image.Resampling.LANCZOS
            )
            pixels = np.asarray(resized)
        left, top = round(whole.cx - own.cx), round(whole.cy - own.cy)
        return pixels[top : top + own.height, left : left + own.width]

    def file_pixels(self) -> npt.NDArray[np.uint8]:
        """Returns the file, turned and masked, [height, width, 4].

        Raises:
            SceneError: the file or its mask is not an image, or has another size than when the
                scene was read.
        """
        whole = self.whole or self.camera.intrinsics
        size = self.stored or (whole.width, whole.height)
        pixels = decoded(self.path, size, self.orientation)
        if self.mask is None:
            return pixels
        alpha = np.minimum(pixels[..., 3], decoded_mask(self.mask, size, self.orientation))
        return np.dstack([pixels[..., :3], alpha])

    def resized(self, width: int, height: int) -> View:
        """Returns a view of a whole photo on another pixel grid."""
        return replace(
            self, camera=self.camera.resized(width, height), stored=self.stored or self.size
        )

    def cropped(self, width: int, height: int) -> View:
        """Returns the middle of the view."""
        own = self.camera.intrinsics
        left, top = (own.width - width) // 2, (own.height - height) // 2
        middle = replace(own, width=width, height=height, cx=own.cx - left, cy=own.cy - top)
        return replace(
            self, camera=replace(self.camera, intrinsics=middle), whole=self.whole or own
        )
