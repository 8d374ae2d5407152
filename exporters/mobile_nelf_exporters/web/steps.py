"""The layers of a page as its scene lists them, which may come from anybody."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mobile_nelf.vocabulary import PageWeights
from mobile_nelf_exporters.web.program import MAX_JOINED, Act, Tap

__all__ = ["VECTOR", "Program", "Step"]

#: Channels that a kernel handles as one vector.
VECTOR = 4

#: More than any student has, and few enough that a page cannot ask for much memory.
MAX_CHANNELS = 65_536
MAX_SCALE = 64
MAX_STEPS = 2_000
MAX_SLOTS = 64


@dataclass(frozen=True)
class Step:
    """One layer; `Step` of web_viewer/src/types.d.ts.

    Attributes:
        inputs: channels that it reads.
        outputs: channels that it makes.
        scale: pixels a ray along each axis, of the input.
        up: output pixels an input pixel along each axis.
        taps: for each parity, [column, row] of the input pixels that it reads.
        weights: vector at which its weights begin.
        bias: vector at which its biases begin.
        act: what follows the sums.
        src: slot that it reads.
        dst: slot that it writes.
        adds: slots that are added after the activation.
        muls: slots that the sums are multiplied by, before anything is added.
        inner: slots that are added before the activation.
    """

    inputs: int
    outputs: int
    scale: int
    up: int
    taps: tuple[tuple[Tap, ...], ...]
    weights: int
    bias: int
    act: Act
    src: int
    dst: int
    adds: tuple[int, ...]
    muls: tuple[int, ...] = ()
    inner: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuses what no student has."""
        for name, most in (("inputs", MAX_CHANNELS), ("outputs", MAX_CHANNELS)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 1 to {most}")
        if not (self.scale >= 1 and self.up >= 1 and self.scale * self.up <= MAX_SCALE):
            raise ValueError(f"scale {self.scale} and up {self.up}, expected {MAX_SCALE} at most")
        if len(self.taps) != self.up**2 or len({len(taps) for taps in self.taps}) != 1:
            raise ValueError("taps must be one list of equal length for each parity")
        reach = {abs(distance) for taps in self.taps for tap in taps for distance in tap}
        if not self.taps[0] or not reach <= {0, 1}:
            raise ValueError("a tap must be an input pixel or a neighbour of it")
        if len(self.joined) > MAX_JOINED:
            raise ValueError(f"{len(self.joined)} other results, expected {MAX_JOINED} at most")

    @property
    def joined(self) -> tuple[int, ...]:
        """Slots of other results that are multiplied or added, pixel by pixel."""
        return (*self.muls, *self.inner, *self.adds)

    @property
    def blocks(self) -> tuple[int, int, int, int]:
        """Parities, taps, vectors that it reads and vectors that it makes."""
        return (
            len(self.taps),
            len(self.taps[0]),
            -(-self.inputs // VECTOR),
            -(-self.outputs // VECTOR),
        )

    @property
    def weight_vectors(self) -> int:
        """Vectors of its weights."""
        return math.prod(self.blocks) * VECTOR

    @property
    def macs_a_ray(self) -> int:
        """Multiply-accumulates for each ray of the grid."""
        return self.scale**2 * len(self.taps) * len(self.taps[0]) * self.inputs * self.outputs


@dataclass(frozen=True)
class Program:
    """All layers; `Program` of web_viewer/src/types.d.ts.

    Attributes:
        precision: of the weights.
        weights: how many numbers they are.
        biases: how many numbers they are, float32.
        slots: pieces of memory for results.
        input: slot of the encoded rays.
        output: slot of the picture.
        steps: in the order in which they run.
    """

    precision: PageWeights
    weights: int
    biases: int
    slots: int
    input: int
    output: int
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        """Refuses layers that read what was not written, or weights that are not there."""
        if not (1 <= len(self.steps) <= MAX_STEPS and 1 <= self.slots <= MAX_SLOTS):
            raise ValueError(f"{len(self.steps)} layers in {self.slots} slots")
        held = {self.input: (self.steps[0].inputs, 1)}
        for index, step in enumerate(self.steps):
            made = (step.outputs, step.scale * step.up)
            wrong = held.get(step.src) != (step.inputs, step.scale)
            if wrong or any(held.get(slot) != made for slot in step.joined):
                raise ValueError(f"layer {index} reads a result of another shape")
            held[step.dst] = made
            ends = (
                VECTOR * (step.weights + step.weight_vectors),
                VECTOR * (step.bias + step.blocks[3]),
            )
            if min(step.weights, step.bias) < 0 or ends[0] > self.weights or ends[1] > self.biases:
                raise ValueError(f"layer {index} reads weights that are not there")
        if not set(held) <= set(range(self.slots)) or self.output not in held:
            raise ValueError("a layer uses a slot that is not there")

    def vectors_a_ray(self) -> list[int]:
        """Vectors that each slot has to hold for each ray."""
        sizes = [0] * self.slots
        sizes[self.input] = self.steps[0].blocks[2]
        for step in self.steps:
            sizes[step.dst] = max(sizes[step.dst], step.blocks[3] * (step.scale * step.up) ** 2)
        return sizes
