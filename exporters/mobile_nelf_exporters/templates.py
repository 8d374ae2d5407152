"""The Jinja2 environment of everything that is generated from `templates/`."""

from __future__ import annotations

import re
from typing import Any

from mobile_nelf._version import __version__
from mobile_nelf.assets import asset_dir
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.extras import import_extra

__all__ = ["render_readme", "template_environment"]

#: What Markdown takes for markup within a line; `_` is none between letters.
MARKDOWN = re.compile(r"([\\`*\[\]<>#|~&$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")


def template_environment() -> Any:
    """Returns a `jinja2.Environment` over `templates/` in which an unknown name is an error.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    jinja2 = import_extra("jinja2", extra="lens")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(asset_dir("templates")),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # YAML, JavaScript and Markdown, never HTML
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["markdown"] = _in_markdown
    return environment


def _in_markdown(text: str) -> str:
    """Text of the user in Markdown: one line, shown as it is, HTML included."""
    return MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def render_readme(template: str, name: str, contract: Contract, **more: Any) -> bytes:
    """Returns the README of a bundle.

    Args:
        template: may name `name`, `contract`, `version` and what is in `more`.
        name: of the project.
        contract: of its artefact.
        more: what only this target has.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    text: str = (
        template_environment()
        .get_template(template)
        .render(name=name, contract=contract, version=__version__, **more)
    )
    return text.encode()
