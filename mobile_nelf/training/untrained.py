"""A student of a preset before any training, to measure speed and size with."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from mobile_nelf.cameras import Intrinsics, OrbitLimits
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import InputError
from mobile_nelf.seeding import seeded
from mobile_nelf.students import build_student
from mobile_nelf.training.presets import find_preset

__all__ = ["untrained_checkpoint"]

#: Horizontal field of view of the scenes that the papers train on, radians.
FIELD_OF_VIEW = 0.6911


def untrained_checkpoint(preset: str, image_size: int = 800) -> Checkpoint:
    """Returns a student with fresh weights, whose pictures show nothing.

    It is as large and as slow as a trained one of the preset on photos of that size, as the
    Blender scenes have them.

    Args:
        preset: one of `training.presets.PRESETS`.
        image_size: rows and columns of the picture.

    Raises:
        InputError: no such preset, or one that does not render pictures of that size.
    """
    chosen = find_preset(preset)
    if image_size < chosen.scale or image_size % chosen.scale:
        raise InputError(
            f"image_size is {image_size}, expected a multiple of {chosen.scale}, the pixels a ray "
            f"of preset {preset}"
        )
    rays = image_size // chosen.scale
    student = replace(chosen.shape(near=2.0, far=6.0), ray_width=rays, ray_height=rays)
    with seeded():
        weights = build_student(student).state_dict()
        for name, value in weights.items():
            # Layers that training starts from zero would be stored and computed as nothing.
            if value.ndim > 1 and not value.any():
                weights[name] = torch.randn_like(value) * 0.1 / math.sqrt(value[0].numel())
    return Checkpoint(
        student=student,
        intrinsics=Intrinsics.centred(
            image_size, image_size, focal=image_size / 2 / math.tan(FIELD_OF_VIEW / 2)
        ),
        orbit=OrbitLimits(
            target=(0.0, 0.0, 0.0),
            up=(0.0, 0.0, 1.0),
            azimuth=(-180.0, 180.0),
            elevation=(0.0, 80.0),
            radius=(4.0, 4.1),
        ),
        weights={name: value.clone() for name, value in weights.items()},
        provenance={"source": f"random weights of preset {preset}"},
    )
