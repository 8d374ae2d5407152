"""Photos of lenses with distortion, resampled to a pinhole."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

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
        params: of the model, in COLMAP's order and units; its pixel centres are ours.
    """

    model: str
    width: int
    height: int
    params: tuple[float, ...]

    def resized(self, width: int, height: int) -> DistortedLens:
        """Returns the same lens over another pixel grid."""
        camera = self._camera()
        camera.rescale(width, height)
        return DistortedLens(self.model, width, height, tuple(map(float, camera.params)))

    def pinhole(self) -> Intrinsics:
        """Returns the pinhole of the same size, zoomed in just enough to have no blank border.

        Raises:
            SceneError: the distortion is too strong for a pinhole, or the lens makes no sense.
        """
        return _pinhole(self)

    def undistorted(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Returns what the pinhole would have seen of a photo [height, width, 4] of this lens."""
        colour = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
        # What is transparent has no colour to mix in.
        colour[:, :3] *= colour[:, 3:] / 255.0
        mixed = F.grid_sample(colour, _places(self), "bicubic", "border", align_corners=False)[0]
        # Alpha is divided by before it is clamped: both overshoot alike at the rim of an object.
        alpha = mixed[3:]
        straight = torch.cat([mixed[:3] * (255.0 / alpha.clamp_min(0.5)), alpha])
        rounded = straight.round().clamp(0.0, 255.0).to(torch.uint8)
        return np.ascontiguousarray(rounded.permute(1, 2, 0).numpy())

    def _camera(self) -> Any:
        pycolmap = import_extra("pycolmap", "train")
        try:
            camera = pycolmap.Camera(
                model=self.model, width=self.width, height=self.height, params=list(self.params)
            )
        except (ValueError, RuntimeError) as error:
            raise SceneError(f"no camera model {self.model!r} is known ({error})") from error
        finite = camera.verify_params() and np.isfinite(self.params).all()
        if not finite or camera.is_spherical():
            raise SceneError(
                f"a lens of model {self.model} with parameters {list(self.params)} cannot be "
                "turned into a pinhole; cut pinhole pictures out of the photos first"
            )
        return camera


@lru_cache(maxsize=256)
def _pinhole(lens: DistortedLens) -> Intrinsics:
    camera = lens._camera()
    focal = camera.focal_length_x, camera.focal_length_y
    centre = camera.principal_point_x, camera.principal_point_y
    rim = _rim(lens.width, lens.height)
    zoom = 1.0
    while zoom < LARGEST_ZOOM and min(focal) > 0.0:
        pinhole = Intrinsics(lens.width, lens.height, zoom * focal[0], zoom * focal[1], *centre)
        places = _in_photo(camera, pinhole, rim)
        if places.min() >= 0.0 and (places <= (lens.width, lens.height)).all():
            return pinhole
        zoom *= ZOOM_STEP
    raise SceneError(
        f"a lens of model {lens.model} with parameters {list(lens.params)} bends too much for a "
        "pinhole; undistort the photos first"
    )


#: Photos of a scene mostly share a lens, and looking up its places takes as long as sampling.
@lru_cache(maxsize=1)
def _places(lens: DistortedLens) -> Tensor:
    """Where in the photo each pixel of the pinhole picture lies, [1, H, W, 2] in −1 to 1."""
    columns, rows = np.meshgrid(np.arange(lens.width) + 0.5, np.arange(lens.height) + 0.5)
    pixels = np.stack([columns.ravel(), rows.ravel()], 1)
    places = _in_photo(lens._camera(), lens.pinhole(), pixels)
    scaled = 2.0 * places / (lens.width, lens.height) - 1.0
    return torch.from_numpy(scaled).float().view(1, lens.height, lens.width, 2)


def _in_photo(camera: Any, pinhole: Intrinsics, pixels: FloatArray) -> FloatArray:
    """Where in the photo that `camera` took the pixels [N, 2] of a pinhole picture lie."""
    rays = (pixels - [pinhole.cx, pinhole.cy]) / [pinhole.fx, pinhole.fy]
    points = np.concatenate([rays, np.ones((len(rays), 1))], 1)
    return np.asarray(camera.img_from_cam(points), np.float64)


def _rim(width: int, height: int) -> FloatArray:
    """The pixel centres along the edge of an image, [N, 2]."""
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    sides = [
        np.stack([x, np.full_like(x, 0.5)], 1),
        np.stack([x, np.full_like(x, height - 0.5)], 1),
        np.stack([np.full_like(y, 0.5), y], 1),
        np.stack([np.full_like(y, width - 0.5), y], 1),
    ]
    return np.concatenate(sides)
