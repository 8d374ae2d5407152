"""Cameras and orbits. Frames and units are stated here and hold everywhere.

OpenGL camera frame: x right, y up, the camera looks along −z. `cam_to_world` is 3×4 and maps camera
to world coordinates; world units are those of the scene. Focal lengths and principal point are in
pixels, pixel centres at +0.5, image rows run downwards. Angles are in degrees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mobile_nelf.errors import InputError

__all__ = [
    "Camera",
    "Intrinsics",
    "OrbitLimits",
    "OrbitPosition",
    "look_at",
    "nearest_to_axes",
]

FloatArray = npt.NDArray[np.float64]

#: A gap in azimuth wider than this means that the photos do not go all the way round.
FULL_TURN_GAP_DEG = 60.0

#: A position that was typed in from a rounded limit still counts as inside.
ANGLE_SLACK_DEG = 0.5
RADIUS_SLACK = 0.01

#: Pixels of a side, focal lengths as multiples of it (an angle of view of 179.9° and of 2''),
#: principal points likewise. Beyond lies no lens, and arithmetic ends in infinity.
MAX_SIDE = 1 << 16
FOCAL_RANGE = (1e-3, 1e5)
MAX_SHIFT = 100.0

#: World units; a scene of metres would reach beyond the moon.
MAX_LENGTH = 1e9
MIN_RADIUS = 1e-9


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole lens over a pixel grid.

    Attributes:
        width: image width in pixels.
        height: image height in pixels.
        fx: horizontal focal length in pixels.
        fy: vertical focal length in pixels.
        cx: column of the principal point in pixels.
        cy: row of the principal point in pixels.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        """Refuses lenses without pixels, and those that no lens can be."""
        if not 1 <= min(self.width, self.height) <= max(self.width, self.height) <= MAX_SIDE:
            raise ValueError(
                f"need a pixel grid of 1 to {MAX_SIDE} a side, found {self.width}×{self.height}"
            )
        for focal, side in ((self.fx, self.width), (self.fy, self.height)):
            if not FOCAL_RANGE[0] * side <= focal <= FOCAL_RANGE[1] * side:
                raise ValueError(
                    f"need positive focal lengths in pixels, for a grid of {self.width}×"
                    f"{self.height}, found fx {self.fx} and fy {self.fy}"
                )
        for place, side in ((self.cx, self.width), (self.cy, self.height)):
            if not abs(place) <= MAX_SHIFT * side:
                raise ValueError(
                    f"need a principal point near the grid of {self.width}×{self.height}, found "
                    f"cx {self.cx} and cy {self.cy}"
                )

    @staticmethod
    def centred(width: int, height: int, focal: float) -> Intrinsics:
        """Returns square pixels with the principal point at the image centre."""
        return Intrinsics(width, height, focal, focal, width / 2, height / 2)

    def resized(self, width: int, height: int) -> Intrinsics:
        """Returns the same view on another pixel grid, such as the ray grid of a student."""
        sx, sy = width / self.width, height / self.height
        return Intrinsics(width, height, self.fx * sx, self.fy * sy, self.cx * sx, self.cy * sy)


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera at a pose.

    Attributes:
        cam_to_world: [3, 4] rotation and position, world units.
        intrinsics: the lens and its pixel grid.
    """

    cam_to_world: FloatArray
    intrinsics: Intrinsics

    def __repr__(self) -> str:
        """Returns size, focal length and place."""
        lens = self.intrinsics
        x, y, z = self.position
        return (
            f"Camera({lens.width}×{lens.height}, focal length {lens.fx:.4g} pixels, "
            f"at ({x:.3g}, {y:.3g}, {z:.3g}))"
        )

    def resized(self, width: int, height: int) -> Camera:
        """Returns the same view on another pixel grid."""
        return Camera(self.cam_to_world, self.intrinsics.resized(width, height))

    @property
    def position(self) -> FloatArray:
        """[3] camera centre, world frame."""
        return self.cam_to_world[:, 3]


