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
from mobile_nelf.deploy.exporter import Runtime, WeightForm
from mobile_nelf.deploy.form import changes_function
from mobile_nelf.encoding import encode
from mobile_nelf.metrics import psnr_db
from mobile_nelf.rays import ray_grid, sample_depths, sample_points
from mobile_nelf.students import Activation

__all__ = [
    "COMPRESSED_MIN_PSNR_DB",
    "DEPLOY_MAX_ERROR",
    "EMULATED_MIN_PSNR_DB",
    "FP16_LIMIT",
    "ParityLeg",
    "compare_frames",
    "leg_name",
    "proves_artefact",
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

#: Targets whose artefacts have weights in fp16. Rounding them moves frames whatever the layout, so
#: that even `embedded` need not reach more than the others. A trained D60-SR3 reached 84 to 86 dB,
#: whatever the layout.
FP16_TARGETS = ("coreml",)
FP16_MIN_PSNR_DB = 60.0

#: Artefact in which every result is rounded to fp16, as a device may. An rms error of 0.8 of an
#: 8-bit step is not seen. A trained D60-SR3 reached 74.6 to 74.8 dB, whatever the layout; with its
#: phases in fp16 as well, 53.5 dB.
EMULATED_MIN_PSNR_DB = 50.0

#: Artefact with compressed weights. These only tell a poor copy from a broken one; what compression
#: costs is judged by the PSNR of test views. A trained D60-SR3 reached 59.1, 47.3, 32.8 and, never
#: trained to be sparse, 20.0 dB. One wrong layer gave 22 to 28 dB in the body and 13 to 16 dB at
#: either end, so that the last two tell only a package that is broken as a whole.
COMPRESSED_MIN_PSNR_DB: dict[WeightForm, float] = {
    "int8": 45.0,
    "palette6": 35.0,
    "palette4": 25.0,
    "sparse50": 15.0,
}

#: Largest finite number in fp16. Beyond it a device computes infinity, which a sigmoid hides.
FP16_LIMIT = 65504.0

#: Artefact whose activation was mapped to another function on request. Below this the difference
#: can be seen, and the student should be trained with the activation that is wanted.
MAPPED_MIN_PSNR_DB = 45.0

Frame = npt.NDArray[np.float32]

#: Stands for an infinite PSNR (identical frames) in JSON, which has no infinity.
IDENTICAL_DB = 999.0

#: Stands for infinite pixels and activations, for the same reason.
ABSURD = 1e9


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
        largest_activation: magnitude of the largest result in fp16; None where there is none.
        artefact: bundle-relative path of what was executed; empty for legs that run none of its
            files.
    """

    name: str
    frames: int
    max_error: float
    psnr_db: float
    tolerance: str
    passed: bool
    note: str = ""
    largest_activation: float | None = None
    artefact: str = ""

    @property
    def summary(self) -> str:
        """What was measured against what was demanded, in one line."""
        peak = self.largest_activation
        return (
            f"{self.name}: {self.psnr_db:.1f} dB, largest error {self.max_error:.2g}, "
            + (f"largest activation {peak:.3g}, " if peak is not None else "")
            + f"demanded {self.tolerance}"
        )


def proves_artefact(leg: ParityLeg) -> bool:
    """Whether a leg executed a file of the bundle and had something to reach."""
    return bool(leg.artefact and leg.tolerance)


def leg_name(runtime: Runtime) -> str:
    """Returns the name of the leg that compares a runtime with the student."""
    return f"student → {runtime.name}"


def required_psnr_db(
    layout: LayoutName, trained: Activation, form: ActivationForm, target: str = ""
) -> float:
    """Returns what each frame of an artefact must reach against the trained student."""
    required = ARTEFACT_MIN_PSNR_DB[layout]
    if target in FP16_TARGETS:
        required = min(required, FP16_MIN_PSNR_DB)
    if changes_function(trained, form):
        required = min(required, MAPPED_MIN_PSNR_DB)
    return required


def compare_frames(
    name: str,
    frames: Sequence[Frame],
    references: Sequence[Frame],
    *,
    min_psnr_db: float | None = None,
    max_error: float | None = None,
    note: str = "",
    largest_activation: tuple[str, float] | None = None,
    artefact: str = "",
) -> ParityLeg:
    """Compares frames with references; tolerances that are `None` are not demanded.

    Args:
        name: of the leg.
        frames: what is judged.
        references: as many.
        min_psnr_db: of each frame.
        max_error: of any pixel.
        note: what the leg assumes or emulates.
        largest_activation: name and magnitude of a result that must be finite in fp16.
        artefact: bundle-relative path of what was executed.

    Raises:
        ValueError: the numbers or shapes of frames differ.
    """
    worst_error, worst_db = 0.0, IDENTICAL_DB
    passed = True
    for frame, reference in zip(frames, references, strict=True):
        if not np.isfinite(frame).all():
            # NaN compares as neither larger nor smaller, and JSON has no infinity.
            frame, passed = np.full_like(frame, ABSURD), False
        worst_db = min(worst_db, psnr_db(frame, reference))
        worst_error = max(worst_error, float(np.abs(frame - reference).max()))
    demands = []
    if min_psnr_db is not None:
        demands.append(f">= {min_psnr_db:g} dB")
        passed = passed and worst_db >= min_psnr_db
    if max_error is not None:
        demands.append(f"error <= {max_error:g}")
        passed = passed and worst_error <= max_error
    peak = None
    if largest_activation is not None:
        where, magnitude = largest_activation
        peak = min(magnitude, ABSURD)
        demands.append("finite in fp16")
        passed = passed and peak <= FP16_LIMIT
        note = "; ".join(filter(None, (note, f"largest activation {peak:.3g}, result of {where}")))
    return ParityLeg(
        name, len(frames), worst_error, worst_db, ", ".join(demands), passed, note, peak, artefact
    )


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
