"""Plain text: what results show of themselves in a notebook or a shell, and commands to copy."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence

__all__ = ["Command", "command_line", "text_fields", "text_table"]


class Command(str):
    """A command line that people copy into a shell; it is shown whole, on one line."""


def command_line(words: str, *paths: str | os.PathLike[str]) -> Command:
    """Returns a command line of mnelf with its paths quoted for a shell.

    Args:
        words: subcommand and options, with `{}` for each path.
        paths: as they are; one that looks like an option gets `./`.
    """
    texts = [os.fspath(path) for path in paths]
    quoted = [shlex.quote(f"./{text}" if text[:1] == "-" else text) for text in texts]
    return Command(f"mnelf {words.format(*quoted)}")


def text_fields(fields: Mapping[str, str]) -> str:
    """Returns names and values in two columns; empty values are left out."""
    shown = {name: value for name, value in fields.items() if value}
    width = max(map(len, shown), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in shown.items())


def text_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: int = 0) -> str:
    """Returns a table; the last `right` columns hold numbers and end at the same place."""
    lines = [columns, *rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    first = len(columns) - right
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index < first else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
