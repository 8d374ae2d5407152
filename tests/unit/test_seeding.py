"""Random numbers of the caller stay the caller's."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.scenes import Scene
from mobile_nelf.seeding import seeded
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.teachers.files import load_teacher
from mobile_nelf.training.presets import find_preset
from mobile_nelf.training.student.make import StudentPlan, train_student
from mobile_nelf.training.teacher.make import make_teacher
from tests.helpers.sphere import sphere_scene


def test_fresh_weights_depend_on_the_seed_alone():
    with seeded(3):
        first = torch.rand(4)
    torch.rand(7)
    with seeded(3):
        assert torch.equal(torch.rand(4), first)
    with seeded(4):
        assert not torch.equal(torch.rand(4), first)


def _numpy_state() -> np.ndarray:
    return np.array(np.random.get_state()[1])  # noqa: NPY002  # the legacy generator is the global one


def _teacher(scene: Scene, folder: Path) -> None:
    make_teacher(scene, TeacherConfig(steps=2), folder / "teacher.pt", device="cpu")
    load_teacher(folder / "teacher.pt", torch.device("cpu")).teacher.render(scene.train[0].camera)


def _student(scene: Scene, folder: Path) -> None:
    preset = find_preset("tiny")
    scene = scene.cropped(preset.scale)
    plan = StudentPlan(preset.student(scene), replace(preset.fit, steps=2, check_every=0))
    train_student(scene, plan, folder / "student.pt", device="cpu")
    load_checkpoint(folder / "student.pt").network()


@pytest.mark.parametrize("work", [_teacher, _student])
def test_training_leaves_the_global_generators_as_they_were(
    tmp_path: Path, work: Callable[[Scene, Path], None]
):
    # The photos are smaller than what SSIM needs once they are cropped, so a student has no tests.
    scene = sphere_scene(tmp_path / "scene", tests=2 if work is _teacher else 0)
    torch.manual_seed(12345)
    before = torch.get_rng_state(), _numpy_state(), random.getstate()
    work(scene, tmp_path)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(_numpy_state(), before[1])
    assert random.getstate() == before[2]
    assert torch.initial_seed() == 12345
