"""What tests of the command line expect of its output."""

from __future__ import annotations

import json
import re

from mobile_nelf.cli._printing import JSON_SCHEMA

__all__ = ["PROGRESS_LINE", "fits", "read_json", "said"]

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
    assert max(map(len, result.stdout.splitlines())) <= COLUMNS
    return result.stdout


def said(stderr):
    """The lines on stderr, without those that a busy machine adds for being slow."""
    return [line for line in stderr.splitlines() if not PROGRESS_LINE.fullmatch(line)]
