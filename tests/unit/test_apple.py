"""Training and rendering on the GPU of a Mac, as far as it can be proved without one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mobile_nelf.compute import compute_device, is_apple_gpu
from mobile_nelf.errors import InputError
from mobile_nelf.rendering import render_frame
from mobile_nelf.students import build_student
from mobile_nelf.teachers.marching import Samples, _sums_before
from mobile_nelf.training.ranks import Ranks
from mobile_nelf.training.student.fit import fit_stage
from mobile_nelf.training.student.stage import Run, Stage
from mobile_nelf.training.teacher import fit as teacher_fit
from mobile_nelf.training.teacher.fit import train_teacher
from tests.helpers.apple import AppleGpu, RefusedError
from tests.helpers.ball import RUN, around, saved_scene, scene_of
from tests.helpers.sphere import FIT, LENS, STUDENT, sphere_views

APPLE = torch.device("mps", 0)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_the_stand_in_refuses_what_a_mac_cannot_do() -> None:
    with AppleGpu() as gpu:
        there = torch.ones(3).to(APPLE)
        assert is_apple_gpu(there.device)
        assert (there + 1.0).sum().item() == 6.0
        assert "aten::add.Tensor" in gpu.used
        with pytest.raises(RefusedError, match="float64"):
            there.double()
        with pytest.raises(RefusedError, match="float64"):
            torch.ones(3, dtype=torch.float64).to(APPLE)
        with pytest.raises(RefusedError, match="mixes the CPU"):
            there + torch.ones(3)
        with pytest.raises(RefusedError, match="no kernel"):
            torch.linalg.eig(torch.eye(3).to(APPLE))


@pytest.mark.parametrize("extent", ["bounded", "unbounded", "forward"])
def test_a_teacher_trains_and_renders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extent: str
) -> None:
    monkeypatch.setattr(teacher_fit, "WARMUP_STEPS", 2)
    monkeypatch.setattr(teacher_fit, "REFRESH_STEPS", 2)
    scene = replace(scene_of(tmp_path, around(3)), extent=extent)
    config = replace(RUN, steps=4, save_every=2)
    (tmp_path / "run").mkdir()
    with AppleGpu() as gpu:
        teacher = train_teacher(scene, config, tmp_path / "run" / "state", APPLE)
        shown = teacher.render(scene.train[0].camera)
        assert teacher.rgba8(scene.train[0].camera).dtype == np.uint8
    assert np.isfinite(shown.rgb).all()
    assert len(gpu.used) > 50


@pytest.mark.parametrize("products", [0, 2])
def test_a_student_trains_is_measured_and_resumes(tmp_path: Path, products: int) -> None:
    student = replace(STUDENT, products=products)
    views = saved_scene(tmp_path / "photos").train
    views = tuple(replace(view, camera=view.camera.resized(24, 24)) for view in views)
    config = replace(FIT, perceptual=0.1)
    stage = Stage("train", sphere_views(), config)
    with AppleGpu():
        first = replace(stage, config=replace(config, steps=4))
        run = Run(tmp_path, Ranks(APPLE), views[0].camera.resized(24, 24))
        weights = fit_stage(student, first, run).weights
        network = build_student(student)
        network.load_state_dict(weights)
        network.to(APPLE)
        camera = views[0].camera.resized(student.ray_width, student.ray_height)
        shown = render_frame(network.eval(), student.encoder, camera)
    here = build_student(student)
    here.load_state_dict(weights)
    alike = render_frame(here.eval(), student.encoder, camera)
    assert all(weight.device.type == "cpu" for weight in weights.values())
    np.testing.assert_allclose(shown, alike, atol=1e-5)
    assert LENS.width > 0


def test_sums_of_each_ray_are_those_in_double_precision() -> None:
    rng = torch.Generator().manual_seed(1)
    ray = torch.tensor([0, 0, 0, 2, 2, 5, 5, 5, 5, 6])
    values = torch.rand(len(ray), generator=rng)
    empty = torch.zeros(len(ray))
    samples = Samples(ray, empty, torch.zeros(len(ray), 3), empty)
    before, whole = _sums_before(values, samples, 8)
    with AppleGpu():
        there = Samples(*(part.to(APPLE) for part in samples))
        apart = _sums_before(values.to(APPLE), there, 8)
        found = [part.cpu() for part in apart]
    assert found[0].tolist() == pytest.approx(before.tolist(), abs=1e-6)
    assert found[1].tolist() == pytest.approx(whole.tolist(), abs=1e-6)
    with AppleGpu():
        none = Samples(*(part[:0].to(APPLE) for part in samples))
        assert _sums_before(values[:0].to(APPLE), none, 3)[1].cpu().tolist() == [0.0, 0.0, 0.0]


def test_pooling_is_two_dimensional_and_the_same() -> None:
    from mobile_nelf.teachers.marching import CELLS, OccupancyGrid
    from tests.helpers.ball import random_mask

    grid = OccupancyGrid(random_mask(0.001))
    for reach in (0, 1, 3):
        cube = F.pad(grid.mask.view(1, 1, CELLS, CELLS, CELLS).float(), [reach + 1] * 6)
        whole = F.max_pool3d(cube, 2 * reach + 1, 1, reach).flatten() > 0.0
        assert torch.equal(grid._dilated(reach), whole)


def test_a_mac_is_asked_for_by_name_and_taken_by_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(InputError, match="no GPU of a Mac is available"):
        compute_device("mps")
    assert compute_device("auto").type == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert compute_device("mps").type == compute_device("auto").type == "mps"
    assert compute_device("cpu").type == "cpu"
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert compute_device("auto").type == "cpu"
    with pytest.raises(InputError, match="one process"):
        compute_device("mps")
