"""A scene with a closed form, its teacher, and runs on it that live in processes of their own."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from mobile_nelf.cameras import Camera, Intrinsics, OrbitLimits
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.rays import ray_grid
from mobile_nelf.scenes import Scene, read_scene
from mobile_nelf.students import EncoderConfig, StudentConfig
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.teachers.teacher import Rendering
from mobile_nelf.training.config import FitConfig, PhotoStageConfig
from mobile_nelf.training.presets import Preset
from mobile_nelf.training.ranks import Ranks
from mobile_nelf.training.student.make import StudentPlan, train_student
from mobile_nelf.training.student.stage import Run
from mobile_nelf.training.views.sources import TeacherViews

ORBIT = OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (10, 40), (4, 4))
PIXELS = 12
ANGLE = 0.7
LENS = Intrinsics.centred(PIXELS, PIXELS, 0.5 * PIXELS / math.tan(0.5 * ANGLE))
STUDENT = StudentConfig(
    EncoderConfig(2.0, 6.0, samples=3, frequencies=2),
    depth=4,
    width=8,
    sr_widths=(4,),
    sr_blocks=1,
    ray_width=PIXELS // 2,
    ray_height=PIXELS // 2,
)
#: Saves at steps 4 and 8; interruptions at 6 lose two steps that a resumed run has to repeat.
FIT = FitConfig(
    steps=10,
    patches=2,
    patch_rays=4,
    warmup_steps=3,
    save_every=4,
    sample_every=1,
    view_uses=2,
    first_views=3,
    seed=5,
)
PHOTO_STAGE = PhotoStageConfig(
    replace(FIT, steps=9, check_every=3, learning_rate=1e-3), hold_out=4, patience=2
)


#: A student, its teacher and their runs, which take a moment together.
PRESET = Preset(
    samples=3,
    depth=4,
    width=8,
    sr_widths=(4,),
    activation="relu",
    batchnorm=True,
    direct_output=False,
    teacher=TeacherConfig(
        resolutions=(4, 8), channels=2, steps=5, samples=1024, march_steps=32, save_every=2
    ),
    fit=FIT,
    photo_stage=PHOTO_STAGE,
)

#: What a run imports, most of it late; a process that begins with it starts in a tenth of a second.
PRELOADED = [
    "mobile_nelf.training.student.make",
    "torch._dynamo",
    "torchmetrics.functional.image",
    "flip_evaluator",
    "mobile_nelf.bundles",
    "onnx",
    "onnxruntime",
]


@dataclass(frozen=True)
class Sphere:
    """A ball of radius 1 at the origin; its colour is its normal, darkened by `shade`."""

    shade: float = 1.0

    def render(self, camera: Camera) -> Rendering:
        """Intersects each ray with the ball."""
        rays = ray_grid(camera)
        origin, direction = rays[:3], rays[3:]
        a = (direction**2).sum(0)
        b = (origin * direction).sum(0)
        root = b**2 - a * ((origin**2).sum(0) - 1.0)
        hit = root > 0.0
        depth = np.where(hit, (-b - np.sqrt(np.maximum(root, 0.0))) / a, 0.0)
        normal = origin + depth * direction
        rgb = np.where(hit, self.shade * (0.5 + 0.5 * normal), 0.0)
        return Rendering(
            np.ascontiguousarray(rgb.transpose(1, 2, 0), np.float32),
            hit.astype(np.float32),
            depth.astype(np.float32),
        )

    def rgba8(self, camera: Camera) -> np.ndarray:
        """What PNG stores of it."""
        return self.render(camera).rgba8()


@dataclass(frozen=True)
class Around:
    """Cameras anywhere on the orbit, some of them zoomed."""

    seed: int = 0
    lens: Intrinsics = LENS

    def camera(self, index: int) -> Camera:
        """Depends on seed and index alone."""
        rng = np.random.default_rng((self.seed, index))
        pose = ORBIT.pose(rng.uniform(-180, 180), rng.uniform(*ORBIT.elevation), 4.0)
        zoom = 1.0 + 0.2 * (index % 2)
        lens = replace(self.lens, fx=zoom * self.lens.fx, fy=zoom * self.lens.fy)
        return Camera(pose, lens)


class NotedViews(TeacherViews):
    """Sphere views that note each rendering in a file and may kill their own process at one."""

    def __init__(
        self, note: Path, *, kill_at: int | None = None, seconds: float = 0.0, seed: int = 0
    ) -> None:
        super().__init__(Sphere(), Around(seed), f"sphere {seed}")
        self._note, self._kill_at, self._seconds = note, kill_at, seconds

    def view(self, index: int) -> tuple[Camera, np.ndarray]:
        if index == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self._seconds)
        with self._note.open("a") as file:
            file.write(f"{index}\n")
        return super().view(index)


def rendered(note: Path) -> list[int]:
    return [int(line) for line in note.read_text().split()] if note.exists() else []


def sphere_views(seed: int = 0) -> TeacherViews:
    return TeacherViews(Sphere(), Around(seed), f"sphere {seed}")


def sphere_scene(folder: Path, *, photos: int = 8, shade: float = 0.8, tests: int = 2) -> Scene:
    """A Blender scene of the sphere; the photos are darker than what the teacher renders."""
    for split, count in (("train", photos), ("test", tests)):
        (folder / split).mkdir(parents=True, exist_ok=True)
        frames = []
        for index in range(count):
            azimuth, elevation = 360.0 * index / count + 20.0, 12.0 + 25.0 * (index % 2)
            camera = Camera(ORBIT.pose(azimuth, elevation, 4.0), LENS)
            picture = Sphere(shade).render(camera).rgba8()
            Image.fromarray(picture).save(folder / split / f"r_{index}.png")
            matrix = np.vstack([camera.cam_to_world, [0, 0, 0, 1]]).tolist()
            frames.append({"file_path": f"./{split}/r_{index}", "transform_matrix": matrix})
        cameras = {"camera_angle_x": ANGLE, "frames": frames}
        (folder / f"transforms_{split}.json").write_text(json.dumps(cameras))
    return read_scene(folder)


def one_process(folder: Path, **more: Any) -> Run:
    """A run on this CPU in `folder`."""
    folder.mkdir(exist_ok=True)
    return Run(folder, Ranks(torch.device("cpu")), Camera(ORBIT.pose(0, 20, 4), LENS), **more)


def assert_same_weights(
    first: dict[str, torch.Tensor] | Checkpoint, second: dict[str, torch.Tensor] | Checkpoint
) -> None:
    one = first.weights if isinstance(first, Checkpoint) else first
    other = second.weights if isinstance(second, Checkpoint) else second
    assert list(one) == list(other)
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def log_lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def start(target: Any, *arguments: Any, **named: Any) -> BaseProcess:
    """Starts a function of a module in a process that has torch imported but never used."""
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=target, args=arguments, kwargs=named)
    process.start()
    return process


def train_sphere(
    scene: Path,
    output: Path,
    note: Path,
    *,
    kill_at_view: int | None = None,
    kill_at_step: tuple[str, int] | None = None,
    seconds: float = 0.0,
    environment: dict[str, str] | None = None,
) -> None:
    """A whole run, teacher's views and photo stage, which can end in SIGKILL."""
    torch.set_num_threads(1)
    os.environ.update(environment or {})

    def on_fit(progress: Any) -> None:
        if (progress.stage, progress.step) == kill_at_step:
            os.kill(os.getpid(), signal.SIGKILL)

    train_student(
        read_scene(scene),
        StudentPlan(STUDENT, FIT, PHOTO_STAGE),
        output,
        source=NotedViews(note, kill_at=kill_at_view, seconds=seconds),
        device="cpu",
        on_fit=on_fit,
    )


def rank_environments(world: int) -> list[dict[str, str]]:
    """What `torchrun` tells each of its processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    if sys.platform == "linux":
        shared["GLOO_SOCKET_IFNAME"] = "lo"  # the host's own name may not resolve
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(world)]
