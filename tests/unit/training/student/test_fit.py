from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import InputError, OutputError, SceneError, TrainingError
from mobile_nelf.evaluation import photo_psnr_db
from mobile_nelf.metrics import psnr_db
from mobile_nelf.pictures import on_white
from mobile_nelf.rendering import student_frame_function
from mobile_nelf.scenes import read_scene
from mobile_nelf.students import StudentConfig, build_student
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.student.collapse import WINDOW
from mobile_nelf.training.student.fit import fit_stage
from mobile_nelf.training.student.optimizer import build_optimizers
from mobile_nelf.training.student.stage import FitProgress, FitResult, Stage
from mobile_nelf.training.views.sources import PhotoViews, ViewSource
from tests.helpers.sphere import (
    FIT,
    LENS,
    ORBIT,
    PHOTO_STAGE,
    STUDENT,
    Around,
    NotedViews,
    Sphere,
    assert_same_weights,
    log_lines,
    one_process,
    rendered,
    sphere_scene,
    sphere_views,
)

#: The best constant image has 11.6 dB in colour and 6.1 dB in alpha; 200 steps give 17.5 and 14.7.
COLOUR_DB, ALPHA_DB = 14.0, 12.0


class StoppedError(Exception):
    """Stands for whatever stops a run."""


def stop_at(step: int) -> Callable[[FitProgress], None]:
    def on_fit(progress: FitProgress) -> None:
        if progress.step == step:
            raise StoppedError

    return on_fit


def fit(
    folder: Path,
    config: FitConfig = FIT,
    source: ViewSource | None = None,
    student: StudentConfig = STUDENT,
    on_fit: Callable[[FitProgress], None] = lambda progress: None,
    initial: Checkpoint | None = None,
) -> FitResult:
    """A stage on the views of the teacher."""
    stage = Stage("train", source or sphere_views(), config)
    return fit_stage(student, stage, one_process(folder, on_fit=on_fit), initial)


def checkpoint(weights: dict[str, torch.Tensor], student: StudentConfig = STUDENT) -> Checkpoint:
    return Checkpoint(student, LENS, ORBIT, weights)


@pytest.mark.parametrize("loss", ["mse", "charbonnier"])
def test_the_loss_falls(tmp_path: Path, loss: str) -> None:
    psnr: list[float] = []
    config = replace(FIT, steps=240, learning_rate=1e-2, save_every=1000, loss=loss, perceptual=0.1)
    fit(tmp_path, config, on_fit=lambda p: psnr.append(p.psnr_db))
    assert np.mean(psnr[-20:]) > np.mean(psnr[:5]) + 5.0


def test_progress_counts_every_step(tmp_path: Path) -> None:
    heard: list[FitProgress] = []
    result = fit(tmp_path, on_fit=heard.append)
    assert [(p.step, p.steps, p.stage) for p in heard] == [(n, 10, "train") for n in range(1, 11)]
    # Two patches a step and two uses a view: 3 views at first, then one a step.
    assert (result.steps, result.views) == (10, 12)
    assert result.photo_psnr_db is None


@pytest.mark.parametrize("stop", [2, 4, 6, 9])
def test_a_resumed_run_ends_in_the_weights_of_an_unbroken_one(tmp_path: Path, stop: int) -> None:
    unbroken = fit(tmp_path / "unbroken")

    note = tmp_path / "note"
    with pytest.raises(StoppedError):
        fit(tmp_path / "broken", source=NotedViews(note), on_fit=stop_at(stop))
    torch.rand(17)  # the global generator must not matter
    seen: list[int] = []
    resumed = fit(
        tmp_path / "broken", source=NotedViews(note), on_fit=lambda p: seen.append(p.step)
    )
    assert seen[0] == stop // FIT.save_every * FIT.save_every + 1
    assert_same_weights(unbroken.weights, resumed.weights)
    assert rendered(note) == list(range(12)), "no view is rendered twice"
    lines = log_lines(tmp_path / "broken")
    assert [line["step"] for line in lines] == [4, 8, 10]
    for line, other in zip(lines, log_lines(tmp_path / "unbroken"), strict=True):
        assert line["psnr_db"] == other["psnr_db"]
    assert lines[-1]["seconds"] >= lines[0]["seconds"] > 0.0


