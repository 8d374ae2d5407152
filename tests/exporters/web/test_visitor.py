"""What visitors use besides touch: address, keys, full screen, screen readers, dark rooms."""

from __future__ import annotations

import json
import re

import pytest

from mobile_nelf.viewing import Server, Shown
from mobile_nelf_exporters.web import page as page_module
from mobile_nelf_exporters.web.exporter import WebExporter
from mobile_nelf_exporters.web.options import Options
from mobile_nelf_exporters.web.page import PAGE, WEIGHTS
from tests.helpers.chromium import needs_chromium, open_page
from tests.helpers.students import random_checkpoint

pytestmark = needs_chromium

LONG = 600
VIEW = "mnelf.viewer.view"

#: Contrast of text that WCAG 2.2 asks for, and pixels that a finger hits.
CONTRAST = 4.5
FINGER = 44


def _written(folder, **student):
    checkpoint = random_checkpoint(width=12, sr_widths=(8,), **student)
    made = WebExporter().export(checkpoint, "thing", Options())
    (folder / PAGE).write_bytes(made.files[PAGE])
    return (folder / PAGE).as_uri() + "?engine=webgl2&noanim"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return _written(tmp_path_factory.mktemp("web"))


@pytest.fixture(scope="module")
def opened(browser, page):
    open_page(browser, page)
    return browser


def _press(browser, key, **more):
    browser.evaluate("document.getElementById('stage').focus()")
    for kind in ("keyDown", "keyUp"):
        browser.command("Input.dispatchKeyEvent", type=kind, key=key, **more)


def test_every_key_that_the_page_names(opened):
    browser = opened
    home = browser.evaluate(VIEW)
    _press(browser, "+")
    browser.wait_for(f"{VIEW}.radius < {home['radius']}", LONG)
    _press(browser, "-")
    browser.wait_for(f"Math.abs({VIEW}.radius - {home['radius']}) < 1e-9", LONG)
    for key, name, change in (("ArrowUp", "elevation", 6), ("ArrowLeft", "azimuth", 6)):
        _press(browser, key)
        browser.wait_for(f"{VIEW}.{name} === {home[name]} + {change}", LONG)
    _press(browser, "Home")
    browser.wait_for(f"{VIEW}.azimuth === {home['azimuth']}", LONG)

    pressed = "document.getElementById('turn').getAttribute('aria-pressed')"
    _press(browser, " ", text=" ")
    browser.wait_for(f"{pressed} === 'true'", LONG)
    _press(browser, " ", text=" ")
    browser.wait_for(f"{pressed} === 'false'", LONG)

    _press(browser, "i", text="i")
    browser.wait_for("document.getElementById('panel').open", LONG)
    for kind in ("keyDown", "keyUp"):
        browser.command("Input.dispatchKeyEvent", type=kind, key="Escape", code="Escape",
                        windowsVirtualKeyCode=27)  # fmt: skip
    browser.wait_for("!document.getElementById('panel').open", LONG)
    # Whoever came by keyboard is back where they were.
    assert browser.evaluate("document.activeElement.id") == "stage"

    _press(browser, "f", text="f")
    browser.wait_for("document.fullscreenElement === document.documentElement", LONG)
    _press(browser, "f", text="f")
    browser.wait_for("!document.fullscreenElement", LONG)


def test_screen_readers_and_fingers_find_everything(opened):
    browser = opened
    assert browser.evaluate("document.documentElement.lang") == "en"
    nodes = browser.command("Accessibility.getFullAXTree")["nodes"]
    found = {}
    for node in nodes:
        role = node.get("role", {}).get("value")
        if not node.get("ignored") and role in ("application", "button", "navigation"):
            found.setdefault(role, []).append(node.get("name", {}).get("value", ""))
    assert found["application"] == [
        "thing: a view that can be turned. Drag or use the arrow keys to turn it, scroll, pinch or "
        "press plus and minus to zoom, press 0 to reset."
    ]
    assert len(found["button"]) >= 4
    assert all(found["button"] + found["navigation"])
    sizes = browser.evaluate(
        "[...document.querySelectorAll('nav button')].filter((b) => b.checkVisibility())"
        ".map((b) => [b.offsetWidth, b.offsetHeight])"
    )
    assert min(min(size) for size in sizes) >= FINGER
    # What changes is told: loading, a check, a training.
    assert browser.evaluate("document.getElementById('loading').role") == "status"
    assert browser.evaluate("document.getElementById('doing').role") == "status"
    order = []
    browser.evaluate("document.getElementById('stage').focus()")
    for _ in range(4):
        browser.command("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab",
                        windowsVirtualKeyCode=9)  # fmt: skip
        order.append(browser.evaluate("document.activeElement.id"))
    assert order == ["reset", "turn", "full", "info"]


