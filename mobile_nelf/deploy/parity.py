"""Parity: how far each step from the trained student to the artefact moves the picture.

Each leg is judged by itself, so that a failure says which step broke. Tolerances stand here with
their reasons and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from mobile_nelf.cameras import Camera
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import ActivationForm, LayoutName
from mobile_nelf.deploy.form import changes_function
from mobile_nelf.encoding import encode
from mobile_nelf.metrics import psnr_db
from mobile_nelf.rays import ray_grid, sample_depths, sample_points
from mobile_nelf.students import Activation

__all__ = [
    "DEPLOY_MAX_ERROR",
    "ParityLeg",
    "compare_frames",
    "required_psnr_db",
    "student_frame_function",
]

#: Deploy form against student, fed the same encoding. Folding BatchNorm re-associates float32 sums;
#: 70 layers deep that moved frames of a trained D60-SR3 by 1e-6.
DEPLOY_MAX_ERROR = 1e-5

#: Artefact against student, worst reference frame. `embedded` gets the same numbers as the student
#: and only sums them in another order. The others compute the encoding in float32, where 2⁵·x
#: carries an error of about 1e-5 into the network; 60 dB is a rms error of 1/4 of an 8-bit step.
ARTEFACT_MIN_PSNR_DB: dict[LayoutName, float] = {
    "embedded": 100.0,
    "rays": 60.0,
    "camera": 60.0,
    "factored": 60.0,
}

#: Artefact whose activation was mapped to another function on request. Below this the difference
#: can be seen, and the student should be trained with the activation that is wanted.
MAPPED_MIN_PSNR_DB = 45.0

Frame = npt.NDArray[np.float32]

#: Stands for an infinite PSNR (identical frames) in JSON, which has no infinity.
IDENTICAL_DB = 999.0


@dataclass(frozen=True)
class ParityLeg:
    """One comparison.

    Attributes:
        name: what was compared with what.
        frames: frames compared.
        max_error: largest difference of any pixel, in [0, 1].
        psnr_db: of the worst frame; 999 if all are identical.
        tolerance: what was demanded, in words; empty for a leg that is only reported.
        passed: whether that holds and all pixels are finite.
        note: what the leg assumes or emulates.
    """

    name: str
    frames: int
    max_error: float
    psnr_db: float
    tolerance: str
    passed: bool
    note: str = ""

    @property
    def summary(self) -> str:
        """What was measured against what was demanded, in one line."""
        return (
            f"{self.name}: {self.psnr_db:.1f} dB, largest error {self.max_error:.2g}, demanded "
            f"{self.tolerance}"
        )


def required_psnr_db(layout: LayoutName, trained: Activation, form: ActivationForm) -> float:
    """Returns what each frame of an artefact must reach against the trained student."""
    if changes_function(trained, form):
        return min(ARTEFACT_MIN_PSNR_DB[layout], MAPPED_MIN_PSNR_DB)
    return ARTEFACT_MIN_PSNR_DB[layout]


def compare_frames(
    name: str,
    frames: Sequence[Frame],
    references: Sequence[Frame],
    *,
    min_psnr_db: float | None = None,
    max_error: float | None = None,
    note: str = "",
) -> ParityLeg:
    """Compares frames with references; tolerances that are `None` are not demanded.

    Raises:
        ValueError: the numbers or shapes of frames differ.
    """
    worst_error, worst_db = 0.0, IDENTICAL_DB
    passed = True
    for frame, reference in zip(frames, references, strict=True):
        if not np.isfinite(frame).all():
            # NaN compares as neither larger nor smaller, and JSON has no infinity.
            frame, passed = np.full_like(frame, 1e9), False
        worst_db = min(worst_db, psnr_db(frame, reference))
        worst_error = max(worst_error, float(np.abs(frame - reference).max()))
    demands = []
    if min_psnr_db is not None:
        demands.append(f">= {min_psnr_db:g} dB")
        passed = passed and worst_db >= min_psnr_db
    if max_error is not None:
        demands.append(f"error <= {max_error:g}")
        passed = passed and worst_error <= max_error
    return ParityLeg(name, len(frames), worst_error, worst_db, ", ".join(demands), passed, note)


def student_frame_function(
    checkpoint: Checkpoint, network: nn.Module | None = None
) -> Callable[[Camera], Frame]:
    """Returns a function that renders with the trained network and a float64 encoding.

    Args:
        checkpoint: the trained student.
        network: runs instead of the trained network; takes the official encoding.
    """
    network = network or checkpoint.network()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent in torch's types
    encoder = checkpoint.student.encoder
    depths = sample_depths(encoder.near, encoder.far, encoder.samples)

    def frame(camera: Camera) -> Frame:
        points = torch.from_numpy(sample_points(ray_grid(camera), depths))[None]
        encoded = encode(points, encoder.frequencies).float()
        with torch.inference_mode():
            image = network(encoded.contiguous(memory_format=torch.channels_last))[0]
        return np.ascontiguousarray(image.permute(1, 2, 0).numpy())

    return frame
