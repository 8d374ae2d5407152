"""Messages, help texts, comments and docs are plain engineer's English; old phrases stay away."""

from __future__ import annotations

import re

import pytest

from tests.helpers import ROOT

#: What not to write, and what to write instead.
PHRASES = {
    "is no X: is not a X": re.compile(r"(?<![Tt]here )\b(?:is|are)\s+no\s(?=\s*[\w/])"),
    "goes on: resumes, continues": re.compile(r"\b[Gg]o(?:es|ing)?\s+on\b"),
    "may surprise: warning": re.compile(r"\bmay\s+surprise\b"),
    "stands on its head: is upside down": re.compile(r"\bstands?\s+on\s+(?:its|their)\s+head\b"),
    "tells nobody: ignores": re.compile(r"\b[Tt]ells\s+nobody\b"),
    "a help text begins with a noun or a verb": re.compile(
        r"help=\(?\s*f?\"(?:Of|That|In|By|At|To|The|A|An) ", re.MULTILINE
    ),
}
SUFFIXES = {".py", ".js", ".swift", ".j2", ".ts", ".md", ".html"}
FOLDERS = (
    "mobile_nelf",
    "exporters",
    "templates",
    "lens_project",
    "ios_harness",
    "web_viewer",
    "benchmarks",
    "docs",
    "examples",
    "tests/golden",
)


def _sources():
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    paths += ROOT.glob("*.md")
    return [
        path
        for path in paths
        if path.suffix in SUFFIXES
        and path.is_file()
        and "/." not in path.relative_to(ROOT).as_posix()  # what a build leaves
    ]


@pytest.mark.parametrize("advice", PHRASES)
def test_phrases_stay_away(advice: str) -> None:
    found = []
    sources = _sources()
    assert len(sources) > 200
    suffixes = {path.suffix for path in sources}
    assert {".py", ".js", ".swift", ".j2", ".md"} <= suffixes
    for path in sources:
        text = path.read_text(encoding="utf-8")
        for match in PHRASES[advice].finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{path.relative_to(ROOT)}:{line}: {match[0]}")
    assert found == []


def test_the_phrases_are_recognised() -> None:
    """What the expressions are for, and what they leave alone."""
    examples = (
        "f.pt: is no teacher",
        "the same command goes on",
        "what may surprise",
        "if the picture stands on its head",
        "Tells nobody.",
        'click.option("--seed", help="Of the run.")',
    )
    for example, expression in zip(examples, PHRASES.values(), strict=True):
        assert expression.search(example)
        assert not expression.search("there is no such file; an exporter is not a target")
