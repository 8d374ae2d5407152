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
    contract = lens_contract(layout, orbit)
    student, lens = contract.student, contract.intrinsics
    given = {"azimuth": -31.0, "elevation": 57.0, "distance": 4.0}
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


def _rays(contract: Contract) -> np.ndarray:
    """[rows, columns, 6] rays of the middle of the orbit, one by one."""
    student, lens = contract.student, contract.intrinsics
    azimuth, elevation, distance = middle_of(contract.orbit)
    right, up, back, origin = contract.orbit.pose(azimuth, elevation, distance).T
    rays = np.empty((student.ray_height, student.ray_width, 6))
    for row in range(student.ray_height):
        for column in range(student.ray_width):
            x = (student.scale * (column + 0.5) - lens.cx) / lens.fx
            y = (lens.cy - student.scale * (row + 0.5)) / lens.fy
            rays[row, column] = [*origin, *(x * right + y * up - back)]
    return rays


def _encode(contract: Contract, rays: np.ndarray) -> np.ndarray:
    """[rows, columns, 2L+1, coords]: sines by level, cosines by level, the coordinates."""
    encoder = contract.student.encoder
    depths = sample_depths(encoder.near, encoder.far, encoder.samples)
    points = np.concatenate([rays[..., :3] + z * rays[..., 3:] for z in depths], axis=-1)
    phases = [2.0**level * points for level in range(encoder.frequencies)]
    return np.stack([*map(np.sin, phases), *map(np.cos, phases), points], axis=-2)


def _uploads(folder: Path, contract: Contract) -> dict[str, np.ndarray]:
    """What the scripts upload for the middle of the orbit, rows first."""
    azimuth, elevation, distance = middle_of(contract.orbit)
    view = {"azimuth": azimuth, "elevation": elevation, "distance": distance}
    found = Modules(folder, contract).run(SHOW, view)
    return {
        name: _image(contract, name, values).transpose(1, 2, 0) for name, values in found.items()
    }


#: Two products and a sum of float32 numbers within 1.
TABLES_ATOL = 3 * 2.0**-24
#: The sum of two float32 numbers below 8.
POINTS_ATOL = 8 * 2.0**-23


def test_tables_put_together_are_the_encoding(tmp_path):
    contract = lens_contract("factored")
    found = _uploads(tmp_path, contract)
    encoder = contract.student.encoder
    levels = encoder.frequencies
    expected = _encode(contract, _rays(contract))

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


def test_embedded_is_the_encoding(tmp_path):
    contract = lens_contract("embedded")
    expected = _encode(contract, _rays(contract)).swapaxes(-1, -2)  # coord·(2L+1) + j
    found = _uploads(tmp_path, contract)["input"]
    np.testing.assert_allclose(
        found, expected.reshape(found.shape), rtol=FLOAT32_RTOL, atol=FLOAT32_ATOL
    )


@pytest.mark.parametrize("ends", [(0, 3, 6), (-1, -1, 9)], ids=["columns", "rows"])
def test_tables_equal_the_direct_formula(ends, tmp_path):
    count, levels = 100, 6
    depths = sample_depths(2.0, 6.0, 5)
    numbers = np.random.default_rng(3).normal(size=12)
    numbers[6:] /= 50
    driver = """
    const coords = 3 * given.contract.depths.length, count = given.count;
    const points = new Float64Array(count * coords);
    const sines = new Float64Array(count * coords * given.contract.frequencies);
    const cosines = new Float64Array(sines.length);
    tables.fillTables(given.contract, Float64Array.from(given.map),
        ...given.ends, points, sines, cosines);
    tell([points, sines, cosines]);
    """
    given = {
        "contract": {"depths": depths.tolist(), "frequencies": levels},
        "count": count,
        "map": numbers.tolist(),
        "ends": ends,
    }
    points, sines, cosines = Modules(tmp_path, lens_contract("factored")).run(driver, given)

    origin, start, step = (numbers[at : at + 3] if at >= 0 else np.zeros(3) for at in ends)
    direct = np.empty((count, len(depths), 3))
    for i in range(count):
        for k, depth in enumerate(depths):
            direct[i, k] = origin + depth * start + i * depth * step
    phases = direct[:, None] * 2.0 ** np.arange(levels)[None, :, None, None]
    np.testing.assert_allclose(points, direct.ravel(), rtol=0, atol=DOUBLE_ATOL)
    np.testing.assert_allclose(sines, np.sin(phases).ravel(), rtol=0, atol=RECURRENCE_ATOL)
    np.testing.assert_allclose(cosines, np.cos(phases).ravel(), rtol=0, atol=RECURRENCE_ATOL)
