"""What the README and the pages of the site show: blocks that run, and commands that are named.

A block of `console` holds commands and what each prints, in the order in which they run; where
nothing is shown the command only has to succeed. A block of `python` runs as it stands. A block of
`text` that begins with `$ ` is the record of a run that took too long to repeat.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.helpers import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

#: Stands for output that is left out.
LEFT_OUT = "…"

#: The programs of this environment come first.
ENVIRONMENT = {
    **os.environ,
    "NO_COLOR": "1",
    "COLUMNS": "100",
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
}


@dataclass(frozen=True)
class Step:
    """One thing that a page does.

    Attributes:
        code: a command line, or the lines of a Python block.
        shown: what the page shows of its output.
        language: `console` or `python`.
    """

    code: str
    shown: str
    language: str


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """Returns language and content of the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"^```(\w+)[^\n]*\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [(language, content) for language, content in found if language in languages]


def commands(content: str) -> list[tuple[str, str]]:
    """Returns the command lines of a block, and what is shown below each."""
    parts = re.split(r"^\$ (.*)\n", content, flags=re.MULTILINE)
    assert parts[0] == "", "a session begins with a command"
    return list(zip(parts[1::2], parts[2::2], strict=True))


def steps(page: Path) -> list[Step]:
    """Returns what a page does, in its order."""
    found = []
    for language, content in blocks(page, "console", "python"):
        if language == "python":
            found.append(Step(content, "", language))
        else:
            found += [Step(command, shown, language) for command, shown in commands(content)]
    return found


def records(page: Path) -> list[tuple[str, str]]:
    """Returns command and output of runs that are shown and not repeated."""
    texts = [content for _, content in blocks(page, "text") if content.startswith("$ ")]
    return [pair for content in texts for pair in commands(content)]


def run(step: Step, folder: Path) -> str:
    """Runs a step in `folder` and returns what it prints.

    Raises:
        AssertionError: it failed.
    """
    python = step.language == "python"
    command = [sys.executable, "-c", step.code] if python else shlex.split(step.code)
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{step.code}\n{done.stdout}{done.stderr}"
    return done.stdout


def words(text: str) -> list[str]:
    """Words without figures, line breaks and rules, which differ between machines and widths."""
    text = re.sub(r"[─━]+", " ", text)
    return re.sub(r"\d[\d.,]*(e[+-]?\d+)?", "#", text).split()


def agrees(shown: str, printed: str) -> bool:
    """Whether the words of what is shown are those that were printed, but for what is left out."""
    parts = [re.escape(" ".join(words(part))) for part in shown.split(LEFT_OUT)]
    return re.fullmatch(r".*".join(parts), " ".join(words(printed))) is not None
