"""Teachers on disk, and the way from photos to a student with one call."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
import torch

import mobile_nelf
from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.errors import InputError, OutputError, SceneError
from mobile_nelf.evaluation import PROTOCOL, evaluate_teacher
from mobile_nelf.plain import from_dict
from mobile_nelf.runs import config_path, run_folder
from mobile_nelf.scenes import Scene
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.teachers.files import TrainedTeacher, load_teacher
from mobile_nelf.training.pipeline import TrainedScene, teacher_path, train_scene
from mobile_nelf.training.student.make import StudentPlan, train_student
from mobile_nelf.training.student.stage import FitProgress
from mobile_nelf.training.teacher.fit import TeacherProgress
from mobile_nelf.training.teacher.make import MadeTeacher, fastest_backend, make_teacher, state_path
from mobile_nelf.training.views.pseudo_set import pseudo_views
from tests.helpers.sphere import (
    FIT,
    PHOTO_STAGE,
    STUDENT,
    assert_same_weights,
    log_lines,
    sphere_scene,
)

TEACHER = TeacherConfig(
    resolutions=(4, 8), channels=2, steps=5, samples=1024, march_steps=32, save_every=2, seed=2
)
PLAN = StudentPlan(STUDENT, replace(FIT, steps=6), PHOTO_STAGE)
CPU = torch.device("cpu")


class StoppedError(Exception):
    """Stands for a kill where the tests of the command line use a real one."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return sphere_scene(tmp_path_factory.mktemp("scenes") / "ball")


def train(scene: Scene, output: Path, **more: object) -> TrainedScene:
    settings = {"config": TEACHER, "plan": PLAN, "device": "cpu", **more}
    trained = train_scene(scene, output=output, **settings)
    assert trained is not None
    return trained


def test_a_teacher_says_where_it_came_from(scene: Scene, tmp_path: Path) -> None:
    output = tmp_path / "ball.pt"
    heard: list[TeacherProgress] = []
    made = make_teacher(scene, TEACHER, output, device="cpu", on_step=heard.append)
    assert made is not None
    assert [(h.step, h.steps) for h in heard] == [(step, 5) for step in range(1, 6)]
    assert made.view_seconds > 0.0
    found = load_teacher(output, CPU)
    assert found.sha256() == made.trained.sha256()
    assert made.evaluation is not None
    assert found.metrics == made.evaluation.as_metrics()
    assert found.metrics == evaluate_teacher(found.teacher, scene).as_metrics()
    photos = found.provenance.pop("photos")
    assert photos.startswith("photos ")
    assert found.provenance == {
        "source": "mnelf teacher",
        "scene": "ball",
        "version": mobile_nelf.__version__,
        "steps": "5",
        "protocol": PROTOCOL,
    }
    settings = json.loads(config_path(output).read_text())
    assert (settings.pop("command"), settings.pop("scene")) == ("mnelf teacher", "ball")
    assert (settings.pop("version"), settings.pop("photos")) == (mobile_nelf.__version__, photos)
    assert from_dict(TeacherConfig, settings) == TEACHER
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["ball.pt", "ball.pt.config.json", "ball.pt.run", "ball.pt.run/log.jsonl"]
    lines = log_lines(run_folder(output))
    assert [(line["stage"], line["step"]) for line in lines] == [
        ("teacher", step) for step in (2, 4, 5)
    ]
    # A line is of all the steps since the one before it.
    errors = [10.0 ** (-0.1 * progress.psnr_db) for progress in heard]
    for line, share in zip(lines, (errors[:2], errors[2:4], errors[4:]), strict=True):
        assert line["psnr_db"] == pytest.approx(-10.0 * math.log10(fmean(share)), abs=1e-3)


def test_a_scene_without_test_views_gives_a_teacher_too(scene: Scene, tmp_path: Path) -> None:
    made = make_teacher(replace(scene, test=()), TEACHER, tmp_path / "a.pt", device="cpu")
    assert made is not None
    assert made.evaluation is None
    assert load_teacher(tmp_path / "a.pt", CPU).metrics == {}


