"""The README's sessions are real: each command runs, and prints what the README shows."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mobile_nelf.cli import COMMANDS
from tests.helpers import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def _words(text: str) -> list[str]:
    """Words without figures, line breaks and rules, which differ between machines and widths."""
    text = re.sub(r"[─━]+", " ", text)
    return re.sub(r"\d[\d.,]*(e[+-]?\d+)?", "#", text).split()


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder


@pytest.mark.skipif(
    shutil.which("node") is None, reason="the README's lenses run in Node.js, which is not on PATH"
)
def test_the_sessions_print_what_the_readme_shows(workplace):
    """One test, because the sessions build on each other."""
    sessions = _blocks("console")
    assert len(sessions) >= 3
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "100"}
    for session in sessions:
        command, _, shown = session.partition("\n")
        name, *arguments = shlex.split(command.removeprefix("$ "))
        assert name == "mnelf"
        done = subprocess.run(
            [binaries / name, *arguments],
            cwd=workplace,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert shown.strip(), f"the README shows no output of {command}"
        assert _words(done.stdout) == _words(shown), command


def test_the_python_lines_run(workplace):
    (code,) = _blocks("python")
    subprocess.run([sys.executable, "-c", code], cwd=workplace, check=True)


def test_every_command_is_named():
    for command in COMMANDS:
        assert f"`mnelf {command}" in README, command


def test_every_file_that_the_readme_links_exists():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
