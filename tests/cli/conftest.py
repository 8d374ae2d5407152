"""Runs `mnelf` in a folder of its own on a tiny student and a tiny scene."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from mobile_nelf.cameras import Intrinsics, look_at
from mobile_nelf.checkpoints import save_checkpoint
from mobile_nelf.cli import cli
from mobile_nelf.training import presets
from tests.helpers.sphere import PRESET, sphere_scene
from tests.helpers.students import random_checkpoint

#: Large enough for the window of SSIM and for three stages of super-resolution.
IMAGE = 16
ANGLE = 0.7


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads cost more than they gain on networks this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def mnelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command line inside `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(cli, [str(a) for a in arguments], prog_name="mnelf")

    return run


@pytest.fixture(scope="session")
def lens() -> Intrinsics:
    """Of the photos in `scene`."""
    return Intrinsics.centred(IMAGE, IMAGE, 0.5 * IMAGE / math.tan(0.5 * ANGLE))


@pytest.fixture(scope="session")
def checkpoint(lens: Intrinsics):
    """A student whose image fits the photos of `scene`; it learned nothing."""
    student = random_checkpoint(sr_widths=(8, 8, 8), ray_width=2, ray_height=2)
    return replace(student, intrinsics=lens, metrics={"test_psnr_db": 12.5})


@pytest.fixture(scope="session")
def student(checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`checkpoint` in a file."""
    path = tmp_path_factory.mktemp("student") / "thing.pt"
    save_checkpoint(checkpoint, path)
    return path


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Blender scene with six training views and the test views 0, 1 and 8."""
    folder = tmp_path_factory.mktemp("scenes") / "blob"
    rng = np.random.default_rng(5)
    for split, numbers in (("train", range(6)), ("test", (0, 1, 8))):
        (folder / split).mkdir(parents=True)
        frames = []
        for number in numbers:
            azimuth, height = math.tau * number / 6.0, 1.0 + 0.3 * (number % 3)
            position = np.array([3.0 * math.cos(azimuth), 3.0 * math.sin(azimuth), height])
            matrix = np.eye(4)
            matrix[:3] = look_at(4.0 * position / np.linalg.norm(position), (0.0, 0.0, 0.0))
            pixels = rng.integers(0, 256, (IMAGE, IMAGE, 4), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / split / f"r_{number}.png")
            frames.append(
                {"file_path": f"./{split}/r_{number}", "transform_matrix": matrix.tolist()}
            )
        cameras = {"camera_angle_x": ANGLE, "frames": frames}
        (folder / f"transforms_{split}.json").write_text(json.dumps(cameras))
    return folder


@pytest.fixture(scope="session")
def ball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of a ball, which a student learns in a moment."""
    return sphere_scene(tmp_path_factory.mktemp("scenes") / "ball").path


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Options of a run that takes a moment."""
    monkeypatch.setattr(presets, "PRESETS", {"tiny": PRESET})
    return ("--preset", "tiny", "--device", "cpu")
