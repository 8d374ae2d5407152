"""`mnelf view`, as a process of its own that a browser asks."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request

from mobile_nelf.checkpoints import save_checkpoint
from mobile_nelf.teachers.files import TrainedTeacher, save_teacher
from tests.helpers.cli import hear_the_keyboard
from tests.helpers.students import random_checkpoint
from tests.helpers.teachers import teacher_of


def test_the_page_is_served_until_it_is_interrupted(tmp_path):
    path = tmp_path / "thing.pt"
    save_checkpoint(random_checkpoint(sr_widths=(8,)), path)
    command = [sys.executable, "-c", "from mobile_nelf.cli import main; main()"]
    process = subprocess.Popen(
        [*command, "view", path, "--no-open", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_the_keyboard,
    )
    try:
        told = ""
        while "}" not in told:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            told += line
        said = json.loads(told)
        assert said["lan_url"] is None
        with urllib.request.urlopen(said["url"], timeout=600) as answer:
            assert b"<title>thing</title>" in answer.read()
    finally:
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=600)
    assert process.returncode == 0
    assert complaints == ""


def test_a_teacher_without_its_scene_names_the_option(mnelf, tmp_path):
    save_teacher(TrainedTeacher(teacher_of()), tmp_path / "ball.pt")
    result = mnelf("view", "ball.pt")
    assert result.exit_code == 2
    assert "--scene" in result.stderr


def test_the_help_says_how_it_ends(mnelf):
    assert "Ctrl-C ends it" in mnelf("view", "-h").stdout
