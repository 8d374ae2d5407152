"""Writes into README and site what their commands print now, where the words have changed.

    python -m tests.docs.record [PAGE...]

Outputs whose words are the same keep their figures.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.docs.pages import LEFT_OUT, PAGES, agrees, furnish, run, steps


def record(page: Path) -> None:
    """Runs a page and replaces outputs that differ."""
    with tempfile.TemporaryDirectory() as folder:
        furnish(page, Path(folder))
        for step in steps(page):
            printed = run(step, Path(folder))
            if not step.shown.strip() or agrees(step.shown, printed):
                continue
            if LEFT_OUT in step.shown:
                sys.exit(f"{page}: leaves out a part of what is printed; mend by hand: {step.code}")
            lines = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
            text = page.read_text(encoding="utf-8")
            old = f"$ {step.code}\n{step.shown}"
            assert text.count(old) == 1, step.code
            page.write_text(text.replace(old, f"$ {step.code}\n{lines}"), encoding="utf-8")
            print(f"{page}: {step.code}")


if __name__ == "__main__":
    for page in [Path(name).resolve() for name in sys.argv[1:]] or PAGES:
        record(page)
