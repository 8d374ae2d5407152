"""The controller script, run for real under Node against a stand-in for Lens Studio's API."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lens.lens_contracts import FULL_ORBIT, LIMITED_ORBIT, lens_contract

from mobile_nelf.cameras import Camera, OrbitLimits
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.rays import sample_depths
from mobile_nelf_exporters.lens_project import render_lens_project

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None,
    reason="the controller script runs under Node, and there is no `node` on PATH",
)

STUB = Path(__file__).parent / "lens_stub.js"
LAYOUT_NAMES = ("factored", "rays", "camera", "embedded")

#: Script and oracle compute in double and round to float32 once; they may round to neighbours.
FLOAT32_RTOL = 2.0**-23
#: Where the exact value is zero, double rounding of numbers below 100 is left.
FLOAT32_ATOL = 1e-9
#: The encoding put together from float32 tables: two products and a sum of numbers within 1.
TABLES_ATOL = 3 * 2.0**-24
#: A point put together from two float32 numbers below 8.
POINTS_ATOL = 8 * 2.0**-23

PORTRAIT = (1170, 2532)
LANDSCAPE = (2532, 1170)
SQUARE = (900, 900)
#: Picture and screen have the same aspect: 6·13 to 5·14 on the ray grid.
MATCHING = (780, 700)

UPDATE = ["update"]


def _script(contract: Contract) -> str:
    files = render_lens_project(contract, b"", "Mic")
    return files["lens_project/Assets/NelfController.js"].decode()


def _placeholder(spec) -> dict[str, Any]:
    _, channels, rows, columns = spec.shape
    return {"name": spec.name, "shape": [columns, rows, channels]}


def _run(contract: Contract, screen=MATCHING, events=(UPDATE,), **changes: Any) -> dict[str, Any]:
    """What the script did: frames of uploads, status text, clear texture, …"""
    scenario = {
        "script": _script(contract),
        "screen": screen,
        "hasModel": True,
        "flipY": False,
        "inputs": [_placeholder(spec) for spec in contract.inputs],
        "outputs": [_placeholder(contract.output)],
        "events": list(events),
        "reportsErrors": True,
        **changes,
    }
    done = subprocess.run(
        ["node", str(STUB)],
        input=json.dumps(scenario),
        encoding="utf-8",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _middle(limits: tuple[float, float]) -> float:
    return (limits[0] + limits[1]) / 2


def _host(contract: Contract, azimuth: float, elevation: float) -> dict[str, np.ndarray]:
    """The uploads that Python computes, in the order of Lens Studio: channels innermost."""
    student = contract.student
    pose = contract.orbit.pose(azimuth, elevation, _middle(contract.orbit.radius))
    camera = Camera(pose, contract.intrinsics).resized(student.ray_width, student.ray_height)
    uploads = find_layout(contract.layout).host(camera, student.encoder)
    return {name: value.transpose(0, 2, 3, 1).ravel() for name, value in uploads.items()}


def _assert_frame(frame: dict[str, list[float]], expected: dict[str, np.ndarray]) -> None:
    assert frame.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(
            frame[name], values, rtol=FLOAT32_RTOL, atol=FLOAT32_ATOL, err_msg=name
        )


def _screen_rays(contract: Contract, screen, fit: str) -> np.ndarray:
    """[rows, columns, 6] rays of a screen-filling picture at the middle of the orbit, one by one.

    Works with the tangents of view angles on the screen, not with pixels of the ray grid.
    """
    student, orbit = contract.student, contract.orbit
    lens = contract.intrinsics
    azimuth, elevation = _middle(orbit.azimuth), _middle(orbit.elevation)
    right, up, back, origin = orbit.pose(azimuth, elevation, _middle(orbit.radius)).T
    picture = np.array([lens.width / lens.fx, lens.height / lens.fy])
    pixel = {"contain": max, "cover": min}[fit](picture / screen)
    seen = pixel * np.array(screen)
    cells = np.array([student.ray_width, student.ray_height])
    border = picture / 2 * (1 - 1 / cells)  # the outermost trained ray, from the picture's centre
    off_axis = np.array([(lens.width / 2 - lens.cx), (lens.height / 2 - lens.cy)])
    off_axis /= np.array([lens.fx, lens.fy])
    rays = np.empty((student.ray_height, student.ray_width, 6))
    for row in range(student.ray_height):
        for column in range(student.ray_width):
            tangent = ((np.array([column, row]) + 0.5) / cells - 0.5) * seen
            if fit == "contain":
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


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_script_is_valid_javascript(layout, tmp_path):
    path = tmp_path / "NelfController.js"
    path.write_text(_script(lens_contract(layout)), encoding="utf-8")
    done = subprocess.run(
        ["node", "--check", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("orbit", [LIMITED_ORBIT, FULL_ORBIT], ids=["limited", "full"])
@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_uploads_equal_pythons(layout, orbit):
    contract = lens_contract(layout, orbit)
    (frame,) = _run(contract)["frames"]
    _assert_frame(frame, _host(contract, _middle(orbit.azimuth), _middle(orbit.elevation)))


def test_camera_straight_above_equals_pythons():
    above = OrbitLimits(
        target=(0.1, 0.2, 0.3),
        up=(0.0, 0.0, 1.0),
        azimuth=(-90.0, 150.0),
        elevation=(90.0, 90.0),
        radius=(3.0, 3.0),
    )
    contract = lens_contract("rays", above)
    (frame,) = _run(contract)["frames"]
    _assert_frame(frame, _host(contract, 30.0, 90.0))


@pytest.mark.parametrize("screen", [PORTRAIT, LANDSCAPE, SQUARE])
def test_rays_fit_any_screen(screen):
    contract = lens_contract("rays")
    (frame,) = _run(contract, screen)["frames"]
    expected = _screen_rays(contract, screen, "contain")
    np.testing.assert_allclose(
        frame["rays"], expected.ravel(), rtol=FLOAT32_RTOL, atol=FLOAT32_ATOL
    )


def test_rays_beyond_the_picture_repeat_its_border():
    contract = lens_contract("rays")
    (frame,) = _run(contract, PORTRAIT)["frames"]
    rays = np.reshape(frame["rays"], (5, 6, 6))
    trained = np.reshape(_host(contract, 17.5, 26.0)["rays"], (5, 6, 6)).astype(np.float32)
    # A phone is so much taller than the picture that two rows of five lie in each margin.
    for screen_row, trained_row in ((0, 0), (1, 0), (2, 2), (3, 4), (4, 4)):
        np.testing.assert_allclose(
            rays[screen_row], trained[trained_row], rtol=FLOAT32_RTOL, atol=FLOAT32_ATOL
        )


@pytest.mark.parametrize("screen", [PORTRAIT, LANDSCAPE, SQUARE])
def test_tables_put_together_are_the_encoding_on_any_screen(screen):
    contract = lens_contract("factored")
    (frame,) = _run(contract, screen)["frames"]
    encoder, student = contract.student.encoder, contract.student

    def columns(name: str) -> np.ndarray:
        return np.reshape(frame[name], (1, student.ray_width, -1, encoder.coords))

    def rows(name: str) -> np.ndarray:
        return np.reshape(frame[name], (student.ray_height, 1, -1, encoder.coords))

    sin_u, cos_u = columns("sin_columns"), columns("cos_columns")
    sin_v, cos_v = rows("sin_rows"), rows("cos_rows")
    levels = encoder.frequencies
    expected = _encode(contract, _screen_rays(contract, screen, "contain"))
    np.testing.assert_allclose(
        sin_u * cos_v + cos_u * sin_v, expected[:, :, :levels], rtol=0, atol=TABLES_ATOL
    )
    np.testing.assert_allclose(
        cos_u * cos_v - sin_u * sin_v, expected[:, :, levels:-1], rtol=0, atol=TABLES_ATOL
    )
    np.testing.assert_allclose(
        columns("point_columns") + rows("point_rows"), expected[:, :, -1:], atol=POINTS_ATOL
    )


@pytest.mark.parametrize("screen", [PORTRAIT, LANDSCAPE, SQUARE])
def test_embedded_fits_any_screen(screen):
    contract = lens_contract("embedded")
    (frame,) = _run(contract, screen)["frames"]
    encoded = _encode(contract, _screen_rays(contract, screen, "contain"))
    expected = encoded.swapaxes(-1, -2)  # coord·(2L+1) + j
    np.testing.assert_allclose(
        frame["input"], expected.ravel(), rtol=FLOAT32_RTOL, atol=FLOAT32_ATOL
    )


@pytest.mark.parametrize("screen", [PORTRAIT, LANDSCAPE, SQUARE])
def test_camera_layout_fills_any_screen(screen):
    contract = lens_contract("camera")
    (frame,) = _run(contract, screen)["frames"]
    origin, d0, du, dv = np.reshape(frame["camera"], (4, 3))
    expected = _screen_rays(contract, screen, "cover")
    u = np.arange(contract.student.ray_width)[None, :, None]
    v = np.arange(contract.student.ray_height)[:, None, None]
    # Three float32 numbers, multiplied by at most 5 and added.
    np.testing.assert_allclose(d0 + u * du + v * dv, expected[..., 3:], rtol=0, atol=1e-6)
    np.testing.assert_allclose(origin, expected[0, 0, :3], rtol=FLOAT32_RTOL)


def test_drag_turns_the_object_under_the_finger():
    contract = lens_contract("rays")
    drag = [["start", 1, 0.5, 0.5], ["move", 1, 0.6, 0.55], UPDATE]
    frames = _run(contract, events=[UPDATE, *drag])["frames"]
    assert len(frames) == 2
    # To the right and down by 0.1 and 0.05 of the screen: 18 degrees back, 9 degrees up.
    _assert_frame(frames[1], _host(contract, 17.5 - 18.0, 26.0 + 9.0))


@pytest.mark.parametrize(
    ("towards", "azimuth", "elevation"),
    [((-5.0, 5.0), 75.0, 62.0), ((5.0, -5.0), -40.0, -10.0)],
)
def test_drag_stops_at_the_limits_of_the_photos(towards, azimuth, elevation):
    contract = lens_contract("factored")
    drag = [["start", 1, 0.5, 0.5], ["move", 1, 0.5 + towards[0], 0.5 + towards[1]], UPDATE]
    done = _run(contract, events=drag)
    assert done["view"] == {"azimuth": azimuth, "elevation": elevation}
    _assert_frame(done["frames"][-1], _host(contract, azimuth, elevation))


def test_full_turn_wraps_around():
    contract = lens_contract("rays", FULL_ORBIT)
    drag = [["start", 1, 0.0, 0.0], ["move", 1, 2.5, 0.0], UPDATE]  # 450 degrees back
    done = _run(contract, events=drag)
    assert done["view"]["azimuth"] == -90.0
    _assert_frame(done["frames"][-1], _host(contract, -90.0, 40.0))


def test_another_finger_does_not_turn():
    events = [["start", 1, 0.5, 0.5], UPDATE, ["move", 2, 0.9, 0.9], UPDATE]
    assert len(_run(lens_contract("rays"), events=events)["frames"]) == 1


def test_model_runs_only_when_the_view_changes():
    assert len(_run(lens_contract("rays"), events=[UPDATE] * 5)["frames"]) == 1


def test_nothing_runs_while_the_screen_has_no_size():
    assert _run(lens_contract("rays"), screen=(0, 0))["frames"] == []


def test_output_becomes_the_clear_texture_after_the_first_run():
    contract = lens_contract("rays")
    before = _run(contract, events=[])
    assert before["clear"] == {"texture": None, "option": None}
    after = _run(contract)
    assert after["clear"] == {"texture": "texture of output", "option": 3}
    assert after["touchBlocking"] is True
    assert after["status"] is None
    assert after["built"] == []


def test_flip_turns_the_output_over_and_leaves_the_rays():
    contract = lens_contract("rays")
    plain, flipped = _run(contract), _run(contract, flipY=True)
    assert flipped["frames"] == plain["frames"]
    assert flipped["built"] == [
        {"name": "rays", "flipY": False},
        {"name": "output", "flipY": True},
    ]


def test_older_lens_studio_without_error_callbacks():
    assert len(_run(lens_contract("rays"), reportsErrors=False)["frames"]) == 1


def test_missing_model_says_what_to_do():
    done = _run(lens_contract("rays"), hasModel=False)
    assert done["frames"] == []
    assert "drag model.onnx" in done["status"]
    assert done["printed"] == [f"NelfController: {done['status']}"]


def test_model_with_another_shape_is_refused():
    contract = lens_contract("rays")
    wrong = [{"name": "rays", "shape": [6, 5, 7]}]
    done = _run(contract, inputs=wrong)
    assert done["frames"] == []
    assert "'rays' is 6 x 5 x 7, expected 6 x 5 x 6" in done["status"]


def test_model_with_another_output_is_refused():
    done = _run(lens_contract("rays"), outputs=[{"name": "depth", "shape": [12, 10, 1]}])
    assert done["frames"] == []
    assert "no tensor 'output'" in done["status"]


def test_model_that_does_not_load_says_why():
    done = _run(lens_contract("rays"), loadingError="unsupported layer")
    assert done["frames"] == []
    assert "could not be loaded: unsupported layer" in done["status"]


def test_model_that_does_not_run_says_why():
    done = _run(lens_contract("rays"), runningError="out of memory")
    assert "could not run: out of memory" in done["status"]
    assert done["clear"]["texture"] is None
