"""The modules of a lens, one by one in Node.js, against direct formulas in NumPy."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lens.lens_contracts import FULL_ORBIT, LIMITED_ORBIT, lens_contract, room_contract

from mobile_nelf.cameras import Camera, OrbitLimits
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.rays import sample_depths
from mobile_nelf_exporters.lens_project import render_lens_project
from mobile_nelf_exporters.lens_view import WORLD_DISTANCE_CM

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None, reason="scripts run in Node.js, and there is no `node` on PATH"
)

LAYOUTS = ("factored", "rays", "camera", "embedded")

#: Script and oracle compute in double and round to float32 once; they may round to neighbours.
FLOAT32_RTOL = 2.0**-23
#: Where the exact value is zero, double rounding of numbers below 100 is left.
FLOAT32_ATOL = 1e-9
#: Angle sums over a hundred positions, doubled five times.
RECURRENCE_ATOL = 1e-9
#: Double rounding of numbers below 10.
DOUBLE_ATOL = 1e-12

#: What scripts and drivers may use.
PRELUDE = """
const fs = require("fs");
const contract = require("./NelfContract"), math = require("./NelfMath");
const orbits = require("./NelfOrbit"), rayMaps = require("./NelfRays");
const tables = require("./NelfTables"), touches = require("./NelfTouch");
const uploads = require("./NelfUploads"), worlds = require("./NelfWorld");
const given = JSON.parse(fs.readFileSync(0, "utf8"));
const spec = contract.models[0];
const tell = (value) => console.log(JSON.stringify(value, (key, item) =>
    (ArrayBuffer.isView(item) ? Array.from(item) : item)));
const arrays = () => Object.fromEntries(spec.inputs.map(({ name, shape }) =>
    [name, new Float32Array(shape[0] * shape[1] * shape[2])]));
"""


class Modules:
    """The scripts of a project in a folder where Node.js finds them."""

    def __init__(self, folder: Path, contract: Contract, experience: str = "orbit") -> None:
        self.contract = contract
        self.folder = folder
        files = render_lens_project([(contract, b"")], "Mic", experience)
        for path, content in files.items():
            if path.endswith(".js"):
                (folder / Path(path).name).write_bytes(content)

    def run(self, driver: str, given: Any = None, *flags: str) -> Any:
        """What a driver, which runs after `PRELUDE`, tells."""
        (self.folder / "driver.js").write_text(PRELUDE + driver, encoding="utf-8")
        done = subprocess.run(
            ["node", *flags, "driver.js"],
            cwd=self.folder,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


# ---- Uploads ----

SHOW = """
const rays = rayMaps.createRays(), inputs = arrays();
math.lookAtFrame(rays.lookAt, math.flat(contract.orbitAxes), given.azimuth, given.elevation);
rays.frame.set(rays.lookAt);
rayMaps.setMap(rays, contract, given.distance, spec);
rayMaps.placeForScreen(rays, spec, given.aspect, uploads.WHOLE_PICTURE);
uploads.fillInputs(contract, rays, inputs, spec);
tell(inputs);
"""


def _image(contract: Contract, name: str, values: list[float]) -> np.ndarray:
    """An upload in the model's order: channels, rows, columns."""
    (shape,) = (spec.shape for spec in contract.inputs if spec.name == name)
    _, channels, rows, columns = shape
    return np.reshape(values, (rows, columns, channels)).transpose(2, 0, 1)


