"""Photos of lenses with distortion, resampled to a pinhole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import FloatArray, Intrinsics
from mobile_nelf.errors import SceneError
from mobile_nelf.extras import import_extra

__all__ = ["DistortedLens"]

#: The pinhole is zoomed in until it shows nothing outside of the photo, by at most so much.
ZOOM_STEP = 1.005
LARGEST_ZOOM = 2.0


@dataclass(frozen=True)
class DistortedLens:
    """A lens of one of COLMAP's camera models, such as `OPENCV`.

    Attributes:
        model: name of the model.
        width: of the photo in pixels.
        height: of the photo in pixels.
        params: of the model, in COLMAP's order and units.
    """

    model: str
    width: int
    height: int
    params: tuple[float, ...]

    def pinhole(self) -> Intrinsics:
        """Returns the pinhole of the same size, zoomed in just enough to have no blank border.

        Raises:
            SceneError: the distortion is too strong for a pinhole.
        """
        camera = self._camera()
        fx, fy = camera.mean_focal_length(), camera.mean_focal_length()
        if len(camera.focal_length_idxs()) == 2:
            fx, fy = camera.focal_length_x, camera.focal_length_y
        cx, cy = camera.principal_point_x, camera.principal_point_y
        zoom = 1.0
        while zoom < LARGEST_ZOOM:
            lens = Intrinsics(self.width, self.height, zoom * fx, zoom * fy, cx, cy)
            x, y = self._places(lens, _border(self.width, self.height)).T
            if min(x.min(), y.min()) >= 0.0 and x.max() <= self.width and y.max() <= self.height:
                return lens
            zoom *= ZOOM_STEP
        raise SceneError(
            f"a lens of model {self.model} with parameters {self.params} bends too much for a "
            "pinhole; undistort the photos first"
        )

    def undistorted(self, pixels: npt.NDArray[np.uint8], lens: Intrinsics) -> npt.NDArray[np.uint8]:
        """Returns what `lens` would have seen of a photo [height, width, C] of this one."""
        columns, rows = np.meshgrid(np.arange(lens.width) + 0.5, np.arange(lens.height) + 0.5)
        grid = np.stack([columns.ravel(), rows.ravel()], 1)
        x, y = (self._places(lens, grid) - 0.5).T
        x, y = np.clip(x, 0.0, self.width - 1.0), np.clip(y, 0.0, self.height - 1.0)
        left, top = (
            np.minimum(x.astype(int), self.width - 2),
            np.minimum(y.astype(int), self.height - 2),
        )
        across, down = (x - left)[:, None], (y - top)[:, None]
        values = pixels.astype(np.float64)
        upper = values[top, left] * (1 - across) + values[top, left + 1] * across
        lower = values[top + 1, left] * (1 - across) + values[top + 1, left + 1] * across
        mixed = np.rint(upper * (1 - down) + lower * down)
        return mixed.astype(np.uint8).reshape(lens.height, lens.width, -1)

    def _places(self, lens: Intrinsics, pixels: FloatArray) -> FloatArray:
        """Where in the photo the pixels [N, 2] of a pinhole lie."""
        rays = (pixels - [lens.cx, lens.cy]) / [lens.fx, lens.fy]
        points = np.concatenate([rays, np.ones((len(rays), 1))], 1)
        return np.asarray(self._camera().img_from_cam(points), np.float64)

    def _camera(self) -> Any:
        pycolmap = import_extra("pycolmap", "train")
        return pycolmap.Camera(
            model=self.model, width=self.width, height=self.height, params=list(self.params)
        )


def _border(width: int, height: int) -> FloatArray:
    """The pixel centres along the edge of an image, [N, 2]."""
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    sides = [
        np.stack([x, np.full_like(x, 0.5)], 1),
        np.stack([x, np.full_like(x, height - 0.5)], 1),
        np.stack([np.full_like(y, 0.5), y], 1),
        np.stack([np.full_like(y, width - 0.5), y], 1),
    ]
    return np.concatenate(sides)
