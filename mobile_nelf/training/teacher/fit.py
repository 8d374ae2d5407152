"""Training of a teacher on the photos of a scene."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mobile_nelf.cameras import Camera
from mobile_nelf.compute import is_apple_gpu, random_numbers, reduced_precision
from mobile_nelf.errors import OutputError
from mobile_nelf.pictures import FloatImage
from mobile_nelf.plain import from_dict, to_dict
from mobile_nelf.runs import load_state, read_state, save_state, taking_up
from mobile_nelf.scenes import Scene
from mobile_nelf.seeding import seeded
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.teachers.field import DenseGridField
from mobile_nelf.teachers.marching import (
    CELLS,
    OccupancyGrid,
    cell_corners,
    composite,
    distortion,
    march,
)
from mobile_nelf.teachers.ngp import NgpTeacher, build_field
from mobile_nelf.teachers.spaces import BoxSpace, scene_space
from mobile_nelf.training.length import StageLength, StepPlan
from mobile_nelf.training.log import RunLog
from mobile_nelf.training.teacher.pixels import PhotoPixels, seen_cells

__all__ = ["TeacherProgress", "saved_teacher", "train_teacher"]

#: Name of the stage in the log.
STAGE = "teacher"
#: Steps between two refreshes of the occupancy, and steps before the first.
REFRESH_STEPS = 16
WARMUP_STEPS = 128
#: The number of rays follows the emptiness of the scene, but never jumps.
RAY_GROWTH = 1.1
#: Fewest samples a ray is taken to have, which bounds the rays of a step.
FEWEST_SAMPLES = 4


@dataclass(frozen=True)
class TeacherProgress:
    """Progress of a stage, reported after each step.

    Attributes:
        step: steps done.
        steps: steps in all; an estimate while a run of some minutes has no plan.
        psnr_db: training PSNR on random backgrounds, of the rays just seen and those beside the
            object that need not be seen.
        plan: of a run of some minutes, once it is made.
        render: returns [height, width, 3] of a camera on white by the teacher as it is now; only
            valid until the next step.
    """

    step: int
    steps: int
    psnr_db: float
    render: Callable[[Camera], FloatImage] = field(repr=False, compare=False)
    plan: StepPlan | None = None


def train_teacher(
    scene: Scene,
    config: TeacherConfig,
    state_path: Path,
    device: torch.device,
    on_progress: Callable[[TeacherProgress], None] = lambda progress: None,
) -> NgpTeacher:
    """Trains a teacher on the training views of `scene`.

    Args:
        scene: posed photos.
        config: the run.
        state_path: where the resumable state is kept; the log of the run lies beside it. A state
            that is there is continued, and every random choice depends on seed and step alone, so
            a resumed run ends where an unbroken one does. A run of some minutes keeps the number of
            its steps there.
        device: where to train.
        on_progress: called after every step.

    Raises:
        SceneError: a photo cannot be read.
        InputError: `state_path` holds something else than a state of this very run.
        OutputError: the state cannot be written.
        MissingExtraError: the back-end is not installed.
    """
    if not state_path.parent.is_dir():
        raise OutputError(f"{state_path.parent}: no such folder, expected one for the run's state")
    teacher = _fresh(scene, config, device)
    space, field, grid = teacher.space, teacher.field, teacher.grid
    photos = PhotoPixels(scene, device)
    share = photos.keep(space, grid.visible)
    optimizer = torch.optim.Adam(
        field.parameters(),
        lr=config.learning_rate,
        betas=(0.9, 0.99),
        eps=1e-15,
        fused=not is_apple_gpu(device),
    )
    run = {"teacher": to_dict(config), "photos": photos.sha256, "space": repr(space)}
    first, seconds, rays = 0, 0.0, config.samples // config.march_steps
    length = StageLength(config.steps, config.minutes)
    names = ("field", "optimizer", "density", "mask", "step", "seconds", "rays", "plan")
    state = load_state(state_path, run, names)
    if state is not None:
        with taking_up(state_path):
            _take_up(teacher, state, device)
            optimizer.load_state_dict(state["optimizer"])
            first, seconds, rays = int(state["step"]), float(state["seconds"]), int(state["rays"])
            length.load(state["plan"])
            if not (0 <= first <= length.steps and 0 < rays <= config.samples):
                raise ValueError(f"step {first} with {rays} rays")
    with closing(RunLog(state_path.parent, STAGE, first)) as log:
        began = time.monotonic() - seconds
        errors: list[float] = []  # mean squared errors of the steps since the last log line
        step = first
        while step < length.steps:
            rng = random_numbers(device, (config.seed << 32) + step)
            if step >= WARMUP_STEPS and step % REFRESH_STEPS == 0:
                grid.refresh(field, 1.0 / config.march_steps, rng)
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * _schedule(step, length.steps)
            loss, error, samples = _loss(teacher, photos, rays, rng)
            optimizer.zero_grad(set_to_none=False)
            torch.autograd.backward(loss)
            optimizer.step()
            fitting = rays * config.samples // max(samples, 1)
            rays = min(fitting, int(rays * RAY_GROWTH) + 1, config.samples // FEWEST_SAMPLES)
            # The other pixels show nothing but the background, which is right.
            mean_squared_error = share * error.item()
            errors.append(mean_squared_error)
            step += 1
            seconds = time.monotonic() - began
            # A plan is kept at once: what was made with it could not be made again without it.
            planned, last = length.take(step, seconds), step >= length.steps
            saving = config.save_every > 0 and (last or planned or step % config.save_every == 0)
            if saving or last:
                # Before the state: on resume, lines beyond the saved step are dropped.
                log.write(step, seconds, psnr_db=_psnr_db(fmean(errors)))
                errors.clear()
            if saving:
                content: dict[str, Any] = {
                    "field": field.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "density": grid.density,
                    "mask": grid.mask,
                    "step": step,
                    "seconds": seconds,
                    "rays": rays,
                    "plan": length.state(),
                }
                save_state(state_path, run, content)
            on_progress(
                TeacherProgress(
                    step,
                    length.expected(step, seconds),
                    _psnr_db(mean_squared_error),
                    lambda camera: teacher.render(camera).on_white(),
                    length.plan,
                )
            )
    if isinstance(field, DenseGridField):
        field.all_rows()
    teacher.config = replace(config, steps=length.steps)
    return teacher.rounded()


def saved_teacher(scene: Scene, state_path: Path, device: torch.device) -> tuple[NgpTeacher, int]:
    """Returns the teacher of a state as it is, to look at, and how many steps there are to be.

    Raises:
        InputError: it is not the state of a teacher, or that of another scene.
        MissingExtraError: the back-end is not installed.
    """
    state = read_state(state_path, ("field", "density", "mask", "step", "seconds", "plan"))
    with taking_up(state_path):
        config = from_dict(TeacherConfig, state["run"]["teacher"], "teacher")
        teacher = _fresh(scene, config, device)
        _take_up(teacher, state, device)
        length = StageLength(config.steps, config.minutes)
        length.load(state["plan"])
        steps = length.expected(int(state["step"]), float(state["seconds"]))
    return teacher, steps


def _fresh(scene: Scene, config: TeacherConfig, device: torch.device) -> NgpTeacher:
    """The teacher before its first step."""
    space = scene_space(scene)
    with seeded(config.seed):
        field = build_field(config, space, device)
    grid = OccupancyGrid(seen_cells(scene, space, device))
    if isinstance(field, DenseGridField) and device.type != "cuda":  # which reads whole volumes
        corners = cell_corners(grid.visible.nonzero()[:, 0])
        if len(corners):
            field.keep_rows(corners / CELLS, (corners + 1.0) / CELLS)
    return NgpTeacher(config, space, field, grid)


def _take_up(teacher: NgpTeacher, state: dict[str, Any], device: torch.device) -> None:
    """Gives a teacher the numbers of a state."""
    grid = teacher.grid
    teacher.field.load_state_dict(state["field"])
    density, mask = state["density"].to(device), state["mask"].to(device)
    if (density.shape, mask.shape) != (grid.density.shape, grid.mask.shape):
        raise ValueError(f"an occupancy of {list(density.shape)} cells")
    grid.density, grid.mask = density, mask


def _loss(
    teacher: NgpTeacher, photos: PhotoPixels, rays: int, rng: torch.Generator
) -> tuple[Tensor, Tensor, int]:
    """Returns the loss of random pixels, their squared error, and how many samples they took."""
    origins, directions, rgba = photos.draw(rays, rng)
    jitter = torch.rand(rays, generator=rng, device=rng.device).to(origins.device)
    # Against a random background only the true opacity is right, colour cannot stand in for it.
    background = torch.rand(rays, 3, generator=rng, device=rng.device).to(origins.device)
    target = rgba[:, :3] * rgba[:, 3:] + background * (1.0 - rgba[:, 3:])
    samples = march(
        teacher.space, teacher.grid, origins, directions, teacher.config.march_steps, jitter
    )
    with reduced_precision(origins.device):
        density, features = teacher.field.density(samples.points)
        unit = F.normalize(directions, dim=1)
        colour = teacher.field.colour(features, unit[samples.ray])
    weights, clear = composite(density, samples, rays)
    rgb = torch.zeros_like(background).index_add(0, samples.ray, weights[:, None] * colour)
    error = F.mse_loss(rgb + clear[:, None] * background, target)
    if isinstance(teacher.space, BoxSpace):  # its photos say by their alpha where no fog is
        return error, error, len(samples.ray)
    spread = distortion(weights, samples, rays).mean()
    return error + teacher.config.distortion * spread, error, len(samples.ray)


def _psnr_db(mean_squared_error: float) -> float:
    return -10.0 * math.log10(max(mean_squared_error, 1e-10))


def _schedule(step: int, steps: int) -> float:
    return 1 / 30 + (1 - 1 / 30) * 0.5 * (1.0 + math.cos(math.pi * step / steps))
