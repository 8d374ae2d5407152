"""What the target's own tool, which mnelf does not have, made of a bundle's project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mobile_nelf.export.tables import Table, TableRow

__all__ = ["Guess", "ToolReport"]


@dataclass(frozen=True)
class Guess:
    """Something that is not documented and that a bundle depends on.

    Attributes:
        text: a clause that begins with `that`.
        verdict: `open` where the tool's report says nothing of it.
        evidence: what the report says; empty while it is open.
    """

    text: str
    verdict: Literal["confirmed", "refuted", "open"]
    evidence: str = ""


@dataclass(frozen=True)
class ToolReport:
    """A project that was opened.

    Attributes:
        tool: its name and version.
        guesses: all that the bundle depends on.
        problems: what went wrong on opening, a sentence each.
        tables: what the tool has of the project.
    """

    tool: str
    guesses: tuple[Guess, ...]
    problems: tuple[str, ...]
    tables: tuple[Table, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing went wrong and no guess is refuted."""
        return not self.problems and all(guess.verdict != "refuted" for guess in self.guesses)

    @property
    def summary(self) -> str:
        """How many guesses hold, in a few words."""
        counts = {
            verdict: sum(guess.verdict == verdict for guess in self.guesses)
            for verdict in ("confirmed", "refuted", "open")
        }
        told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        return f"guesses with {self.tool}: {told}"

    @property
    def verdicts(self) -> Table:
        """The guesses as a table."""
        rows = (
            TableRow(
                (
                    guess.text,
                    guess.verdict
                    if guess.verdict == "open"
                    else f"{guess.verdict} with {self.tool}",
                    guess.evidence,
                )
            )
            for guess in self.guesses
        )
        return Table("Guesses", ("guess", "verdict", "evidence"), tuple(rows))
