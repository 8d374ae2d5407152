"""The page on scenes shows the cases that the tests run."""

from __future__ import annotations

from tests.docs.scene_table import PAGE, page_with_table
from tests.helpers.scene_cases import CASES


def test_the_table_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page_with_table(text) == text, "write it with python -m tests.docs.scene_table"


def test_every_case_has_a_row_of_its_own() -> None:
    rows = [(case.part, case.brought) for case in CASES]
    assert len(set(rows)) == len(rows)
    assert not any("|" in case.brought + case.happens for case in CASES)
