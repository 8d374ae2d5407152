"""A table: printed by the command line, drawn by the report of a bundle, kept in its manifest."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Table", "TableRow"]


@dataclass(frozen=True)
class TableRow:
    """A row of a table.

    Attributes:
        cells: as many as the table has columns.
        notes: sentences about the row, such as why a cell says no.
    """

    cells: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: its heading.
        columns: their headings.
        rows: at least one.
        numbers: how many of the last columns hold numbers.
        notes: sentences about the whole table.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    numbers: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuses rows that do not fit the columns."""
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(
                    f"a row of table {self.title!r} has {len(row.cells)} cells, expected one for "
                    f"each of {len(self.columns)} columns"
                )
