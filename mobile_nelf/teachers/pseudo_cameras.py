"""Where pseudo views are taken from: between and around the training cameras."""

from __future__ import annotations

import numpy as np

from mobile_nelf.cameras import Camera, look_at
from mobile_nelf.scenes import Scene

__all__ = ["PseudoCameras"]

#: Neighbours that a new camera may be mixed from, and how many of them it is.
NEIGHBOURS = 8
MIXED = 2
#: Weights reach a little beyond the triangle of the cameras, so that its corners are no rim.
BEYOND = 0.15
#: Standard deviation of the distance to the target, relative.
RADIUS_JITTER = 0.02
#: Standard deviation of the point looked at, relative to the distance.
LOOK_AT_JITTER = 0.01


class PseudoCameras:
    """Random cameras around the training cameras of a scene.

    Each is a random mix of a training camera and two of its neighbours: of their directions from
    the target, their distances and the points that they look at. That holds on a sphere, on an arc
    and in the plane of a forward-facing scene alike, and never leaves what the photos show.
    """

    def __init__(self, scene: Scene, seed: int = 0) -> None:
        """Takes the training cameras; camera `index` depends on `seed` and `index` alone."""
        self.seed = seed
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
        base = int(rng.integers(len(self.radii)))
        others = rng.permutation(self.nearest[base])[:MIXED]
        chosen = np.array([base, *others])
        weights = rng.dirichlet(np.ones(len(chosen)))
        weights += BEYOND * (weights - 1.0 / len(chosen))
        radius = weights @ self.radii[chosen] * (1.0 + RADIUS_JITTER * rng.standard_normal())
        bearing = weights @ self.bearings[chosen]
        bearing /= np.linalg.norm(bearing)
        looked_at = weights @ self.looked_at[chosen]
        looked_at += LOOK_AT_JITTER * radius * rng.standard_normal(3)
        pose = look_at(
            self.target + radius * bearing, self.target + looked_at, weights @ self.ups[chosen]
        )
        return Camera(pose, self.intrinsics[base])
