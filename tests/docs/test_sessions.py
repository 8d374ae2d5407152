"""README and site are real: each command runs and prints what is shown, each Python block runs."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from PIL import Image

from mobile_nelf.cli import COMMANDS, cli
from mobile_nelf.export.targets import exporter_targets
from tests.docs.pages import (
    ENVIRONMENT,
    PAGES,
    agrees,
    blocks,
    furnish,
    records,
    run,
    steps,
    words,
)
from tests.helpers import ROOT
from tests.helpers.cli import said

#: `mnelf train` in seconds: what it says does not depend on how long it runs.
SHORT = ("--teacher-steps", "20", "--steps", "5", "--photo-steps", "5")
SIDE = 24
PHOTOS = {"train": 20, "test": 2}

LONGEST_README = 130

#: Pages with the longest commands, for `make test-all`.
LONG = (
    "docs/extending.md",
    "docs/guides/compress.md",
    "docs/guides/ipad.md",
    "docs/guides/lens-studio.md",
    "docs/guides/photos.md",
    "docs/guides/python.md",
)


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def small_workplace(tmp_path: Path) -> Path:
    """The mic with few photos, all of them tiny."""
    for split, count in PHOTOS.items():
        cameras = json.loads((ROOT / f"examples/mic/transforms_{split}.json").read_text())
        every = len(cameras["frames"]) // count
        cameras["frames"] = cameras["frames"][: every * count : every]
        folder = tmp_path / "examples" / "mic"
        (folder / split).mkdir(parents=True)
        (folder / f"transforms_{split}.json").write_text(json.dumps(cameras))
        for frame in cameras["frames"]:
            photo = f"{frame['file_path']}.png"
            with Image.open(ROOT / "examples/mic" / photo) as image:
                image.resize((SIDE, SIDE), Image.Resampling.BOX).save(folder / photo)
    return tmp_path


@pytest.mark.skipif(
    shutil.which("node") is None, reason="lenses of README and site run in Node.js, not on PATH"
)
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=_name(page), marks=[pytest.mark.slow] if _name(page) in LONG else [])
        for page in PAGES
        if steps(page)
    ],
)
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path) -> None:
    """One test a page, because its blocks build on each other."""
    furnish(page, tmp_path)
    for step in steps(page):
        printed = run(step, tmp_path)
        if step.shown.strip():
            assert agrees(step.shown, printed), (words(step.shown), words(printed), step.code)


@pytest.mark.slow
def test_records_have_the_words_of_a_short_run(small_workplace: Path) -> None:
    everything = [record for page in PAGES for record in records(page)]
    shown = [record for record in everything if record[0].startswith("mnelf train ")]
    assert len(shown) >= 2
    command = shlex.split(shown[0][0])
    assert command[:2] == ["mnelf", "train"]
    done = subprocess.run(
        [*command, *SHORT],
        cwd=small_workplace,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed = "\n".join([*said(done.stderr), done.stdout])
    for line, output in shown:
        assert shlex.split(line) == command
        assert agrees(output, printed), (output, printed)


def test_the_readme_is_short_and_shows_the_output_of_four_commands() -> None:
    readme = ROOT / "README.md"
    assert len(readme.read_text(encoding="utf-8").splitlines()) <= LONGEST_README
    shown = [(step.code, step.shown) for step in steps(readme)] + records(readme)
    assert all(output.strip() for _, output in shown)
    assert {line.split()[1] for line, _ in shown} >= {"train", "bundle", "verify", "preview"}


def _lines() -> list[tuple[str, str]]:
    """Every command line of `mnelf` in README and site, run or not."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        fenced = [b.content for b in blocks(page) if b.language in ("sh", "console", "text")]
        inline = re.findall(r"`(mnelf [^`]*)`", text)
        for line in [*"\n".join(fenced).splitlines(), *inline]:
            _, _, command = line.strip().rpartition("mnelf ")
            target = re.search(r"--target (\w+)", command)
            if target and target[1] not in exporter_targets():
                continue  # The session installs it first; it is run there, options and all.
            if line.strip().startswith(("mnelf ", "$ mnelf ", "torchrun ", "nohup mnelf ")):
                found.append((_name(page), command.partition(" > ")[0]))
    return found


@pytest.mark.parametrize(("page", "line"), sorted(set(_lines())))
def test_commands_and_options_that_are_named_exist(page: str, line: str) -> None:
    name, *arguments = shlex.split(line)
    assert name.startswith("-") or name in COMMANDS, line
    context = click.Context(cli, info_name="mnelf")
    command = cli if name.startswith("-") else cli.get_command(context, name)
    if isinstance(command, click.Group) and arguments and not name.startswith("-"):
        command = command.get_command(context, arguments[0])
    known = {option for parameter in command.params for option in parameter.opts}
    known |= {option for parameter in command.params for option in parameter.secondary_opts}
    for argument in [name, *arguments]:
        if re.match(r"--?[a-z]", argument) and argument not in ("-h", "--help"):
            assert argument in known, line


def test_every_file_that_is_linked_exists() -> None:
    """Links between pages are checked when the site is built; these lead out of it."""
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target
    named = r"`((?:benchmarks|docs|examples|tests|ios_harness|templates|web_viewer)/[\w./-]+\.\w+)"
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(named, page.read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), (page, target)
