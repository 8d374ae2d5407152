"""Small students with weights that make a varied image, shared by the tests."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from mobile_nelf.cameras import Intrinsics, OrbitLimits
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.students import EncoderConfig, StudentConfig, build_student

__all__ = ["random_checkpoint"]


def random_checkpoint(seed: int = 0, **student: Any) -> Checkpoint:
    """Returns an untrained student with non-trivial BatchNorm statistics."""
    shape = {"depth": 6, "width": 16, "ray_width": 7, "ray_height": 6, **student}
    config = StudentConfig(EncoderConfig(2.0, 6.0), **shape)
    torch.manual_seed(seed)
    network = build_student(config)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.3)
            module.running_var.uniform_(0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.3)
    image = (config.image_width, config.image_height)
    return Checkpoint(
        student=config,
        intrinsics=Intrinsics.centred(*image, focal=1.4 * image[0]),
        orbit=OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (10, 80), (4, 4.2)),
        weights={name: value.clone() for name, value in network.state_dict().items()},
        provenance={"source": "random weights"},
    )
