"""The page: script, style, scene, weights and poster in one HTML file, and back again."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import dataclass
from typing import Any

from mobile_nelf.errors import BundleError, ConfigError
from mobile_nelf.parsing import parse_json
from mobile_nelf.plain import from_dict
from mobile_nelf_exporters.templates import template_environment
from mobile_nelf_exporters.web.script import element_module, page_script, page_style
from mobile_nelf_exporters.web.steps import Program

__all__ = ["ELEMENT", "PAGE", "WEIGHTS", "Page", "read_page", "render_page"]

PAGE = "index.html"

#: Weights beside the page, where they are too large for it.
WEIGHTS = "weights.bin"

#: The custom element and `create`, for pages of others.
ELEMENT = "mnelf-view.js"

#: Bytes of weights up to which they are inside the page, whose text makes them a third longer and
#: is decoded before the first picture.
MAX_INSIDE = 10_000_000

_PART = r'<script type="{type}" id="{id}">(.*?)</script>'
_SCENE = re.compile(_PART.format(type="application/json", id="scene"), re.DOTALL)
_INSIDE = re.compile(_PART.format(type="application/octet-stream", id="weights"), re.DOTALL)
_POSTER = re.compile(r'<img id="poster" src="(data:image/[a-z]+;base64,[A-Za-z0-9+/=]*)"')


@dataclass(frozen=True)
class Page:
    """What is special in a page.

    Attributes:
        scene: `Scene` of web_viewer/src/types.d.ts.
        weights: bytes of the network's weights and biases.
        poster: data URI of the first reference frame.
    """

    scene: dict[str, Any]
    weights: bytes
    poster: str

    @property
    def program(self) -> Program:
        """The layers.

        Raises:
            BundleError: they are none of a student.
        """
        try:
            return from_dict(Program, self.scene.get("program"), "scene.program")
        except ConfigError as error:
            raise BundleError(f"{PAGE}: cannot be read ({error}); bundle it again") from error


def render_page(page: Page) -> dict[str, bytes]:
    """Returns the files of a page by name; the same page gives the same bytes."""
    script, style = page_script(), page_style() + _background(page.scene)
    inside = len(page.weights) <= MAX_INSIDE
    scene = {**page.scene, "weights_url": "" if inside else WEIGHTS}
    # Hashes allow this script and this style alone; everything else is denied by default.
    policy = {
        "default-src": "'none'",
        "script-src": _source(script),
        "style-src": _source(style),
        "img-src": "data:",
        "connect-src": "'none'" if inside and not page.scene["live"] else "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    text: str = (
        template_environment()
        .get_template(f"{PAGE}.j2")
        .render(
            policy="; ".join(f"{name} {value}" for name, value in policy.items()),
            theme=_theme(page.scene),
            changes=page.scene.get("changes", False),
            name=html.escape(page.scene["name"]),
            version=html.escape(page.scene["version"]),
            style=style,
            poster=page.poster,
            # A text that ends a script element must not stand in one.
            scene=json.dumps(scene, sort_keys=True, allow_nan=False).replace("<", "\\u003c"),
            weights=base64.b64encode(page.weights).decode() if inside else "",
            script=script,
        )
    )
    files = {PAGE: text.encode()}
    if not page.scene["live"]:
        files[ELEMENT] = element_module().encode()
    if not inside:
        files[WEIGHTS] = page.weights
    return files


def read_page(files: dict[str, bytes]) -> Page:
    """Returns what is special in the page among `files`.

    Raises:
        BundleError: it is missing or broken.
    """
    if PAGE not in files:
        raise BundleError(f"{PAGE}: is missing; bundle it again")
    try:
        text = files[PAGE].decode()
        scene, inside, poster = (_only(pattern, text) for pattern in (_SCENE, _INSIDE, _POSTER))
        data = parse_json(scene)
        url = data["weights_url"]
        weights = files[WEIGHTS] if url == WEIGHTS else base64.b64decode(inside, validate=True)
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{PAGE}: cannot be read ({error}); bundle it again") from error
    if hashlib.sha256(weights).hexdigest() != data.get("artefact_sha256"):
        raise BundleError(f"{PAGE}: its weights do not match their hash; bundle it again")
    return Page(data, weights, poster)


def _only(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.findall(text)
    if len(found) != 1:
        raise ValueError(f"found {len(found)} parts like {pattern.pattern}, expected one")
    only: str = found[0]
    return only


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _background(scene: dict[str, Any]) -> str:
    """The student's own background around its picture, so that no border is seen."""
    if scene["channels"] == 4:
        return ""
    red, green, blue = (round(255 * value) for value in scene["background"])
    return f":root {{ background: rgb({red} {green} {blue}); }}\n"


def _theme(scene: dict[str, Any]) -> str:
    """Dark or light buttons: by the background, or by what the visitor prefers."""
    if scene["channels"] == 4:
        return "themed"
    red, green, blue = scene["background"]
    return "dark" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5 else "light"
