"""Scenes of a coloured ball with a closed form, and slow oracles of how a teacher marches."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from mobile_nelf.cameras import Camera, Intrinsics, OrbitLimits, look_at
from mobile_nelf.rays import ray_grid
from mobile_nelf.scenes import Scene
from mobile_nelf.scenes.view import Box, View
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.teachers.marching import CELLS
from mobile_nelf.teachers.spaces import BoxSpace, ContractedSpace, NdcSpace, Space
from mobile_nelf.training.teacher.fit import TeacherProgress, train_teacher
from mobile_nelf.vocabulary import Extent

FloatArray = npt.NDArray[np.float64]

PIXELS = 24
TANGENT = 0.35
LENS = Intrinsics.centred(PIXELS, PIXELS, 0.5 * PIXELS / TANGENT)
DISTANCE = 4.0
RADIUS = 0.8
BOX = Box((-1.2, -1.1, -1.05), (1.1, 1.2, 1.3))

#: One of each kind; the box has unequal sides and the others an odd pose.
SPACES: dict[str, Space] = {
    "box": BoxSpace(BOX.lower, BOX.upper),
    "contracted": ContractedSpace((0.2, -0.1, 0.3), 1.7, 0.4),
    "ndc": NdcSpace(
        tuple(look_at((0.3, -4.0, 0.2), (0.0, 0.0, 0.1)).flatten().tolist()), (0.5, 0.4), 2.0
    ),
}


class Seen(NamedTuple):
    """What a camera sees of the ball: straight colour [H, W, 3], alpha and depth [H, W]."""

    rgb: FloatArray
    alpha: FloatArray
    depth: FloatArray


def ball(camera: Camera) -> Seen:
    """Intersects each ray with the ball at the origin; its colour is its normal.

    Beside it there is a colour too, which nobody must see since alpha is 0 there.
    """
    rays = ray_grid(camera)
    origin, direction = rays[:3], rays[3:]
    a = (direction**2).sum(0)
    b = (origin * direction).sum(0)
    root = b**2 - a * ((origin**2).sum(0) - RADIUS**2)
    hit = root > 0.0
    depth = np.where(hit, (-b - np.sqrt(np.maximum(root, 0.0))) / a, 0.0)
    normal = (origin + depth * direction) / RADIUS
    rgb = np.where(hit, 0.5 + 0.4 * normal, 0.7).transpose(1, 2, 0)
    return Seen(rgb, hit.astype(np.float64), depth)


def ball_picture(camera: Camera) -> npt.NDArray[np.uint8]:
    seen = ball(camera)
    return np.rint(255.0 * np.concatenate([seen.rgb, seen.alpha[..., None]], -1)).astype(np.uint8)


def grey_picture(camera: Camera) -> npt.NDArray[np.uint8]:
    """Opaque all over."""
    shape = (camera.intrinsics.height, camera.intrinsics.width, 4)
    return np.full(shape, (128, 128, 128, 255), np.uint8)


def around(count: int, lens: Intrinsics = LENS) -> list[Camera]:
    """Cameras on a sphere around the ball, all the way round and at all heights of a band."""
    orbit = OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (-30, 40), (DISTANCE, DISTANCE))
    return [
        Camera(orbit.pose(360.0 * i / count, -30.0 + 70.0 * (0.618 * i % 1.0), DISTANCE), lens)
        for i in range(count)
    ]


def in_front(lens: Intrinsics = LENS, *, towards: float = 0.3) -> list[Camera]:
    """Nine cameras of a plane in front of the ball, some a bit nearer, turned a little to it."""
    cameras = []
    for i in range(9):
        x, z = 0.4 * (i % 3 - 1), 0.3 * (i // 3 - 1)
        position = np.array([x, -DISTANCE + 0.1 * (i % 2), z])
        looked_at = (1.0 - towards) * np.array([x, 0.0, z])
        cameras.append(Camera(look_at(position, looked_at), lens))
    return cameras


def scene_of(
    folder: Path,
    cameras: Sequence[Camera],
    *,
    picture: Callable[[Camera], npt.NDArray[np.uint8]] = ball_picture,
    extent: Extent = "bounded",
    box: Box = BOX,
    near: float = 2.5,
    far: float = 6.0,
    write: bool = True,
) -> Scene:
    """Writes the photos and returns the scene of them; its test views are its training views."""
    views = []
    for index, camera in enumerate(cameras):
        path = folder / f"photo_{index}.png"
        if write:
            Image.fromarray(picture(camera)).save(path)
        views.append(View(path, camera))
    orbit = OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (-30, 40), (DISTANCE, DISTANCE))
    return Scene(
        path=folder,
        train=tuple(views),
        test=tuple(views),
        near=near,
        far=far,
        orbit=orbit,
        missing=(),
        extent=extent,
        box=box,
        notices=(),
    )


def rays_of(camera: Camera) -> tuple[Tensor, Tensor]:
    """Origins and directions [N, 3] of a camera's pixels in float32."""
    rays = torch.from_numpy(ray_grid(camera)).float().flatten(1).T
    return rays[:, :3].contiguous(), rays[:, 3:].contiguous()


def in_mask(mask: Tensor, point: Sequence[float]) -> bool:
    """Whether a point of the unit cube lies in a marked cell, axis by axis."""
    cells = [math.floor(coordinate * CELLS) for coordinate in point]
    if not all(0 <= cell < CELLS for cell in cells):
        return False
    return bool(mask.view(CELLS, CELLS, CELLS)[cells[2], cells[1], cells[0]])


# Training in a process of its own, which can end in SIGKILL. The occupancy is refreshed at steps
# 128 and 144, and states are saved before, between and after.
RUN = TeacherConfig(
    resolutions=(3, 5), channels=2, steps=156, samples=512, march_steps=96, save_every=13, seed=1
)


def saved_scene(folder: Path) -> Scene:
    """The scene of a run, whose photos are written the first time and then read."""
    if (folder / "photo_0.png").exists():
        return scene_of(folder, around(4), write=False)
    folder.mkdir(exist_ok=True)
    return scene_of(folder, around(4))


def train_ball(photos: Path, state: Path, kill_at: int | None = None) -> None:
    torch.set_num_threads(1)

    def on_progress(progress: TeacherProgress) -> None:
        if progress.step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    train_teacher(saved_scene(photos), RUN, state, torch.device("cpu"), on_progress)


def random_mask(share: float) -> Tensor:
    rng = torch.Generator().manual_seed(round(1e6 * share))
    return torch.rand(CELLS**3, generator=rng) < share
