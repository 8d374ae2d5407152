"""The modules of `web_viewer/` as one script: from a file, modules do not load."""

from __future__ import annotations

import re
from pathlib import Path

from mobile_nelf.assets import asset_dir

__all__ = ["element_module", "join_modules", "page_script", "page_style"]

#: What runs in a page, and what pages of others import.
MAIN = "main.js"
ELEMENT = "element.js"

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w.]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:function|const) (\w+)", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)

#: Comments on lines of their own, which a visitor need not load.
_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*\*.*?\*/[ \t]*)\n", re.MULTILINE | re.DOTALL)


def page_script() -> str:
    """Returns the script of every page that this version writes."""
    return join_modules(asset_dir("web_viewer") / "src", MAIN)


def element_module() -> str:
    """Returns the module with which other pages show a light field."""
    script = join_modules(asset_dir("web_viewer") / "src", ELEMENT)
    return f"{script}export const {{ create }} = {_variable(ELEMENT)};\n"


def page_style() -> str:
    """Returns the style of every page that this version writes."""
    return (asset_dir("web_viewer") / "style.css").read_text(encoding="utf-8")


def join_modules(folder: Path, main: str) -> str:
    """Returns a module and all that it imports as one script.

    Each module becomes a function that returns what it exports, so that names in different modules
    do not meet.

    Args:
        folder: of the modules; they import each other by name as `import { a } from "./b.js"`.
        main: the one that runs.

    Raises:
        ValueError: a module imports or exports in another form, or modules import in a circle.
    """
    parts: list[str] = []
    done: set[str] = set()

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"modules import in a circle: {' → '.join((*above, name))}")
        if name in done:
            return
        text = (folder / name).read_text(encoding="utf-8")
        for match in _IMPORT.finditer(text):
            add(match[2], (*above, name))
        parts.append(_wrapped(name, text))
        done.add(name)

    add(main, ())
    return '"use strict";\n' + "".join(parts)


def _wrapped(name: str, text: str) -> str:
    exported = _EXPORT.findall(text)
    body = _IMPORT.sub(lambda match: f"const {{{match[1]}}} = {_variable(match[2])};\n", text)
    body = re.sub(r"^export (?=async function|function|const)", "", body, flags=re.MULTILINE)
    other = _OTHER.search(body)
    if other:
        raise ValueError(f"{name}: cannot join `{other[0]}`; use named imports and exports")
    body = _COMMENT.sub("", body).strip()
    result = f"return {{ {', '.join(exported)} }};"
    return f"const {_variable(name)} = (() => {{\n{body}\n{result}\n}})();\n"


def _variable(name: str) -> str:
    return "$" + re.sub(r"\W", "_", name.removesuffix(".js"))
