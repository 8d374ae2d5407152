"""A thousand frames take no more memory than the first ones: of the page, and of its graphics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mobile_nelf.export.reference import Reference
from mobile_nelf.plain import to_dict
from mobile_nelf_exporters.web.browser import Browser
from mobile_nelf_exporters.web.exporter import WebExporter
from mobile_nelf_exporters.web.options import Options
from mobile_nelf_exporters.web.page import PAGE
from tests.helpers.chromium import needs_chromium, open_page
from tests.helpers.students import random_checkpoint

pytestmark = [needs_chromium, pytest.mark.slow]

LONG = 600

#: Bytes that 500 frames of the page may leave in objects that live on, and 1,000 frames in all
#: processes together, which is less than a picture of 48×24 pixels a frame.
PAGE_GROWTH = 100_000
PROCESS_GROWTH = 16_000_000


@pytest.fixture(scope="module")
def checkpoint():
    return random_checkpoint(width=12, sr_widths=(8, 4), activation="relu", ray_width=12)


@pytest.fixture(scope="module")
def page(checkpoint, tmp_path_factory):
    made = WebExporter().export(checkpoint, "thing", Options())
    path = tmp_path_factory.mktemp("web") / PAGE
    path.write_bytes(made.files[PAGE])
    return path.as_uri()


def test_of_the_page_while_it_turns(browser, page):
    open_page(browser, page + "?engine=webgl2&noanim")
    browser.evaluate(
        """window.turn = async (count) => { const end = mnelf.viewer.frames + count;
        for (let i = 0; mnelf.viewer.frames < end; i++) {
        mnelf.viewer.setView({ azimuth: i % 360 });
        await new Promise((done) => requestAnimationFrame(done)); }
        await mnelf.viewer.settled(); }"""
    )
    sizes = []
    for _ in range(3):
        browser.evaluate("turn(500)", LONG)
        browser.command("HeapProfiler.collectGarbage")
        sizes.append(browser.command("Runtime.getHeapUsage")["usedSize"])
    assert browser.evaluate("mnelf.viewer.frames") > 1000
    assert sizes[2] - sizes[1] < PAGE_GROWTH


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read in /proc")
@pytest.mark.parametrize("engine", ["webgpu", "webgl2"])
def test_of_all_processes_while_frames_are_computed(checkpoint, page, engine):
    """An engine that made a buffer or a texture a frame would be far beyond."""
    reference, _ = Reference.render(checkpoint, 1)
    camera = reference.cameras[0]
    pose = json.dumps(camera.cam_to_world.ravel().tolist())
    lens = json.dumps(to_dict(camera.intrinsics))
    with Browser() as alone:
        alone.open(page + "?verify")
        alone.wait_for("typeof mnelfFrames === 'object'", LONG)
        alone.evaluate(f"mnelfFrames.open({engine!r})", LONG)
        sizes = []
        for count in (100, 1000):
            frames = f"for (let i = 0; i < {count}; i++) await mnelfFrames.frame({pose}, {lens});"
            alone.evaluate(f"(async () => {{ {frames} }})()", LONG)
            alone.command("HeapProfiler.collectGarbage")
            sizes.append(_own_memory(alone))
    assert sizes[1] - sizes[0] < PROCESS_GROWTH


def _own_memory(browser):
    """Bytes of all processes of a browser that are theirs alone; they are one session."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[3]) != browser._process.pid:
                continue
            lines = stat.with_name("smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return total
