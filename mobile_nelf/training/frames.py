"""Whole frames of a student in training: samples to look at, and its quality on real photos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mobile_nelf.cameras import Camera
from mobile_nelf.encoding import encode
from mobile_nelf.evaluation import on_white
from mobile_nelf.metrics import ImageArray, psnr_db
from mobile_nelf.rays import ray_grid, sample_depths, sample_points
from mobile_nelf.scenes import View
from mobile_nelf.students import StudentConfig

__all__ = ["photo_psnr_db", "render_frame"]


def render_frame(network: nn.Module, student: StudentConfig, camera: Camera) -> ImageArray:
    """Returns [height, width, 3] float32 on white of a network in evaluation mode, on its device.

    Args:
        network: takes the official encoding.
        student: what the network is.
        camera: on the image's pixel grid; only its view counts.
    """
    device = next(network.parameters()).device
    encoder = student.encoder
    depths = sample_depths(encoder.near, encoder.far, encoder.samples)
    rays = ray_grid(camera.resized(student.ray_width, student.ray_height))
    points = torch.from_numpy(sample_points(rays, depths))[None].to(device)
    encoded = encode(points, encoder.frequencies).float()
    with torch.inference_mode():
        image: Tensor = network(encoded.contiguous(memory_format=torch.channels_last))[0, :3]
    return np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy())


def photo_psnr_db(network: nn.Module, student: StudentConfig, views: Sequence[View]) -> float:
    """Returns the mean PSNR of whole photos, each seen through its own lens."""
    scores = [
        psnr_db(np.clip(render_frame(network, student, view.camera), 0.0, 1.0), on_white(view))
        for view in views
    ]
    return float(np.mean(scores))
