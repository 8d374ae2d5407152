"""What a student is calibrated on: rays of random poses of its own orbit."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from mobile_nelf.cameras import FloatArray, OrbitLimits
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.rendering import encoded_rays

__all__ = ["calibration_rays", "comparison_rays", "random_pose"]

#: Poses that statistics are taken from.
CALIBRATION_POSES = 20

#: Poses, other than those of the calibration, on which students are compared.
COMPARED_POSES = 8

#: Largest side of the window of rays that is taken of a pose, so that a student with a large grid
#: does not take more memory than a small one.
WINDOW = 32


def random_pose(orbit: OrbitLimits, rng: np.random.Generator) -> FloatArray:
    """Returns a [3, 4] `cam_to_world` that is evenly distributed on the orbit."""
    lowest, highest = (math.sin(math.radians(angle)) for angle in orbit.elevation)
    azimuth = rng.uniform(*orbit.azimuth)
    elevation = math.degrees(math.asin(rng.uniform(lowest, highest)))
    return orbit.pose(azimuth, elevation, rng.uniform(*orbit.radius))


def comparison_rays(checkpoint: Checkpoint) -> Tensor:
    """Returns rays as `calibration_rays` does, of other poses."""
    return calibration_rays(checkpoint, COMPARED_POSES, seed=1)


def calibration_rays(
    checkpoint: Checkpoint, poses: int = CALIBRATION_POSES, seed: int = 0
) -> Tensor:
    """Returns the network's input [poses, C, h, w] float32 for random windows of random poses.

    Args:
        checkpoint: the student.
        poses: how many.
        seed: the same one gives the same rays.
    """
    rng = np.random.default_rng(seed)
    student = checkpoint.student
    rows, columns = min(student.ray_height, WINDOW), min(student.ray_width, WINDOW)
    rays = []
    for _ in range(poses):
        camera = checkpoint.ray_camera(random_pose(checkpoint.orbit, rng))
        top = int(rng.integers(student.ray_height - rows + 1))
        left = int(rng.integers(student.ray_width - columns + 1))
        encoded = encoded_rays(camera, student.encoder)
        rays.append(encoded[..., top : top + rows, left : left + columns].float())
    return torch.cat(rays)