def test_products_are_trained_resumed_and_kept_with_head_and_body(tmp_path: Path) -> None:
    student = replace(STUDENT, products=2)
    unbroken = fit(tmp_path / "unbroken", student=student).weights
    with pytest.raises(StoppedError):
        fit(tmp_path / "broken", student=student, on_fit=stop_at(6))
    assert_same_weights(unbroken, fit(tmp_path / "broken", student=student).weights)

    started = replace(checkpoint(unbroken), student=student)
    names = [name for name in unbroken if name.startswith("products.")]
    assert names == ["products.weight", "products.bias", "products.mix.weight"]
    for part in ("all", "tail"):
        config = replace(FIT, train_only=part, product_step=0.1)
        weights = fit(tmp_path / part, config, student=student, initial=started).weights
        moved = [name for name in names if not torch.equal(unbroken[name], weights[name])]
        assert moved == (names if part == "all" else [])


def test_each_parameter_has_one_optimizer_and_functions_of_products_a_step_of_their_own() -> None:
    network = build_student(replace(STUDENT, products=2, batchnorm=False))
    config = replace(FIT, product_step=0.07)
    groups = build_optimizers(network, config)._groups()
    held = [(id(parameter), group["lr"]) for group in groups for parameter in group["params"]]
    steps = dict(held)
    assert len(held) == len(steps) == len(list(network.parameters()))
    own = [name for name, value in network.named_parameters() if steps[id(value)] == 0.07]
    assert own == ["products.weight", "products.bias"]


def test_training_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    fit(tmp_path, replace(FIT, steps=2))
    assert torch.equal(torch.rand(3), expected)


def test_a_finished_stage_is_not_run_again(tmp_path: Path) -> None:
    first = fit(tmp_path)
    note = tmp_path / "note"
    second = fit(tmp_path, source=NotedViews(note), on_fit=stop_at(1))
    assert_same_weights(first.weights, second.weights)
    assert rendered(note) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "log.jsonl",
        "samples",
        "train.state",
    ]


def test_a_state_half_written_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "train.state.partial").write_bytes(b"half a state")
    fit(tmp_path)
    assert not (tmp_path / "train.state.partial").exists()


@pytest.mark.parametrize("other", ["steps", "seed", "student", "views", "initial"])
def test_the_state_of_another_run_is_refused(tmp_path: Path, other: str) -> None:
    config = replace(FIT, steps=1)
    result = fit(tmp_path, config)
    state = (tmp_path / "train.state").read_bytes()
    student, source, initial, named = STUDENT, sphere_views(), None, "settings"
    if other == "steps":
        config = FIT
    elif other == "seed":
        config = replace(config, seed=6)
    elif other == "student":
        student, named = replace(STUDENT, activation="relu"), "student"
    elif other == "views":
        source, named = sphere_views(seed=1), "views"
    else:
        initial, named = checkpoint(result.weights), "initial weights"
    message = rf"train\.state: belongs to a run with different settings or views \({named}\)"
    with pytest.raises(InputError, match=message):
        fit(tmp_path, config, source, student, initial=initial)
    assert (tmp_path / "train.state").read_bytes() == state


def test_a_file_that_is_no_state_is_refused_and_kept(tmp_path: Path) -> None:
    state = tmp_path / "train.state"
    for content in (b"", b"no state", b"PK\x03\x04 a broken zip"):
        state.write_bytes(content)
        with pytest.raises(InputError, match="state: cannot be read as the state of a run"):
            fit(tmp_path)
        assert state.read_bytes() == content
    torch.save({"weights": {}}, state)
    with pytest.raises(InputError, match="state: is not the state of a run"):
        fit(tmp_path)


def test_a_missing_folder_is_reported_before_the_first_step(tmp_path: Path) -> None:
    stage = Stage("train", sphere_views(), FIT)
    run = replace(one_process(tmp_path), folder=tmp_path / "nowhere")
    with pytest.raises(OutputError, match="nowhere: no such folder"):
        fit_stage(STUDENT, stage, run)


