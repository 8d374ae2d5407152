from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import mobile_nelf
from mobile_nelf.cameras import Camera
from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import InputError, OutputError, SceneError
from mobile_nelf.evaluation import PROTOCOL, evaluate, evaluate_teacher
from mobile_nelf.metrics import psnr_db
from mobile_nelf.pictures import on_white
from mobile_nelf.plain import from_dict
from mobile_nelf.pruning.widths import parameters
from mobile_nelf.rendering import student_frame_function
from mobile_nelf.runs import config_path, run_folder
from mobile_nelf.scenes import Scene, View
from mobile_nelf.students import build_student
from mobile_nelf.training.student.make import StudentPlan, train_student
from mobile_nelf.training.student.stage import FitProgress
from tests.helpers.sphere import (
    FIT,
    LENS,
    ORBIT,
    PHOTO_STAGE,
    STUDENT,
    NotedViews,
    Sphere,
    assert_same_weights,
    log_lines,
    rendered,
    sphere_scene,
    sphere_views,
    start,
    train_sphere,
)

PLAN = StudentPlan(STUDENT, FIT, PHOTO_STAGE)

#: A photo has 8 bits, so a perfect render differs by up to half a step: 54 dB and more.
EIGHT_BITS_DB = 54.0


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return sphere_scene(tmp_path / "ball")


def test_a_run_leaves_a_checkpoint_that_says_where_it_came_from(
    scene: Scene, tmp_path: Path
) -> None:
    output = tmp_path / "ball.pt"
    scene = replace(scene, metres_per_unit=0.05)
    heard: list[FitProgress] = []
    told: list[tuple[str, int, int]] = []
    trained = train_student(
        scene,
        PLAN,
        output,
        source=sphere_views(),
        command="mnelf train",
        device="cpu",
        on_fit=heard.append,
        on_progress=lambda *what: told.append(what),
    )
    assert trained is not None
    assert trained.photos is not None
    saved = load_checkpoint(output)
    assert_same_weights(saved, trained.checkpoint)
    assert saved.student == STUDENT
    assert saved.intrinsics == scene.train[0].camera.intrinsics
    assert saved.orbit == scene.orbit
    assert saved.metres_per_unit == 0.05
    assert saved.background == (1.0, 1.0, 1.0)
    assert saved.provenance == {
        "source": "mnelf train",
        "scene": "ball",
        "views": "sphere 0",
        "views_seen": "12",
        "steps": "10",
        "photo_steps": str(trained.photos.steps),
        "version": mobile_nelf.__version__,
        "protocol": PROTOCOL,
    }
    assert saved.metrics == evaluate(saved, scene).as_metrics()
    assert [p.stage for p in heard[:11]] == ["train"] * 10 + ["photos"]
    assert ("views", 3, 3) in told
    assert ("evaluate", 2, 2) in told

    settings = json.loads(config_path(output).read_text())
    assert config_path(output).name == "ball.pt.config.json"
    plan = {name: settings[name] for name in ("student", "fit", "photo_stage", "half")}
    assert from_dict(StudentPlan, plan) == PLAN
    assert (settings["command"], settings["views"]) == ("mnelf train", "sphere 0")

    left = sorted(path.name for path in run_folder(output).iterdir())
    assert left == ["log.jsonl", "samples"]
    stages = [(line["stage"], line["step"]) for line in log_lines(run_folder(output))]
    assert stages[:4] == [("train", 4), ("train", 8), ("train", 10), ("photos", 0)]
    assert len(set(stages)) == len(stages)


def test_a_student_can_learn_from_the_photos_alone(scene: Scene, tmp_path: Path) -> None:
    output = tmp_path / "ball.pt"
    trained = train_student(scene, replace(PLAN, photo_stage=None), output, device="cpu")
    assert trained is not None
    assert trained.photos is None
    assert trained.checkpoint.provenance["views"].startswith("photos ")
    assert trained.checkpoint.provenance["views_seen"] == "8"
    with pytest.raises(InputError, match="learns from all photos cannot be measured"):
        train_student(scene, PLAN, tmp_path / "other.pt", device="cpu")


