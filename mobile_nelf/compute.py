"""Where this process computes."""

from __future__ import annotations

import os
from typing import get_args

import torch

from mobile_nelf.errors import InputError
from mobile_nelf.vocabulary import DeviceName

__all__ = ["compute_device"]


def compute_device(device: DeviceName) -> torch.device:
    """Returns the device of this process; of several that `torchrun` started, each has its own GPU.

    Args:
        device: `auto` is a GPU where there is one.

    Raises:
        InputError: a GPU is asked for and there is none, or the name is none of the choices.
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
    if device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    return torch.device("cuda", int(os.environ["LOCAL_RANK"])) if several else torch.device("cuda")
