"""What scripts write into a model, against direct formulas in NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mobile_nelf.cameras import Camera
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.rays import sample_depths
from tests.helpers.lens.contracts import (
    FULL_ORBIT,
    LAYOUT_NAMES,
    LIMITED_ORBIT,
    lens_contract,
    middle_of,
)
from tests.helpers.lens.modules import Modules
from tests.helpers.node import needs_node

pytestmark = needs_node

#: Script and oracle compute in double and round to float32 once; they may round to neighbours.
FLOAT32_RTOL = 2.0**-23
#: Where the exact value is zero, double rounding of numbers below 100 is left.
FLOAT32_ATOL = 1e-9
#: Angle sums over a hundred positions, doubled five times.
RECURRENCE_ATOL = 1e-9
#: Double rounding of numbers below 10.
DOUBLE_ATOL = 1e-12

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
@pytest.mark.parametrize("layout", LAYOUT_NAMES)
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


def _screen_rays(contract: Contract, screen: tuple[int, int], whole: bool) -> np.ndarray:
    """[rows, columns, 6] rays of the middle of the orbit, one by one, by where they are drawn.

    Works with pixels of the screen and tangents of view angles.
    """
    student, orbit, lens = contract.student, contract.orbit, contract.intrinsics
    azimuth, elevation, distance = middle_of(orbit)
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
    azimuth, elevation, distance = middle_of(contract.orbit)
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
