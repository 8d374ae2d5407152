"""Random weights that leave the caller's random numbers alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["seeded"]


@contextmanager
def seeded(seed: int = 0) -> Iterator[None]:
    """Lets modules draw their fresh weights on the CPU from a seed.

    Modules take them from torch's global generator, which belongs to whoever imports this package;
    afterwards it is as it was. The generators of GPUs are never touched.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
