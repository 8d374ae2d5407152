"""Rays of a lens in the room, without a material, against a camera in the room, in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_nelf.cameras import OrbitLimits
from mobile_nelf_exporters.lens.view import WORLD_DISTANCE_CM
from tests.helpers.lens.contracts import cut_out_contract, middle_of
from tests.helpers.lens.modules import Modules
from tests.helpers.node import needs_node

pytestmark = needs_node

#: Angle sums over a hundred positions, doubled five times.
RECURRENCE_ATOL = 1e-9
#: Double rounding of numbers below 10.
DOUBLE_ATOL = 1e-12

AIM = """
const world = worlds.createWorld(contract), rays = rayMaps.createRays();
const [start, now] = given.poses;
worlds.anchor(world, start.position, start.rotation);
const seen = worlds.aim(world, rays, contract, spec, now.position, now.rotation);
rayMaps.setMap(rays, contract, world.distance, world.lens);
tell({ seen, map: rays.map, lens: world.lens });
"""

ROOM = cut_out_contract("rays")


class Phone:
    """A phone at a place in the room (cm, y up) that is turned, tilted and rolled, in degrees.

    Attributes:
        position: [3].
        axes: [3, 3], columns right, top and back of the phone.
    """

    def __init__(self, position: Any, yaw: float, pitch: float = 0.0, roll: float = 0.0) -> None:
        self.position = np.array(position, float)
        self.axes = np.eye(3)
        self._rotation = np.array([1.0, 0.0, 0.0, 0.0])
        for degrees, axis in ((yaw, 1), (pitch, 0), (roll, 2)):
            turn = math.radians(degrees)
            others = [(axis + 1) % 3, (axis + 2) % 3]
            matrix = np.eye(3)
            matrix[np.ix_(others, others)] = [
                [math.cos(turn), -math.sin(turn)],
                [math.sin(turn), math.cos(turn)],
            ]
            self.axes = self.axes @ matrix
            quaternion = np.zeros(4)
            quaternion[[0, 1 + axis]] = math.cos(turn / 2), math.sin(turn / 2)
            self._rotation = _times(self._rotation, quaternion)

    @classmethod
    def towards(cls, place: Any, position: Any, aside: tuple = (0.0, 0.0, 0.0)) -> Phone:
        """One that looks at a place, then is turned, tilted and rolled by `aside`."""
        x, y, z = np.array(position, float) - place
        yaw, pitch = math.atan2(x, z), -math.atan2(y, math.hypot(x, z))
        return cls(position, *np.degrees([yaw, pitch, 0.0]) + aside)

    def given(self) -> dict[str, Any]:
        """As Lens Studio tells it."""
        return {
            "position": dict(zip("xyz", self.position, strict=True)),
            "rotation": dict(zip("wxyz", self._rotation, strict=True)),
        }


def _times(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The product of two quaternions w, x, y, z."""
    scalar = p[0] * q[0] - p[1:] @ q[1:]
    return np.array([scalar, *(p[0] * q[1:] + q[0] * p[1:] + np.cross(p[1:], q[1:]))])


class Room:
    """Where a phone is in the world of the photos, slowly.

    Attributes:
        azimuth: of the phone as seen from the target, degrees.
        elevation: likewise.
        distance: from the target, world units.
        here: [3, 4] a camera there that looks at the target; as if photos showed it from there.
        axes: [3, 3] of the phone; columns.
    """

    def __init__(self, orbit: OrbitLimits, start: Phone, now: Phone) -> None:
        place = start.position - WORLD_DISTANCE_CM * start.axes[:, 2]
        # Upright, its front towards the viewer; who looks straight down sees it from their feet.
        forward = -start.axes[:, 2]
        if abs(forward[1]) > 1 - 1e-9:
            forward = start.axes[:, 1] * -np.sign(forward[1])
        back = -np.array([forward[0], 0.0, forward[2]]) / math.hypot(forward[0], forward[2])
        up = np.array([0.0, 1.0, 0.0])
        in_room = np.stack([np.cross(up, back), up, back])
        in_photos = orbit.pose(middle_of(orbit)[0], 0.0, 1.0)[:, :3]
        to_photos = in_photos @ in_room

        unit = middle_of(orbit)[2] / WORLD_DISTANCE_CM
        away = to_photos @ (now.position - place) * unit
        first, second, upright = orbit.basis()
        self.distance = float(np.linalg.norm(away))
        self.elevation = math.degrees(math.asin(away @ upright / self.distance))
        azimuth = math.degrees(math.atan2(away @ second, away @ first))
        # Of all equal angles the one nearest to the photos.
        turns = [azimuth + 360 * turn for turn in (-1, 0, 1)]
        self.azimuth = min(turns, key=lambda angle: abs(angle - middle_of(orbit)[0]))
        self.axes = to_photos @ now.axes
        self.here = orbit.pose(self.azimuth, self.elevation, self.distance)


