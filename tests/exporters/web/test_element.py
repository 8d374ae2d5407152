"""Light fields in pages of other people: the custom element, and a canvas of theirs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mobile_nelf.rendering import student_frame_function
from mobile_nelf.viewing import Server, Shown
from mobile_nelf_exporters.web.exporter import WebExporter
from mobile_nelf_exporters.web.options import Options
from mobile_nelf_exporters.web.page import ELEMENT, PAGE
from tests.helpers.chromium import needs_chromium, open_page
from tests.helpers.students import random_checkpoint

pytestmark = needs_chromium

LONG = 600

#: A page with a strict policy of its own, as careful people have.
OUTSIDE = f"""<!doctype html><meta charset=utf-8>
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:">
<body><script type="module" src="mic/{ELEMENT}"></script>
<mnelf-view src="mic/{PAGE}" engine="webgl2" noanim azimuth="30" title="a thing"></mnelf-view>
<canvas id="own"></canvas><script type="module" src="outside.js"></script>"""
SCRIPT = f"""import {{ create }} from "./mic/{ELEMENT}";
window.told = [];
const element = document.querySelector("mnelf-view");
for (const event of ["ready", "view", "error"]) {{
  element.addEventListener(event, (told) => window.told.push([event, told.detail]));
}}
Object.assign(window, {{ create, element }});
"""
PIXELS = "own.getContext('2d').getImageData(0, 0, own.width, own.height).data"


@pytest.fixture(scope="module")
def checkpoint():
    return random_checkpoint(width=12, sr_widths=(8,), out_channels=4)


@pytest.fixture(scope="module")
def address(checkpoint):
    files = {"index.html": OUTSIDE.encode(), "outside.js": SCRIPT.encode()}
    made = WebExporter().export(checkpoint, "thing", Options(page_weights="fp32"))
    files |= {f"mic/{name}": made.files[name] for name in (PAGE, ELEMENT)}
    with Server(Shown("outside", files)) as server:
        server.start()
        yield server.url


def test_the_element_shows_turns_and_ends(browser, address):
    open_page(browser, address, "window.told?.some(([event]) => event === 'ready')")
    assert browser.messages == []
    inside = "element.shadowRoot.querySelector"
    assert browser.evaluate(f"{inside}('canvas').width > 0 && !{inside}('img')")
    assert browser.evaluate(f"{inside}('#stage').getAttribute('aria-label')").startswith("a thing:")
    assert browser.evaluate("element.view")["azimuth"] == 30
    place = browser.evaluate("(({ x, y }) => [x, y])(element.getBoundingClientRect())")
    for kind, shift in (("touchStart", 100), ("touchMove", 160), ("touchMove", 200)):
        points = [{"x": place[0] + shift, "y": place[1] + 150}]
        browser.command("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    browser.command("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    browser.wait_for("told.some(([event, view]) => event === 'view' && view.azimuth < 0)", LONG)
    browser.evaluate("element.setView({ azimuth: 12, elevation: 999 })")
    limit = browser.evaluate("element.viewer.scene.orbit.elevation[1]")
    browser.wait_for(
        f"told.some(([, view]) => view.azimuth === 12 && view.elevation === {limit})", LONG
    )
    browser.evaluate("window.engine = element.viewer.engine(), element.remove()")
    assert browser.evaluate("element.view === null && !element.shadowRoot.firstChild")


def test_a_wrong_address_is_told(browser, address):
    open_page(browser, address, "!!window.element")
    for src, expected in (("index.html", "is not a light field"), ("none", "cannot be loaded")):
        browser.evaluate(f"element.setAttribute('src', {json.dumps(src)})")
        browser.wait_for(
            f"told.some(([event, why]) => event === 'error' && /{expected}/.test(why))", LONG
        )
        told = browser.evaluate("element.shadowRoot.querySelector('p').textContent")
        assert expected in told


def test_a_canvas_gets_the_picture_of_the_network(browser, address, checkpoint):
    open_page(browser, address, "!!window.create")
    browser.evaluate(
        f"element.remove(), create(own, 'mic/{PAGE}', {{ engine: 'webgl2' }})"
        ".then((field) => { window.field = field; })",
        LONG,
    )
    browser.evaluate("field.setCamera({ azimuth: 40, elevation: 25 }), field.render()", LONG)
    assert browser.evaluate("field.engine()") == "WebGL2"
    view = browser.evaluate("field.view()")
    assert (view["azimuth"], view["elevation"]) == (40, 25)
    pose = checkpoint.orbit.pose(view["azimuth"], view["elevation"], view["radius"])
    frame = student_frame_function(checkpoint)(checkpoint.ray_camera(pose))
    found = np.array(browser.evaluate(f"[...{PIXELS}]")).reshape(*frame.shape)
    alpha = frame[..., 3:].astype(np.float64)
    own = np.clip(frame[..., :3] - (1 - alpha) * np.asarray(checkpoint.background), 0, alpha)
    seen = found[..., :3] * (found[..., 3:] / 255.0)
    assert np.abs(found[..., 3:] - 255 * alpha).max() <= 1.0
    assert np.abs(seen - 255 * own).max() <= 2.5
    browser.evaluate("field.setCamera({ zoom: 2, radius: 0 }), field.render()", LONG)
    assert browser.evaluate("field.view().zoom") == 2
    closer = np.array(browser.evaluate(f"[...{PIXELS}]")).reshape(*frame.shape)
    assert np.abs(closer - found).mean() > 1
    browser.evaluate("field.dispose()")
    assert (np.array(browser.evaluate(f"[...{PIXELS}]")) == closer.ravel()).all()
