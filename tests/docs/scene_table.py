"""The table of what scenes are read, noticed and refused, from the cases that the tests run.

Write it into its page with `python -m tests.docs.scene_table`.
"""

from __future__ import annotations

from itertools import groupby

from tests.docs.pages import DOCS
from tests.helpers.scene_cases import CASES

PAGE = DOCS / "guides" / "scenes.md"
START, END = "<!-- cases of the tests -->\n", "<!-- end of the cases -->\n"
OUTCOMES = {"read": "read", "noticed": "read, with a notice", "refused": "refused"}


def table() -> str:
    """Returns a table for each part, in the order of the cases."""
    lines = []
    for part, cases in groupby(CASES, key=lambda case: case.part):
        lines += [f"## {part}", "", "| what is brought | | what happens |", "|---|---|---|"]
        lines += [f"| {c.brought} | {OUTCOMES[c.outcome]} | {c.happens} |" for c in cases]
        lines.append("")
    return "\n".join(["", *lines, ""])


def page_with_table(text: str) -> str:
    """Returns the text of the page with the table of today."""
    head, _, rest = text.partition(START)
    _, _, tail = rest.partition(END)
    return f"{head}{START}{table()}{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
