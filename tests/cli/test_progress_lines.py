"""Lines of progress where there is no terminal."""

from __future__ import annotations

import time

import pytest

from mobile_nelf.cli import _progress_lines
from mobile_nelf.cli._printing import progress_bar
from mobile_nelf.cli._progress_lines import EVERY_SECONDS, ProgressLines, Stage


def test_a_line_comes_at_least_every_half_minute():
    assert EVERY_SECONDS <= 30.0


@pytest.mark.parametrize(
    ("stage", "now", "line"),
    [
        (
            Stage("train", 0, 100.0, 1500, 13000, "27.1 dB"),
            160.0,
            "train: step 1,500 of 13,000, 25 steps/s, ETA 7:40, 27.1 dB",
        ),
        # Only the steps of this process count, not those before the resume.
        (
            Stage("teacher", 1000, 0.0, 1010, 2000),
            30.0,
            "teacher: step 1,010 of 2,000, 3 s a step, ETA 49:30",
        ),
        (
            Stage("run slow", 0, 0.0, 2, 8),
            3600.0,
            "run slow: step 2 of 8, 1.8e+03 s a step, ETA 3:00:00",
        ),
        (Stage("export", 0, 5.0, 0, 1), 35.0, "export: step 0 of 1, 0:30 so far"),
    ],
)
def test_a_line_has_step_rate_time_left_and_result(stage, now, line):
    assert stage.line(now) == line


def test_lines_come_even_if_a_step_takes_longer(capsys, monkeypatch):
    monkeypatch.setattr(_progress_lines, "EVERY_SECONDS", 0.02)
    with ProgressLines() as lines:
        lines.report("export", 0, 1)
        _wait_for_a_line(capsys, "export: step 0 of 1, 0:00 so far")
        lines.report("export", 1, 1)
        time.sleep(0.05)
        capsys.readouterr()
        time.sleep(0.1)
        assert capsys.readouterr().err == ""  # nothing is under way


def test_a_stage_of_the_same_name_begins_anew(capsys, monkeypatch):
    """The views before each stage of a student are two stages, each with its own rate."""
    monkeypatch.setattr(_progress_lines, "EVERY_SECONDS", 0.02)
    with progress_bar() as report:
        for done in range(4):
            report("views", done, 3)
        report("views", 1, 3)  # one was left of an earlier process
        _wait_for_a_line(capsys, "views: step 1 of 3, 0:00 so far")


def test_short_work_prints_nothing(capsys):
    with progress_bar() as report:
        report("render", 1, 2)
    assert capsys.readouterr() == ("", "")


def _wait_for_a_line(capsys, line):
    deadline = time.monotonic() + 60.0
    printed = ""
    while f"{line}\n" not in printed:
        assert time.monotonic() < deadline, printed
        time.sleep(0.01)
        printed += capsys.readouterr().err
