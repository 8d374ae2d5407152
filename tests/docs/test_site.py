"""The site builds, with a page for each command and without a broken link."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mobile_nelf.cli import COMMANDS
from tests.docs.pages import DOCS, ENVIRONMENT
from tests.helpers import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        # Not --quiet: strict counts the warnings that are logged.
        ["mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_there(site: Path) -> None:
    for page in DOCS.rglob("*.md"):
        path = page.relative_to(DOCS).with_suffix("")
        path = path.parent if path.name == "index" else path
        assert (site / path / "index.html").is_file(), page


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_page_with_its_options(site: Path, command: str) -> None:
    page = (site / "commands" / command / "index.html").read_text(encoding="utf-8")
    assert f"mnelf {command}" in page
    assert "--debug" in page


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for tag in ("<script src=", "<img src=", "<iframe"):
            for part in text.split(tag)[1:]:
                assert "//" not in part[:60].split(">")[0], (page, part[:60])
        assert "fonts.g" not in text
