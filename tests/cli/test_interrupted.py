"""Two runs in one folder, and signals that end a command."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from datetime import datetime
from pathlib import Path

import pytest

from mobile_nelf.cli._progress import RunReport
from tests.helpers.cli import mnelf_process
from tests.helpers.kills import leftovers, run, start_command
from tests.helpers.sphere import sphere_scene

TRAIN = ("train", "../ball", "-o", "ball.pt", "--preset", "tiny", "--device", "cpu")


def until(path: Path) -> None:
    """Waits for a file with something in it."""
    for _ in range(6000):
        if path.is_file() and path.stat().st_size:
            return
        time.sleep(0.01)
    pytest.fail(f"{path} did not appear")


def test_the_second_training_is_told_who_holds_the_folder(tmp_path):
    sphere_scene(tmp_path / "ball")
    folder = tmp_path / "here"
    folder.mkdir()
    first = start_command(folder, *TRAIN)
    until(folder / "ball.pt.run.lock")
    os.kill(first.pid, signal.SIGSTOP)
    assert run(folder, *TRAIN) == 2
    said = (tmp_path / "said").read_text().splitlines()[-1]
    found = re.fullmatch(
        r"mnelf: ball\.pt\.run: is in use by process (\d+) on (\S+) since (.*); wait until it "
        r"ends, or use another output \(--output\)",
        said,
    )
    assert found, said
    assert (int(found[1]), found[2]) == (first.pid, socket.gethostname())
    since = datetime.fromisoformat(found[3])
    assert abs((datetime.now(since.tzinfo) - since).total_seconds()) < 120.0
    # Whatever the second one wants to do there, and whoever it is.
    for line in ((*TRAIN, "--force"), ("student", *TRAIN[1:]), ("teacher", *TRAIN[1:])):
        assert run(folder, *line) == 2
        assert f"is in use by process {first.pid} on" in (tmp_path / "said").read_text()
    os.kill(first.pid, signal.SIGCONT)
    os.kill(first.pid, signal.SIGTERM)
    first.join()
    assert first.exitcode == 130
    assert [path.name for path in folder.glob("*.lock")] == []
    # A process that dies takes its lock along, whatever its file says.
    second = start_command(folder, *TRAIN)
    until(folder / "ball.pt.run.lock")
    second.kill()
    second.join()
    assert (folder / "ball.pt.run.lock").is_file()
    assert run(folder, *TRAIN) == 0
    assert leftovers(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_term_interrupts_as_int_does(tmp_path, student, number):
    process = mnelf_process(tmp_path, "render", student, "-o", "a.gif", "--frames", "100000")
    while process.poll() is None and not list(tmp_path.glob(".mnelf-*/new")):
        time.sleep(0.01)
    process.send_signal(number)
    _, error = process.communicate(timeout=600)
    assert (process.returncode, error.strip()) == (130, "mnelf: interrupted")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["teacher", "student", "train"])
def test_an_interruption_says_how_to_go_on(mnelf, ball, tmp_path, tiny, monkeypatch, command):
    whole = RunReport._step
    heard = []

    def step(self, stage, done, *rest):
        whole(self, stage, done, *rest)
        heard.append(done)
        if len(heard) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunReport, "_step", step)
    result = mnelf(command, ball, "-o", "a.pt", *tiny)
    assert result.exit_code == 130
    assert result.stdout == ""
    last = "mnelf: interrupted; repeat the command to resume from a.pt.run"
    assert result.stderr.splitlines()[-1] == last
    resumed = mnelf(command, ball, "-o", "a.pt", *tiny)
    assert resumed.exit_code == 0, resumed.output
    assert ", resumed after step 4\n" in resumed.stderr


@pytest.mark.parametrize("command", ["teacher", "train"])
def test_an_interruption_before_anything_is_saved_leaves_nothing(
    mnelf, ball, tmp_path, tiny, monkeypatch, command
):
    def step(self, stage, done, *rest):
        raise KeyboardInterrupt

    monkeypatch.setattr(RunReport, "_step", step)
    result = mnelf(command, ball, "-o", "a.pt", *tiny)
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == "mnelf: interrupted"
    assert list(tmp_path.iterdir()) == []
