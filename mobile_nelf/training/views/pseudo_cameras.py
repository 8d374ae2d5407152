"""Where pseudo views are taken from: wherever the student will be looked at from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import Camera, FloatArray, look_at
from mobile_nelf.scenes import Scene

__all__ = ["PseudoCameras"]

IntArray = npt.NDArray[np.intp]

#: Neighbours that a new camera may be mixed from, and how many of them it is.
NEIGHBOURS = 8
MIXED = 2
#: Weights reach a little beyond the triangle of the cameras, so that its corners lie within.
BEYOND = 0.15
#: Degrees by which the orbit round an object is exceeded, so that its border lies within.
MARGIN = 5.0
#: Standard deviation of the distance to the target, relative.
RADIUS_JITTER = 0.02
#: Standard deviation of the point looked at, relative to the distance.
LOOK_AT_JITTER = 0.01


class PseudoCameras:
    """Random cameras for a scene, which look about where its training cameras do.

    Round an object they cover the orbit of the training cameras evenly, its gaps too: viewers may
    go anywhere on it, and a teacher that knows where there is nothing fills a gap well. Elsewhere
    each is a mix of a training camera and two of its neighbours, which holds on an arc and in the
    plane of a forward-facing scene alike, and never leaves what the photos show.
    """

    def __init__(self, scene: Scene, seed: int = 0) -> None:
        """Takes the training cameras; camera `index` depends on `seed` and `index` alone."""
        self.seed = seed
        self.scene = scene
        cameras = [view.camera for view in scene.train]
        self.intrinsics = [camera.intrinsics for camera in cameras]
        poses = np.stack([camera.cam_to_world for camera in cameras])
        self.target = np.asarray(scene.orbit.target)
        offsets = poses[:, :, 3] - self.target
        self.radii = np.linalg.norm(offsets, axis=1)
        self.bearings = offsets / self.radii[:, None]
        self.ups = poses[:, :, 1]
        # The point on each optical axis that is nearest to the target, relative to it.
        back = poses[:, :, 2]
        self.looked_at = offsets - back * np.sum(offsets * back, axis=1, keepdims=True)
        distances = np.linalg.norm(offsets[:, None] - offsets[None], axis=2)
        self.nearest = np.argsort(distances, axis=1, kind="stable")[:, 1 : NEIGHBOURS + 1]

    def camera(self, index: int) -> Camera:
        """Returns the camera with number `index`, with the lens of a training view."""
        rng = np.random.default_rng([self.seed, index])
        place = self._on_orbit if self.scene.extent == "bounded" else self._between
        chosen, weights, bearing = place(rng)
        radius = weights @ self.radii[chosen] * (1.0 + RADIUS_JITTER * rng.standard_normal())
        looked_at = weights @ self.looked_at[chosen]
        looked_at += LOOK_AT_JITTER * radius * rng.standard_normal(3)
        pose = look_at(
            self.target + radius * bearing, self.target + looked_at, weights @ self.ups[chosen]
        )
        return Camera(pose, self.intrinsics[chosen[0]])

    def _between(self, rng: np.random.Generator) -> tuple[IntArray, FloatArray, FloatArray]:
        """Returns training cameras, their weights, and the direction of their mix."""
        base = int(rng.integers(len(self.radii)))
        others = rng.permutation(self.nearest[base])[:MIXED]
        chosen = np.array([base, *others])
        weights = rng.dirichlet(np.ones(len(chosen)))
        weights += BEYOND * (weights - 1.0 / len(chosen))
        bearing = weights @ self.bearings[chosen]
        return chosen, weights, bearing / np.linalg.norm(bearing)

    def _on_orbit(self, rng: np.random.Generator) -> tuple[IntArray, FloatArray, FloatArray]:
        """Returns the training cameras next to a random direction, their weights, and it."""
        azimuth = np.radians(rng.uniform(*self.scene.orbit.azimuth))
        lowest, highest = self.scene.orbit.elevation
        # Uniform in the sine is uniform on the sphere.
        height = rng.uniform(
            np.sin(np.radians(max(lowest - MARGIN, -90.0))),
            np.sin(np.radians(min(highest + MARGIN, 90.0))),
        )
        across = np.sqrt(1.0 - height**2)
        local = np.array([across * np.cos(azimuth), across * np.sin(azimuth), height])
        bearing = local @ self.scene.orbit.basis()
        distances = np.linalg.norm(self.bearings - bearing, axis=1)
        chosen = np.argsort(distances, kind="stable")[: MIXED + 1]
        weights = 1.0 / (distances[chosen] + 1e-6)
        return chosen, weights / weights.sum(), bearing
