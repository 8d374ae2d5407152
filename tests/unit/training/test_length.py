"""Stages of some minutes: the plan by a clock of the test's own, and runs that are killed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mobile_nelf.errors import InputError
from mobile_nelf.plain import to_dict
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.teachers.files import load_teacher
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.length import FEWEST, SHARE, SKIPPED, StageLength, StepPlan
from mobile_nelf.training.pipeline import _is_there
from mobile_nelf.training.plan import StudentChoices, plan_scene, plan_student, teacher_config
from mobile_nelf.training.student import fit as student_fit
from mobile_nelf.training.student.fit import fit_stage
from mobile_nelf.training.student.make import StudentPlan, train_student
from mobile_nelf.training.student.stage import FitProgress, FitResult, Stage, state_path
from mobile_nelf.training.teacher import fit as teacher_fit
from mobile_nelf.training.teacher.fit import TeacherProgress, train_teacher
from mobile_nelf.training.teacher.make import make_teacher
from tests.helpers.ball import RUN, saved_scene
from tests.helpers.sphere import (
    FIT,
    PHOTO_STAGE,
    STUDENT,
    assert_same_weights,
    one_process,
    sphere_scene,
    sphere_views,
)

CPU = torch.device("cpu")
#: By a clock that goes on by `TICK` whenever it is read, which each step does once or twice.
SECONDS, TICK = 0.6, 0.01


class Ticking:
    """A clock on which a busy machine has no influence."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += TICK
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    """Read by both kinds of training instead of the machine's."""
    ticking = Ticking()
    monkeypatch.setattr(teacher_fit, "time", ticking)
    monkeypatch.setattr(student_fit, "time", ticking)
    return ticking


def planned(minutes: float, seconds_a_step: float, extra: float = 0.0, skipped: float = 0.0):
    """The plan of a stage whose steps take so long, and after how many of them it was made."""
    length = StageLength(7, minutes)
    assert length.open
    for done in range(1, 1_000_000):
        if length.take(done, skipped + done * seconds_a_step, extra):
            return length.plan, done
    raise AssertionError


@pytest.mark.parametrize(
    ("minutes", "seconds_a_step", "steps", "after"),
    [
        (1.0, 0.1, 600, 30),  # a twentieth of the minute
        (1.0, 5.0, 12, SKIPPED + FEWEST),  # fewer steps would not do
        (1.0, 50.0, 2, 2),  # too slow for anything
        (0.01, 10.0, 1, 1),
        (60.0, 0.001, 3_600_000, 180_000),
    ],
)
def test_the_plan_fills_the_minutes(minutes, seconds_a_step, steps, after):
    plan, made = planned(minutes, seconds_a_step)
    assert (plan.steps, made) == (pytest.approx(steps, abs=1, rel=1e-3), pytest.approx(after, 0.01))
    assert plan.seconds_a_step == pytest.approx(seconds_a_step)


def test_what_comes_before_and_between_takes_its_part():
    plan, _ = planned(1.0, 0.1, skipped=20.0)
    assert plan.steps == pytest.approx(400, abs=1)
    assert plan.seconds_a_step == pytest.approx(0.1)
    plan, made = planned(1.0, 0.1, extra=0.1)
    assert plan.steps == pytest.approx(made + (60.0 - 0.1 * made) / 0.2, abs=1)


def test_a_stage_of_steps_has_no_plan():
    length = StageLength(7, None)
    assert not length.open
    assert not length.take(1, 1e9)
    assert (length.steps, length.expected(3, 1.0), length.state()) == (7, 7, None)
    with pytest.raises(ValueError, match="a plan of 9 steps"):
        length.load({"steps": 9, "seconds_a_step": 1.0})


def test_the_estimate_comes_with_the_first_step():
    length = StageLength(7, 1.0)
    assert length.expected(1, 0.5) == 120
    assert length.expected(4, 100.0) == 5
    length.load({"steps": 50, "seconds_a_step": 1.0})
    assert (length.steps, length.expected(4, 100.0)) == (50, 50)
    assert SHARE <= 0.05  # a plan in the first twentieth


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("inf"), float("nan")])
def test_minutes_that_are_none_are_refused(minutes):
    for config in (FitConfig, TeacherConfig):
        with pytest.raises(ValueError, match="minutes must be positive"):
            config(minutes=minutes)


def test_a_teacher_killed_after_its_plan_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    scene = saved_scene(tmp_path / "photos")
    config = replace(RUN, minutes=SECONDS / 60.0, steps=3)
    plans: dict[int, StepPlan | None] = {}
    kept: list[int] = []
    (tmp_path / "run").mkdir()
    (tmp_path / "killed").mkdir()

    def on_progress(progress: TeacherProgress) -> None:
        plans[progress.step] = progress.plan
        if progress.plan is not None and not kept:  # what a kill would leave here
            kept.append(progress.step)
            shutil.copy(tmp_path / "run" / "state", tmp_path / "killed" / "state")

    unbroken = train_teacher(scene, config, tmp_path / "run" / "state", CPU, on_progress)
    steps = unbroken.config.steps
    assert list(plans) == list(range(1, steps + 1))
    assert plans[1] is None
    assert plans[steps] == StepPlan(steps, plans[steps].seconds_a_step)
    assert kept[0] == SKIPPED + FEWEST < steps == 60

    heard: list[TeacherProgress] = []
    resumed = train_teacher(scene, config, tmp_path / "killed" / "state", CPU, heard.append)
    assert [progress.step for progress in heard] == list(range(kept[0] + 1, steps + 1))
    assert {progress.steps for progress in heard} == {steps}
    states = [
        torch.load(tmp_path / folder / "state", weights_only=True) for folder in ("run", "killed")
    ]
    for name, value in states[0]["field"].items():
        assert torch.equal(value, states[1]["field"][name]), name
    assert resumed.config == unbroken.config