def test_views_of_another_size_than_the_student_renders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneError) as caught:
        fit(tmp_path, student=replace(STUDENT, ray_width=7))
    assert str(caught.value) == (
        "views of stage train: images are 12×12, the student renders 14×12; choose a ray grid of "
        "6×6 or another size"
    )


def test_a_student_with_alpha_renders_colour_and_alpha_of_a_new_view(tmp_path: Path) -> None:
    student = replace(STUDENT, out_channels=4, width=16)
    config = replace(FIT, steps=200, learning_rate=3e-2, ema_decay=0.9, save_every=1000)
    result = fit(tmp_path, config, student=student)
    camera = Around(seed=9).camera(1)
    frame = student_frame_function(checkpoint(result.weights, student))(camera.resized(6, 6))
    whole = Sphere().render(camera)
    assert psnr_db(frame[..., :3], whole.on_white()) > COLOUR_DB
    assert psnr_db(frame[..., 3], whole.alpha) > ALPHA_DB


def test_a_student_that_collapses_is_reported(tmp_path: Path) -> None:
    """Where a wild learning rate leads: the sigmoid is saturated, and no gradient comes through."""
    white = fit(tmp_path / "start", replace(FIT, steps=1)).weights
    white["tail.2.bias"] = torch.full((3,), 200.0)
    config = replace(FIT, steps=2 * WINDOW, save_every=2 * WINDOW)
    message = (
        rf"collapsed: up to step {WINDOW + 3} it showed the one colour \(1\.00, 1\.00, 1\.00\)"
    )
    with pytest.raises(TrainingError, match=message):
        fit(tmp_path / "next", config, initial=checkpoint(white))


def test_weights_that_are_no_numbers_are_never_saved(tmp_path: Path) -> None:
    weights = fit(tmp_path, replace(FIT, steps=1)).weights
    # A statistic that training does not read but rendering does: no colour seen so far tells.
    weights["body.0.conv_block.1.running_var"].fill_(float("nan"))
    with pytest.raises(TrainingError, match="training diverged: non-finite weights before step 4"):
        fit(tmp_path / "next", initial=checkpoint(weights))
    assert not (tmp_path / "next" / "train.state").exists()


def test_training_the_tail_leaves_head_and_body_alone(tmp_path: Path) -> None:
    first = fit(tmp_path / "first").weights
    config = replace(FIT, train_only="tail", learning_rate=1e-2)
    second = fit(tmp_path / "second", config, initial=checkpoint(first)).weights
    changed = {name for name in first if not torch.equal(first[name], second[name])}
    assert changed
    assert all(name.startswith("tail.") for name in changed)
    assert {name for name in first if name.startswith("tail.")} == changed, (
        "its statistics and counters too"
    )
    with pytest.raises(InputError, match="train_only tail needs a trained student"):
        fit(tmp_path / "third", config)


def test_training_goes_on_from_a_student_with_another_ray_grid(tmp_path: Path) -> None:
    weights = fit(tmp_path / "first").weights
    smaller = replace(STUDENT, ray_width=5)
    fit(tmp_path / "second", replace(FIT, steps=1), initial=checkpoint(weights, smaller))
    deeper = checkpoint(weights, replace(STUDENT, depth=6))
    with pytest.raises(InputError, match="to start from has depth 6, expected 4"):
        fit(tmp_path / "third", initial=deeper)


