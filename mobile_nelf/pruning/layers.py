"""A student taken apart: its layers in the order in which they run, each as a matrix.

Nothing non-linear touches the stream of a section, neither that of the body after the head nor that
of a super-resolution stage. That is why layers can be re-fitted in closed form, and why a stream
can be narrowed by a change of basis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.students import StudentConfig, build_student
from mobile_nelf.students.blocks import ConvBlock, HeadBodyTail
from mobile_nelf.students.rewrite import fold_batchnorm

__all__ = [
    "Anatomy",
    "Block",
    "Layer",
    "Section",
    "anatomy",
    "folded",
    "pixels",
    "side_by_side",
    "with_network",
    "working_network",
]

#: Of a ConvTranspose with kernel 4, stride 2 and padding 1: the tap that leads from the earlier and
#: the later of two neighbouring pixels to each of the two output pixels between their centres.
_TAPS = ((2, 0), (3, 1))


def folded(checkpoint: Checkpoint) -> Checkpoint:
    """Returns the same function without BatchNorm."""
    student = checkpoint.student
    if not student.batchnorm or student.architecture == "r2l":
        return checkpoint
    plain = replace(student, batchnorm=False)
    with torch.device("meta"):
        names = list(build_student(plain).state_dict())
    # Learnt products have no BatchNorm, and are convs here.
    weights = {**checkpoint.weights, **fold_batchnorm(working_network(checkpoint)).state_dict()}
    return replace(checkpoint, student=plain, weights={name: weights[name] for name in names})


def working_network(checkpoint: Checkpoint) -> HeadBodyTail:
    """Returns the network of a student as convs alone, in evaluation mode."""
    return checkpoint.network().as_conv()


def with_network(checkpoint: Checkpoint, network: HeadBodyTail) -> Checkpoint:
    """Returns a student with the weights of a network that `working_network` returned, changed.

    Functions of learnt products are the checkpoint's.
    """
    with torch.device("meta"):
        shapes = build_student(checkpoint.student).state_dict()
    found = {**checkpoint.weights, **network.state_dict()}
    weights = {name: found[name].reshape(like.shape).clone() for name, like in shapes.items()}
    return replace(checkpoint, weights=weights)


class Layer:
    """A conv or transposed conv as a matrix [rows, columns] and a bias for each channel.

    A 1×1 conv has a row for each output channel. A transposed conv makes several output pixels at
    once, each with rows of its own: four from 2×2 input pixels, or nine from one.
    """

    def __init__(self, name: str, conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
        """Takes a layer and its name in the state dict, without `.weight`."""
        self.name = name
        self.conv = conv

    @property
    def transposed(self) -> bool:
        """Whether it enlarges the picture."""
        return isinstance(self.conv, nn.ConvTranspose2d)

    @property
    def phases(self) -> int:
        """Output pixels for each set of rows."""
        return self.conv.stride[0] ** 2 if self.transposed else 1

    @property
    def bias(self) -> Tensor:
        """[channels] float64."""
        return cast(Tensor, self.conv.bias).detach().double()

    def matrix(self) -> Tensor:
        """Returns [phases · output channels, columns] float64."""
        weight = self.conv.weight.detach().double()
        if not self.transposed:
            return weight.flatten(1)
        inputs, outputs = weight.shape[:2]
        if self.conv.stride[0] == 3:
            return weight.permute(2, 3, 1, 0).reshape(9 * outputs, inputs)
        taps = torch.tensor(_TAPS)
        # [inputs, outputs, y phase, earlier or later row, x phase, earlier or later column]
        chosen = weight[:, :, taps][..., taps]
        return chosen.permute(2, 4, 1, 0, 3, 5).reshape(4 * outputs, 4 * inputs)

    def assign(self, matrix: Tensor, bias: Tensor | None = None) -> None:
        """Takes what `matrix` would return and, for each channel, a bias."""
        weight = self.conv.weight.detach()
        if not self.transposed:
            new = matrix.reshape(weight.shape)
        else:
            inputs, outputs = weight.shape[:2]
            if self.conv.stride[0] == 3:
                new = matrix.reshape(3, 3, outputs, inputs).permute(3, 2, 0, 1)
            else:
                taps = torch.tensor(_TAPS)
                parts = matrix.reshape(2, 2, outputs, inputs, 2, 2).permute(3, 2, 0, 4, 1, 5)
                new = torch.zeros(weight.shape, dtype=matrix.dtype)
                new[:, :, taps[:, :, None, None], taps] = parts
        self.conv.weight.data = new.to(weight.dtype).contiguous()
        if bias is not None:
            cast(Tensor, self.conv.bias).data = bias.to(weight.dtype)

    def columns(self, x: Tensor) -> Tensor:
        """Returns [n, columns]: what the matrix reads of an input [N, C, h, w]."""
        if not self.transposed or self.conv.stride[0] == 3:
            return pixels(x)
        return F.unfold(x, 2).movedim(1, -1).flatten(0, 1)

    def outputs(self, y: Tensor) -> Tensor:
        """Returns [n, rows] of an output; the rows of `columns` in the same order."""
        if not self.transposed:
            return pixels(y)
        stride = self.conv.stride[0]
        if stride == 2:  # the outermost pixels have no whole neighbourhood
            y = y[:, :, 1:-1, 1:-1]
        n, c, h, w = y.shape
        parts = y.reshape(n, c, h // stride, stride, w // stride, stride)
        return parts.permute(0, 2, 4, 3, 5, 1).reshape(-1, stride * stride * c)

    def __call__(self, x: Tensor) -> Tensor:
        """Runs the layer."""
        result: Tensor = self.conv(x)
        return result


def pixels(x: Tensor) -> Tensor:
    """Returns [N·h·w, C] of [N, C, h, w]."""
    return x.movedim(1, -1).flatten(0, 2)


@dataclass(frozen=True)
class Block:
    """A residual block: x + last(act(first(x)))."""

    first: Layer
    last: Layer
    act: nn.Module

    def inner(self, x: Tensor) -> Tensor:
        """Returns what `last` reads."""
        result: Tensor = self.act(self.first(x))
        return result

    def __call__(self, x: Tensor) -> Tensor:
        """Runs the block."""
        return x + self.last(self.inner(x))


@dataclass(frozen=True)
class Section:
    """A stretch of the network with one stream: the body, or a super-resolution stage.

    Attributes:
        entry: the layer that makes the stream: of the body the second one of the head, if there is
            one; of a stage the transposed conv.
        blocks: what adds to it.
    """

    entry: Layer | None
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Anatomy:
    """A folded student in parts.

    Attributes:
        head: the layer that reads the encoding.
        act: the activation after it.
        sections: the body, then each stage.
        products: from the encoding to what is added to the head's result; None for none. Its rows
            are channels of the head, and it stays as it is otherwise.
        output: the layer that makes colours, before the sigmoid.
    """

    head: Layer
    act: nn.Module
    sections: tuple[Section, ...]
    products: nn.Module | None
    output: Layer

    def begin(self, rays: Tensor) -> Tensor:
        """Returns what the head's activation gives."""
        x = self.head(rays)
        result: Tensor = self.act(x if self.products is None else x + self.products(rays))
        return result

    def layers(self) -> Iterator[Layer]:
        """Yields all layers in the order in which they run."""
        yield self.head
        for section in self.sections:
            if section.entry is not None:
                yield section.entry
            for block in section.blocks:
                yield block.first
                yield block.last
        yield self.output


