"""Plain text that results show of themselves in a notebook or a Python shell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["text_fields", "text_table"]


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
