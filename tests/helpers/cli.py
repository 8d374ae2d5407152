"""What tests of the command line expect of its output."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from mobile_nelf.cli._printing import JSON_SCHEMA

__all__ = ["PROGRESS_LINE", "fits", "mnelf_process", "read_json", "said"]

#: The widest line of a report where there is no terminal.
COLUMNS = 100

#: What long work prints where there is no terminal.
PROGRESS_LINE = re.compile(
    r"(?P<stage>[\w ]+): step [\d,]+ of [\d,]+, "
    r"(?:(?P<rate>[\d.e+]+ (?:steps/s|s a step)), ETA (?P<eta>[\d:]+)|[\d:]+ so far)"
    r"(?:, (?P<psnr>[\d.]+ dB))?"
)


def read_json(result):
    assert result.exit_code in (0, 1), result.output
    data = json.loads(result.stdout)
    assert data["schema"] == JSON_SCHEMA
    return data


def fits(result):
    """What was printed, once it fits; commands to copy stay in one line, however long a path is."""
    assert all(len(s) <= COLUMNS for s in result.stdout.splitlines() if "  mnelf " not in s)
    return result.stdout


def mnelf_process(folder: Path, *arguments: object, **settings: Any) -> subprocess.Popen:
    """The command in an interpreter of its own."""
    line = [sys.executable, "-c", "from mobile_nelf.cli import main; main()", *arguments]
    return subprocess.Popen(
        [*map(str, line)],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_the_keyboard,
        **settings,
    )


def hear_the_keyboard() -> None:
    """A shell that starts tests in the background has them ignore what a keyboard sends."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def said(stderr):
    """The lines on stderr, without those that a busy machine adds for being slow."""
    return [line for line in stderr.splitlines() if not PROGRESS_LINE.fullmatch(line)]