def test_teachers_are_refused_before_they_are_trained(scene: Scene, tmp_path: Path) -> None:
    def never(progress: TeacherProgress) -> None:
        raise StoppedError

    (tmp_path / "there.pt").write_bytes(b"a teacher")
    for name, message in (
        ("there.pt", "there.pt: exists already"),
        ("nowhere/a.pt", "nowhere: cannot be written"),
        (".", "is a directory"),
    ):
        with pytest.raises(OutputError, match=message):
            make_teacher(scene, TEACHER, tmp_path / name, device="cpu", on_step=never)
    fast = replace(TEACHER, backend="tinycudann")
    with pytest.raises(InputError, match="computes on an NVIDIA GPU only"):
        make_teacher(scene, fast, tmp_path / "a.pt", device="cpu", on_step=never)
    with pytest.raises(SceneError, match="has no train views"):
        make_teacher(replace(scene, train=()), TEACHER, tmp_path / "a.pt", device="cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["there.pt"]
    assert fastest_backend("cpu") == "torch"


def test_a_teacher_that_was_stopped_goes_on(scene: Scene, tmp_path: Path) -> None:
    def stop(progress: TeacherProgress) -> None:
        if progress.step == 3:
            raise StoppedError

    output = tmp_path / "a.pt"
    with pytest.raises(StoppedError):
        make_teacher(scene, TEACHER, output, device="cpu", on_step=stop)
    assert state_path(run_folder(output)).is_file()
    with pytest.raises(InputError, match="different settings"):
        make_teacher(scene, replace(TEACHER, seed=3), output, device="cpu")
    heard: list[TeacherProgress] = []
    made = make_teacher(scene, TEACHER, output, device="cpu", on_step=heard.append)
    whole = make_teacher(scene, TEACHER, tmp_path / "b.pt", device="cpu")
    assert made is not None
    assert whole is not None
    assert [h.step for h in heard] == [3, 4, 5]
    assert made.trained.sha256() == whole.trained.sha256()
    assert output.read_bytes() == whole.path.read_bytes()


def test_one_call_is_teacher_and_student(scene: Scene, tmp_path: Path) -> None:
    """What the parts do by themselves, weight for weight."""
    heard: list[tuple[TrainedTeacher, MadeTeacher | None]] = []
    output = tmp_path / "one.pt"
    trained = train(scene, output, on_teacher=lambda *what: heard.append(what))
    make_teacher(scene, TEACHER, tmp_path / "teacher.pt", device="cpu")
    teacher = load_teacher(tmp_path / "teacher.pt", CPU)
    student = train_student(
        scene,
        PLAN,
        tmp_path / "student.pt",
        source=pseudo_views(teacher, scene, PLAN.fit.seed),
        device="cpu",
    )
    assert student is not None
    assert trained.teacher.sha256() == teacher.sha256()
    assert_same_weights(trained.student.checkpoint, student.checkpoint)
    provenance = load_checkpoint(output).provenance
    assert provenance["source"] == "mnelf train"
    assert teacher.sha256() in provenance["views"]
    assert trained.teacher_path == teacher_path(output) == tmp_path / "one.pt.run" / "teacher.pt"
    ((found, made),) = heard
    assert found is trained.teacher
    assert made is not None
    settings = json.loads(config_path(output).read_text())
    assert settings["command"] == "mnelf train"
    assert from_dict(StudentPlan, {k: settings[k] for k in vars(PLAN)}) == PLAN
    stages = [line["stage"] for line in log_lines(run_folder(output))]
    assert list(dict.fromkeys(stages)) == ["teacher", "train", "photos"]
    left = sorted(path.name for path in run_folder(output).iterdir())
    assert left == ["log.jsonl", "samples", "teacher.pt", "teacher.pt.config.json"]


def test_a_run_that_fails_at_once_leaves_no_folder(scene: Scene, tmp_path: Path) -> None:
    """Nothing was saved at the first step, so there is nothing to resume from."""

    def stop(progress: TeacherProgress | FitProgress) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        make_teacher(scene, TEACHER, tmp_path / "a.pt", device="cpu", on_step=stop)
    with pytest.raises(StoppedError):
        train(scene, tmp_path / "a.pt", on_step=stop)
    plan = replace(PLAN, photo_stage=None)
    with pytest.raises(StoppedError):
        train_student(scene, plan, tmp_path / "a.pt", device="cpu", on_fit=stop)
    assert list(tmp_path.iterdir()) == []
    # What somebody put there stays.
    note = run_folder(tmp_path / "a.pt") / "note.txt"
    note.parent.mkdir()
    note.write_text("mine")
    with pytest.raises(StoppedError):
        train_student(scene, plan, tmp_path / "a.pt", device="cpu", on_fit=stop)
    assert note.read_text() == "mine"


def test_a_finished_teacher_is_taken_again_if_it_is_the_same(scene: Scene, tmp_path: Path) -> None:
    output = tmp_path / "ball.pt"

    def stop(progress: FitProgress) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        train(scene, output, on_fit=stop)
    file = teacher_path(output).stat()
    for changed, message in (
        (
            {"config": replace(TEACHER, steps=4, seed=1)},
            r"other photos or settings \(steps, seed\)",
        ),
        ({"scene": replace(scene, train=scene.train[1:])}, r"other photos or settings \(photos\)"),
    ):
        with pytest.raises(InputError, match=message):
            train(**{"scene": scene, "output": output, **changed})
    heard: list[MadeTeacher | None] = []
    trained = train(scene, output, on_teacher=lambda teacher, made: heard.append(made))
    assert heard == [None]
    assert teacher_path(output).stat() == file
    # A student of other settings on the same teacher, and then all of it anew.
    other = replace(PLAN, fit=replace(PLAN.fit, steps=3), photo_stage=None)
    with pytest.raises(OutputError, match="exists already"):
        train(scene, output, plan=other)
    again = train(scene, output, plan=other, force=True)
    assert again.teacher.sha256() == trained.teacher.sha256()
    assert teacher_path(output).stat() == file
    short = replace(TEACHER, steps=2)
    anew = train(scene, output, config=short, plan=other, force=True)
    assert load_teacher(teacher_path(output), CPU).teacher.config == short
    assert anew.teacher.sha256() != again.teacher.sha256()


def test_what_a_student_cannot_be_is_said_before_the_teacher(scene: Scene, tmp_path: Path) -> None:
    def never(progress: TeacherProgress) -> None:
        raise StoppedError

    wide = replace(PLAN, student=replace(STUDENT, ray_width=7))
    fine = replace(PLAN, fit=replace(FIT, perceptual=0.5, patch_rays=2))
    (tmp_path / "there.pt").write_bytes(b"a student")
    for plan, output, error, message in (
        (wide, "a.pt", SceneError, "images are 12×12, the student renders 14×12"),
        (fine, "a.pt", InputError, "the perceptual term looks at 7"),
        (PLAN, "there.pt", OutputError, "there.pt: exists already"),
        (PLAN, "nowhere/a.pt", OutputError, "nowhere: cannot be written"),
    ):
        with pytest.raises(error, match=message):
            train(scene, tmp_path / output, plan=plan, on_step=never)
    assert [path.name for path in tmp_path.iterdir()] == ["there.pt"]