def test_a_finished_teacher_says_its_steps_and_is_known_again(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    scene = saved_scene(tmp_path / "photos")
    config = replace(RUN, minutes=SECONDS / 60.0, steps=3)
    made = make_teacher(scene, config, tmp_path / "ball.pt", device="cpu")
    assert made is not None
    found = load_teacher(tmp_path / "ball.pt", CPU)
    steps = found.teacher.config.steps
    assert steps > 3
    assert found.provenance["steps"] == str(steps)
    assert f'"steps": {steps},' in (tmp_path / "ball.pt.config.json").read_text()
    assert _is_there(tmp_path / "ball.pt", scene, config, CPU, False)
    assert not _is_there(tmp_path / "ball.pt", scene, replace(config, minutes=1.0), CPU, True)


def run(folder: Path, config: FitConfig, heard: list[FitProgress], keep: Path | None = None):
    """A stage; `keep` gets what a kill would leave right after the plan."""

    def on_fit(progress: FitProgress) -> None:
        heard.append(progress)
        if keep is not None and progress.plan is not None and not keep.exists():
            shutil.copytree(folder, keep)

    stage = Stage("train", sphere_views(), config)
    return fit_stage(STUDENT, stage, one_process(folder, on_fit=on_fit))


def test_a_student_killed_after_its_plan_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    config = replace(FIT, minutes=SECONDS / 60.0, steps=3, warmup_steps=200)
    heard: list[FitProgress] = []
    unbroken: FitResult = run(tmp_path / "run", config, heard, tmp_path / "killed")
    assert [progress.step for progress in heard] == list(range(1, unbroken.steps + 1))
    assert heard[0].plan is None
    assert heard[-1].plan is not None
    assert heard[-1].plan.steps == unbroken.steps > FEWEST + SKIPPED

    state = torch.load(state_path(tmp_path / "killed", "train"), weights_only=True)
    assert state["plan"]["steps"] == unbroken.steps
    again: list[FitProgress] = []
    resumed = run(tmp_path / "killed", config, again)
    assert [progress.step for progress in again] == list(
        range(state["step"] + 1, unbroken.steps + 1)
    )
    assert {progress.plan for progress in again} == {heard[-1].plan}
    assert_same_weights(unbroken.weights, resumed.weights)
    assert unbroken.views == resumed.views


def test_a_run_of_other_minutes_is_another_run(tmp_path: Path) -> None:
    config = replace(FIT, minutes=SECONDS / 60.0)
    run(tmp_path / "run", config, [], tmp_path / "killed")
    with pytest.raises(InputError, match="different settings"):
        run(tmp_path / "killed", replace(config, minutes=1.0), [])


def test_both_stages_of_a_student_plan_and_the_settings_say_what_they_did(tmp_path: Path) -> None:
    fit = replace(FIT, minutes=SECONDS / 60.0, steps=3)
    photos = replace(PHOTO_STAGE, fit=replace(PHOTO_STAGE.fit, minutes=SECONDS / 60.0, steps=3))
    plan = StudentPlan(STUDENT, fit, photos)
    trained = train_student(sphere_scene(tmp_path), plan, tmp_path / "a.pt", source=sphere_views())
    assert trained is not None
    settings = (tmp_path / "a.pt.config.json").read_text()
    assert f'"steps": {trained.train.steps},' in settings
    assert trained.photos is not None
    assert f'"steps": {trained.photos.steps},' in settings
    assert trained.checkpoint.provenance["steps"] == str(trained.train.steps)


def test_minutes_are_shared_and_exclude_steps(tmp_path: Path) -> None:
    scene = saved_scene(tmp_path / "photos")
    plan = plan_scene(scene, StudentChoices(preset="tiny", minutes=60.0), device="cpu")
    assert plan.student.photo_stage is not None
    parts = (plan.teacher.minutes, plan.student.fit.minutes, plan.student.photo_stage.fit.minutes)
    assert parts == (pytest.approx(10.0), pytest.approx(45.0), pytest.approx(5.0))
    whole = StudentChoices(preset="tiny", minutes=60.0, photo_stage=False)
    assert plan_scene(scene, whole, device="cpu").student.fit.minutes == pytest.approx(50.0)
    alone = plan_student(scene, StudentChoices(preset="tiny", minutes=60.0))
    assert alone.student.fit.minutes == 60.0
    assert to_dict(teacher_config("tiny", None, "torch", "cpu", 0, minutes=5.0))["minutes"] == 5.0

    for name in ("steps", "photo_steps"):
        with pytest.raises(InputError, match=f"minutes and {name} exclude each other"):
            plan_scene(scene, StudentChoices(minutes=1.0, **{name: 3}))
    with pytest.raises(InputError, match="minutes and teacher_steps exclude"):
        plan_scene(scene, StudentChoices(minutes=1.0), teacher_steps=3)
    with pytest.raises(InputError, match="minutes and steps exclude"):
        teacher_config("tiny", 3, "torch", "cpu", 0, minutes=1.0)