@pytest.mark.parametrize("orbit", [LIMITED_ORBIT, FULL_ORBIT], ids=["limited", "full"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_uploads_equal_pythons(layout, orbit, tmp_path):
    contract = lens_contract(layout, orbit, size=(22, 12))
    student, lens = contract.student, contract.intrinsics
    # Pixels of the screen are square: so the rays are those of the training.
    aspect = 12 / lens.fx / (22 / lens.fy)
    given = {"azimuth": -31.0, "elevation": 57.0, "distance": 4.0, "aspect": aspect}
    uploads = Modules(tmp_path, contract).run(SHOW, given)
    camera = Camera(orbit.pose(-31.0, 57.0, 4.0), lens)
    camera = camera.resized(student.ray_width, student.ray_height)
    expected = find_layout(layout).host(camera, student.encoder)
    assert uploads.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(
            _image(contract, name, uploads[name]),
            value[0],
            rtol=FLOAT32_RTOL,
            atol=FLOAT32_ATOL,
            err_msg=name,
        )


PORTRAIT, LANDSCAPE, SQUARE = (1170, 2532), (2532, 1170), (900, 900)


def _middle(orbit: OrbitLimits) -> tuple[float, float, float]:
    """Azimuth and elevation in degrees and distance."""
    return sum(orbit.azimuth) / 2, sum(orbit.elevation) / 2, sum(orbit.radius) / 2


def _screen_rays(contract: Contract, screen: tuple[int, int], whole: bool) -> np.ndarray:
    """[rows, columns, 6] rays of the middle of the orbit, one by one, by where they are drawn.

    Works with pixels of the screen and tangents of view angles.
    """
    student, orbit, lens = contract.student, contract.orbit, contract.intrinsics
    azimuth, elevation, distance = _middle(orbit)
    right, up, back, origin = orbit.pose(azimuth, elevation, distance).T
    cells = np.array([student.ray_width, student.ray_height])
    texture = np.array(contract.output.shape[:1:-1])
    picture = np.array([lens.width / lens.fx, lens.height / lens.fy])  # in tangents
    drawn = student.scale * cells * screen / texture  # in pixels of the screen
    pixel = (max if whole else min)(picture / drawn)
    border = picture / 2 * (1 - 1 / cells)  # the outermost trained ray, from the picture's centre
    off_axis = (np.array([lens.width, lens.height]) / 2 - [lens.cx, lens.cy]) / [lens.fx, lens.fy]
    rays = np.empty((student.ray_height, student.ray_width, 6))
    for row in range(student.ray_height):
        for column in range(student.ray_width):
            tangent = ((np.array([column, row]) + 0.5) / cells - 0.5) * drawn * pixel
            if whole:
                tangent = np.clip(tangent, -border, border)
            x, y = tangent + off_axis
            rays[row, column] = [*origin, *(x * right - y * up - back)]
    return rays


def _encode(contract: Contract, rays: np.ndarray) -> np.ndarray:
    """[rows, columns, 2L+1, coords]: sines by level, cosines by level, the coordinates."""
    encoder = contract.student.encoder
    depths = sample_depths(encoder.near, encoder.far, encoder.samples)
    points = np.concatenate([rays[..., :3] + z * rays[..., 3:] for z in depths], axis=-1)
    phases = [2.0**level * points for level in range(encoder.frequencies)]
    return np.stack([*map(np.sin, phases), *map(np.cos, phases), points], axis=-2)


def _uploads(folder: Path, contract: Contract, screen: tuple[int, int]) -> dict[str, np.ndarray]:
    """What the scripts upload for the middle of the orbit, rows first."""
    azimuth, elevation, distance = _middle(contract.orbit)
    view = {"azimuth": azimuth, "elevation": elevation, "distance": distance}
    found = Modules(folder, contract).run(SHOW, {**view, "aspect": screen[0] / screen[1]})
    return {
        name: _image(contract, name, values).transpose(1, 2, 0) for name, values in found.items()
    }


@pytest.fixture(params=[PORTRAIT, LANDSCAPE, SQUARE], ids=["portrait", "landscape", "square"])
def screen(request):
    return request.param


@pytest.fixture(params=[None, (22, 12), (10, 30)], ids=["plain", "padded", "wide"])
def size(request):
    """Rows and columns of the output."""
    return request.param


def test_rays_fit_any_screen(screen, size, tmp_path):
    contract = lens_contract("rays", size=size)
    np.testing.assert_allclose(
        _uploads(tmp_path, contract, screen)["rays"],
        _screen_rays(contract, screen, whole=True),
        rtol=FLOAT32_RTOL,
        atol=FLOAT32_ATOL,
    )


#: Two products and a sum of float32 numbers within 1.
TABLES_ATOL = 3 * 2.0**-24
#: The sum of two float32 numbers below 8.
POINTS_ATOL = 8 * 2.0**-23


def test_tables_put_together_are_the_encoding(screen, size, tmp_path):
    contract = lens_contract("factored", size=size)
    found = _uploads(tmp_path, contract, screen)
    encoder = contract.student.encoder
    levels = encoder.frequencies
    expected = _encode(contract, _screen_rays(contract, screen, whole=True))

    def table(name: str) -> np.ndarray:
        values = found[name].astype(np.float64)
        return values.reshape(*values.shape[:2], -1, encoder.coords)

    sin_u, cos_u = table("sin_columns"), table("cos_columns")
    sin_v, cos_v = table("sin_rows"), table("cos_rows")
    sines, cosines, points = np.split(expected, [levels, 2 * levels], axis=2)
    np.testing.assert_allclose(sin_u * cos_v + cos_u * sin_v, sines, atol=TABLES_ATOL)
    np.testing.assert_allclose(cos_u * cos_v - sin_u * sin_v, cosines, atol=TABLES_ATOL)
    np.testing.assert_allclose(
        table("point_columns") + table("point_rows"), points, atol=POINTS_ATOL
    )


def test_embedded_fits_any_screen(screen, size, tmp_path):
    contract = lens_contract("embedded", size=size)
    encoded = _encode(contract, _screen_rays(contract, screen, whole=True))
    expected = encoded.swapaxes(-1, -2)  # coord·(2L+1) + j
    found = _uploads(tmp_path, contract, screen)["input"]
    np.testing.assert_allclose(
        found, expected.reshape(found.shape), rtol=FLOAT32_RTOL, atol=FLOAT32_ATOL
    )


def test_layout_camera_fills_any_screen(screen, size, tmp_path):
    contract = lens_contract("camera", size=size)
    origin, d0, du, dv = _uploads(tmp_path, contract, screen)["camera"].reshape(4, 3)
    expected = _screen_rays(contract, screen, whole=False)
    u = np.arange(contract.student.ray_width)[None, :, None]
    v = np.arange(contract.student.ray_height)[:, None, None]
    # Three float32 numbers, multiplied by at most 5 and added.
    np.testing.assert_allclose(d0 + u * du + v * dv, expected[..., 3:], rtol=0, atol=1e-6)
    np.testing.assert_allclose(origin, expected[0, 0, :3], rtol=FLOAT32_RTOL)


# ---- Tables ----


@pytest.mark.parametrize(
    "placement",
    [
        {"first": 0, "step": 1, "low": 0, "high": 99},
        {"first": -20.5, "step": 1.4, "low": 0, "high": 99},
        {"first": 99, "step": -1, "low": 10.25, "high": 77.75},
        {"first": 0, "step": 1, "low": 120, "high": 130},
        {"first": 3, "step": 0, "low": 0, "high": 99},
    ],
    ids=["plain", "both ends clamped", "backwards", "all clamped", "standing"],
)
@pytest.mark.parametrize("ends", [(0, 3, 6), (-1, -1, 9)], ids=["columns", "rows"])
def test_tables_equal_the_direct_formula(placement, ends, tmp_path):
    count, levels = 100, 6
    depths = sample_depths(2.0, 6.0, 5)
    numbers = np.random.default_rng(3).normal(size=12)
    numbers[6:] /= 50
    driver = """
    const coords = 3 * given.contract.depths.length, count = given.count;
    const points = new Float64Array(count * coords);
    const sines = new Float64Array(count * coords * given.contract.frequencies);
    const cosines = new Float64Array(sines.length);
    tables.fillTables(given.contract, given.placement, Float64Array.from(given.map),
        ...given.ends, points, sines, cosines);
    tell([points, sines, cosines]);
    """
    given = {
        "contract": {"depths": depths.tolist(), "frequencies": levels},
        "placement": placement,
        "count": count,
        "map": numbers.tolist(),
        "ends": ends,
    }
    points, sines, cosines = Modules(tmp_path, lens_contract("factored")).run(driver, given)

    origin, start, step = (numbers[at : at + 3] if at >= 0 else np.zeros(3) for at in ends)
    index = np.arange(count)
    positions = np.clip(
        placement["first"] + index * placement["step"], placement["low"], placement["high"]
    )
    direct = np.empty((count, len(depths), 3))
    for i, position in enumerate(positions):
        for k, depth in enumerate(depths):
            direct[i, k] = origin + depth * start + position * depth * step
    phases = direct[:, None] * 2.0 ** np.arange(levels)[None, :, None, None]
    np.testing.assert_allclose(points, direct.ravel(), rtol=0, atol=DOUBLE_ATOL)
    np.testing.assert_allclose(sines, np.sin(phases).ravel(), rtol=0, atol=RECURRENCE_ATOL)
    np.testing.assert_allclose(cosines, np.cos(phases).ravel(), rtol=0, atol=RECURRENCE_ATOL)


# ---- The object in the room ----

LOOK = """
const world = worlds.createWorld(contract), rays = rayMaps.createRays();
const [start, now] = given.poses;
worlds.anchor(world, start.position, start.rotation);
const seen = worlds.look(world, rays, contract, spec, now.position, now.rotation,
    given.fov, given.aspect);
rayMaps.setMap(rays, contract, world.distance, world.lens);
tell({ seen, map: rays.map, columns: rays.columns, rows: rays.rows });
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
        in_photos = orbit.pose(_middle(orbit)[0], 0.0, 1.0)[:, :3]
        to_photos = in_photos @ in_room

        unit = _middle(orbit)[2] / WORLD_DISTANCE_CM
        away = to_photos @ (now.position - place) * unit
        first, second, upright = orbit.basis()
        self.distance = float(np.linalg.norm(away))
        self.elevation = math.degrees(math.asin(away @ upright / self.distance))
        azimuth = math.degrees(math.atan2(away @ second, away @ first))
        # Of all equal angles the one nearest to the photos.
        turns = [azimuth + 360 * turn for turn in (-1, 0, 1)]
        self.azimuth = min(turns, key=lambda angle: abs(angle - _middle(orbit)[0]))
        self.axes = to_photos @ now.axes
        self.here = orbit.pose(self.azimuth, self.elevation, self.distance)


def _look(folder: Path, start: Phone, now: Phone, contract: Contract = ROOM) -> dict[str, Any]:
    given = {"poses": [start.given(), now.given()], "fov": FOV, "aspect": ASPECT}
    return Modules(folder, contract, "world").run(LOOK, given)


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
    orbit, student = ROOM.orbit, ROOM.student
    now = _walk(STARTS[start], STEPS[step])
    found = _look(tmp_path, STARTS[start], now)
    room = Room(orbit, STARTS[start], now)
    target = np.array(orbit.target)
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
    tangent = math.tan(FOV / 2)
    for row in range(student.ray_height):
        for column in range(student.ray_width):
            x = (2 * (column + 0.5) / student.ray_width - 1) * tangent * ASPECT
            y = (1 - 2 * (row + 0.5) / student.ray_height) * tangent
            ray = room.axes @ [x, y, -1.0]
            hit = here + ray * (room.distance / -(ray @ back))  # on the plane
            wanted = target + turned @ (hit - target) - origin
            direction = d0 + column * du + row * dv
            across = np.linalg.norm(np.cross(direction, wanted)) / np.linalg.norm(wanted)
            assert across < RECURRENCE_ATOL, (row, column)
            assert (direction @ wanted > 0) == (ray @ back < 0), (row, column)
    # Depths count along the ray as in training, where all reach the target at the radius.
    u, v = _phone_pixel(student, room.axes.T @ (target - here))
    radius = np.linalg.norm(target - origin)
    np.testing.assert_allclose((d0 + u * du + v * dv) * radius, target - origin, atol=1e-9)


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


# ---- Cost ----

#: Frames of which the memory is measured, and the smallest object that each could leave behind.
FRAMES, OBJECT_BYTES = 5000, 16
ENGINE = (
    "--expose-gc",
    # Otherwise it depends on the machine's load when compiled code takes over.
    "--no-concurrent-recompilation",
    # Room enough that nothing is collected while it is counted.
    "--max-semi-space-size=256",
    "--min-semi-space-size=128",
    # V8 puts numbers that pass between functions on the heap unless it compiles them into one.
    "--max-inlined-bytecode-size=9999",
    "--max-inlined-bytecode-size-cumulative=99999",
    "--max-optimized-bytecode-size=999999",
)

COST = """
const orbit = orbits.createOrbit(contract), touch = touches.createTouch();
const world = worlds.createWorld(contract), rays = rayMaps.createRays(), inputs = arrays();
const axes = math.flat(contract.orbitAxes);
const position = { x: 0, y: 0, z: 0 }, rotation = { w: 1, x: 0, y: 0, z: 0 };
const finger = { x: 0.5, y: 0.5 };
const event = { getTouchId: () => 4, getTouchPosition: () => finger };
const inRoom = contract.experience === "world";
worlds.anchor(world, position, rotation);
touches.onStart(touch, orbit, event, 0.5);
function frame(i) {
    if (inRoom) {
        position.x = 10 * Math.sin(i / 10);
        worlds.look(world, rays, contract, spec, position, rotation, 1.1, 0.5625);
        rayMaps.setMap(rays, contract, world.distance, world.lens);
    } else {
        finger.x = 0.5 + 0.1 * Math.sin(i / 10);
        touches.onMove(touch, orbit, event, 0.5);
        touches.advance(touch, 0.03);
        orbits.advance(orbit, 0.03);
        math.lookAtFrame(rays.lookAt, axes, orbit.azimuth, orbit.elevation);
        rays.frame.set(rays.lookAt);
        rayMaps.setMap(rays, contract, orbit.distance, spec);
        rayMaps.placeForScreen(rays, spec, 0.5625, uploads.WHOLE_PICTURE);
    }
    uploads.fillInputs(contract, rays, inputs, spec);
}
const grown = [];
for (let round = 0; round < 5; round++) {
    gc();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < given; i++) { frame(i); }
    grown.push(process.memoryUsage().heapUsed - before);
}
tell(grown);
"""
PROJECTS = [(layout, "orbit") for layout in LAYOUTS] + [("factored", "world"), ("rays", "world")]


@pytest.mark.parametrize(("layout", "experience"), PROJECTS)
def test_frames_allocate_nothing(layout, experience, tmp_path):
    contract = room_contract(layout) if experience == "world" else lens_contract(layout)
    grown = Modules(tmp_path, contract, experience).run(COST, FRAMES, *ENGINE)
    # The first rounds are those in which the engine compiles.
    assert min(grown) < FRAMES * OBJECT_BYTES / 2, grown
