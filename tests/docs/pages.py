"""What the README and the pages of the site show: blocks that run, and commands that are named.

- `console` holds commands and what each prints, in the order in which they run; where nothing is
  shown the command only has to succeed.
- `python` runs as it stands; with a title it is written to the file that the title names, as every
  block with a title is.
- `diff` with a title is an edit of that file of the SDK; pages with one run on a copy of the SDK.
- `text` that begins with `$ ` is the record of a run that took too long to repeat.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.helpers import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

#: What the SDK is made of, as in a clone.
SDK = ("mobile_nelf", "exporters", "templates", "lens_project", "ios_harness", "web_viewer")
INSTALL = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation")

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
class Block:
    """A fenced block.

    Attributes:
        language: the first word behind the fence.
        title: the file that it is; empty for none.
        content: its lines.
    """

    language: str
    title: str
    content: str


@dataclass(frozen=True)
class Step:
    """One thing that a page does.

    Attributes:
        kind: `command`, `python`, `file` or `edit`.
        code: the command line, the Python code, or the lines of the file or edit.
        shown: what the page shows of a command's output.
        file: what is written or edited.
    """

    kind: str
    code: str
    shown: str = ""
    file: str = ""


def blocks(page: Path) -> list[Block]:
    """Returns the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    fence = r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$'
    return [Block(*found) for found in re.findall(fence, text, flags=re.DOTALL | re.MULTILINE)]


def commands(content: str) -> list[tuple[str, str]]:
    """Returns the command lines of a block, and what is shown below each."""
    parts = re.split(r"^\$ (.*)\n", content, flags=re.MULTILINE)
    assert parts[0] == "", "a session begins with a command"
    return list(zip(parts[1::2], parts[2::2], strict=True))


def steps(page: Path) -> list[Step]:
    """Returns what a page does, in its order."""
    found = []
    for block in blocks(page):
        if block.title:
            kind = "edit" if block.language == "diff" else "file"
            found.append(Step(kind, block.content, file=block.title))
        elif block.language == "python":
            found.append(Step("python", block.content))
        elif block.language == "console":
            found += [Step("command", line, shown) for line, shown in commands(block.content)]
    return found


def records(page: Path) -> list[tuple[str, str]]:
    """Returns command and output of runs that are shown and not repeated."""
    texts = [block.content for block in blocks(page) if block.language == "text"]
    return [pair for content in texts if content.startswith("$ ") for pair in commands(content)]


def furnish(page: Path, folder: Path) -> None:
    """Puts into `folder` what a page takes for granted: examples, and the SDK if it edits that."""
    (folder / "examples").symlink_to(ROOT / "examples")
    if any(step.kind == "edit" for step in steps(page)):
        for name in SDK:
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )


def run(step: Step, folder: Path) -> str:
    """Does a step in `folder` and returns what it prints.

    Raises:
        AssertionError: it failed.
    """
    path = folder / step.file
    if step.kind == "file":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.code, encoding="utf-8")
        return ""
    if step.kind == "edit":
        path.write_text(_edited(path.read_text(encoding="utf-8"), step), encoding="utf-8")
        return ""
    command = [sys.executable, "-c", step.code] if step.kind == "python" else shlex.split(step.code)
    if command[:2] == ["pip", "install"]:
        # What it depends on is there, and it must not stay when the test is over.
        command = [sys.executable, "-m", *command, *INSTALL, "--target", str(folder / "site")]
    search = [folder / "site", folder, folder / "exporters"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(map(str, search))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{step.code}\n{done.stdout}{done.stderr}"
    return done.stdout


def _edited(text: str, step: Step) -> str:
    """The text after an edit, each hunk of which must fit once."""
    for hunk in re.split(r"^@@.*\n", step.code, flags=re.MULTILINE):
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] != "+")
        new = "".join(line[1:] for line in lines if line[0] != "-")
        assert text.count(old) == 1, f"{step.file} does not hold once:\n{old}"
        text = text.replace(old, new)
    return text


def words(text: str) -> list[str]:
    """Words without figures, line breaks and rules, which differ between machines and widths."""
    text = re.sub(r"[─━]+", " ", text)
    return re.sub(r"\d[\d.,]*(e[+-]?\d+)?", "#", text).split()


def agrees(shown: str, printed: str) -> bool:
    """Whether the words of what is shown are those that were printed, but for what is left out."""
    parts = [re.escape(" ".join(words(part))) for part in shown.split(LEFT_OUT)]
    return re.fullmatch(r".*".join(parts), " ".join(words(printed))) is not None
