"""What every layer reads, and what every change of its output does to the picture.

The second is taken from random probes v = ±1 of the picture: for g = ∂(v·picture)/∂y the mean of
(g·δ)² over probes is the squared change of the picture that a change δ of the output y makes. It
needs no labels and no loss, whose gradient is zero where the student is its own teacher.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mobile_nelf.progress import Progress, silent
from mobile_nelf.pruning.layers import Anatomy, anatomy, pixels
from mobile_nelf.students import StudentConfig
from mobile_nelf.students.blocks import HeadBodyTail

__all__ = ["Moments", "Statistics", "measure"]

#: Random probes of each picture.
PROBES = 2

#: Name under which the head's activation is watched.
_ACT = "act"

#: Pictures that are looked at together.
BATCH = 4

#: Share of the weights of rows that is the same for all. The probes are few, and a row that none of
#: them saw must not be free.
EVEN = 0.1


class Moments:
    """Sums over the pixels of a tensor with n columns, and of the gradient of m rows.

    A pixel counts as much as the picture depends on it, since a few show the object and the others
    end in a white that hardly moves.

    Attributes:
        rows: [pixels] weight of each, in the order of the rays.
    """

    def __init__(self) -> None:
        """Begins without a pixel."""
        self._norm = 0.0
        self._weight = 0.0
        self._total: Tensor = torch.zeros(())
        self._square: Tensor = torch.zeros(())
        self._metric: Tensor = torch.zeros(())
        self._values = 0
        self._rows: list[Tensor] = []

    def add(self, columns: Tensor, gradients: Sequence[Tensor], values: int) -> None:
        """Adds the pixels of some pictures.

        Args:
            columns: [p, n].
            gradients: [p, m] for each probe.
            values: how many values the pictures have.
        """
        stacked = torch.stack([gradient.double() for gradient in gradients])
        energy = stacked.square().sum((0, 2))
        # Of the first pictures, so that later ones need not wait for the mean of all.
        self._norm = self._norm or max(float(energy.mean()), 1e-300)
        rows = EVEN + (1.0 - EVEN) * energy / self._norm
        columns = columns.double()
        weighted = columns * rows[:, None]
        flat = stacked.flatten(0, 1)
        self._weight += float(rows.sum())
        self._total = self._total + weighted.sum(0)
        self._square = self._square + weighted.T @ columns
        self._metric = self._metric + flat.T @ flat / len(gradients)
        self._values += values
        self._rows.append(rows.float())

    @property
    def rows(self) -> Tensor:
        """See the class."""
        return torch.cat(self._rows)

    @property
    def mean(self) -> Tensor:
        """[n] weighted mean of the columns."""
        return self._total / self._weight

    @property
    def covariance(self) -> Tensor:
        """[n, n] weighted covariance of the columns."""
        return self._square / self._weight - torch.outer(self.mean, self.mean)

    @property
    def metric(self) -> Tensor:
        """[m, m]: δᵀ·metric·δ is the squared error a value of the picture if all rows move by δ."""
        return self._metric / self._values


@dataclass(frozen=True)
class Statistics:
    """What `measure` found.

    Attributes:
        layers: of the input and the output of each layer, by its name.
        streams: of the stream where each block reads it, by the name of its first layer; columns
            and rows are both the stream's.
        head: of what the head's activation gives.
    """

    layers: dict[str, Moments]
    streams: dict[str, Moments]
    head: Moments


def measure(
    network: HeadBodyTail,
    student: StudentConfig,
    rays: Tensor,
    *,
    seed: int = 0,
    on_progress: Progress = silent,
) -> Statistics:
    """Runs a student on rays, and back from random probes of its pictures.

    Args:
        network: without BatchNorm, in evaluation mode.
        student: its shape.
        rays: [N, C, h, w] network input.
        seed: of the probes.
        on_progress: called with the name of this step, pictures done and pictures in all.
    """
    parts = anatomy(network, student)
    generator = torch.Generator().manual_seed(seed)
    found = Statistics(
        {layer.name: Moments() for layer in parts.layers()},
        {block.first.name: Moments() for s in parts.sections for block in s.blocks},
        Moments(),
    )
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    network.requires_grad_(False)
    for start in range(0, len(rays), BATCH):
        on_progress("calibrate", start, len(rays))
        with _seen(parts) as seen:
            picture = network(rays[start : start + BATCH].clone().requires_grad_())
        gradients: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in seen}
        for probe in range(PROBES):
            sign = torch.randint(0, 2, picture.shape, generator=generator) * 2.0 - 1.0
            torch.autograd.backward(picture, sign, retain_graph=probe + 1 < PROBES)
            for name, (x, y) in seen.items():
                gradients[name].append((_gradient(x), _gradient(y)))
            for tensors in seen.values():
                for tensor in tensors:
                    tensor.grad = None
        values = picture.numel()
        for layer in parts.layers():
            x, _ = seen[layer.name]
            outputs = [layer.outputs(y) for _, y in gradients[layer.name]]
            found.layers[layer.name].add(layer.columns(x.detach()), outputs, values)
        for name, moments in found.streams.items():
            inputs = [pixels(x) for x, _ in gradients[name]]
            moments.add(pixels(seen[name][0].detach()), inputs, values)
        made = [pixels(y) for _, y in gradients[_ACT]]
        found.head.add(pixels(seen[_ACT][1].detach()), made, values)
    on_progress("calibrate", len(rays), len(rays))
    for parameter in trained:
        parameter.requires_grad_(True)
    return found


def _gradient(x: Tensor) -> Tensor:
    if x.grad is None:
        raise RuntimeError("a tensor of the network has no gradient")
    return x.grad.detach().clone()


@contextmanager
def _seen(parts: Anatomy) -> Iterator[dict[str, tuple[Tensor, Tensor]]]:
    """Yields inputs and outputs of layers, by name, which keep their gradients."""
    seen: dict[str, tuple[Tensor, Tensor]] = {}
    hooks = []

    def watch(name: str, module: nn.Module) -> None:
        def keep(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            seen[name] = (inputs[0], output)
            for tensor in seen[name]:
                tensor.retain_grad()

        hooks.append(module.register_forward_hook(keep))

    for layer in parts.layers():
        watch(layer.name, layer.conv)
    watch(_ACT, parts.act)
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
