"""Rays of a lens in the room against a camera in the room, in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_nelf.cameras import OrbitLimits
from mobile_nelf.deploy.contract import Contract
from mobile_nelf_exporters.lens.view import WORLD_DISTANCE_CM
from tests.helpers.lens.contracts import middle_of, room_contract
from tests.helpers.lens.modules import Modules
from tests.helpers.node import needs_node

pytestmark = needs_node

#: Angle sums over a hundred positions, doubled five times.
RECURRENCE_ATOL = 1e-9
#: Double rounding of numbers below 10.
DOUBLE_ATOL = 1e-12

LOOK = """
const world = worlds.createWorld(contract), rays = rayMaps.createRays();
const [start, now] = given.poses;
worlds.anchor(world, start.position, start.rotation);
const seen = worlds.look(world, rays, contract, spec, now.position, now.rotation,
    given.fov, given.aspect);
rayMaps.setMap(rays, contract, world.distance, world.lens);
tell({ seen, map: rays.map, columns: rays.columns, rows: rays.rows });
"""

AIM = """
const world = worlds.createWorld(contract), rays = rayMaps.createRays();
const [start, now] = given.poses;
worlds.anchor(world, start.position, start.rotation);
const seen = worlds.aim(world, rays, contract, spec, now.position, now.rotation);
rayMaps.setMap(rays, contract, world.distance, world.lens);
tell({ seen, map: rays.map, lens: world.lens });
"""

FOV, ASPECT = math.radians(63.5), 9 / 16
ROOM = room_contract("rays")


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


def _look(
    folder: Path, start: Phone, now: Phone, contract: Contract = ROOM, driver: str = LOOK
) -> dict[str, Any]:
    given = {"poses": [start.given(), now.given()], "fov": FOV, "aspect": ASPECT}
    return Modules(folder, contract, "world").run(driver, given)


def _phone_pixel(student: Any, ahead: np.ndarray) -> tuple[float, float]:
    """Column and row on the ray grid of a direction in the phone's frame, centres at integers."""
    tangent = math.tan(FOV / 2)
    x, y = ahead[0] / -ahead[2], ahead[1] / -ahead[2]
    return (
        (x / (tangent * ASPECT) + 1) / 2 * student.ray_width - 0.5,
        (1 - y / tangent) / 2 * student.ray_height - 0.5,
    )


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
def test_rays_in_the_room_show_what_is_there(start, step, tmp_path):
    """The plane through the target, across the line of sight, looks as a photo of it."""
    student = ROOM.student
    now = _walk(STARTS[start], STEPS[step])
    found = _look(tmp_path, STARTS[start], now)
    room = Room(ROOM.orbit, STARTS[start], now)
    tangent = math.tan(FOV / 2)

    def tangents(column: int, row: int) -> tuple[float, float]:
        return (
            (2 * (column + 0.5) / student.ray_width - 1) * tangent * ASPECT,
            (1 - 2 * (row + 0.5) / student.ray_height) * tangent,
        )

    origin, d0, du, dv = _assert_rays_show(found, room, tangents)
    # Depths count along the ray as in training, where all reach the target at the radius.
    target = np.array(ROOM.orbit.target)
    u, v = _phone_pixel(student, room.axes.T @ (target - room.here[:, 3]))
    radius = np.linalg.norm(target - origin)
    np.testing.assert_allclose((d0 + u * du + v * dv) * radius, target - origin, atol=1e-9)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("start", ["level", "turned"])
def test_rays_behind_a_mask_show_what_is_there_as_far_apart_as_in_training(start, step, tmp_path):
    now = _walk(STARTS[start], STEPS[step])
    found = _look(tmp_path, STARTS[start], now, driver=AIM)
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
        assert _look(tmp_path, start, now, driver=AIM)["seen"] is seen
    inside = _walk(start, (0, 0, 2, (0, 0, 0)))
    assert _look(tmp_path, start, inside, driver=AIM)["seen"] is False


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


@pytest.mark.parametrize("step", ["as photographed", "askew", "nearer", "further", "behind"])
def test_rays_keep_to_the_rectangle_round_the_ball(step, tmp_path):
    """Every point of the ball's outline lies within, and some on each side."""
    orbit, student = ROOM.orbit, ROOM.student
    start = STARTS["rolled"]
    now = _walk(start, STEPS[step])
    found = _look(tmp_path, start, now)
    assert found["seen"]
    room = Room(orbit, start, now)
    radius = float(np.clip(room.distance, *orbit.radius))
    # What photos show of the ball on the plane through the target.
    disc = radius * math.tan(math.asin(ROOM.ball_radius / radius))
    pixels = []
    for angle in np.linspace(0, 2 * math.pi, 4000):
        rim = disc * np.array([math.cos(angle), math.sin(angle), 0.0])
        rim[2] -= room.distance
        pixels.append(_phone_pixel(student, room.axes.T @ room.here[:, :3] @ rim))
    for axis, positions in zip(("columns", "rows"), np.transpose(pixels), strict=True):
        placement = found[axis]
        assert (placement["first"], placement["step"]) == (0, 1)
        # As near as 4000 points come to the outermost.
        assert placement["low"] == pytest.approx(positions.min(), abs=1e-4)
        assert placement["high"] == pytest.approx(positions.max(), abs=1e-4)


@pytest.mark.parametrize(
    ("aside", "seen"),
    [((0, 0, 0), True), ((180, 0, 0), False), ((90, 0, 0), False), ((0, 60, 0), False)],
    ids=["ahead", "behind", "beside", "above"],
)
def test_nothing_is_drawn_of_what_is_off_the_screen(aside, seen, tmp_path):
    start = STARTS["level"]
    now = _walk(start, (0, 0, WORLD_DISTANCE_CM, aside))
    assert _look(tmp_path, start, now)["seen"] is seen


def test_who_walks_into_the_target_sees_the_room(tmp_path):
    start = STARTS["level"]
    assert _look(tmp_path, start, _walk(start, (0, 0, 2, (0, 0, 0))))["seen"] is False
