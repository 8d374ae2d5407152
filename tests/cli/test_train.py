"""Train and its parts, teacher, distill and student: the real commands on a ball of 12×12."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import threading
import time
import urllib.request
import webbrowser
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from mobile_nelf import viewing
from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.cli import _progress_lines, cli
from mobile_nelf.cli._progress import RunReport
from mobile_nelf.evaluation import PROTOCOL
from mobile_nelf.plain import from_dict
from mobile_nelf.pruning.widths import parameters
from mobile_nelf.runs import config_path
from mobile_nelf.students import StudentConfig
from mobile_nelf.teachers.files import load_teacher
from mobile_nelf.training import presets
from mobile_nelf.training.student.make import StudentPlan
from mobile_nelf.viewing import TrainingView
from tests.helpers.cli import PROGRESS_LINE, fits, read_json, said
from tests.helpers.sphere import (
    PRESET,
    assert_same_weights,
    rank_environments,
    start,
)

#: In each phase of `mnelf train`: what is under way and how far it is when the process dies. The
#: test views are judged twice, first with the teacher.
KILLS = (
    ("teacher", 3),
    ("evaluate", 1),
    ("views", 2),
    ("train", 6),
    ("photos", 5),
    ("evaluate", 1),
)


def run_in_process(
    folder: Path,
    arguments: tuple[str, ...],
    kill_at: tuple[str, int] | None = None,
    environment: dict[str, str] | None = None,
) -> None:
    """A command line in a process that may kill itself; what it prints is put into files."""
    torch.set_num_threads(1)
    os.environ.update(environment or {})
    os.chdir(folder)
    rank = os.environ.get("RANK", "0")
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(f"{name}.{rank}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC), descriptor)
    presets.PRESETS = {"tiny": PRESET}
    whole_step, whole_progress = RunReport._step, RunReport.on_progress

    def step(self, stage, done, *rest):
        whole_step(self, stage, done, *rest)
        die(stage, done)

    def progress(self, stage, done, total):
        whole_progress(self, stage, done, total)
        die(stage, done)

    def die(stage, done):
        if (stage, done) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    RunReport._step, RunReport.on_progress = step, progress
    cli([*arguments, "--preset", "tiny", "--device", "cpu"], prog_name="mnelf")


@pytest.fixture(scope="module")
def unbroken(ball, tmp_path_factory) -> Path:
    """The checkpoint of a run of `mnelf train` that nothing stopped."""
    folder = tmp_path_factory.mktemp("unbroken")
    process = start(run_in_process, folder, ("train", str(ball), "-o", "ball.pt"))
    process.join()
    assert process.exitcode == 0
    return folder / "ball.pt"


def test_train_says_what_it_does_and_what_came_of_it(unbroken):
    folder = unbroken.parent
    errors = said((folder / "stderr.0").read_text())
    assert "a teacher (torch), then student D4-SR1" in errors[0]
    assert errors[1] == "if interrupted, repeat the command to resume from ball.pt.run"
    assert errors[2] == "1/3 teacher: 5 steps on 8 photos"
    assert errors[3] == "evaluating 2 test views"
    assert errors[4].startswith("teacher: ")
    assert errors[4].endswith(" dB on the test views")
    assert errors[5] == "2/3 student: 10 steps"
    assert errors[6] == "3/3 photos: up to 9 steps, while it gains on photos held out"
    assert errors[7:] == ["evaluating 2 test views"]
    out = (folder / "stdout.0").read_text()
    for text in (
        "ball.pt.run/teacher.pt",
        "10 steps on 12 views",
        "photos held out ",
        "mnelf bundle ball.pt --target lens",
        PROTOCOL,
    ):
        assert text in out
    trained = load_checkpoint(unbroken)
    assert trained.provenance["source"] == "mnelf train"
    assert f"{trained.metrics['test_psnr_db']:.2f}" in out
    settings = json.loads(config_path(unbroken).read_text())
    assert from_dict(StudentPlan, {k: settings[k] for k in StudentPlan.__dataclass_fields__})
    teacher = folder / "ball.pt.run" / "teacher.pt"
    assert json.loads(config_path(teacher).read_text())["steps"] == 5


def test_train_is_watched_without_a_change_to_its_result(
    unbroken, ball, tiny, mnelf, tmp_path, monkeypatch
):
    asked = threading.Event()
    pictures: list[bytes] = []
    whole = TrainingView._frame

    def frame(self, *arguments):
        asked.set()
        return whole(self, *arguments)

    def ask(url):
        address = f"{url}frame.jpg?width=12&height=12&pose=1,0,0,0,0,1,0,0,0,0,1,4"
        with urllib.request.urlopen(address) as answer:
            pictures.append(answer.read())

    def browse(url):
        threading.Thread(target=ask, args=(url,)).start()
        asked.wait()

    monkeypatch.setattr(TrainingView, "_frame", frame)
    monkeypatch.setattr(viewing.training, "PATIENCE", 600.0)
    monkeypatch.setattr(webbrowser, "open", browse)
    result = mnelf("train", ball, "-o", "ball.pt", *tiny, "--view")
    assert result.exit_code == 0, result.stderr
    assert "watch it at http://localhost:" in result.stderr
    assert Image.open(io.BytesIO(pictures[0])).size == (12, 12)
    assert_same_weights(load_checkpoint(tmp_path / "ball.pt"), load_checkpoint(unbroken))


def test_train_goes_on_after_a_kill_in_each_phase(unbroken, ball, tmp_path):
    """One run that dies again and again, and ends with the weights of one that never did."""
    line = ("train", str(ball), "-o", "ball.pt")
    for kill_at in KILLS:
        process = start(run_in_process, tmp_path, line, kill_at)
        process.join()
        assert process.exitcode == -signal.SIGKILL, kill_at
        assert not (tmp_path / "ball.pt").exists()
    process = start(run_in_process, tmp_path, line)
    process.join()
    assert process.exitcode == 0
    assert "teacher: reused from the last run" in (tmp_path / "stderr.0").read_text()
    assert (tmp_path / "ball.pt").read_bytes() == unbroken.read_bytes()
    for path in (config_path(unbroken), unbroken.parent / "ball.pt.run" / "teacher.pt"):
        assert (tmp_path / path.relative_to(unbroken.parent)).read_bytes() == path.read_bytes()
    left = [
        sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
        for folder in (tmp_path, unbroken.parent)
    ]
    assert left[0] == left[1]


def test_train_under_torchrun(unbroken, ball, tmp_path):
    """The first process trains the teacher, both the student, and the first one speaks."""
    line = ("train", str(ball), "-o", "ball.pt", "--no-photo-stage")
    processes = [
        start(run_in_process, tmp_path, line, environment=environment)
        for environment in rank_environments(2)
    ]
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    teachers = [path.parent / "ball.pt.run" / "teacher.pt" for path in (unbroken, tmp_path / "x")]
    assert teachers[0].read_bytes() == teachers[1].read_bytes()
    trained = load_checkpoint(tmp_path / "ball.pt")
    # Both rendered their share.
    assert trained.provenance["views_seen"] == "24"
    assert json.loads(config_path(tmp_path / "ball.pt").read_text())["processes"] == 2
    assert (tmp_path / "stdout.1").read_text() == (tmp_path / "stderr.1").read_text() == ""
    assert "1/2 teacher: 5 steps" in (tmp_path / "stderr.0").read_text()


def test_the_parts_do_what_train_does(mnelf, ball, tmp_path, tiny, unbroken):
    made = read_json(mnelf("teacher", ball, "-o", "t.pt", *tiny, "--json"))
    assert made["view_seconds"] > 0.0
    result = mnelf("teacher", ball, "-o", "t.pt", *tiny, "--force")
    assert result.exit_code == 0, result.output
    out = " ".join(fits(result).split())  # the path of the scene may be too long for a line
    for text in ("back-end torch", "s a view of 12×12", "-o student.pt --teacher t.pt", PROTOCOL):
        assert text in out
    assert (tmp_path / "t.pt.config.json").is_file()
    one = load_teacher(unbroken.parent / "ball.pt.run" / "teacher.pt", torch.device("cpu"))
    assert load_teacher(tmp_path / "t.pt", torch.device("cpu")).sha256() == one.sha256()

    measured = read_json(mnelf("eval", "t.pt", ball, "--json"))["subsets"]["all"]["mean"]
    assert {f"test_{name}": value for name, value in measured.items()} == one.metrics

    result = mnelf("student", ball, "-o", "s.pt", "--teacher", "t.pt", *tiny)
    assert result.exit_code == 0, result.output
    assert_same_weights(load_checkpoint(tmp_path / "s.pt"), load_checkpoint(unbroken))


def test_a_student_learns_from_views_on_disk(mnelf, ball, tmp_path, tiny, unbroken):
    teacher = unbroken.parent / "ball.pt.run" / "teacher.pt"
    line = ("distill", teacher, ball, "-o", "views", "--views", "12", "--device", "cpu")
    result = mnelf(*line, "--quality", "100")
    assert result.exit_code == 0, result.output
    assert "12 views of 12×12" in fits(result)
    assert f"mnelf student {ball} -o student.pt --views views" in " ".join(result.stdout.split())
    assert len(list((tmp_path / "views" / "train").iterdir())) == 12
    report = read_json(mnelf(*line, "--force", "--json"))
    assert report["bytes"] == sum(
        path.stat().st_size for path in (tmp_path / "views").rglob("*") if path.is_file()
    )
    line = ("student", ball, "-o", "s.pt", "--views", "views", *tiny)
    report = read_json(mnelf(*line, "--alpha", "--photo-steps", "3", "--json"))
    assert report["student"]["out_channels"] == 4
    assert report["photo_stage"]["fit"]["steps"] == 3
    stages = report["stages"]
    assert (stages["train"]["steps"], stages["train"]["views"]) == (10, 12)
    assert stages["train"]["photo_psnr_db"] is None
    assert stages["photos"]["photo_psnr_db"] >= stages["photos"]["start_psnr_db"] > 0.0
    assert load_checkpoint(tmp_path / "s.pt").provenance["views_seen"] == "12"

    tail = ("--initial", "s.pt", "--train-only", "tail", "--no-photo-stage", "--half")
    line = ("student", ball, "-o", "t.pt", "--views", "views", *tiny, *tail)
    report = read_json(mnelf(*line, "--loss", "charbonnier", "--learning-rate", "1e-3", "--json"))
    assert report["fit"]["loss"] == "charbonnier"
    assert report["fit"]["learning_rate"] == 1e-3
    assert report["photo_stage"] is None
    first, second = (load_checkpoint(tmp_path / name) for name in ("s.pt", "t.pt"))
    assert second.student == first.student
    changed = {
        name.partition(".")[0]
        for name, value in second.weights.items()
        if not torch.equal(value, first.weights[name].half().float())
    }
    assert changed == {"tail"}


def test_a_student_that_is_pruned_while_it_trains(mnelf, ball, tmp_path, tiny, monkeypatch):
    preset = replace(PRESET, batchnorm=False, width=16)
    monkeypatch.setattr(presets, "PRESETS", {"tiny": preset})
    line = ("student", ball, "-o", "a.pt", "--prune-to", "0.5", *tiny)
    result = mnelf(*line)
    assert result.exit_code == 0, result.output
    assert "student: 10 steps, then cut to 50% of its parameters" in said(result.stderr)
    written = load_checkpoint(tmp_path / "a.pt")
    assert f"{parameters(written.student):,} parameters, widths" in fits(result)
    report = read_json(mnelf(*line, "--force", "--json"))
    assert report["prune_to"] == 0.5
    assert from_dict(StudentConfig, report["student"]) == written.student
    part = ("--prune-to", "0.5", "--initial", "a.pt", "--train-only", "tail")
    refused = mnelf("student", ball, "-o", "b.pt", *part, *tiny)
    assert refused.exit_code == 2
    assert "leave out train_only (--prune-to, --train-only)" in refused.stderr


def test_a_student_of_photos_alone(mnelf, ball, tmp_path, tiny):
    result = mnelf("student", ball, "-o", "a.pt", *tiny)
    assert result.exit_code == 0, result.output
    assert PROTOCOL in fits(result)
    assert said(result.stderr) == [
        f"{ball}: student D4-SR1 on the photos",
        "if interrupted, repeat the command to resume from a.pt.run",
        "student: 10 steps",
        "evaluating 2 test views",
    ]
    names = ["a.pt", "a.pt.config.json", "a.pt.run"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    trained = load_checkpoint(tmp_path / "a.pt")
    measured = read_json(mnelf("eval", "a.pt", ball, "--json"))["subsets"]["all"]["mean"]
    assert trained.metrics == pytest.approx(
        {f"test_{name}": value for name, value in measured.items()}
    )
    assert trained.provenance["views"].startswith("photos ")
    assert mnelf("student", ball, "-o", "a.pt", *tiny).exit_code == 2
    line = ("student", ball, "-o", "a.pt", *tiny, "--force", "--half", "--steps", "2", "--json")
    report = read_json(mnelf(*line))
    assert (report["fit"]["steps"], report["half"]) == (2, True)
    # What is told of a student is that of the file, with its rounded weights.
    assert (
        report["evaluation"]["views"] == read_json(mnelf("eval", "a.pt", ball, "--json"))["views"]
    )


def test_without_a_terminal_long_work_says_how_far_it_is(mnelf, ball, tiny, monkeypatch):
    """The real commands, with slow steps and a line every 0.03 s instead of 30."""
    monkeypatch.setattr(_progress_lines, "EVERY_SECONDS", 0.03)
    for method in ("_step", "on_progress"):
        whole = getattr(RunReport, method)

        def slow(self, *rest, whole=whole):
            whole(self, *rest)
            time.sleep(0.05)

        monkeypatch.setattr(RunReport, method, slow)

    def lines(*arguments):
        result = mnelf(*arguments)
        assert result.exit_code == 0, result.output
        found = [PROGRESS_LINE.fullmatch(line) for line in result.stderr.splitlines()]
        return [match for match in found if match]

    found = lines("train", ball, "-o", "ball.pt", *tiny)
    assert {"teacher", "evaluate", "views", "train", "photos"} <= {line["stage"] for line in found}
    for stage in ("teacher", "train", "photos"):
        of_stage = [line for line in found if line["stage"] == stage]
        assert any(line["rate"] and line["eta"] for line in of_stage)
        assert all(line["psnr"] for line in of_stage)
    line = ("ball.pt.run/teacher.pt", ball, "-o", "views", "--views", "3", "--device", "cpu")
    assert {line["stage"] for line in lines("distill", *line)} == {"views"}


def test_an_interrupted_set_goes_on(mnelf, ball, tmp_path, unbroken, monkeypatch):
    whole = RunReport.on_progress

    def progress(self, stage, done, total):
        whole(self, stage, done, total)
        if done == 2:
            raise KeyboardInterrupt

    teacher = unbroken.parent / "ball.pt.run" / "teacher.pt"
    line = ("distill", teacher, ball, "-o", "views", "--views", "3", "--device", "cpu")
    with monkeypatch.context() as patch:
        patch.setattr(RunReport, "on_progress", progress)
        result = mnelf(*line)
    assert result.exit_code == 130
    assert "interrupted; repeat the command to resume from views.run" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["views.run"]
    assert mnelf(*line).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["views"]


def test_photos_are_cropped_to_what_the_rays_divide(mnelf, ball, tmp_path, tiny):
    shutil.copytree(ball, tmp_path / "odd")
    for path in (tmp_path / "odd").rglob("*.png"):
        with Image.open(path) as image:
            image.resize((15, 13)).save(path)
    result = mnelf("train", "odd", "-o", "a.pt", *tiny, "--no-photo-stage")
    assert result.exit_code == 0, result.output
    assert "cropped from 15×13 to 14×12" in result.stderr.splitlines()[0]
    trained = load_checkpoint(tmp_path / "a.pt")
    assert (trained.student.image_width, trained.student.image_height) == (14, 12)
    report = read_json(mnelf("eval", "a.pt", "odd", "--json"))
    assert (report["width"], report["height"]) == (14, 12)
    measured = report["subsets"]["all"]["mean"]["psnr_db"]
    assert measured == pytest.approx(trained.metrics["test_psnr_db"])

    assert mnelf("teacher", "odd", "-o", "t.pt", *tiny).exit_code == 0
    line = ("distill", "t.pt", "odd", "-o", "views", "--views", "3", "--device", "cpu")
    assert "3 views of 15×13" in mnelf(*line).stdout
    line = ("student", "odd", "-o", "s.pt", "--views", "views", *tiny)
    assert mnelf(*line).exit_code == 0
    assert load_checkpoint(tmp_path / "s.pt").intrinsics == trained.intrinsics


@pytest.mark.parametrize("command", ["teacher", "student", "train"])
def test_a_broken_photo_is_found_before_anything_is_trained(mnelf, ball, tmp_path, tiny, command):
    shutil.copytree(ball, tmp_path / "cut")
    photo = tmp_path / "cut" / "test" / "r_1.png"
    photo.write_bytes(photo.read_bytes()[:-40])
    result = mnelf(command, "cut", "-o", "a.pt", *tiny)
    assert result.exit_code == 2
    assert result.stderr.startswith("mnelf: cut/test/r_1.png: ")
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["cut"]
