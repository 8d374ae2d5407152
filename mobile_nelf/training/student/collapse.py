"""Notices a student that has given up and shows one colour whatever the camera."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mobile_nelf.errors import TrainingError
from mobile_nelf.training.config import FitConfig

__all__ = ["CollapseWatch", "batch_statistics", "psnr_of"]

#: Steps that are judged together. A student right after its warm-up may hesitate for some.
WINDOW = 200

#: A constant prediction has no variance at all apart from rounding; one that still learns has about
#: as much as the views.
CONSTANT_VARIANCE = 0.01

#: A window's error against that of the best constant colour, less what rounding may gain.
NO_BETTER = 0.98

#: Views with less variance than this (about one 8-bit step) show one colour themselves.
PLAIN_VARIANCE = 1e-5


def batch_statistics(prediction: Tensor, target: Tensor) -> Tensor:
    """Returns [13] numbers of the colours of a batch: what `CollapseWatch.see` takes.

    They are the mean squared error, then for each colour the means of prediction, its square,
    target and its square.
    """
    with torch.no_grad():
        seen, wanted = prediction.detach()[:, :3].float(), target[:, :3]
        parts = [part.mean(dim=(0, 2, 3)) for part in (seen, seen**2, wanted, wanted**2)]
        return torch.cat([((seen - wanted) ** 2).mean()[None], *parts])


def psnr_of(mean_squared_error: float) -> float:
    """Returns the PSNR in dB, at most 100."""
    return -10.0 * math.log10(max(mean_squared_error, 1e-10))


class CollapseWatch:
    """Looks at windows of steps after the warm-up."""

    def __init__(self, config: FitConfig) -> None:
        """Begins before the first step that this process does."""
        self._config = config
        self._sums = np.zeros(13)
        self._seen = 0

    def see(self, step: int, statistics: Sequence[float]) -> None:
        """Takes the statistics of the batch of `step` and judges when a window is full.

        Raises:
            TrainingError: the colours are not finite, or the predictions of the window were one
                colour and no better than the best constant colour.
        """
        if not all(math.isfinite(value) for value in statistics):
            raise TrainingError(
                f"training diverged: non-finite colours at step {step + 1}; start "
                f"again with a learning rate below {self._config.learning_rate:g}",
                arguments=["learning_rate"],
            )
        if step < self._config.warmup_steps:
            return
        self._sums += statistics
        self._seen += 1
        if self._seen == WINDOW:
            self._judge(step)
            self._sums[:] = 0.0
            self._seen = 0

    def _judge(self, step: int) -> None:
        error, *rest = self._sums / WINDOW
        mean, square, wanted_mean, wanted_square = np.reshape(rest, (4, 3))
        variance = float((square - mean**2).mean())
        constant_error = float((wanted_square - wanted_mean**2).mean())
        if constant_error < PLAIN_VARIANCE or variance > CONSTANT_VARIANCE * constant_error:
            return
        if error >= NO_BETTER * constant_error:
            colour = ", ".join(f"{value:.2f}" for value in mean)
            raise TrainingError(
                f"the student collapsed: up to step {step + 1} it showed the one colour "
                f"({colour}) for {WINDOW} steps, {psnr_of(error):.1f} dB where the best constant "
                f"colour reaches {psnr_of(constant_error):.1f} dB; start again with a "
                f"learning rate below {self._config.learning_rate:g}",
                arguments=["learning_rate"],
            )