def photo_stage(folder: Path, start: Checkpoint, config: FitConfig, patience: int) -> FitResult:
    train = sphere_scene(folder / "scene", shade=0.6).train
    stage = Stage("photos", PhotoViews(train[:-2]), config, train[-2:], patience)
    return fit_stage(STUDENT, stage, one_process(folder / "run"), start)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A student of the teacher, whose sphere is brighter than that of the photos."""
    config = replace(
        FIT, steps=200, patches=4, patch_rays=6, learning_rate=5e-2, save_every=1000, ema_decay=0.9
    )
    return checkpoint(fit(tmp_path_factory.mktemp("start"), config).weights)


def test_photos_make_a_student_better_on_photos_it_does_not_see(
    tmp_path: Path, start: Checkpoint
) -> None:
    config = replace(
        PHOTO_STAGE.fit,
        steps=100,
        patches=4,
        patch_rays=6,
        check_every=20,
        ema_decay=0.8,
        learning_rate=1e-2,
    )
    result = photo_stage(tmp_path, start, config, patience=3)
    assert result.start_psnr_db is not None
    assert result.photo_psnr_db is not None
    assert result.photo_psnr_db > result.start_psnr_db + 1.0
    held = [line for line in log_lines(tmp_path / "run") if "photo_psnr_db" in line]
    assert held[0]["step"] == 0
    best = max(line["photo_psnr_db"] for line in held)
    assert result.photo_psnr_db == pytest.approx(best, abs=1e-3)
    # What was measured is what was returned, by an independent way through the checkpoint.
    frame = student_frame_function(checkpoint(result.weights))
    scores = [
        psnr_db(np.clip(frame(view.camera.resized(6, 6)), 0, 1), on_white(view.rgba()))
        for view in read_scene(tmp_path / "scene").train[-2:]
    ]
    assert np.mean(scores) == pytest.approx(result.photo_psnr_db, abs=1e-3)


def test_photos_that_never_help_leave_the_student_as_it_was(
    tmp_path: Path, start: Checkpoint
) -> None:
    config = replace(
        PHOTO_STAGE.fit, steps=50, check_every=2, learning_rate=0.5, warmup_steps=0, ema_decay=0.0
    )
    result = photo_stage(tmp_path, start, config, patience=2)
    assert_same_weights(result.weights, start.weights)
    assert result.steps == 4, "patience of two measurements, one every two steps"
    assert result.photo_psnr_db == result.start_psnr_db
    # A stage that ran out of patience is over.
    assert photo_stage(tmp_path, start, config, patience=2).steps == 4
    assert [line["step"] for line in log_lines(tmp_path / "run")] == [0, 2, 4]


def test_photos_are_measured_whole_and_through_their_own_lens(
    tmp_path: Path, start: Checkpoint
) -> None:
    scene = sphere_scene(tmp_path / "scene")
    views = scene.train[:2]
    own = photo_psnr_db(start.network(), STUDENT, views)
    camera = views[0].camera
    zoomed = replace(camera, intrinsics=replace(LENS, fx=1.5 * LENS.fx, fy=1.5 * LENS.fy))
    picture = Sphere(0.8).render(zoomed).rgba8()
    Image.fromarray(picture).save(tmp_path / "zoomed.png")
    view = replace(views[0], path=tmp_path / "zoomed.png", camera=zoomed)
    through_its_own = photo_psnr_db(start.network(), STUDENT, [view])
    through_another = photo_psnr_db(start.network(), STUDENT, [replace(view, camera=camera)])
    # A student that never saw this zoom is not sharp, but a third of the radius is a lot.
    assert through_its_own > through_another + 2.0
    assert own == pytest.approx(
        np.mean([photo_psnr_db(start.network(), STUDENT, [v]) for v in views])
    )


def test_sample_frames_show_the_student_of_their_step(tmp_path: Path) -> None:
    fit(tmp_path, replace(FIT, sample_every=2))
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == ["train_00008.png", "train_00010.png"]
    with Image.open(tmp_path / "samples" / names[0]) as image:
        assert (image.mode, image.size) == ("RGB", (12, 12))
    pictures = {(tmp_path / "samples" / name).read_bytes() for name in names}
    assert len(pictures) == 2
    fit(tmp_path / "none", replace(FIT, sample_every=0))
    assert not (tmp_path / "none" / "samples").exists()


def test_a_log_of_an_earlier_run_is_begun_anew(tmp_path: Path) -> None:
    fit(tmp_path, replace(FIT, steps=20))
    (tmp_path / "train.state").unlink()
    fit(tmp_path, replace(FIT, steps=8))
    assert [line["step"] for line in log_lines(tmp_path)] == [4, 8]
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == [
        "train_00004.png",
        "train_00008.png",
    ]


def test_half_a_line_of_the_log_is_dropped(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        fit(tmp_path, on_fit=stop_at(6))
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"stage": "train", "st')
    fit(tmp_path)
    assert [line["step"] for line in log_lines(tmp_path)] == [4, 8, 10]
    for line in log_lines(tmp_path):
        assert set(line) == {"stage", "step", "seconds", "psnr_db"}
        assert json.loads(json.dumps(line, allow_nan=False))