def test_held_out_photos_can_be_measured_along_the_way(scene: Scene, tmp_path: Path) -> None:
    plan = replace(PLAN, fit=replace(FIT, check_every=5), photo_stage=None)
    output = tmp_path / "ball.pt"
    trained = train_student(scene, plan, output, source=sphere_views(), device="cpu")
    assert trained is not None
    lines = {line["step"]: line for line in log_lines(run_folder(output))}
    measured = [step for step, line in lines.items() if "photo_psnr_db" in line]
    assert measured == [0, 5, 10]
    assert trained.train.photo_psnr_db == pytest.approx(lines[10]["photo_psnr_db"], abs=1e-3)
    plain = train_student(
        scene, replace(PLAN, photo_stage=None), tmp_path / "b.pt", source=sphere_views()
    )
    assert plain is not None
    assert_same_weights(trained.checkpoint, plain.checkpoint)


def test_half_precision_is_judged_as_it_is_stored(scene: Scene, tmp_path: Path) -> None:
    plan = replace(PLAN, photo_stage=None, half=True)
    trained = train_student(scene, plan, tmp_path / "h.pt", source=sphere_views(), device="cpu")
    assert trained is not None
    saved = load_checkpoint(tmp_path / "h.pt")
    assert_same_weights(saved, trained.checkpoint)
    assert saved.metrics == evaluate(saved, scene).as_metrics()


def test_outputs_are_refused_before_any_view_is_made(scene: Scene, tmp_path: Path) -> None:
    note = tmp_path / "note"
    (tmp_path / "there.pt").write_bytes(b"a student")
    (tmp_path / "blocked.pt.run").write_bytes(b"a file")
    for output, message in (
        (tmp_path / "there.pt", "there.pt: exists already"),
        (tmp_path, "is a directory"),
        (tmp_path / "nowhere" / "a.pt", "nowhere: cannot be written"),
        (tmp_path / "blocked.pt", "blocked.pt.run: cannot be made"),
    ):
        with pytest.raises(OutputError, match=message):
            train_student(scene, PLAN, output, source=NotedViews(note), device="cpu")
    wide = replace(PLAN, student=replace(STUDENT, ray_width=7))
    with pytest.raises(SceneError, match="ball: images are 12×12, the student renders 14×12"):
        train_student(scene, wide, tmp_path / "a.pt", source=NotedViews(note), device="cpu")
    one = replace(scene, train=scene.train[:1])
    with pytest.raises(InputError, match="has 1 training photo"):
        train_student(one, PLAN, tmp_path / "a.pt", source=NotedViews(note), device="cpu")
    assert rendered(note) == []
    assert not run_folder(tmp_path / "a.pt").exists()
    assert (tmp_path / "there.pt").read_bytes() == b"a student"


