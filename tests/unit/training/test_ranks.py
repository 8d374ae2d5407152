"""Several processes, as `torchrun` starts them, joined by gloo on the CPU."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.errors import InputError
from mobile_nelf.progress import silent
from mobile_nelf.runs import run_folder
from mobile_nelf.training.ranks import Ranks, launched
from mobile_nelf.training.student.fit import fit_stage
from mobile_nelf.training.student.learner import Learner
from mobile_nelf.training.student.stage import Stage
from mobile_nelf.training.views.cache import ViewCache
from mobile_nelf.training.views.patches import Patches, draw_patches
from tests.helpers.sphere import (
    FIT,
    STUDENT,
    NotedViews,
    assert_same_weights,
    log_lines,
    one_process,
    rank_environments,
    rendered,
    sphere_scene,
    sphere_views,
    start,
    train_sphere,
)

#: Sums in float32, in another order.
GRADIENT_TOLERANCE = 1e-6

#: A run takes a second, on a busy machine a minute; what waits longer waits for ever.
STUCK_SECONDS = 900

#: Without BatchNorm, whose statistics are those of each process's own batch.
PLAIN = replace(STUDENT, architecture="r2l", sr_widths=(), ray_width=12, ray_height=12)


def run_all(target, *arguments, world: int = 2, expected: int | None = 0) -> list[int | None]:
    processes = [
        start(target, *arguments, environment=environment)
        for environment in rank_environments(world)
    ]
    for process in processes:
        process.join(STUCK_SECONDS)
        process.kill()  # where they wait for each other
        process.join()
    codes = [process.exitcode for process in processes]
    if expected is not None:
        assert codes == [expected] * world
    return codes


def fit_and_save(folder: Path, *, environment: dict[str, str]) -> None:
    """Leaves each process's weights and the views that it rendered."""
    torch.set_num_threads(1)
    os.environ.update(environment)
    rank = environment["RANK"]
    heard: list[int] = []
    with launched("cpu") as ranks:
        run = one_process(folder, on_fit=lambda progress: heard.append(progress.step))
        source = NotedViews(folder / f"note{rank}")
        result = fit_stage(STUDENT, Stage("train", source, FIT), replace(run, ranks=ranks))
    torch.save({"weights": result.weights, "heard": heard}, folder / f"weights{rank}")


def test_all_processes_end_with_the_same_weights(tmp_path: Path) -> None:
    run_all(fit_and_save, tmp_path)
    first, second = (torch.load(tmp_path / f"weights{rank}") for rank in (0, 1))
    parameters = [name for name in first["weights"] if "running" not in name]
    assert any("conv_block.1.weight" in name for name in parameters)
    for name in parameters:
        assert torch.equal(first["weights"][name], second["weights"][name]), name
    assert (first["heard"], second["heard"]) == (list(range(1, 11)), [])
    # Each renders its own half of the stream.
    assert rendered(tmp_path / "note0") == list(range(0, 24, 2))
    assert rendered(tmp_path / "note1") == list(range(1, 24, 2))
    # And both halves count: alone, the first process would have ended elsewhere.
    alone = fit_stage(STUDENT, Stage("train", sphere_views(), FIT), one_process(tmp_path / "one"))
    assert any(not torch.equal(alone.weights[name], first["weights"][name]) for name in parameters)
    assert [line["step"] for line in log_lines(tmp_path)] == [4, 8, 10]


def own_patches(folder: Path, rank: int) -> Patches:
    ranks = Ranks(torch.device("cpu"), rank, 2)
    source = sphere_views()
    cache = ViewCache(source, "sphere", PLAIN, FIT, folder / f"ring{rank}", ranks)
    return draw_patches(cache, cache.advance(0, silent), PLAIN, FIT, np.random.default_rng(rank))


def gradients(learner: Learner) -> dict[str, torch.Tensor]:
    return {
        name: parameter.grad
        for name, parameter in learner.network.named_parameters()
        if parameter.grad is not None
    }


def step_and_save(folder: Path, *, environment: dict[str, str]) -> None:
    torch.set_num_threads(1)
    os.environ.update(environment)
    with launched("cpu") as ranks:
        learner = Learner(PLAIN, replace(FIT, precision="fp32"), ranks)
        learner.step(0, own_patches(folder, ranks.rank))
        torch.save(gradients(learner), folder / f"gradients{ranks.rank}")


def test_the_mean_gradient_is_that_of_the_joined_batch(tmp_path: Path) -> None:
    run_all(step_and_save, tmp_path)
    first, second = (torch.load(tmp_path / f"gradients{rank}") for rank in (0, 1))
    parts = [own_patches(tmp_path, rank) for rank in (0, 1)]
    joined = Patches(*(torch.cat(pair) for pair in zip(*parts, strict=True)))
    learner = Learner(PLAIN, replace(FIT, precision="fp32"), Ranks(torch.device("cpu")))
    learner.step(0, joined)
    wanted = gradients(learner)
    assert list(wanted) == list(first) == list(second)
    for name, gradient in wanted.items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], gradient, rtol=0.0, atol=GRADIENT_TOLERANCE)
        assert gradient.abs().max() > 100 * GRADIENT_TOLERANCE, name


def test_killed_processes_go_on_together(tmp_path: Path) -> None:
    """The whole of `train_student`; the first process dies, and the other cannot continue alone."""
    sphere_scene(tmp_path / "ball")
    outputs = [tmp_path / "unbroken.pt", tmp_path / "killed.pt"]
    run_all(train_sphere, tmp_path / "ball", outputs[0], tmp_path / "note")
    for moment in (("train", 6), ("photos", 2)):
        codes = run_all(kill_at, tmp_path / "ball", outputs[1], moment, expected=None)
        assert codes[0] == -signal.SIGKILL
        assert codes[1] not in (0, None)
        assert not outputs[1].exists()
    run_all(train_sphere, tmp_path / "ball", outputs[1], tmp_path / "note")
    assert_same_weights(*(load_checkpoint(output) for output in outputs))
    assert load_checkpoint(outputs[1]).provenance["views_seen"] == "24"
    for output in outputs:
        left = sorted(path.name for path in run_folder(output).iterdir())
        assert left == ["log.jsonl", "samples"]


def kill_at(
    scene: Path, output: Path, moment: tuple[str, int], *, environment: dict[str, str]
) -> None:
    note = output.with_name("note")
    train_sphere(scene, output, note, kill_at_step=moment, environment=environment)


@pytest.mark.parametrize("world", [1, 3])
def test_a_state_of_another_number_of_processes_is_refused(tmp_path: Path, world: int) -> None:
    run = one_process(tmp_path)
    stage = Stage("train", sphere_views(), replace(FIT, steps=1))
    fit_stage(STUDENT, stage, run)
    state = torch.load(tmp_path / "train.state")
    assert state["run"]["processes"] == 1
    state["run"]["processes"] = world
    torch.save(state, tmp_path / "train.state")
    if world == 1:
        fit_stage(STUDENT, stage, run)
    else:
        with pytest.raises(InputError, match=r"different settings or views \(processes\)"):
            fit_stage(STUDENT, stage, run)