def test_a_slow_device_draws_fewer_rays_while_it_moves(opened):
    browser = opened
    browser.evaluate(
        "window.usual = mnelf.viewer.engine().finish, mnelf.viewer.engine().finish = async () => "
        "{ await usual(); await new Promise((done) => setTimeout(done, 80)); }, null"
    )
    whole = browser.evaluate("mnelf.scene.grid")
    browser.evaluate(
        "window.grids = [], window.mover = setInterval("
        "() => mnelf.viewer.setView({ azimuth: Math.random() * 90 }), 40), "
        "mnelf.viewer.onFrame(() => grids.push([...mnelf.viewer.engine().grid])), null"
    )
    try:
        browser.wait_for(f"grids.some((grid) => grid[0] < {whole[0]})", LONG)
    finally:
        browser.evaluate("clearInterval(mover)")
    browser.evaluate("mnelf.viewer.settled()", LONG)
    assert browser.evaluate("mnelf.viewer.engine().grid") == whole
    browser.evaluate("mnelf.viewer.engine().finish = usual, null")


@pytest.mark.slow
def test_the_address_says_where_it_opens_and_how_it_looks(browser, page):
    open_page(
        browser,
        page + "&noui&azimuth=33&elevation=21&radius=0&zoom=1.5&background=rgb(1,2,3)",
        "window.mnelf",
    )
    browser.evaluate("mnelf.viewer.settled()", LONG)
    shown = browser.evaluate("mnelf.viewer.shown")
    radius = browser.evaluate("mnelf.scene.orbit.radius[0]")
    assert shown == {"azimuth": 33, "elevation": 21, "radius": radius, "zoom": 1.5}
    assert not browser.evaluate("document.querySelector('nav').checkVisibility()")
    look = "getComputedStyle(document.documentElement).backgroundColor"
    assert browser.evaluate(look) == "rgb(1, 2, 3)"


@pytest.mark.slow
def test_the_address_chooses_engines_and_the_check(browser, page):
    half = page.replace("engine=webgl2", "engine=half&check")
    open_page(browser, half, "window.mnelf?.results.check")
    assert browser.evaluate("mnelf.viewer.engine().name") == "WebGL2, half floats"
    checked = browser.evaluate("mnelf.results.check")
    assert (checked["passed"], checked["demanded_db"]) == (True, 50)
    assert browser.evaluate("document.getElementById('panel').open")
    f16 = "navigator.gpu.requestAdapter().then((adapter) => adapter.features.has('shader-f16'))"
    if browser.evaluate(f16):
        open_page(browser, page.replace("engine=webgl2", "engine=webgpu-f16"), "window.mnelf")
        assert browser.evaluate("mnelf.viewer.engine().name") == "WebGPU, f16"
    else:
        failed = "document.documentElement?.classList.contains('failed')"
        open_page(browser, page.replace("engine=webgl2", "engine=webgpu-f16"), failed)
        told = browser.evaluate("document.getElementById('told').textContent")
        assert "WebGPU has no f16 on this adapter" in told


@pytest.mark.slow
def test_dark_and_light_can_be_read(browser, tmp_path):
    address = _written(tmp_path, out_channels=4)
    try:
        seen = []
        for scheme in ("light", "dark"):
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            browser.command("Emulation.setEmulatedMedia", features=features)
            open_page(browser, address)
            style = "getComputedStyle(document.getElementById('panel'))"
            colours = browser.evaluate(f"[{style}.color, {style}.backgroundColor]")
            ink, paper = (_luminance(colour) for colour in colours)
            assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= CONTRAST
            seen.append(paper)
        assert seen[0] > 0.9
        assert seen[1] < 0.05
    finally:
        browser.command("Emulation.setEmulatedMedia", features=[])


@pytest.mark.slow
def test_weights_beside_the_page_are_counted_while_they_come(browser, monkeypatch):
    monkeypatch.setattr(page_module, "MAX_INSIDE", 1000)
    made = WebExporter().export(random_checkpoint(width=12, sr_widths=(8,)), "thing", Options())
    assert WEIGHTS in made.files
    watch = """addEventListener("DOMContentLoaded", () => { window.heard = [];
    new MutationObserver(() => heard.push(document.getElementById("told").textContent)).observe(
    document.getElementById("told"), { childList: true }); });"""
    script = browser.command("Page.addScriptToEvaluateOnNewDocument", source=watch)["identifier"]
    try:
        with Server(Shown("thing", {k: made.files[k] for k in (PAGE, WEIGHTS)})) as server:
            server.start()
            open_page(browser, server.url + "?engine=webgl2&noanim")
            heard = json.dumps(browser.evaluate("heard"))
    finally:
        browser.command("Page.removeScriptToEvaluateOnNewDocument", identifier=script)
    assert re.search(r"Loading weights: [\d.]+ MB of [\d.]+ MB", heard)


def _luminance(colour):
    """Of WCAG 2.2, of `rgb(…)`."""
    channels = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