def _aim(folder: Path, start: Phone, now: Phone) -> dict[str, Any]:
    return Modules(folder, ROOM, "world").run(AIM, {"poses": [start.given(), now.given()]})


STARTS = {
    "level": Phone((0, 0, 0), 0),
    "turned": Phone((30, 150, -20), 130, -20),
    "rolled": Phone((-10, 3, 8), -75, 15, 40),
    "looking down": Phone((5, 120, 7), 35, -90),
    "looking up": Phone((5, 120, 7), 160, 90),
}
#: Where the phone goes, as seen from the object: azimuth from the start, elevation, distance in
#: centimetres, and how it is turned away then.
STEPS = {
    "as photographed": (12, 20, 100, (0, 0, 0)),
    "askew": (-30, 45, 104, (7, -11, 25)),
    "nearer": (20, 10, 60, (3, 2, -10)),
    "further": (-15, 30, 250, (-4, 5, 0)),
    "behind": (170, 15, 95, (0, 4, 0)),
    "below": (0, -60, 100, (5, 0, 12)),
    "above and beyond": (100, 80, 180, (0, 0, 90)),
}


def _walk(start: Phone, step: tuple) -> Phone:
    azimuth, elevation, distance, aside = step
    place = start.position - WORLD_DISTANCE_CM * start.axes[:, 2]
    yaw = math.atan2(start.axes[0, 2], start.axes[2, 2]) + math.radians(azimuth)
    rise = math.radians(elevation)
    level = distance * math.cos(rise)
    offset = (level * math.sin(yaw), distance * math.sin(rise), level * math.cos(yaw))
    return Phone.towards(place, place + offset, aside)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("start", STARTS)
def test_rays_behind_a_mask_show_what_is_there_as_far_apart_as_in_training(start, step, tmp_path):
    now = _walk(STARTS[start], STEPS[step])
    found = _aim(tmp_path, STARTS[start], now)
    assert found["seen"]
    room, lens = Room(ROOM.orbit, STARTS[start], now), found["lens"]

    def tangents(column: int, row: int) -> tuple[float, float]:
        return (
            (column + 0.5 - lens["cx"]) / lens["fx"],
            -(row + 0.5 - lens["cy"]) / lens["fy"],
        )

    origin, d0, du, dv = _assert_rays_show(found, room, tangents)
    student, target = ROOM.student, np.array(ROOM.orbit.target)
    trained = ROOM.intrinsics.resized(student.ray_width, student.ray_height)
    # The target is where photos have it, and its neighbours on the phone's plane are as near.
    middle = d0 + (trained.cx - 0.5) * du + (trained.cy - 0.5) * dv
    radius = np.linalg.norm(target - origin)
    np.testing.assert_allclose(middle * radius, target - origin, atol=1e-9)
    turned = room.axes.T @ (target - room.here[:, 3])
    assert lens["fx"] == pytest.approx(trained.fx * -turned[2] / radius)
    assert lens["fy"] == pytest.approx(trained.fy * -turned[2] / radius)


def test_nothing_is_behind_a_mask_that_is_behind_the_phone(tmp_path):
    start = STARTS["level"]
    for aside, seen in (((0, 0, 0), True), ((180, 0, 0), False), ((90, 0, 0), False)):
        now = _walk(start, (0, 0, WORLD_DISTANCE_CM, aside))
        assert _aim(tmp_path, start, now)["seen"] is seen
    inside = _walk(start, (0, 0, 2, (0, 0, 0)))
    assert _aim(tmp_path, start, inside)["seen"] is False


def _assert_rays_show(
    found: dict[str, Any], room: Room, tangents: Callable[[int, int], tuple[float, float]]
) -> np.ndarray:
    """The rays of all pixels hit the plane through the target where the phone's do."""
    orbit, student, target = ROOM.orbit, ROOM.student, np.array(ROOM.orbit.target)
    # Seen from where no photo was taken, the object turns with the viewer.
    shown = orbit.pose(
        float(np.clip(room.azimuth, *orbit.azimuth)),
        float(np.clip(room.elevation, *orbit.elevation)),
        float(np.clip(room.distance, *orbit.radius)),
    )
    turned = shown[:, :3] @ room.here[:, :3].T
    origin, d0, du, dv = np.reshape(found["map"], (4, 3))
    np.testing.assert_allclose(origin, shown[:, 3], atol=DOUBLE_ATOL)

    back, here = room.here[:, 2], room.here[:, 3]
    for row in range(student.ray_height):
        for column in range(student.ray_width):
            ray = room.axes @ [*tangents(column, row), -1.0]
            hit = here + ray * (room.distance / -(ray @ back))  # on the plane
            wanted = target + turned @ (hit - target) - origin
            direction = d0 + column * du + row * dv
            across = np.linalg.norm(np.cross(direction, wanted)) / np.linalg.norm(wanted)
            assert across < RECURRENCE_ATOL, (row, column)
            assert (direction @ wanted > 0) == (ray @ back < 0), (row, column)
    return np.array([origin, d0, du, dv])
