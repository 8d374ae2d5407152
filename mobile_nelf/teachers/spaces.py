"""The unit cube in which a teacher keeps a scene, and how rays run through it.

A space maps world points to [0, 1]³ and back, and says at which depths a ray is sampled. Depths are
measured along the optical axis, which is what an unnormalised pinhole direction does (`rays.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mobile_nelf.cameras import Camera, FloatArray
from mobile_nelf.rays import ray_map
from mobile_nelf.scenes import Scene

__all__ = ["BoxSpace", "ContractedSpace", "NdcSpace", "Space", "scene_space"]

#: Beyond this multiple of the box's half side nothing moves against the rest any more.
HORIZON = 64.0

#: A frustum does not open wider than this to each side (76°), or nothing in it would be fine.
WIDEST_TANGENT = 4.0

#: The nearest depth of a scene is an estimate; marching begins a little before it.
NEAR_MARGIN = 0.7


class Space(Protocol):
    """A map between the world and the unit cube."""

    def to_unit(self, points_world: Tensor) -> Tensor:
        """Maps [..., 3] world points; those outside of the space leave [0, 1]³."""
        ...

    def to_world(self, points_unit: Tensor) -> Tensor:
        """Maps [..., 3] points of the unit cube to the world."""
        ...

    def depths(self, origins: Tensor, directions: Tensor, fractions: Tensor) -> Tensor:
        """Returns depths [N, K] at which N rays are sampled.

        Args:
            origins: [N, 3], world frame.
            directions: [N, 3], world frame, unnormalised.
            fractions: [N, K] in [0, 1], ascending along K.
        """
        ...

    def proportions(self) -> tuple[float, float, float]:
        """Returns how much finer than the others each axis should be divided."""
        ...


@dataclass(frozen=True)
class BoxSpace:
    """A box around a bounded object.

    Attributes:
        lower: corner, world frame.
        upper: opposite corner.
    """

    lower: tuple[float, float, float]
    upper: tuple[float, float, float]

    def __post_init__(self) -> None:
        """Refuses boxes without volume."""
        _require_finite(self.lower, self.upper)
        if not all(low < high for low, high in zip(self.lower, self.upper, strict=True)):
            raise ValueError(f"a space needs a volume, found {self.lower} to {self.upper}")

    def to_unit(self, points_world: Tensor) -> Tensor:
        """See `Space`."""
        lower, upper = points_world.new_tensor(self.lower), points_world.new_tensor(self.upper)
        return (points_world - lower) / (upper - lower)

    def to_world(self, points_unit: Tensor) -> Tensor:
        """See `Space`."""
        lower, upper = points_unit.new_tensor(self.lower), points_unit.new_tensor(self.upper)
        return lower + points_unit * (upper - lower)

    def depths(self, origins: Tensor, directions: Tensor, fractions: Tensor) -> Tensor:
        """Spaces the samples evenly over the part of the ray that lies in the box."""
        inverse = 1.0 / torch.where(directions.abs() < 1e-9, 1e-9, directions)
        first = (origins.new_tensor(self.lower) - origins) * inverse
        second = (origins.new_tensor(self.upper) - origins) * inverse
        enter = torch.minimum(first, second).amax(1, keepdim=True).clamp_min(0.0)
        leave = torch.maximum(first, second).amin(1, keepdim=True)
        # A ray that misses the box gets no extent; its samples are outside and count for nothing.
        return enter + (leave - enter).clamp_min(0.0) * fractions

    def proportions(self) -> tuple[float, float, float]:
        """See `Space`."""
        (x0, y0, z0), (x1, y1, z1) = self.lower, self.upper
        return x1 - x0, y1 - y0, z1 - z0


@dataclass(frozen=True)
class ContractedSpace:
    """All of space around a cube: inside as it is, outside contracted (Barron et al., CVPR 2022).

    With x in half sides of the cube, points of max-norm above 1 go to (2 − 1/|x|)·x/|x|.

    Attributes:
        centre: of the cube, world frame.
        half: half side of the cube, world units.
        near: nearest depth, world units.
    """

    centre: tuple[float, float, float]
    half: float
    near: float

    def __post_init__(self) -> None:
        """Refuses cubes without volume."""
        _require_finite(self.centre, (self.half, self.near))
        if min(self.half, self.near) <= 0.0:
            raise ValueError(f"a space needs positive lengths, found {self.half} and {self.near}")

    def to_unit(self, points_world: Tensor) -> Tensor:
        """See `Space`."""
        x = (points_world - points_world.new_tensor(self.centre)) / self.half
        norm = x.abs().amax(-1, keepdim=True).clamp_min(1.0)
        return ((2.0 - 1.0 / norm) * x / norm + 2.0) / 4.0

    def to_world(self, points_unit: Tensor) -> Tensor:
        """See `Space`; what lies beyond the horizon is put there."""
        y = points_unit * 4.0 - 2.0
        norm = y.abs().amax(-1, keepdim=True).clamp_min(1.0)
        stretch = 1.0 / (norm * (2.0 - norm).clamp_min(1.0 / HORIZON))
        return y * stretch * self.half + points_unit.new_tensor(self.centre)

    def depths(self, origins: Tensor, directions: Tensor, fractions: Tensor) -> Tensor:
        """Spaces the samples by a constant ratio: fine when near, coarse when far."""
        return self.near * (HORIZON * self.half / self.near) ** fractions

    def proportions(self) -> tuple[float, float, float]:
        """See `Space`."""
        return 1.0, 1.0, 1.0


@dataclass(frozen=True)
class NdcSpace:
    """The frustum of a camera that sees all of a forward-facing scene, even in disparity.

    The projective cube of NeRF (Mildenhall et al., ECCV 2020, appendix C) with the near plane at
    `near` and the far plane at infinity.

    Attributes:
        cam_to_world: [3, 4] of that camera, row after row.
        tangents: of its half angles, across and up.
        near: its nearest depth, world units.
    """

    cam_to_world: tuple[float, ...]
    tangents: tuple[float, float]
    near: float

    def __post_init__(self) -> None:
        """Refuses frusta without volume and poses of another shape."""
        _require_finite(self.cam_to_world, (*self.tangents, self.near))
        if len(self.cam_to_world) != 12:
            raise ValueError(f"a space needs a 3×4 pose, found {len(self.cam_to_world)} numbers")
        if min(*self.tangents, self.near) <= 0.0:
            raise ValueError(
                f"a space needs positive lengths, found {self.tangents} and {self.near}"
            )

    def to_unit(self, points_world: Tensor) -> Tensor:
        """See `Space`; points behind the camera are mapped outside of the cube."""
        pose = points_world.new_tensor(self.cam_to_world).view(3, 4)
        local = (points_world - pose[:, 3]) @ pose[:, :3]
        depth = -local[..., 2:]
        ahead = depth.clamp_min(1e-6)
        tangents = points_world.new_tensor(self.tangents)
        across = (local[..., :2] / ahead / tangents + 1.0) / 2.0
        return torch.cat([across, torch.where(depth > 0.0, 1.0 - self.near / ahead, -1.0)], -1)

    def to_world(self, points_unit: Tensor) -> Tensor:
        """See `Space`; what lies beyond the horizon is put there."""
        pose = points_unit.new_tensor(self.cam_to_world).view(3, 4)
        depth = self.near / (1.0 - points_unit[..., 2:]).clamp_min(1.0 / HORIZON)
        tangents = points_unit.new_tensor(self.tangents)
        across = (points_unit[..., :2] * 2.0 - 1.0) * tangents * depth
        return torch.cat([across, -depth], -1) @ pose[:, :3].T + pose[:, 3]

    def depths(self, origins: Tensor, directions: Tensor, fractions: Tensor) -> Tensor:
        """Spaces the samples evenly in disparity."""
        disparity = 1.0 - fractions * (1.0 - 1.0 / HORIZON)
        # Fractions a little beyond 1 happen at the end of a march; they must not wrap round.
        return self.near / disparity.clamp_min(0.5 / HORIZON)

    def proportions(self) -> tuple[float, float, float]:
        """Finer across than in depth: neighbouring photos see little parallax."""
        x, y = self.tangents
        return 2.0 * x / max(x, y), 2.0 * y / max(x, y), 0.5


def scene_space(scene: Scene) -> Space:
    """Returns the space that fits the extent of `scene`."""
    lower, upper = scene.box.lower, scene.box.upper
    if scene.extent == "bounded":
        return BoxSpace(lower, upper)
    if scene.extent == "unbounded":
        middle = (np.asarray(lower) + np.asarray(upper)) / 2
        half = float(np.max(np.asarray(upper) - np.asarray(lower))) / 2
        centre = (float(middle[0]), float(middle[1]), float(middle[2]))
        return ContractedSpace(centre, half, NEAR_MARGIN * scene.near)
    cameras = [view.camera for view in scene.train]
    pose = _overview_pose(np.stack([camera.cam_to_world for camera in cameras]))
    tangents = _tangents(cameras, pose, (scene.near, scene.far))
    return NdcSpace(tuple(pose.flatten().tolist()), tangents, NEAR_MARGIN * scene.near)


def _overview_pose(poses: FloatArray) -> FloatArray:
    """The mean of cameras [N, 3, 4], moved back to the hindmost so that it sees what they see."""
    left, _, right = np.linalg.svd(poses[:, :, :3].mean(0))
    rotation = left @ right
    positions = poses[:, :, 3]
    centre = positions.mean(0)
    behind = ((positions - centre) @ rotation[:, 2]).max()
    return np.concatenate([rotation, (centre + behind * rotation[:, 2])[:, None]], 1)


def _tangents(
    cameras: Sequence[Camera], pose: FloatArray, depths: tuple[float, float]
) -> tuple[float, float]:
    """Of the half angles at `pose` [3, 4] that hold all pixels between two depths."""
    widest = np.zeros(2)
    for camera in cameras:
        lens, rays = camera.intrinsics, ray_map(camera)
        # Seen from `pose`, each corner's ray goes straight from one depth to the other.
        for column, row, depth in product((0, lens.width), (0, lens.height), depths):
            ray = rays.d0 + (column - 0.5) * rays.du + (row - 0.5) * rays.dv
            across, up, back = (rays.origin + depth * ray - pose[:, 3]) @ pose[:, :3]
            widest = np.maximum(widest, np.abs([across, up]) / max(-back, 1e-6))
    across, up = np.minimum(widest, WIDEST_TANGENT).tolist()
    return across, up


def _require_finite(*lengths: tuple[float, ...]) -> None:
    if not all(math.isfinite(length) for values in lengths for length in values):
        raise ValueError(f"a space needs finite numbers, found {lengths}")
