"""What tests of the command line expect of its output."""

from __future__ import annotations

import json

from mobile_nelf.cli._printing import JSON_SCHEMA

__all__ = ["fits", "read_json"]

#: The widest line of a report where there is no terminal.
COLUMNS = 100


def read_json(result):
    assert result.exit_code in (0, 1), result.output
    data = json.loads(result.stdout)
    assert data["schema"] == JSON_SCHEMA
    return data


def fits(result):
    assert max(map(len, result.stdout.splitlines())) <= COLUMNS
    return result.stdout
