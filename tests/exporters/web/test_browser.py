"""The page in a real browser: its pictures, its gestures, and what it does when things fail."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from mobile_nelf.devices import read_measurement
from mobile_nelf.errors import BundleError
from mobile_nelf.export.reference import Reference
from mobile_nelf.metrics import psnr_db
from mobile_nelf.rendering import student_frame_function
from mobile_nelf.viewing import Server, Shown
from mobile_nelf_exporters.web.browser import Browser
from mobile_nelf_exporters.web.exporter import WebExporter
from mobile_nelf_exporters.web.options import Options
from mobile_nelf_exporters.web.page import PAGE
from mobile_nelf_exporters.web.runtime import PageSession
from tests.helpers.chromium import needs_chromium, open_page
from tests.helpers.students import random_checkpoint

pytestmark = needs_chromium

#: Every kernel that there is: ×2 and ×3, both kinds of block, products, odd numbers of channels and
#: of rays.
STUDENTS = {
    "gelu": {"width": 18, "products": 2, "sr_widths": (8, 5), "last_scale": 3, "out_channels": 4},
    "relu": {"width": 12, "sr_widths": (8, 4), "activation": "relu", "ray_width": 9},
}

#: Seconds until what comes at once counts as not coming: a busy machine is not a fault.
LONG = 600
VIEW = "mnelf.viewer.view"


@pytest.fixture(scope="module")
def files():
    made = WebExporter().export(random_checkpoint(**STUDENTS["relu"]), "thing", Options())
    return made.files


@pytest.fixture(scope="module")
def page(files, tmp_path_factory):
    path = tmp_path_factory.mktemp("web") / PAGE
    path.write_bytes(files[PAGE])
    return path.as_uri() + "?engine=webgl2&noanim"


@pytest.fixture(scope="module", params=["gelu", pytest.param("relu", marks=pytest.mark.slow)])
def proof(request):
    checkpoint = random_checkpoint(**STUDENTS[request.param])
    made = WebExporter().export(checkpoint, "thing", Options(page_weights="fp32"))
    reference, frames = Reference.render(checkpoint, 2)
    cameras = reference.ray_cameras(checkpoint.student.scale)
    session = PageSession({PAGE: made.files[PAGE]}, made.contract, 0.1)
    return session, cameras, frames


@pytest.mark.parametrize(
    ("engine", "least"), [("webgl2", 110.0), ("webgpu", 110.0), ("half", 50.0)]
)
def test_engines_draw_what_the_network_draws(proof, engine, least):
    session, cameras, frames = proof
    frame = session.frame_function(engine)
    for camera, wanted in zip(cameras, frames, strict=True):
        assert psnr_db(frame(camera), wanted) > least


def test_a_page_shows_the_trained_picture_and_asks_nobody(browser, page, files):
    open_page(browser, page)
    assert browser.requests == [page]
    assert browser.messages == []
    checked = browser.evaluate(
        "document.getElementById('check').click(), "
        "new Promise((done) => { const wait = () => mnelf.results.check ? "
        "done(mnelf.results.check) : setTimeout(wait, 50); wait(); })"
    )
    assert checked["passed"]
    assert len(checked["frames"]) == 8
    assert checked["worst_psnr_db"] > 60.0
    assert "passed" in browser.evaluate("document.getElementById('result').textContent")


def _home(browser, page):
    """The page as it opens; loaded anew only if another one is there, which takes seconds."""
    here = f"location.href === {page!r} && /ready/.test(document.documentElement.className)"
    if not browser.evaluate(here):
        open_page(browser, page)
    browser.evaluate(
        "document.getElementById('panel').close(), document.getElementById('reset').click()"
    )
    return _settled(browser)


def _settled(browser):
    browser.evaluate("mnelf.viewer.settled()", LONG)
    return browser.evaluate(VIEW)


class _Fingers:
    """Touches with times of their own, since commands to a busy browser take any time."""

    def __init__(self, browser):
        self.browser, self.now = browser, time.time()

    def touch(self, kind, *points, after=0.016):
        self.now += after
        self.browser.command(
            "Input.dispatchTouchEvent",
            type=kind,
            touchPoints=[{"x": x, "y": y} for x, y in points],
            timestamp=self.now,
        )


def test_fingers_turn_pinch_and_reset(browser, page):
    home = _home(browser, page)
    fingers = _Fingers(browser)
    fingers.touch("touchStart", (100, 400))
    for x in (120, 150, 200):
        fingers.touch("touchMove", (x, 410))
    degrees = 180.0 / 390.0
    turned = [home["azimuth"] - 100 * degrees, home["elevation"] + 10 * degrees]
    for name, wanted in zip(("azimuth", "elevation"), turned, strict=True):
        browser.wait_for(f"Math.abs({VIEW}.{name} - {wanted}) < 0.01", LONG)
    fingers.touch("touchEnd", after=0.5)  # a finger that rested leaves no speed
    assert _settled(browser)["azimuth"] == pytest.approx(turned[0], abs=0.01)

    fingers.touch("touchStart", (150, 400), (240, 400))
    fingers.touch("touchMove", (105, 400), (285, 400))
    # Twice as close: as far as it was trained, then larger.
    zoom = 4.0 / (home["radius"] / 2)
    browser.wait_for(f"Math.abs({VIEW}.zoom - {zoom}) < 0.02", LONG)
    fingers.touch("touchEnd")
    pinched = _settled(browser)
    assert pinched["radius"] == 4.0
    assert f"scale({pinched['zoom']:.2f}"[:-1] in browser.evaluate(
        "document.querySelector('canvas').style.transform"
    )

    for _ in range(2):
        fingers.touch("touchStart", (200, 400), after=0.1)
        fingers.touch("touchEnd")
    browser.wait_for(f"{VIEW}.zoom === 1", LONG)
    assert _settled(browser) == home


def test_a_flick_continues_for_a_while(browser, page):
    home = _home(browser, page)
    fingers = _Fingers(browser)
    fingers.touch("touchStart", (100, 400))
    for x in (110, 120, 130):
        fingers.touch("touchMove", (x, 400))
    fingers.touch("touchEnd")
    turned = home["azimuth"] - 30 * 180.0 / 390.0
    browser.wait_for(f"{VIEW}.azimuth < {turned} - 5", LONG)
    _settled(browser)


def test_a_drag_beyond_the_limits_gives_and_comes_back(browser, page):
    _home(browser, page)
    limits = browser.evaluate("mnelf.scene.orbit")
    fingers = _Fingers(browser)
    fingers.touch("touchStart", (200, 100))
    for y in range(150, 601, 50):
        fingers.touch("touchMove", (200, y))
    browser.wait_for(f"{VIEW}.elevation > {limits['elevation'][1]} + 20", LONG)
    browser.wait_for("/, [1-9]/.test(document.querySelector('canvas').style.transform)", LONG)
    fingers.touch("touchEnd", after=0.5)
    browser.wait_for(f"{VIEW}.elevation <= mnelf.scene.orbit.elevation[1]", LONG)
    assert _settled(browser)["elevation"] == limits["elevation"][1]


def test_no_picture_leaves_what_was_trained(browser, page):
    """Whatever is asked for, the rays are those of the nearest trained view."""
    _home(browser, page)
    for asked in ({"elevation": 500}, {"radius": 0.1}, {"radius": 99}, {"zoom": 50}):
        limits = browser.evaluate(f"mnelf.viewer.setView({json.dumps(asked)}), mnelf.scene.orbit")
        _settled(browser)
        shown = browser.evaluate("mnelf.viewer.shown")
        for name in ("elevation", "radius"):
            assert limits[name][0] <= shown[name] <= limits[name][1]
        assert 1.0 <= shown["zoom"] <= 4.0


def test_wheel_and_keys(browser, page):
    home = _home(browser, page)
    for _ in range(3):
        browser.command(
            "Input.dispatchMouseEvent", type="mouseWheel", x=200, y=400, deltaX=0, deltaY=-120
        )
    browser.wait_for(f"{VIEW}.zoom > 1.3", LONG)
    browser.evaluate("document.getElementById('stage').focus()")
    for kind in ("keyDown", "keyUp"):
        browser.command("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight")
    browser.wait_for(f"{VIEW}.azimuth === {home['azimuth']} - 6", LONG)
    browser.command("Input.dispatchKeyEvent", type="keyDown", key="0", code="Digit0")
    browser.wait_for(f"{VIEW}.zoom === 1", LONG)
    assert _settled(browser) == home


def test_nothing_is_drawn_while_nothing_moves(browser, page):
    _home(browser, page)
    drawn = browser.evaluate("mnelf.viewer.frames")
    time.sleep(0.5)
    assert browser.evaluate("mnelf.viewer.frames") == drawn


def test_it_turns_by_itself_until_it_is_touched(browser, page):
    first = _home(browser, page)["azimuth"]
    pressed = "document.getElementById('turn').getAttribute('aria-pressed')"
    browser.evaluate("document.getElementById('turn').click()")
    assert browser.evaluate(pressed) == "true"
    browser.wait_for(f"Math.abs({VIEW}.azimuth - {first}) > 3", LONG)
    fingers = _Fingers(browser)
    fingers.touch("touchStart", (200, 400))
    fingers.touch("touchEnd")
    browser.wait_for(f"{pressed} === 'false'", LONG)


def test_reduced_motion_is_respected(browser, page):
    media = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    browser.command("Emulation.setEmulatedMedia", features=media)
    try:
        first = _home(browser, page)
        browser.evaluate("document.getElementById('turn').click()")
        time.sleep(0.3)
        assert browser.evaluate(VIEW) == first
    finally:
        browser.command("Emulation.setEmulatedMedia", features=[])


def test_a_lost_context_comes_back(browser, page):
    _home(browser, page)
    browser.evaluate(
        "window.before = mnelf.viewer.engine(), "
        "document.querySelector('canvas').getContext('webgl2').getExtension("
        "'WEBGL_lose_context').loseContext()"
    )
    browser.wait_for("mnelf.viewer.engine() !== window.before", LONG)
    browser.wait_for("document.querySelectorAll('canvas').length === 1", LONG)
    _settled(browser)
    assert not browser.evaluate("document.documentElement.classList.contains('failed')")


def test_without_graphics_the_reference_frame_and_a_reason_stay(page):
    with Browser(("--disable-3d-apis",)) as bare:
        bare.command(
            "Page.addScriptToEvaluateOnNewDocument", source="delete Navigator.prototype.gpu"
        )
        open_page(
            bare,
            page.replace("engine=webgl2", "engine=all"),
            "document.documentElement?.classList.contains('failed')",
        )
        told = bare.evaluate("document.getElementById('told').textContent")
        assert "WebGPU is missing; WebGL2 is missing" in told
        assert bare.evaluate("document.getElementById('poster').checkVisibility()")
        assert bare.evaluate("document.getElementById('poster').naturalWidth") == 36


def test_it_lives_in_a_frame_and_takes_messages(browser, page, tmp_path):
    outside = tmp_path / "outside.html"
    outside.write_text(
        f'<body style="margin:0;background:rgb(10,200,30)"><iframe src="{page}&noui" width=300 '
        'height=300 style="border:0"></iframe><script>window.told = []; addEventListener("message",'
        "(event) => told.push(event.data.mnelf));</script>",
        encoding="utf-8",
    )
    ready = "window.told?.some((entry) => entry.event === 'ready')"
    open_page(browser, outside.as_uri(), ready)
    browser.evaluate(
        "document.querySelector('iframe').contentWindow.postMessage("
        "{ mnelf: { azimuth: 33, elevation: 21 } }, '*')"
    )
    browser.wait_for("told.some((entry) => entry.azimuth === 33 && entry.elevation === 21)", LONG)

    def send(message):
        browser.evaluate(
            f"frames[0].postMessage({json.dumps(message)}, '*'), window.told = [], null"
        )

    send({"mnelf": {"turn": True}})
    browser.wait_for("told.some((entry) => Math.abs(entry.azimuth - 33) > 3)", LONG)
    send({"mnelf": {"turn": False, "azimuth": 70, "zoom": 2}})
    browser.wait_for("told.some((entry) => entry.azimuth === 70 && entry.zoom === 2)", LONG)
    for nonsense in ("text", {"mnelf": None}, {"mnelf": {"azimuth": "far", "radius": None}}):
        send(nonsense)
    send({"mnelf": {"reset": True}})
    browser.wait_for("told.some((entry) => entry.event === 'view' && entry.zoom === 1)", LONG)
    assert browser.messages == []


def test_alpha_lies_over_any_background(browser, tmp_path):
    checkpoint = random_checkpoint(**STUDENTS["gelu"])
    made = WebExporter().export(checkpoint, "thing", Options())
    (tmp_path / PAGE).write_bytes(made.files[PAGE])
    address = (tmp_path / PAGE).as_uri() + "?engine=webgl2&noanim&background=rgb(10,200,30)"
    open_page(browser, address)
    _settled(browser)
    pixels = browser.evaluate(
        """(() => { const from = document.querySelector('canvas');
        const to = document.createElement('canvas'); to.width = from.width; to.height = from.height;
        const draw = to.getContext('2d'); draw.fillStyle = 'rgb(10,200,30)';
        draw.fillRect(0, 0, to.width, to.height); draw.drawImage(from, 0, 0);
        return [...draw.getImageData(0, 0, to.width, to.height).data]; })()"""
    )
    shown = browser.evaluate("mnelf.viewer.shown")
    pose = checkpoint.orbit.pose(shown["azimuth"], shown["elevation"], shown["radius"])
    frame = student_frame_function(checkpoint)(checkpoint.ray_camera(pose))
    colour, alpha = frame[..., :3].astype(np.float64), frame[..., 3:].astype(np.float64)
    own = np.clip(colour - (1 - alpha) * np.asarray(checkpoint.background), 0, alpha)
    wanted = own * 255 + (1 - alpha) * np.array([10, 200, 30])
    found = np.array(pixels).reshape(*frame.shape[:2], 4)[..., :3]
    assert np.abs(found - wanted).max() <= 2.5


def test_the_benchmark_is_what_the_import_takes(browser, page, files, tmp_path):
    open_page(browser, page + "&bench&sustained=0.5&frames=5")
    result = browser.wait_for("mnelf.results.bench", LONG)
    path = tmp_path / "result.json"
    path.write_text(json.dumps(result), encoding="utf-8")
    measured = read_measurement(path)
    (run,) = measured.runs
    assert run.compute_units == "webgl2"
    assert run.picture_is_right
    assert measured.device.adapter
    assert run.weights_sha256 == WebExporter().inspect(files).models[PAGE].sha256


@pytest.mark.slow
def test_a_lost_device_ends_in_the_next_engine(browser, page):
    """The software adapter of WebGPU is lost as soon as it should draw into a canvas."""
    open_page(browser, page.replace("engine=webgl2", "engine=all"))
    browser.wait_for("mnelf?.viewer.engine().name === 'WebGL2'", LONG)
    _settled(browser)
    assert not browser.evaluate("document.documentElement.classList.contains('failed')")
    assert browser.evaluate("document.querySelectorAll('canvas').length") == 1


def test_no_host_can_be_reached():
    """Whatever a page asks for, an address of this machine included."""
    with Server(Shown("thing", {"index.html": b"<title>reached"})) as server, Browser() as alone:
        server.start()
        for host in ("localhost", "127.0.0.1"):
            with pytest.raises(BundleError, match="ERR_NAME_NOT_RESOLVED"):
                alone.open(server.url.replace("localhost", host))
