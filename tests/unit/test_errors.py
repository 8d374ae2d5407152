"""Errors speak of arguments; the command line alone speaks of its options."""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from mobile_nelf import errors
from mobile_nelf.cli import COMMANDS
from mobile_nelf.errors import MnelfError, OutputError
from mobile_nelf.outputs import refuse_existing
from tests.helpers import ROOT

#: An option, unless it is part of a whole command line in backticks.
OPTION = re.compile(r"(?<![\w-])--[a-z]")


def _raises() -> Iterator[tuple[Path, ast.Raise]]:
    for top in (ROOT / "mobile_nelf", ROOT / "exporters" / "mobile_nelf_exporters"):
        for path in sorted(top.rglob("*.py")):
            if "cli" not in path.relative_to(top).parts:
                tree = ast.parse(path.read_text(encoding="utf-8"))
                yield from ((path, node) for node in ast.walk(tree) if isinstance(node, ast.Raise))


def _options() -> set[str]:
    names = set()
    for name in COMMANDS:
        command = import_module(f"mobile_nelf.cli.commands.{name}").command
        for inner in (command, *getattr(command, "commands", {}).values()):
            for parameter in inner.params:
                if isinstance(parameter, click.Option):
                    names |= set(parameter.opts)
    return names


def test_the_sdk_names_no_option_of_the_command_line():
    found = [
        f"{path}:{node.lineno}"
        for path, node in _raises()
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
        if OPTION.search(re.sub(r"`mnelf [^`]*(`|$)", "", part.value))
    ]
    assert found == []


def test_every_argument_that_an_error_names_is_an_option():
    options = _options()
    named = [
        element.value
        for _, node in _raises()
        for call in ast.walk(node)
        if isinstance(call, ast.keyword) and call.arg == "arguments"
        for element in ast.walk(call.value)
        if isinstance(element, ast.Constant)
    ]
    assert len(named) > 20
    assert [name for name in named if f"--{name.replace('_', '-')}" not in options] == []


def test_an_error_knows_its_arguments(tmp_path):
    with pytest.raises(OutputError) as caught:
        refuse_existing(tmp_path, force=False)
    assert caught.value.arguments == ("output", "force")
    assert str(caught.value).endswith("exists already; choose another output or set force")
    assert pickle.loads(pickle.dumps(caught.value)).arguments == ("output", "force")


def test_every_public_error_is_one_of_ours():
    classes = [getattr(errors, name) for name in errors.__all__ if name != "require"]
    assert all(issubclass(cls, MnelfError) and cls("text").arguments == () for cls in classes)
