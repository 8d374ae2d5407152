"""The command line as a whole: it starts fast, lists what there is, and explains itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import get_args

import click
import pytest

import mobile_nelf
import mobile_nelf.cli.commands
from mobile_nelf import vocabulary
from mobile_nelf.cli import COMMANDS, cli
from mobile_nelf.cli._printing import JSON_SCHEMA, plain, print_json
from mobile_nelf.deploy.layouts import LAYOUTS
from mobile_nelf.students import ARCHITECTURES
from mobile_nelf.training.presets import PRESETS
from mobile_nelf_exporters.lens.paths import LensForm
from mobile_nelf_exporters.lens.versions import StudioName

#: How long a person who types `mnelf --help` waits at most, in seconds of one core.
HELP_SECONDS = 0.2

HEAVY = {"torch", "numpy", "PIL", "onnx", "onnxruntime", "rich", "torchmetrics"}


def _start(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from mobile_nelf.cli import main\n"
        "sys.argv = ['mnelf', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('MODULES', *sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    out = _start(code)
    loaded = set(out.partition("MODULES ")[2].split())
    assert "click" in loaded
    assert not loaded & HEAVY
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_imports_no_torch(command):
    code = (
        "import sys\n"
        "from mobile_nelf.cli import main\n"
        f"sys.argv = ['mnelf', {command!r}, '-h']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules)\n"
    )
    assert _start(code).endswith("False\n")


def test_help_answers_at_once():
    def seconds() -> float:
        before = os.times()
        _start("import sys; from mobile_nelf.cli import main; sys.argv = ['mnelf', '-h']; main()")
        after = os.times()
        user = after.children_user - before.children_user
        return user + after.children_system - before.children_system

    # Its own work and the fastest of five, since a busy machine says nothing about the program.
    assert min(seconds() for _ in range(5)) < HELP_SECONDS


def test_the_installed_entry_point_is_this_one():
    (point,) = (p for p in distribution("mobile-nelf").entry_points if p.name == "mnelf")
    assert point.load() is mobile_nelf.cli.main


def test_the_table_agrees_with_the_help_of_each_command():
    for name, text in COMMANDS.items():
        command = cli.get_command(None, name)
        assert command.name == name
        assert command.help.partition("\n")[0] == text


def test_every_command_module_is_listed():
    modules = {path.stem for path in Path(mobile_nelf.cli.commands.__path__[0]).glob("*.py")}
    assert modules - {"__init__"} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_has_help_json_and_debug(mnelf, command, flag):
    result = mnelf(command, flag)
    assert result.exit_code == 0
    assert "--json" in result.stdout
    assert "--debug" in result.stdout
    assert COMMANDS[command].rstrip(".").split(",")[0] in result.stdout


def test_without_a_command_the_help_is_shown(mnelf):
    result = mnelf()
    assert result.exit_code == 0
    assert result.stdout == mnelf("--help").stdout


def test_version(mnelf):
    assert mnelf("--version").stdout == f"mnelf {mobile_nelf.__version__}\n"


def test_choices_agree_with_the_library():
    words = [get_args(getattr(vocabulary, name)) for name in vocabulary.__all__]
    words += [get_args(StudioName), get_args(LensForm)]  # a target's own
    choices = {
        param.name: param.type.choices
        for name in COMMANDS
        for param in cli.get_command(None, name).params
        if isinstance(param.type, click.Choice)
    }
    assert {"layout", "activation", "weights", "experience", "preset", "backend"} <= set(choices)
    for found in choices.values():
        assert tuple(word for word in found if word != "auto") in [
            tuple(word for word in known if word != "auto") for known in words
        ]
    assert {layout.name for layout in LAYOUTS} == set(get_args(vocabulary.LayoutName))
    assert list(PRESETS) == list(get_args(vocabulary.PresetName))
    assert list(ARCHITECTURES) == list(get_args(vocabulary.Architecture))


def test_machines_are_answered_in_one_place():
    """All JSON goes through `print_json`, which adds the number of the schema."""
    sources = Path(mobile_nelf.cli.__path__[0]).rglob("*.py")
    assert [path.name for path in sources if "json.dump" in path.read_text()] == ["_printing.py"]


def test_json_begins_with_the_number_of_its_schema(capsys):
    print_json({"path": "mic.pt"})
    assert json.loads(capsys.readouterr().out) == {"schema": JSON_SCHEMA, "path": "mic.pt"}


def test_text_from_files_cannot_control_a_terminal():
    assert plain("a\x1b[31mb\n c\r\x07") == "a?[31mb c ?"
    assert plain("student → ×8, 60 dB") == "student → ×8, 60 dB"
