"""A training step as one CUDA graph: a GPU then never waits for Python to launch a kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mobile_nelf.training.views.patches import Patches

__all__ = ["CapturedStep"]

#: Steps before the capture: they allocate, choose algorithms and compile, which a graph may not.
WARM_UP = 3


class CapturedStep:
    """Replays a step on other patches of the same shape."""

    def __init__(
        self,
        step: Callable[[Patches], Tensor],
        patches: Patches,
        changed: Callable[[], Sequence[Tensor]],
    ) -> None:
        """Warms up and captures; nothing that the step changes is changed afterwards.

        Args:
            step: reads patches and tensors at fixed places, and returns a tensor.
            patches: on the GPU, of the shape that all later ones have.
            changed: returns all tensors that outlive a step and are changed by it. Those that are
                not there before the first step, as the moments of AdamW, begin at zero.
        """
        self._patches = Patches(*(part.clone() for part in patches))
        kept = [(tensor, tensor.clone()) for tensor in changed()]
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # untyped in torch
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                step(self._patches)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._result = step(self._patches)
        with torch.no_grad():
            for tensor in changed():
                tensor.zero_()
            for tensor, value in kept:
                tensor.copy_(value)

    def __call__(self, patches: Patches) -> Tensor:
        """Takes a step; the result holds until the next one."""
        for place, part in zip(self._patches, patches, strict=True):
            place.copy_(part, non_blocking=True)
        self._graph.replay()
        return self._result
