"""From a camera to a frame of a student: the only place where the trained network is rendered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from mobile_nelf.cameras import Camera
from mobile_nelf.compute import image_format, is_apple_gpu
from mobile_nelf.encoding import encode
from mobile_nelf.errors import CheckpointError
from mobile_nelf.pictures import FloatImage
from mobile_nelf.rays import ray_grid, sample_depths, sample_points
from mobile_nelf.students import EncoderConfig

if TYPE_CHECKING:
    from mobile_nelf.checkpoints.checkpoint import Checkpoint

__all__ = ["encoded_rays", "render_frame", "student_frame_function"]


def encoded_rays(
    camera: Camera, encoder: EncoderConfig, device: torch.device | None = None
) -> Tensor:
    """Returns the official encoding [1, C·(2L+1), h, w] in float64.

    Args:
        camera: on the ray grid, h rows and w columns.
        encoder: how rays are sampled and encoded.
        device: where the encoding is computed; the CPU if None, and for a Mac, whose GPU has no
            float64.
    """
    depths = sample_depths(encoder.near, encoder.far, encoder.samples)
    points = torch.from_numpy(sample_points(ray_grid(camera), depths))[None]
    on_cpu = device is None or is_apple_gpu(device)
    return encode(points if on_cpu else points.to(device), encoder.frequencies)


def render_frame(network: nn.Module, encoder: EncoderConfig, camera: Camera) -> FloatImage:
    """Returns [s·h, s·w, 3 or 4] of a network in evaluation mode, rendered on its device.

    Args:
        network: takes the official encoding.
        encoder: how rays are sampled and encoded.
        camera: on the ray grid, h rows and w columns.

    Raises:
        CheckpointError: the picture holds NaN or infinite pixels.
    """
    device = next(network.parameters()).device
    encoded = encoded_rays(camera, encoder, device).float().to(device)
    encoded = encoded.contiguous(memory_format=image_format(device))
    with torch.inference_mode():
        image: Tensor = network(encoded)[0]
        if not bool(torch.isfinite(image).all()):
            wrong = int((~torch.isfinite(image)).sum())
            raise CheckpointError(
                f"the network renders {wrong} of {image.numel()} values as NaN (not a number) or "
                f"infinite; its first layer with such results is "
                f"{_first_broken_layer(network, encoded)}; training diverged, use an earlier "
                "checkpoint"
            )
    return np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy())


def _first_broken_layer(network: nn.Module, encoded: Tensor) -> str:
    """Runs a network again and returns the name of the first layer whose result is not finite."""
    broken: list[str] = []

    def look(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(_: nn.Module, __: tuple[Tensor, ...], result: Tensor) -> None:
            if not bool(torch.isfinite(result).all()):
                broken.append(name)

        return hook

    layers = [(n, layer) for n, layer in network.named_modules() if not list(layer.children())]
    handles = [layer.register_forward_hook(look(name)) for name, layer in layers]
    network(encoded)
    for handle in handles:
        handle.remove()
    return broken[0] if broken else "not known"


def student_frame_function(
    checkpoint: Checkpoint, network: nn.Module | None = None
) -> Callable[[Camera], FloatImage]:
    """Returns a function that renders with the trained network and a float64 encoding.

    Args:
        checkpoint: the trained student.
        network: runs instead of the trained network; takes the official encoding.
    """
    trained = network or checkpoint.network()
    trained.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent in torch's types
    return lambda camera: render_frame(trained, checkpoint.student.encoder, camera)
