"""What tests of the command line expect of its output."""

from __future__ import annotations

import json

__all__ = ["fits", "read_json"]

#: The widest line of a report where there is no terminal.
COLUMNS = 100


def read_json(result):
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


def fits(result):
    assert max(map(len, result.stdout.splitlines())) <= COLUMNS
    return result.stdout