def look_at(
    position: npt.ArrayLike, target: npt.ArrayLike, up: npt.ArrayLike = (0.0, 0.0, 1.0)
) -> FloatArray:
    """Returns the [3, 4] `cam_to_world` of a camera at `position` that looks at `target`.

    Straight above or below the target, where `up` leaves the roll open, the camera's x axis is any
    horizontal direction.

    Raises:
        ValueError: the camera stands on its target.
    """
    position = np.asarray(position, np.float64)
    up = np.asarray(up, np.float64) / np.linalg.norm(up)
    back = position - np.asarray(target, np.float64)
    distance = np.linalg.norm(back)
    if distance == 0.0:
        raise ValueError(f"a camera at {position.tolist()} cannot look at its own position")
    back /= distance
    right = np.cross(up, back)
    if np.linalg.norm(right) < 1e-9:
        right = _horizontal_axes(up)[0]
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(back, right), back, position], axis=1)


def _horizontal_axes(up: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Returns two unit axes that span the plane across `up`; x and y where `up` is z."""
    seed = np.array([1.0, 0.0, 0.0] if abs(up[0]) < 0.9 else [0.0, 1.0, 0.0])
    first = seed - up * (seed @ up)
    first /= np.linalg.norm(first)
    return first, np.cross(up, first)


@dataclass(frozen=True)
class OrbitLimits:
    """The part of a sphere from which the training photos were taken.

    A student knows nothing outside of it, so every viewer clamps to it.

    Attributes:
        target: point that the cameras circle, world frame.
        up: unit vector that stays upright on the screen, world frame.
        azimuth: lowest and highest azimuth in degrees; 360 apart if the photos go all round.
        elevation: lowest and highest elevation above the horizon in degrees.
        radius: smallest and largest distance from the target, world units.
    """

    target: tuple[float, float, float]
    up: tuple[float, float, float]
    azimuth: tuple[float, float]
    elevation: tuple[float, float]
    radius: tuple[float, float]

    def __post_init__(self) -> None:
        """Refuses limits that hold no camera."""
        lengths = (*self.target, *self.radius)
        if not all(abs(value) <= MAX_LENGTH for value in lengths):
            raise ValueError(f"need lengths up to {MAX_LENGTH:g}, found {lengths}")
        if not 0.5 <= math.hypot(*self.up) <= 2.0:
            raise ValueError(f"orbit limits have no direction: up is {self.up}, of length 1")
        for name, (low, high), floor, ceiling in (
            ("azimuth", self.azimuth, -1080.0, 1080.0),
            ("elevation", self.elevation, -90.0, 90.0),
            ("radius", self.radius, MIN_RADIUS, MAX_LENGTH),
        ):
            if not floor <= low <= high <= ceiling:
                raise ValueError(
                    f"orbit limits are empty: {name} from {low} to {high}, expected a range within "
                    f"{floor:g} to {ceiling:g}"
                )

    @property
    def full_turn(self) -> bool:
        """Whether the azimuth may wrap around."""
        return self.azimuth[1] - self.azimuth[0] >= 360.0

    def basis(self) -> FloatArray:
        """Returns [3, 3] rows: the axes of azimuth 0 and 90 degrees, and up, world frame."""
        up = np.asarray(self.up, np.float64)
        return np.stack([*_horizontal_axes(up), up])

    def pose(self, azimuth: float, elevation: float, radius: float) -> FloatArray:
        """Returns the [3, 4] `cam_to_world` at an orbit position (degrees, world units).

        The camera's x axis follows the azimuth, so that the picture turns smoothly up to the pole,
        where `look_at` could not tell the roll.
        """
        a, e = math.radians(azimuth), math.radians(elevation)
        local = np.array([math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e)])
        right = np.array([-math.sin(a), math.cos(a), 0.0]) @ self.basis()
        back = local @ self.basis()
        position = np.asarray(self.target, np.float64) + radius * back
        return np.stack([right, np.cross(back, right), back, position], axis=1)

    def sweep(self, count: int) -> list[FloatArray]:
        """Returns `count` poses along a turn at the middle elevation, for videos and references.

        The elevation swings over half its range, so that a few poses already see the object from
        above and below. A full turn ends one step before its start, so a loop does not stutter.
        """
        steps = count if self.full_turn else max(count - 1, 1)
        middle, half = sum(self.elevation) / 2, (self.elevation[1] - self.elevation[0]) / 2
        poses = []
        for index in range(count):
            turn = index / steps
            azimuth = self.azimuth[0] + turn * (self.azimuth[1] - self.azimuth[0])
            elevation = middle + 0.5 * half * math.sin(2 * math.pi * turn)
            poses.append(self.pose(azimuth, elevation, sum(self.radius) / 2))
        return poses

    @staticmethod
    def from_cameras(
        cameras: Sequence[Camera],
        up: npt.ArrayLike = (0.0, 0.0, 1.0),
        target: npt.ArrayLike | None = None,
    ) -> OrbitLimits:
        """Returns the limits of a set of cameras around what they look at.

        Args:
            cameras: at least two.
            up: what stays upright, world frame.
            target: [3] point that they circle; the one nearest to all their axes if None.

        Raises:
            ValueError: without a target, fewer than two cameras or all look in the same direction;
                with one or without, a camera stands on it.
        """
        if target is None:
            target = nearest_to_axes([camera.cam_to_world for camera in cameras])
        target = np.asarray(target, np.float64)
        unit_up = np.asarray(up, np.float64) / np.linalg.norm(up)
        limits = OrbitLimits(_triple(target), _triple(unit_up), (0, 360), (-90, 90), (1, 1))
        local = np.stack([c.position - target for c in cameras]) @ limits.basis().T  # [N, 3]
        radius = np.linalg.norm(local, axis=1)
        if radius.min() < 1e-9:
            raise ValueError("an orbit needs cameras around an object, found one at its centre")
        azimuth = np.degrees(np.arctan2(local[:, 1], local[:, 0]))
        elevation = np.degrees(np.arcsin(local[:, 2] / radius))
        return replace(
            limits,
            azimuth=_covered_arc(azimuth),
            elevation=(float(elevation.min()), float(elevation.max())),
            radius=(float(radius.min()), float(radius.max())),
        )


@dataclass(frozen=True)
class OrbitPosition:
    """Where a camera stands on the orbit; what is None lies in the middle of its range.

    Attributes:
        azimuth: degrees around the vertical axis.
        elevation: degrees above the horizon.
        radius: distance from the target, world units.
    """

    azimuth: float | None = None
    elevation: float | None = None
    radius: float | None = None

    def pose(self, orbit: OrbitLimits) -> FloatArray:
        """Returns the [3, 4] `cam_to_world` at this position.

        Raises:
            InputError: it lies outside of the photos that the student was trained on.
        """
        azimuth, middle = self.azimuth, sum(orbit.azimuth) / 2
        if azimuth is not None:
            # Angles that differ by whole turns are the same place.
            azimuth = middle + (azimuth - middle + 180.0) % 360.0 - 180.0
        return orbit.pose(
            _inside("azimuth", azimuth, orbit.azimuth, ANGLE_SLACK_DEG),
            _inside("elevation", self.elevation, orbit.elevation, ANGLE_SLACK_DEG),
            _inside("radius", self.radius, orbit.radius, RADIUS_SLACK * orbit.radius[1]),
        )


def _inside(name: str, value: float | None, limits: tuple[float, float], slack: float) -> float:
    low, high = limits
    if value is None:
        return (low + high) / 2
    if not low - slack <= value <= high + slack:
        raise InputError(
            f"{name} {value:g} lies outside of {low:.4g} to {high:.4g}, where the student was "
            "trained; it knows nothing beyond"
        )
    return value


def _triple(vector: FloatArray) -> tuple[float, float, float]:
    return float(vector[0]), float(vector[1]), float(vector[2])


def nearest_to_axes(poses: Sequence[FloatArray] | FloatArray) -> FloatArray:
    """Returns the least-squares intersection of optical axes, [3] in the world frame.

    Args:
        poses: `cam_to_world` [3, 4] of the cameras.

    Raises:
        ValueError: fewer than two cameras, or all look in the same direction.
    """
    normal = np.zeros((3, 3))
    moment = np.zeros(3)
    for pose in poses:
        across = np.eye(3) - np.outer(pose[:, 2], pose[:, 2])
        normal += across
        moment += across @ pose[:, 3]
    if len(poses) < 2 or np.linalg.matrix_rank(normal, tol=1e-6 * len(poses)) < 3:
        raise ValueError("an orbit needs two cameras that look in different directions")
    return np.asarray(np.linalg.solve(normal, moment), np.float64)


def _covered_arc(azimuth: FloatArray) -> tuple[float, float]:
    """Returns the arc that leaves out the widest gap between neighbouring azimuths, in degrees."""
    ordered = np.sort(azimuth)
    gaps = np.diff(np.append(ordered, ordered[0] + 360.0))
    widest = int(gaps.argmax())
    if gaps[widest] <= FULL_TURN_GAP_DEG:
        return -180.0, 180.0
    start = float(ordered[(widest + 1) % len(ordered)])
    return start, start + 360.0 - float(gaps[widest])
