"""A direct fit of a student to the photos of a scene.

There is no teacher here, so a student sees only the training views and its test quality stays
modest; distillation is what makes a light field good.
"""

from __future__ import annotations

import hashlib
import math
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import mobile_nelf
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.config import to_dict
from mobile_nelf.encoding import encode
from mobile_nelf.errors import InputError, OutputError, SceneError
from mobile_nelf.rays import ray_map, sample_depths
from mobile_nelf.scenes import Scene
from mobile_nelf.students import StudentConfig, build_student
from mobile_nelf.students.blocks import HeadBodyTail
from mobile_nelf.training.config import FitConfig

__all__ = ["FitProgress", "Photos", "fit_student"]


@dataclass(frozen=True)
class FitProgress:
    """What a caller hears after each step.

    Attributes:
        step: steps done.
        steps: steps in all.
        psnr_db: training PSNR of the batch just seen, before its update.
    """

    step: int
    steps: int
    psnr_db: float


def fit_student(
    scene: Scene,
    student: StudentConfig,
    config: FitConfig,
    state_path: Path,
    on_progress: Callable[[FitProgress], None] = lambda progress: None,
) -> Checkpoint:
    """Trains a student on the training views of `scene` and returns it.

    Args:
        scene: posed images, each `student.scale` times as large as the ray grid.
        student: the network to train.
        config: the run.
        state_path: where the resumable state is kept; a state that is there is continued, and every
            random choice depends on seed and step alone, so a resumed run ends where an unbroken
            one does.
        on_progress: called after every step.

    Raises:
        SceneError: the images do not have the size that the student renders.
        InputError: `state_path` holds something else than a state of this very run.
        OutputError: the folder of `state_path` does not exist.
    """
    if not state_path.parent.is_dir():
        raise OutputError(f"{state_path.parent}: no such folder, expected one for the run's state")
    photos = Photos(scene, student)
    torch.manual_seed(config.seed)
    network: HeadBodyTail = build_student(student).to(
        memory_format=torch.channels_last  # type: ignore[call-overload]  # absent in torch's types
    )
    average = torch.optim.swa_utils.AveragedModel(
        network,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema_decay),  # type: ignore[no-untyped-call]
        use_buffers=True,
    )
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    run = {"student": to_dict(student), "fit": to_dict(config), "photos": photos.sha256()}
    parts: dict[str, Any] = {"network": network, "average": average, "optimizer": optimizer}
    first_step = _resume(state_path, run, parts)
    for step in range(first_step, config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * _schedule(step, config)
        psnr = _train_step(network, optimizer, photos.batch(step, config))
        average.update_parameters(network)
        if (step + 1) % config.save_every == 0 or step + 1 == config.steps:
            _save_state(state_path, run, parts, step + 1)
        on_progress(FitProgress(step + 1, config.steps, psnr))
    averaged = average.module.state_dict()
    weights = {
        # Counters do not average.
        name: averaged[name].contiguous() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    return Checkpoint(
        student=student,
        intrinsics=scene.train[0].camera.intrinsics,
        orbit=scene.orbit,
        weights=weights,
        background=(1.0, 1.0, 1.0),
        provenance={
            "source": "mnelf student",
            "scene": scene.path.name,
            "steps": str(config.steps),
            "version": mobile_nelf.__version__,
        },
    )


def _train_step(
    network: HeadBodyTail, optimizer: torch.optim.Optimizer, batch: tuple[Tensor, Tensor]
) -> float:
    encoded, target = batch
    network.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        prediction = network(encoded)
    loss = F.mse_loss(prediction.float(), target)
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    optimizer.step()
    return -10.0 * math.log10(max(loss.item(), 1e-10))


def _schedule(step: int, config: FitConfig) -> float:
    """Linear warm-up, then half a cosine down to 1 % of the peak."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done))


class Photos:
    """The training views in memory, served as random patches of encoded rays and their pixels."""

    def __init__(self, scene: Scene, student: StudentConfig) -> None:
        """Reads all training views.

        Raises:
            SceneError: the images do not have the size that the student renders.
        """
        lens = scene.views("train")[0].camera.intrinsics
        if (lens.width, lens.height) != (student.image_width, student.image_height):
            raise SceneError(
                f"{scene.path}: images are {lens.width}×{lens.height}, the student renders "
                f"{student.image_width}×{student.image_height}; choose a ray grid of "
                f"{lens.width // student.scale}×{lens.height // student.scale} or another size"
            )
        self.student = student
        self.pixels = torch.from_numpy(np.stack([view.rgba() for view in scene.train]))
        grid = (student.ray_width, student.ray_height)
        maps = [ray_map(view.camera.resized(*grid)) for view in scene.train]
        self.maps = torch.from_numpy(np.stack([m.flat() for m in maps]))  # [V, 12]
        encoder = student.encoder
        self.depths = torch.from_numpy(sample_depths(encoder.near, encoder.far, encoder.samples))

    def sha256(self) -> str:
        """Returns a hash of the pixels and cameras, which tells one scene from another."""
        digest = hashlib.sha256(self.pixels.numpy().data)
        digest.update(self.maps.numpy().data)
        return digest.hexdigest()

    def batch(self, step: int, config: FitConfig) -> tuple[Tensor, Tensor]:
        """Returns encoded rays [B, C, p, p] and their pixels [B, 3 or 4, s·p, s·p]."""
        rng = torch.Generator().manual_seed((config.seed << 32) + step)
        rows = min(config.patch_rays, self.student.ray_height)
        columns = min(config.patch_rays, self.student.ray_width)
        points, targets = [], []
        for _ in range(config.patches):
            # Anywhere in the image, not only where the ray grid of the whole image falls: a photo
            # then teaches scale² times as many different rays.
            view = _randint(len(self.pixels), rng)
            top = _randint(self.pixels.shape[1] - rows * self.student.scale + 1, rng)
            left = _randint(self.pixels.shape[2] - columns * self.student.scale + 1, rng)
            points.append(self._points(view, top, left, rows, columns, rng))
            targets.append(self._target(view, top, left, rows, columns))
        encoded = encode(torch.stack(points), self.student.encoder.frequencies)
        return (
            encoded.contiguous(memory_format=torch.channels_last),
            torch.stack(targets),
        )

    def _points(
        self, view: int, top: int, left: int, rows: int, columns: int, rng: torch.Generator
    ) -> Tensor:
        """Sample points [3·K, rows, columns] of a patch, jittered within their depth intervals."""
        origin, d0, du, dv = self.maps[view].reshape(4, 3, 1, 1)
        u = left / self.student.scale + torch.arange(columns, dtype=torch.float64)
        v = top / self.student.scale + torch.arange(rows, dtype=torch.float64)[:, None]
        directions = d0 + u * du + v * dv  # [3, rows, columns]
        middles = (self.depths[1:] + self.depths[:-1]) / 2
        lower = torch.cat([self.depths[:1], middles])[:, None, None]
        upper = torch.cat([middles, self.depths[-1:]])[:, None, None]
        jitter = torch.rand(len(self.depths), rows, columns, generator=rng)
        depths = lower + (upper - lower) * jitter
        points: Tensor = origin + depths[:, None] * directions  # [K, 3, rows, columns]
        return points.flatten(0, 1).float()

    def _target(self, view: int, top: int, left: int, rows: int, columns: int) -> Tensor:
        scale = self.student.scale
        patch = self.pixels[view, top : top + rows * scale, left : left + columns * scale]
        rgba = patch.permute(2, 0, 1).float() / 255.0
        alpha = rgba[3:]
        on_white = rgba[:3] * alpha + (1.0 - alpha)
        return on_white if self.student.out_channels == 3 else torch.cat([on_white, alpha])


def _randint(limit: int, rng: torch.Generator) -> int:
    return int(torch.randint(limit, (1,), generator=rng))


def _save_state(path: Path, run: dict[str, Any], parts: dict[str, Any], step: int) -> None:
    """Writes beside and renames, so a kill leaves the last whole state."""
    beside = path.with_name(path.name + ".partial")
    state = {name: part.state_dict() for name, part in parts.items()}
    try:
        torch.save({"run": run, "step": step, **state}, beside)
        os.replace(beside, path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        beside.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error}); free some space") from error


def _resume(path: Path, run: dict[str, Any], parts: dict[str, Any]) -> int:
    """Loads the state at `path` into `parts` and returns its step; 0 without one."""
    if not path.exists():
        return 0
    try:
        state = torch.load(path, weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise InputError(
            f"{path}: cannot be read as the state of a run ({type(error).__name__}); delete it to "
            "start afresh or use another output"
        ) from error
    if not isinstance(state, dict) or not {"run", "step", *parts} <= state.keys():
        raise InputError(
            f"{path}: holds something else than the state of a run; use another output"
        )
    if state["run"] != run:
        raise InputError(
            f"{path}: is the state of a run with other settings or photos; delete it to start "
            "afresh or use another output"
        )
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["step"])
