"""The processes of a run: one, or as many as `torchrun` started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed

from mobile_nelf.compute import compute_device
from mobile_nelf.vocabulary import DeviceName

__all__ = ["Ranks", "launched"]


T = TypeVar("T")

#: Groups of processes, until this one ends. DDP lets go of its group while it holds the lock of the
#: interpreter; as the last to do so it would wait for the group's thread, and that for the lock.
_groups: list[Any] = []

#: The other processes wait while the first one trains a teacher or judges it; if it dies,
#: `torchrun` ends them.
PATIENCE = timedelta(days=1)


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run.

    Attributes:
        device: what this process computes on.
        rank: its number; 0 writes the state, the log and the result.
        world: how many there are.
    """

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def main(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0

    def from_main(self, value: T) -> T:
        """Returns the `value` that the main process passed; all must call this together."""
        if self.world == 1:
            return value
        box: list[Any] = [value]
        distributed.broadcast_object_list(box, src=0)
        received: T = box[0]
        return received


@contextmanager
def launched(device: DeviceName) -> Iterator[Ranks]:
    """Yields this process's place in the run; under `torchrun` the processes are connected.

    Within another such context it is the same place.

    Args:
        device: `auto` is a GPU where there is one.

    Raises:
        InputError: a GPU is asked for and there is none.
    """
    own = compute_device(device)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Ranks(own)
        return
    if distributed.is_initialized():
        yield Ranks(own, distributed.get_rank(), world)
        return
    on_gpu = own.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(own)
    distributed.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE)
    _groups.append(distributed.group.WORLD)
    try:
        yield Ranks(own, distributed.get_rank(), world)
    finally:
        distributed.destroy_process_group()
