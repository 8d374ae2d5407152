"""What the training minimises."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mobile_nelf.errors import InputError
from mobile_nelf.extras import import_extra
from mobile_nelf.students import StudentConfig
from mobile_nelf.training.config import FitConfig

__all__ = ["check_loss", "student_loss"]

#: Where Charbonnier turns from squared to absolute error: a quarter of an 8-bit step.
CHARBONNIER_EPSILON = 1e-3

#: Side of the window of the perceptual term in pixels. Smaller than that of the metric, so that it
#: judges the texture within a patch and not the patch's border.
SSIM_WINDOW = 7


def check_loss(student: StudentConfig, config: FitConfig) -> None:
    """Refuses early what `student_loss` cannot compute.

    Raises:
        InputError: a patch is smaller than the window of the perceptual term.
        MissingExtraError: that term is asked for and torchmetrics is not installed.
    """
    if config.perceptual == 0.0:
        return
    import_extra("torchmetrics.functional.image", "train")
    rays = min(config.patch_rays, student.ray_width, student.ray_height)
    if rays * student.scale < SSIM_WINDOW:
        raise InputError(
            f"patches are {rays * student.scale} pixels a side, but the perceptual term looks at "
            f"{SSIM_WINDOW}; raise patch_rays or leave it out"
        )


def student_loss(prediction: Tensor, target: Tensor, config: FitConfig) -> Tensor:
    """Returns the scalar to minimise.

    Args:
        prediction: [B, 3 or 4, h, w] float32 in [0, 1]; the fourth channel is alpha.
        target: of the same shape.
        config: which loss.

    Raises:
        MissingExtraError: the perceptual term needs torchmetrics, which is not installed.
    """
    if config.loss == "charbonnier":
        squared = (prediction - target) ** 2
        loss = (torch.sqrt(squared + CHARBONNIER_EPSILON**2) - CHARBONNIER_EPSILON).mean()
    else:
        loss = F.mse_loss(prediction, target)
    if config.perceptual > 0.0:
        functional = import_extra("torchmetrics.functional.image", "train")
        # The map is averaged here: releases of torchmetrics differ in whether they crop it first.
        _, similarity = functional.structural_similarity_index_measure(
            prediction[:, :3],
            target[:, :3],
            gaussian_kernel=False,
            kernel_size=SSIM_WINDOW,
            data_range=1.0,
            return_full_image=True,
        )
        loss = loss + config.perceptual * (1.0 - similarity.mean())
    return loss