def test_a_gpu_that_is_not_there_is_reported(scene: Scene, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        assert train_student(scene, PLAN, tmp_path / "a.pt", source=sphere_views(), device="cuda")
    else:
        with pytest.raises(InputError, match="no CUDA device is available"):
            train_student(scene, PLAN, tmp_path / "a.pt", source=sphere_views(), device="cuda")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a run that nothing stopped, beside its scene."""
    folder = tmp_path_factory.mktemp("unbroken")
    sphere_scene(folder / "ball")
    train_sphere(folder / "ball", folder / "ball.pt", folder / "note")
    return folder / "ball.pt"


def check_resumed(unbroken: Path, output: Path) -> None:
    """The run at `output` is over and nobody can tell that it was killed."""
    assert_same_weights(load_checkpoint(unbroken), load_checkpoint(output))
    assert load_checkpoint(unbroken).provenance == load_checkpoint(output).provenance
    lines, wanted = (log_lines(run_folder(path)) for path in (output, unbroken))
    for line in (*lines, *wanted):
        del line["seconds"]
    assert lines == wanted
    names = [
        sorted(path.relative_to(run_folder(root)) for path in run_folder(root).rglob("*"))
        for root in (output, unbroken)
    ]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    "moment",
    [
        {"kill_at_view": 1},
        {"kill_at_view": 9},
        {"kill_at_step": ("train", 6)},
        {"kill_at_step": ("photos", 2)},
        {"kill_at_step": ("photos", 5)},
    ],
    ids=lambda moment: "-".join(str(part) for part in np.ravel(list(moment.values()))),
)
def test_a_killed_run_goes_on_where_it_was(
    unbroken: Path, tmp_path: Path, moment: dict[str, object]
) -> None:
    output, note = tmp_path / "ball.pt", tmp_path / "note"
    scene = unbroken.parent / "ball"
    process = start(train_sphere, scene, output, note, **moment)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not output.exists()
    train_sphere(scene, output, note)
    assert rendered(note) == list(range(12)), "no view is rendered twice"
    check_resumed(unbroken, output)


def test_a_run_killed_at_random_moments_comes_to_the_same_end(
    unbroken: Path, tmp_path: Path
) -> None:
    output, note = tmp_path / "ball.pt", tmp_path / "note"
    rng = np.random.default_rng()
    kills = 0
    while not output.exists():
        process = start(train_sphere, unbroken.parent / "ball", output, note, seconds=0.03)
        # Twelve views of 30 ms and the rest: no process comes through before others left it views.
        process.join(rng.uniform(0.02, 0.3) if kills < 15 else None)
        if process.exitcode is None and process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += 1
    assert kills > 0
    check_resumed(unbroken, output)


def test_each_test_view_is_judged_through_its_own_lens(scene: Scene, tmp_path: Path) -> None:
    """A perfect teacher gets all there is, whatever the zoom; the student's frame follows too."""
    views = []
    for index, zoom in enumerate((1.0, 1.4)):
        lens = replace(LENS, fx=zoom * LENS.fx, fy=zoom * LENS.fy)
        camera = Camera(ORBIT.pose(50.0 * index, 20.0, 4.0), lens)
        Image.fromarray(Sphere().render(camera).rgba8()).save(tmp_path / f"t_{index}.png")
        views.append(View(tmp_path / f"t_{index}.png", camera))
    mixed = replace(scene, test=tuple(views))
    judged = evaluate_teacher(Sphere(), mixed)
    assert judged.protocol == PROTOCOL
    assert all(score.psnr_db > EIGHT_BITS_DB for score in judged.views.values())
    assert (judged.width, judged.height) == (12, 12)

    torch.manual_seed(0)
    weights = build_student(STUDENT).state_dict()
    student = Checkpoint(STUDENT, LENS, ORBIT, weights)
    frame = student_frame_function(student)
    measured = evaluate(student, mixed)
    for view in views:
        image = np.clip(frame(view.camera.resized(6, 6)), 0.0, 1.0)
        expected = psnr_db(image, on_white(view.rgba()))
        assert measured.views[view.path.name].psnr_db == pytest.approx(expected, abs=1e-9)


def test_the_student_of_another_scene_is_not_judged(scene: Scene) -> None:
    weights = build_student(STUDENT).state_dict()
    zoomed = replace(LENS, fx=1.5 * LENS.fx, fy=1.5 * LENS.fy)
    with pytest.raises(SceneError, match="is it the scene that the student was trained on"):
        evaluate(Checkpoint(STUDENT, zoomed, ORBIT, weights), scene)
    with pytest.raises(SceneError, match="test images are 12×12, the student renders 14×12"):
        evaluate(Checkpoint(STUDENT, LENS.resized(14, 12), ORBIT, weights), scene)
    small = replace(
        scene, test=(replace(scene.test[0], camera=scene.test[0].camera.resized(8, 8)),)
    )
    with pytest.raises(SceneError, match="smaller than the window of SSIM"):
        evaluate_teacher(Sphere(), small)


PRUNED = replace(PLAN, student=replace(STUDENT, batchnorm=False, width=16), prune_to=0.5)


def test_a_student_is_pruned_while_it_trains(scene: Scene, tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def train(name: str, stop: tuple[str, int] | None = None) -> Checkpoint:
        def on_fit(progress: FitProgress) -> None:
            if (progress.stage, progress.step) == stop:
                raise StopError

        trained = train_student(
            scene, PRUNED, tmp_path / name, source=sphere_views(), device="cpu", on_fit=on_fit
        )
        assert trained is not None
        return trained.checkpoint

    whole = train("whole.pt")
    assert parameters(whole.student) <= 0.5 * parameters(PRUNED.student)
    assert whole.provenance["prune_to"] == "0.5"
    assert load_checkpoint(tmp_path / "whole.pt").student == whole.student
    # Before the marks and after them, where the state holds them, and after the cut.
    for stop in (("train", 5), ("train", 7), ("train", 9), ("photos", 2)):
        with pytest.raises(StopError):
            train("resumed.pt", stop)
    assert_same_weights(train("resumed.pt"), whole)
    assert (tmp_path / "resumed.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()
    other = replace(PRUNED, prune_to=0.7)
    with pytest.raises(StopError):
        train("other.pt", ("train", 9))
    with pytest.raises(InputError, match=r"different settings or views \(pruning\)"):
        train_student(scene, other, tmp_path / "other.pt", source=sphere_views(), device="cpu")
