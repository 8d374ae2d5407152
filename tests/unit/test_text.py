"""Commands that people copy into a shell."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from mobile_nelf.cli._printing import print_fields
from mobile_nelf.text import command_line


@pytest.mark.parametrize(
    "path", ["mic", "my  scene", "it's", "$(touch x)", "`x`", "a;b", "ä", "*", "a\\b", "~x", "#x"]
)
def test_a_shell_reads_the_path_that_was_meant(path):
    line = command_line("verify {}", Path(path))
    assert shlex.split(line) == ["mnelf", "verify", path]


def test_plain_words_are_not_quoted():
    line = command_line("bundle {} --target lens", Path("out/mic.pt"))
    assert line == "mnelf bundle out/mic.pt --target lens"


def test_a_path_is_never_an_option():
    assert command_line("verify {}", Path("--force")) == "mnelf verify ./--force"


def test_a_command_is_printed_whole(capsys):
    line = command_line("verify {}", Path("a  very long name " * 12))
    print_fields({"next": line})
    assert capsys.readouterr().out == f"next  {line}\n"
