"""What tests of the command line expect of its output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["fits", "mnelf_process", "read_json"]

#: The widest line of a report where there is no terminal.
COLUMNS = 100


def read_json(result):
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


def fits(result):
    assert max(map(len, result.stdout.splitlines())) <= COLUMNS
    return result.stdout


def mnelf_process(folder: Path, *arguments: object, **settings: Any) -> subprocess.Popen:
    """The command in an interpreter of its own."""
    line = [sys.executable, "-c", "from mobile_nelf.cli import main; main()", *arguments]
    return subprocess.Popen(
        [*map(str, line)], cwd=folder, stderr=subprocess.PIPE, text=True, **settings
    )
