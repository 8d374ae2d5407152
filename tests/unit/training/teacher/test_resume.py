"""Training that is killed and resumes: to the same bits, and never with another run's state."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mobile_nelf.errors import InputError, OutputError
from mobile_nelf.teachers.ngp import NgpTeacher
from mobile_nelf.training.teacher.fit import TeacherProgress, train_teacher
from tests.helpers.ball import RUN, saved_scene, train_ball
from tests.helpers.sphere import log_lines

CPU = torch.device("cpu")


def start(*arguments: Any) -> BaseProcess:
    """Starts `train_ball` in a process that has torch imported but never used."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["mobile_nelf.training.teacher.fit"])
    process = context.Process(target=train_ball, args=arguments)
    process.start()
    return process


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    saved_scene(folder)
    return folder


@pytest.fixture(scope="module")
def unbroken(photos: Path) -> Path:
    """The last state of a run that nothing stopped; the log lies beside it."""
    (photos / "run").mkdir()
    train_ball(photos, photos / "run" / "unbroken")
    return photos / "run" / "unbroken"


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """All leaves of a saved state by their path."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, (list, tuple)):
        items = list(enumerate(value))
    else:
        return {name: value}
    return {key: leaf for at, item in items for key, leaf in flat(item, f"{name}/{at}").items()}


def assert_same_state(one: Path, other: Path) -> None:
    """Weights in full precision, optimizer, occupancy: bit by bit; only the time is another."""
    states = [flat(torch.load(path, weights_only=True)) for path in (one, other)]
    assert all(state.pop("/seconds") > 0.0 for state in states)
    assert list(states[0]) == list(states[1])
    assert len(states[0]) > 30
    for name, value in states[0].items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, states[1][name]), name
        else:
            assert value == states[1][name], name


def assert_same_log(one: Path, other: Path) -> None:
    """Every step once, with the same figures; the time goes on over kills."""
    logs = [log_lines(path.parent) for path in (one, other)]
    for lines in logs:
        seconds = [line.pop("seconds") for line in lines]
        assert seconds == sorted(seconds)
    assert logs[0] == logs[1]
    assert [line["step"] for line in logs[0]] == list(range(13, RUN.steps + 1, RUN.save_every))
    assert all(set(line) == {"stage", "step", "psnr_db"} for line in logs[0])


def test_the_run_of_these_tests_refreshes_its_occupancy(unbroken: Path, photos: Path) -> None:
    state = torch.load(unbroken, weights_only=True)
    assert state["step"] == RUN.steps
    assert bool(state["density"].any())
    assert 0 < int(state["mask"].sum()) < len(state["mask"])


@pytest.mark.parametrize("step", [1, 131, 150])
def test_a_killed_run_goes_on_where_it_was(
    unbroken: Path, photos: Path, tmp_path: Path, step: int
) -> None:
    state = tmp_path / "state"
    process = start(photos, state, step)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert state.exists() == (step >= RUN.save_every)
    # What a kill during a save leaves, and another history of this process's own randomness.
    (tmp_path / "state.partial").write_bytes(unbroken.read_bytes()[:1000])
    # And a kill between the log and the state: a line of a step that is done again, and half a one.
    with (tmp_path / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write('{"stage": "teacher", "step": 156, "seconds": 9, "psnr_db": 99}\n{"stage": "te')
    torch.manual_seed(step)
    heard: list[TeacherProgress] = []
    train_teacher(saved_scene(photos), RUN, state, CPU, heard.append)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "state"]
    assert_same_log(unbroken, state)
    saved = step // RUN.save_every * RUN.save_every
    assert [progress.step for progress in heard] == list(range(saved + 1, RUN.steps + 1))
    assert_same_state(unbroken, state)


def test_a_run_killed_at_random_moments_comes_to_the_same_end(
    unbroken: Path, photos: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    rng = np.random.default_rng()
    kills = 0
    while True:
        process = start(photos, state)
        # A whole run takes a second or two; six kills at any moment of it, then one is let be.
        process.join(rng.uniform(0.0, 1.5) if kills < 6 else None)
        if process.exitcode is None and process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += 1
        else:
            break
    assert process.exitcode == 0
    assert_same_state(unbroken, state)
    assert_same_log(unbroken, state)


def test_a_finished_run_is_not_trained_again(unbroken: Path, photos: Path) -> None:
    before = unbroken.read_bytes()
    heard: list[TeacherProgress] = []
    teacher = train_teacher(saved_scene(photos), RUN, unbroken, CPU, heard.append)
    assert not heard
    assert unbroken.read_bytes() == before
    weights = torch.load(unbroken, weights_only=True)
    assert_rounded(teacher, weights["field"])
    assert torch.equal(teacher.grid.mask, weights["mask"])


def assert_rounded(teacher: NgpTeacher, weights: dict[str, torch.Tensor]) -> None:
    for name, value in teacher.field.state_dict().items():
        if name == "table":  # the state lacks the rows that no point of the object reads
            value = value[value.abs().sum(1) > 0.0]
        assert torch.equal(value, weights[name].half().float()), name


def refused(scene_folder: Path, state: Path, **changes: Any) -> str:
    before = state.read_bytes()
    with pytest.raises(InputError) as caught:
        train_teacher(saved_scene(scene_folder), replace(RUN, **changes), state, CPU)
    assert state.read_bytes() == before
    message = str(caught.value)
    assert message.startswith(f"{state}: ")
    return message


@pytest.mark.parametrize(
    "changes",
    [{"seed": 2}, {"steps": 157}, {"learning_rate": 0.02}, {"channels": 3}, {"march_steps": 95}],
    ids=lambda changes: next(iter(changes)),
)
def test_the_state_of_other_settings_is_refused(
    unbroken: Path, photos: Path, changes: dict[str, Any]
) -> None:
    assert "belongs to a run with different settings or views (teacher)" in refused(
        photos, unbroken, **changes
    )


def test_the_state_of_another_scene_is_refused(
    unbroken: Path, photos: Path, tmp_path: Path
) -> None:
    saved_scene(tmp_path)
    picture = np.array(Image.open(tmp_path / "photo_3.png"))
    picture[0, 0, 3] = 1
    Image.fromarray(picture).save(tmp_path / "photo_3.png")
    assert "different settings or views (photos)" in refused(tmp_path, unbroken)
    # The same photos, but a reader that finds another box: the grids would be elsewhere.
    scene = saved_scene(photos)
    wider = replace(scene, box=replace(scene.box, upper=(1.2, 1.2, 1.3)))
    with pytest.raises(InputError, match=r"different settings or views \(space\)"):
        train_teacher(wider, RUN, unbroken, CPU)


def test_a_state_that_is_none_is_refused(unbroken: Path, photos: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    whole = unbroken.read_bytes()
    for content in (b"", b"no state", whole[: len(whole) // 2]):
        state.write_bytes(content)
        assert "delete it to start over" in refused(photos, state)
    torch.save({"run": {}, "step": 3}, state)
    assert "is not the state of a run" in refused(photos, state)


def test_a_missing_folder_is_named_before_anything_is_read(photos: Path, tmp_path: Path) -> None:
    scene = saved_scene(photos)
    gone = replace(scene, train=(replace(scene.train[0], path=tmp_path / "gone.png"),))
    with pytest.raises(OutputError, match="nowhere: no such folder"):
        train_teacher(gone, RUN, tmp_path / "nowhere" / "state", CPU)
