"""The page that asks its server for pictures, in a real browser."""

from __future__ import annotations

import numpy as np
import pytest

from mobile_nelf.cameras import Intrinsics, OrbitLimits
from mobile_nelf.export.live import LiveView
from mobile_nelf.viewing import Server, Shown
from mobile_nelf.viewing.shown import NotReadyError
from mobile_nelf_exporters.web.exporter import WebExporter
from tests.helpers.chromium import needs_chromium, open_page

pytestmark = needs_chromium

LENS = Intrinsics.centred(40, 30, 50.0)
ORBIT = OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (0, 60), (3, 4))


def test_pictures_of_the_server_follow_the_view(browser):
    asked = []

    def frame(pose, width, height):
        asked.append((pose, width, height))
        return np.full((height, width, 3), 60 if len(asked) == 1 else 200, np.uint8)

    live = LiveView("thing", LENS, ORBIT, np.zeros((30, 40, 3), np.uint8))
    shown = Shown("thing", WebExporter().live_page(live), frame)
    with Server(shown) as server:
        server.start()
        open_page(browser, server.url + "?noanim")
        browser.evaluate("mnelf.viewer.setView({ azimuth: 70, elevation: 20, radius: 3.5 })")
        browser.evaluate("mnelf.viewer.settled()")
        pose, width, height = asked[-1]
        assert (width, height) == (40, 30)
        np.testing.assert_allclose(pose, ORBIT.pose(70, 20, 3.5), atol=1e-12)
        colour = browser.evaluate(
            "[...document.querySelector('canvas').getContext('2d').getImageData(9, 9, 1, 1).data]"
        )
        assert colour == pytest.approx([200, 200, 200, 255], abs=3)
        assert browser.messages == []
        server.close()
        browser.evaluate("mnelf.viewer.setView({ azimuth: 80 })")
        browser.wait_for("/no longer answers/.test(document.getElementById('told').textContent)")


def test_a_training_is_followed_until_it_ends(browser):
    told = {"stage": "", "step": 0, "steps": 2000, "psnr_db": [], "runs": True}

    def frame(pose, width, height):
        if not told["stage"]:
            raise NotReadyError
        return np.full((height, width, 3), 10 * told["step"] % 256, np.uint8)

    live = LiveView("thing", LENS, ORBIT, np.zeros((30, 40, 3), np.uint8), changes=True)
    shown = Shown("thing", WebExporter().live_page(live), frame, lambda: told)
    with Server(shown) as server:
        server.start()
        text = "document.getElementById('stage-of-training')?.textContent"
        open_page(browser, server.url + "?noanim", f"{text} === 'Waiting for the first step'")
        colour = (
            "document.querySelector('canvas')?.getContext('2d').getImageData(9, 9, 1, 1).data[0]"
        )
        for step, psnr_db, expected in ((5, [9.0], "9.0 dB"), (20, [9.0, 12.0, 15.25], "15.3 dB")):
            told.update(stage="student", step=step, psnr_db=psnr_db)
            browser.wait_for(f"{text} === 'student: step {step} of 2,000, {expected}'", 600)
            browser.wait_for(f"Math.abs({colour} - {10 * step}) <= 3", 600)
        points = browser.evaluate("document.querySelector('#curve polyline').points.length")
        assert points == 3
        server.close()
        browser.wait_for(f"/^The training has ended/.test({text})", 600)
        told = "document.getElementById('told').textContent"
        browser.evaluate("mnelf.viewer.setView({ azimuth: 80 })")
        browser.wait_for(f"{told} === 'This is the last picture: the training has ended.'", 600)
        assert abs(browser.evaluate(colour) - 200) <= 3
        assert browser.evaluate("document.querySelector('canvas').checkVisibility()")
