"""Fine-tuning of a cut student: the uncut one shows it, on the same rays, what it should see.

Nothing is rendered in advance, and rays come from anywhere on the orbit. Where there are photos,
half of each batch is theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import TrainingError
from mobile_nelf.plain import to_dict
from mobile_nelf.pruning.calibration import random_pose
from mobile_nelf.rays import ray_map
from mobile_nelf.runs import load_state, save_state
from mobile_nelf.scenes import View
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.ranks import Ranks
from mobile_nelf.training.student.collapse import psnr_of
from mobile_nelf.training.student.learner import Learner
from mobile_nelf.training.student.stage import FitProgress, state_path
from mobile_nelf.training.views.patches import Patches
from mobile_nelf.training.views.sources import PhotoViews

__all__ = ["tune", "tune_tables", "tuning_config"]

#: A tenth of what training takes, which is what the last stage on photos takes too. A larger one
#: unlearns what the re-fit has left.
TUNING = FitConfig(
    patches=4,
    patch_rays=16,
    learning_rate=2e-4,
    matrix_step=1.5e-3,
    product_step=2e-3,
    warmup_steps=20,
    weight_decay=0.0,
    ema_decay=0.99,
    save_every=100,
    sample_every=0,
)

#: Runs of so many steps take half of the step, as long trainings do (docs/decisions.md).
LONG_STEPS = 4000

#: AdamW's step for the values of tables, which are few and each move many weights.
TABLE_STEP = 1e-4


def tuning_config(steps: int, seed: int = 0) -> FitConfig:
    """Returns the settings of a run of fine-tuning."""
    factor = 0.5 if steps >= LONG_STEPS else 1.0
    return replace(
        TUNING,
        steps=steps,
        seed=seed,
        warmup_steps=min(20, max(steps // 5, 1)),
        learning_rate=TUNING.learning_rate * factor,
        matrix_step=TUNING.matrix_step * factor,
        product_step=TUNING.product_step * factor,
    )


def tune(
    checkpoint: Checkpoint,
    teacher: Checkpoint,
    config: FitConfig,
    folder: Path,
    name: str,
    *,
    photos: tuple[View, ...] = (),
    masks: Mapping[str, Tensor] | None = None,
    tied: Mapping[str, Tensor] | None = None,
    device: torch.device | None = None,
    on_fit: Callable[[FitProgress], None] = lambda progress: None,
) -> Checkpoint:
    """Returns the fine-tuned student; a state in the folder of the run is continued.

    Args:
        checkpoint: what is tuned.
        teacher: the uncut student, on the same grid of rays.
        config: the run.
        folder: for the state, which stays there.
        name: of the stage and its state.
        photos: learnt from too, in half of the patches.
        masks: 0 where a weight stays 0, by the weight's name.
        tied: number of its table's value of each weight, see `Learner`.
        device: where to compute; the CPU if None.
        on_fit: called after each step.

    Raises:
        InputError: the state belongs to another run.
        OutputError: the state cannot be written.
        TrainingError: the weights left the finite numbers.
    """
    student = checkpoint.student
    taught = config.patches - config.patches // 2 if photos else config.patches
    place = device or torch.device("cpu")
    shown = teacher.network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learner = Learner(
        student,
        config,
        Ranks(place),
        checkpoint.weights,
        teacher=shown,
        taught=taught,
        masks=masks,
        tied=tied,
    )
    key = {
        "student": to_dict(student),
        "settings": to_dict(config),
        "weights": checkpoint.weights_sha256(),
        "teacher": teacher.weights_sha256(),
        "photos": PhotoViews(photos).identity() if photos else None,
        "masked": bool(masks),
        "tied": bool(tied),
    }
    path = state_path(folder, name)
    state = load_state(path, key, ("step", *learner.state()))
    done = 0
    if state is not None:
        learner.load(state)
        done = int(state["step"])
    pictures = [view.rgba() for view in photos]
    while done < config.steps:
        rng = np.random.default_rng((config.seed, done))
        patches = _draw(teacher, photos, pictures, config, taught, rng)
        error, *_ = learner.step(done, patches).tolist()
        done += 1
        if done % config.save_every == 0 or done == config.steps:
            if not learner.finite():
                raise TrainingError(f"fine-tuning diverged before step {done}; use fewer steps")
            save_state(path, key, {"step": done, **learner.state()})
        on_fit(FitProgress(done, config.steps, psnr_of(error), name))
    return replace(checkpoint, weights=learner.averaged_weights())


def tune_tables(
    checkpoint: Checkpoint,
    teacher: Checkpoint,
    config: FitConfig,
    folder: Path,
    name: str,
    layers: Collection[str],
    *,
    photos: tuple[View, ...] = (),
    device: torch.device | None = None,
    on_fit: Callable[[FitProgress], None] = lambda progress: None,
) -> Checkpoint:
    """Returns a rounded student whose tables were tuned; each weight keeps its place in them.

    Biases and the layers without a table are tuned too. Tables stay exact in fp16.

    Args:
        checkpoint: what `palettized` returned.
        teacher: the student before any compression, on the same grid of rays.
        config: the run; its optimizer and step length are replaced by those for tables.
        folder: for the state, which stays there.
        name: of the stage and its state.
        layers: that have a table.
        photos: as for `tune`.
        device: as for `tune`.
        on_fit: called after each step.

    Raises:
        InputError, OutputError, TrainingError: as `tune`.
    """
    tied = {
        f"{layer}.weight": torch.unique(checkpoint.weights[f"{layer}.weight"], return_inverse=True)[
            1
        ]
        for layer in layers
    }
    config = replace(config, optimizer="adamw", learning_rate=TABLE_STEP)
    tuned = tune(
        checkpoint,
        teacher,
        config,
        folder,
        name,
        photos=photos,
        tied=tied,
        device=device,
        on_fit=on_fit,
    )
    weights = dict(tuned.weights)
    for key, places in tied.items():
        flat, where = weights[key].flatten().double(), places.flatten()
        table = torch.zeros(int(where.max()) + 1, dtype=torch.float64).index_add_(0, where, flat)
        table = (table / torch.bincount(where)).half().float()
        weights[key] = table[where].reshape(places.shape)
    return replace(tuned, weights=weights)


def _draw(
    teacher: Checkpoint,
    photos: tuple[View, ...],
    pictures: list[npt.NDArray[np.uint8]],
    config: FitConfig,
    taught: int,
    rng: np.random.Generator,
) -> Patches:
    """Returns patches of random poses, then of photos; the first ones have no pixels."""
    student = teacher.student
    scale = student.scale
    rows = min(config.patch_rays, student.ray_height)
    columns = min(config.patch_rays, student.ray_width)
    size = (rows * scale, columns * scale)
    maps, corners = [], []
    pixels = np.zeros((config.patches, *size, 4), np.uint8)
    for index in range(config.patches):
        top = int(rng.integers(student.image_height - size[0] + 1))
        left = int(rng.integers(student.image_width - size[1] + 1))
        if index < taught:
            camera = teacher.ray_camera(random_pose(teacher.orbit, rng))
        else:
            chosen = int(rng.integers(len(photos)))
            camera = photos[chosen].camera.resized(student.ray_width, student.ray_height)
            pixels[index] = pictures[chosen][top : top + size[0], left : left + size[1]]
        maps.append(ray_map(camera).flat())
        corners.append((left / scale, top / scale))
    jitter = rng.random((config.patches, student.encoder.samples, rows, columns), np.float32)
    return Patches(
        torch.from_numpy(np.stack(maps)),
        torch.tensor(corners, dtype=torch.float64),
        torch.from_numpy(jitter),
        torch.from_numpy(pixels),
    )
