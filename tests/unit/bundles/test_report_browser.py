"""The page of a bundle in a real browser, as wide as a phone and as wide as a desk."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mobile_nelf.bundles import create_bundle
from mobile_nelf.bundles.report.page import render_report
from mobile_nelf_exporters.coreml.placement import PlacementReport, PlacementRow, placement_table
from tests.helpers.students import random_checkpoint

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

PHONE, DESK = 390, 1280

#: Subpixel rounding of a layout; an overflow that a reader meets is larger.
SLACK = 1.0

#: The page forbids scripts, so the one that measures it stands outside, around a frame that is as
#: wide as the device. Headless Chromium itself has no windows as narrow as a phone.
WRAPPER = """<!DOCTYPE html><html><body style="margin:0">
<iframe id="page" style="border:0;width:{width}px;height:2000px" srcdoc="{page}"></iframe>
<pre id="found"></pre>
<script>
document.getElementById("page").onload = (event) => {{
  const page = event.target.contentDocument;
  const box = (element) => {{
    const {{ left, right, top, bottom }} = element.getBoundingClientRect();
    const what = element.tagName + " " + element.textContent.trim().slice(0, 40);
    return {{ what, left, right, top, bottom }};
  }};
  // A phone gets the headings of tables read aloud, not drawn.
  const drawn = (element) => {width} > 640 || !element.closest("thead");
  document.getElementById("found").textContent = JSON.stringify({{
    inner: event.target.contentWindow.innerWidth,
    scroll: page.documentElement.scrollWidth,
    boxes: [...page.body.querySelectorAll("*")].filter(drawn).map(box),
    images: [...page.images].map((image) => ({{ ...box(image), natural: image.naturalWidth }})),
    label: page.defaultView.getComputedStyle(page.querySelector("tbody td"), "::before").content,
    background: page.defaultView.getComputedStyle(page.body).backgroundColor,
  }});
}};
</script></body></html>"""


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """A page with all its tables and with the longest words that can be in it."""
    checkpoint = replace(
        random_checkpoint(sr_widths=(8,)), provenance={"views": "a" * 200, "b" * 60: "scene"}
    )
    path = tmp_path_factory.mktemp("r") / "thing"
    manifest = create_bundle(checkpoint, target="lens", output=path).manifest
    row = PlacementRow("conv_" + "x" * 80, "3×3, stride 2", "fp16", 1, "gpu_or_cpu", "y" * 90)
    table = placement_table(PlacementReport((row,), ("z" * 90,)))
    inspection = replace(manifest.inspection, tables=(*manifest.inspection.tables, table))
    frame = np.random.default_rng(0).random((300, 400, 3), np.float32)
    named = replace(manifest, name="n" * 64, inspection=inspection)
    return render_report(named, [frame] * 8, [frame + np.float32(1e-5)] * 8).decode()


@pytest.fixture(scope="module")
def phone(content, tmp_path_factory):
    return _measured(content, PHONE, tmp_path_factory.mktemp("phone"))


@pytest.fixture(scope="module")
def desk(content, tmp_path_factory):
    return _measured(content, DESK, tmp_path_factory.mktemp("desk"))


def _measured(content: str, width: int, folder: Path, *flags: str) -> dict:
    wrapper = folder / "wrapper.html"
    wrapper.write_text(WRAPPER.format(width=width, page=html.escape(content)), encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={folder / 'profile'}",
            *flags,
            "--dump-dom",
            wrapper.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    found = re.search(r'<pre id="found">(.+?)</pre>', done.stdout, flags=re.DOTALL)
    assert found, done.stderr
    return json.loads(html.unescape(found[1]))


def _fits(found: dict, width: int) -> None:
    assert found["inner"] == width
    assert found["scroll"] <= width
    for box in found["boxes"]:
        assert -SLACK <= box["left"] <= box["right"] <= width + SLACK, box


def test_nothing_leads_out_of_a_phone(phone):
    _fits(phone, PHONE)


def test_nothing_leads_out_of_a_desk(desk):
    _fits(desk, DESK)


def _pictures_are_beside_each_other(images: list[dict], columns: int) -> None:
    assert len(images) == 12
    assert all(image["natural"] == 200 for image in images)
    for pose in range(0, 12, 3):
        row = images[pose : pose + columns]
        assert {round(image["top"]) for image in row} == {round(row[0]["top"])}
        for left, right in pairwise(row):
            assert left["right"] < right["left"]
    # A picture keeps its shape, and is large enough to see something.
    for image in images:
        drawn = image["right"] - image["left"], image["bottom"] - image["top"]
        assert drawn[0] >= 150
        assert drawn[0] / drawn[1] == pytest.approx(400 / 300, rel=0.02)


def test_pictures_of_a_pose_are_beside_each_other(phone, desk):
    _pictures_are_beside_each_other(phone["images"], 2)
    _pictures_are_beside_each_other(desk["images"], 3)


def test_cells_name_their_column_where_the_heading_is_hidden(phone, desk):
    assert phone["label"] == '"verdict "'
    assert desk["label"] == "none"


def test_the_page_is_dark_where_the_reader_wants_it_dark(content, phone, tmp_path):
    dark = _measured(content, PHONE, tmp_path, "--force-dark-mode")
    assert phone["background"] == "rgb(251, 251, 250)"
    assert dark["background"] == "rgb(20, 23, 26)"
