"""Parity: how far each step from the trained student to the artefact moves the picture.

Each leg is judged by itself, so that a failure says which step broke. What is demanded of a leg
stands in `deploy.tolerances`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobile_nelf.deploy.tolerances import FP16_LIMIT
from mobile_nelf.export.runtime import Runtime
from mobile_nelf.metrics import psnr_db
from mobile_nelf.pictures import FloatImage

__all__ = ["IDENTICAL_DB", "ParityLeg", "compare_frames", "leg_name", "proves_artefact"]

#: Stands for an infinite PSNR (identical frames) in JSON, which has no infinity.
IDENTICAL_DB = 999.0

#: What makes a network fit into fp16.
SMALLER = (
    "fine-tune with weight decay until the layer's results are smaller, or use a target that "
    "computes in float32"
)

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
        broken_frames: frames with pixels that are NaN or infinite; their PSNR and error say
            nothing.
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
    broken_frames: int = 0

    @property
    def worst_text(self) -> str:
        """PSNR of the worst frame in words; NaN where pixels are not numbers."""
        if self.broken_frames:
            return "NaN"
        return "identical" if self.max_error == 0.0 else f"{self.psnr_db:.1f}"

    @property
    def summary(self) -> str:
        """What was measured against what was demanded, in one line."""
        peak = self.largest_activation
        measured = f"{self.psnr_db:.1f} dB, largest error {self.max_error:.2g}"
        if self.broken_frames:
            measured = (
                f"{self.broken_frames} of {self.frames} frames hold NaN (not a number) or infinite "
                "pixels"
            )
        activation = ""
        if peak is not None:
            activation = f", largest activation {peak:.3g}"
            if peak > FP16_LIMIT:
                activation = f" ({self.note}; fp16 ends at {FP16_LIMIT:g}: {SMALLER})"
        demanded = self.tolerance or "finite pixels"
        return f"{self.name}: {measured}{activation}, demanded {demanded}"


def proves_artefact(leg: ParityLeg) -> bool:
    """Whether a leg executed a file of the bundle and had something to reach."""
    return bool(leg.artefact and leg.tolerance)


def leg_name(runtime: Runtime) -> str:
    """Returns the name of the leg that compares a runtime with the student."""
    return f"student → {runtime.name}"


def compare_frames(
    name: str,
    frames: Sequence[FloatImage],
    references: Sequence[FloatImage],
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
    passed, broken = True, 0
    for frame, reference in zip(frames, references, strict=True):
        if not np.isfinite(frame).all():
            # NaN compares as neither larger nor smaller, and JSON has no infinity.
            frame, passed, broken = np.full_like(frame, ABSURD), False, broken + 1
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
        size = f"{peak:.3g}" if magnitude <= ABSURD else "infinite"
        note = "; ".join(filter(None, (note, f"largest activation {size}, result of {where}")))
    return ParityLeg(
        name,
        len(frames),
        worst_error,
        worst_db,
        ", ".join(demands),
        passed,
        note,
        peak,
        artefact,
        broken,
    )
