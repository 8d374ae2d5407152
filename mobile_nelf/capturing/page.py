"""`capture.html`: the verdict, the photos in their order, where they were taken from, and masks."""

from __future__ import annotations

import base64
import html
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mobile_nelf.scenes import Scene
from mobile_nelf.scenes.picture import camera_picture

__all__ = ["PAGE", "write_page"]

PAGE = "capture.html"
#: Height of a photo on the page; quality of its JPEG.
HEIGHT, QUALITY = 96, 70
#: Colour of what a mask leaves out.
OUTSIDE = (255, 0, 160)

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em;
  color: #262b33; background: #fff }
h1 { font-size: 1.4em } h2 { font-size: 1.1em; margin-top: 2em }
.error { color: #b3261e } .warning { color: #9a5b00 } .note { color: #56606c }
li { margin: .4em 0 } table { border-collapse: collapse } td { padding: .1em 1.2em .1em 0 }
.photos { display: flex; flex-wrap: wrap; gap: 6px } figure { margin: 0; font-size: 11px }
figure img { display: block; height: 96px; border: 3px solid #48945c }
figure.out img { border-color: #b3261e } figcaption { max-width: 14em; color: #56606c }
img.cameras { max-width: 100% }
"""


def write_page(
    content: dict[str, Any], scene: Scene | None, photos: Path, masks: Path | None, folder: Path
) -> None:
    """Writes the page, in one file that loads nothing.

    Args:
        content: of `capture.json`.
        scene: that was written; None if the poses make none.
        photos: folder of the photos, `GROUP/NUMBER.png`.
        masks: folder of their masks; None without.
        folder: of the scene.
    """
    verdict = "passed" if content["passed"] else "failed"
    findings = "".join(
        f'<li class="{finding["level"]}"><b>{_text(finding["level"])}, {_text(finding["check"])}:'
        f"</b> {_text(finding['text'])}; {_text(finding['advice'])}</li>"
        for finding in content["findings"]
    )
    tries = "".join(
        f"<tr><td>{_text(attempt['what'])}</td><td>{attempt['registered']} photos</td></tr>"
        for attempt in content["tries"]
    )
    figures = "".join(_figure(photo, photos, masks) for photo in content["photos"])
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Capture: {verdict}</title>
<style>{STYLE}</style></head><body>
<h1 class="{"" if content["passed"] else "error"}">{content["registered"]} of {content["given"]}
photos have a pose: {verdict}</h1>
<ul>{findings or "<li>no finding</li>"}</ul>
<table>{tries}</table>
<p>{content["points"]:,} points, {content["reprojection"]:.2f} pixels off on average, each seen in
{content["track_length"]:.1f} photos.</p>
{_cameras(scene) if scene else ""}
<h2>The photos in their order</h2>
<p>Framed green: with a pose. Framed red: without, for the reason below it.
{"Magenta: what the mask leaves out." if masks is not None else ""}</p>
<div class="photos">{figures}</div>
</body></html>
"""
    (folder / PAGE).write_text(page, encoding="utf-8")


def _cameras(scene: Scene) -> str:
    return f"""<h2>Where the photos were taken from</h2>
<img class="cameras" alt="cameras from above and from the side" src="{_png(camera_picture(scene))}">
"""


def _figure(photo: dict[str, Any], photos: Path, masks: Path | None) -> str:
    name = f"{photo['group']}/{photo['name']}.png"
    with Image.open(photos / name) as image:
        small = image.convert("RGB")
    small.thumbnail((4 * HEIGHT, HEIGHT))
    if masks is not None and (masks / f"{name}.png").exists():
        with Image.open(masks / f"{name}.png") as mask:
            alpha = np.asarray(mask.resize(small.size), np.float32)[..., None] / 255.0
        mixed = 0.45 * np.asarray(small, np.float32) + 0.55 * np.array(OUTSIDE, np.float32)
        shown = alpha * np.asarray(small, np.float32) + (1.0 - alpha) * mixed
        small = Image.fromarray(shown.round().astype(np.uint8))
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=QUALITY)
    data = base64.b64encode(buffer.getvalue()).decode()
    kind = "in" if photo["registered"] else "out"
    below = photo["source"] + (f": {photo['reason']}" if photo["reason"] else "")
    return (
        f'<figure class="{kind}"><img alt="" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{_text(below)}</figcaption></figure>"
    )


def _png(image: Image.Image) -> str:
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _text(value: str) -> str:
    return html.escape(str(value))
