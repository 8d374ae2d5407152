"""Where this process computes, and what the GPUs of Macs cannot do.

They have no float64, and some operations are missing or slow there. Whatever depends on that asks
`is_apple_gpu`; nothing here has run on a Mac yet, see docs/decisions.md.
"""

from __future__ import annotations

import os
from typing import get_args

import torch

from mobile_nelf.errors import InputError
from mobile_nelf.vocabulary import DeviceName

__all__ = [
    "compute_device",
    "image_format",
    "is_apple_gpu",
    "random_numbers",
    "reduced_precision",
]


def compute_device(device: DeviceName) -> torch.device:
    """Returns the device of this process; of several that `torchrun` started, each has its own GPU.

    Args:
        device: `auto` is a GPU where there is one: of NVIDIA, or of a Mac.

    Raises:
        InputError: a GPU is asked for and there is none, a Mac's for several processes, or the name
            is none of the choices.
    """
    if device not in get_args(DeviceName):
        choices = ", ".join(get_args(DeviceName))
        raise InputError(
            f"unknown device {device!r}, expected one of {choices}", arguments=["device"]
        )
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "no CUDA device is available; choose device cpu or auto", arguments=["device"]
        )
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if device == "mps" and (several or not torch.backends.mps.is_available()):
        raise InputError(
            "the GPU of a Mac trains in one process; start it without torchrun"
            if several
            else "no GPU of a Mac is available (PyTorch calls it mps); choose device cpu or auto",
            arguments=["device"],
        )
    if device in ("cuda", "auto") and torch.cuda.is_available():
        own = int(os.environ["LOCAL_RANK"]) if several else None
        return torch.device("cuda") if own is None else torch.device("cuda", own)
    if device == "mps" or (device == "auto" and not several and torch.backends.mps.is_available()):
        return torch.device("mps")
    return torch.device("cpu")


def is_apple_gpu(device: torch.device) -> bool:
    """Whether this is the GPU of a Mac."""
    return device.type == "mps"


def random_numbers(device: torch.device, seed: int) -> torch.Generator:
    """Returns a generator for work on `device`; for Macs it and what it draws are on the CPU."""
    return torch.Generator("cpu" if is_apple_gpu(device) else device).manual_seed(seed)


def reduced_precision(device: torch.device, *, wanted: bool = True) -> torch.autocast:
    """Returns the autocast to bfloat16, which does nothing where that is not `wanted`.

    Nor does it on the GPU of a Mac, since older systems have no bfloat16 there.
    """
    if is_apple_gpu(device):
        return torch.autocast("cpu", enabled=False)
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)


def image_format(device: torch.device) -> torch.memory_format:
    """Returns how the channels of images lie: last, but on Macs, whose convs were wrong with it."""
    return torch.contiguous_format if is_apple_gpu(device) else torch.channels_last