def side_by_side(
    whole: Anatomy, parts: Anatomy, rays: Tensor
) -> Iterator[tuple[Layer, Layer, Tensor, Tensor]]:
    """Runs two networks of one shape together.

    Yields:
        A layer of the one and of the other, and what each of them is about to read. The layers may
        be changed before they run.
    """
    yield whole.head, parts.head, rays, rays
    x, y = whole.begin(rays), parts.begin(rays)
    for index, (old, new) in enumerate(zip(whole.sections, parts.sections, strict=True)):
        if old.entry is not None and new.entry is not None:
            yield old.entry, new.entry, x, y
            x, y = old.entry(x), new.entry(y)
        begin_x, begin_y = x, y
        for block, other in zip(old.blocks, new.blocks, strict=True):
            yield block.first, other.first, x, y
            inner_x, inner_y = block.inner(x), other.inner(y)
            yield block.last, other.last, inner_x, inner_y
            x, y = x + block.last(inner_x), y + other.last(inner_y)
        if index == 0:
            x, y = x + begin_x, y + begin_y
    yield whole.output, parts.output, x, y


def anatomy(network: HeadBodyTail, student: StudentConfig) -> Anatomy:
    """Returns the parts of a network of convs without BatchNorm; they are its own modules."""
    if student.batchnorm and student.architecture == "mobiler2l":
        raise ValueError("fold BatchNorm first")
    head = list(network.head)  # type: ignore[call-overload]  # a Sequential
    projection = Layer("head.2", head[2]) if student.head_width is not None else None
    body = network.body.named_children()
    sections = [Section(projection, tuple(_block(f"body.{n}", m) for n, m in body))]
    tail = [(name, m) for name, m in network.tail.named_children() if not isinstance(m, nn.Sigmoid)]
    *parts, (output_name, output) = tail
    for name, module in parts:
        if isinstance(module, ConvBlock):
            last = sections[-1]
            sections[-1] = replace(last, blocks=(*last.blocks, _block(f"tail.{name}", module)))
        else:
            sections.append(Section(Layer(f"tail.{name}", cast(nn.ConvTranspose2d, module)), ()))
    return Anatomy(
        Layer("head.0", head[0]),
        head[1],
        tuple(sections),
        network.products,
        Layer(f"tail.{output_name}", cast(nn.Conv2d, output)),
    )


def _block(name: str, module: nn.Module) -> Block:
    kind = "conv_block" if isinstance(module, ConvBlock) else "body"
    layers = [(n, m) for n, m in module.get_submodule(kind).named_children() if _does_work(m)]
    (first_name, first), (_, act), (last_name, last) = layers
    return Block(
        Layer(f"{name}.{kind}.{first_name}", cast(nn.Conv2d, first)),
        Layer(f"{name}.{kind}.{last_name}", cast(nn.Conv2d, last)),
        act,
    )


def _does_work(module: nn.Module) -> bool:
    return not isinstance(module, nn.Identity)
