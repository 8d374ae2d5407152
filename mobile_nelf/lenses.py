"""Lenses with distortion, and the pinhole whose picture lies inside of theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from mobile_nelf.cameras import FloatArray, Intrinsics
from mobile_nelf.errors import SceneError
from mobile_nelf.extras import import_extra

__all__ = ["BROWN_R8", "DistortedLens"]

#: Brown's model with a radial polynomial up to r⁸, nerfstudio's OPENCV with k4. COLMAP has none
#: like it. Parameters: fx, fy, cx, cy, k1, k2, p1, p2, k3, k4.
BROWN_R8 = "BROWN_R8"

#: The pinhole is zoomed in until it shows nothing outside of the photo, by at most so much.
ZOOM_STEP = 1.005
LARGEST_ZOOM = 2.0
#: Rounds in which a ray comes as near to its pixel as numbers allow, for the lenses of phones.
UNDO_ROUNDS = 20
#: Rays by which a lens is tested: steps outwards in tangents of the angle, and directions.
FOLD_STEPS = np.linspace(0.0, 4.0, 801)
FOLD_DIRECTIONS = 64


@dataclass(frozen=True)
class DistortedLens:
    """A lens of one of COLMAP's camera models, such as `OPENCV`, or of `BROWN_R8`.

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
        if self.model == BROWN_R8:
            x, y = width / self.width, height / self.height
            fx, fy, cx, cy, *bends = self.params
            return DistortedLens(BROWN_R8, width, height, (x * fx, y * fy, x * cx, y * cy, *bends))
        camera = self._camera()
        camera.rescale(width, height)
        return DistortedLens(self.model, width, height, tuple(map(float, camera.params)))

    def pinhole(self) -> Intrinsics:
        """Returns the pinhole of the same size, zoomed in just enough to have no blank border.

        Raises:
            SceneError: the distortion is too strong for a pinhole, its polynomial folds inside the
                photo, or the lens makes no sense.
        """
        return _pinhole(self)

    def pixels(self, rays: FloatArray) -> FloatArray:
        """Returns where [N, 2] points at depth 1 appear, right and down of the optical axis."""
        return self._projection()[1](rays)

    def rays(self, pixels: FloatArray) -> FloatArray:
        """Returns the points at depth 1, [N, 2], that appear at pixels; undoes `pixels`."""
        (fx, fy, cx, cy), project = self._projection()
        rays = (pixels - [cx, cy]) / [fx, fy]
        for _ in range(UNDO_ROUNDS):
            rays = rays - (project(rays) - pixels) / [fx, fy]
        return np.asarray(rays, np.float64)

    def places(self, pinhole: Intrinsics) -> FloatArray:
        """Returns where in the photo each pixel of a pinhole's picture lies.

        Args:
            pinhole: at the same place, looking the same way.

        Returns:
            [H, W, 2] columns and rows, pixel centres at +0.5.
        """
        columns, rows = np.meshgrid(np.arange(pinhole.width) + 0.5, np.arange(pinhole.height) + 0.5)
        pixels = np.stack([columns.ravel(), rows.ravel()], 1)
        return self.pixels(_rays(pinhole, pixels)).reshape(pinhole.height, pinhole.width, 2)

    def _projection(self) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """Returns fx, fy, cx, cy, and what takes points [N, 2] at depth 1 to pixels."""
        if self.model == BROWN_R8:
            return np.array(self.params[:4]), self._brown
        camera = self._camera()

        def project(rays: FloatArray) -> FloatArray:
            points = np.concatenate([rays, np.ones((len(rays), 1))], 1)
            return np.asarray(camera.img_from_cam(points), np.float64)

        focal = camera.focal_length_x, camera.focal_length_y
        return np.array([*focal, camera.principal_point_x, camera.principal_point_y]), project

    def _brown(self, rays: FloatArray) -> FloatArray:
        fx, fy, cx, cy, k1, k2, p1, p2, k3, k4 = self.params
        x, y = rays[:, 0], rays[:, 1]
        r2 = x * x + y * y
        radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * (k3 + r2 * k4)))
        bent_x = x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x)
        bent_y = y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y
        return np.stack([fx * bent_x + cx, fy * bent_y + cy], 1)

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
    values, project = lens._projection()
    focal, centre = values[:2], values[2:]
    rim = _rim(lens.width, lens.height)
    if min(focal) > 0.0:
        _refuse_fold(lens, values, project)
    zoom = 1.0
    while zoom < LARGEST_ZOOM and min(focal) > 0.0:
        fx, fy = map(float, zoom * focal)
        pinhole = Intrinsics(lens.width, lens.height, fx, fy, float(centre[0]), float(centre[1]))
        places = project(_rays(pinhole, rim))
        if places.min() >= 0.0 and (places <= (lens.width, lens.height)).all():
            return pinhole
        zoom *= ZOOM_STEP
    raise SceneError(
        f"a lens of model {lens.model} with parameters {list(lens.params)} bends too much for a "
        "pinhole; undistort the photos first"
    )


def _refuse_fold(
    lens: DistortedLens, values: FloatArray, project: Callable[[FloatArray], FloatArray]
) -> None:
    """Refuses a lens that turns back before it reaches the rim: two rays would share a pixel.

    Polynomials are fitted to what the middle of photos shows and are often wrong at their corners.
    """
    fx, fy, cx, cy = values
    angles = np.arange(FOLD_DIRECTIONS) / FOLD_DIRECTIONS * 2.0 * np.pi
    corners = np.arctan2([-cy, lens.height - cy] * 2, [-cx, -cx, lens.width - cx, lens.width - cx])
    angles = np.concatenate([angles, corners])
    ways = np.stack([np.cos(angles) / fx, np.sin(angles) / fy], 1)
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    rays = FOLD_STEPS[:, None, None] * ways  # [S, D, 2]
    with np.errstate(all="ignore"):
        places = project(rays.reshape(-1, 2)).reshape(rays.shape)
    inside = ((places >= 0.0) & (places <= (lens.width, lens.height))).all(2)
    reach = np.linalg.norm(places - (cx, cy), axis=2)
    # Only what lies before a ray leaves the photo for the first time counts.
    before = np.logical_and.accumulate(inside, 0)
    folds = before[1:] & (np.diff(reach, axis=0) <= 0.0)
    if folds.any():
        step, way = (int(index[0]) for index in np.nonzero(folds))
        corner = np.hypot(max(cx, lens.width - cx), max(cy, lens.height - cy))
        raise SceneError(
            f"a lens of model {lens.model} with parameters {list(lens.params)} folds inside the "
            f"photo, {reach[step, way] / corner:.0%} of the way from the principal point to the "
            "farthest corner; calibrate it again, with a model that fits, or undistort the photos"
        )


def _rays(pinhole: Intrinsics, pixels: FloatArray) -> FloatArray:
    """Points at depth 1 of the pixels [N, 2] of a pinhole picture."""
    return np.asarray((pixels - [pinhole.cx, pinhole.cy]) / [pinhole.fx, pinhole.fy], np.float64)


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
