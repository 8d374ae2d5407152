"""From the one `torch.export` trace to the layers that a page runs.

A page knows one kernel: a convolution whose output pixels, seen by their parity, each read a few
input pixels. A 1×1 convolution has one parity, a transposed one as many as its stride squared.
What is done to each pixel afterwards is part of the layer: products and sums with other results,
the activation, and sums after it, in this order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import fx, nn

from mobile_nelf.deploy.traced import CONV, CONV_TRANSPOSE, call_of
from mobile_nelf.errors import DeployError

__all__ = ["MAX_JOINED", "Act", "Layer", "Network", "Tap", "trace_network"]

Act = Literal["none", "relu", "gelu", "gelu_tanh", "sigmoid"]

#: Input pixel of a tap relative to that of its output pixel, as [column, row].
Tap = tuple[int, int]

#: Other results that a layer takes in: what every device binds besides the layer's own buffers.
MAX_JOINED = 4

_FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer.

    Attributes:
        taps: [up²][t]: for each output parity, row by row, the input pixels that it reads.
        weight: [up², t, in, out] float32.
        bias: [out] float32.
        up: output pixels an input pixel along each axis.
        scale: pixels a ray along each axis, of the input.
        act: what follows the sums.
        value: number of its result; 0 is the encoded rays.
        src: number of the value that it reads.
        adds: numbers of the values that are added after the activation.
        name: of the layer in the deploy form.
        muls: numbers of the values that the sums are multiplied by, before anything is added.
        inner: numbers of the values that are added before the activation.
    """

    taps: tuple[tuple[Tap, ...], ...]
    weight: _FloatArray
    bias: _FloatArray
    up: int
    scale: int
    act: Act
    value: int
    src: int
    adds: tuple[int, ...]
    name: str
    muls: tuple[int, ...] = ()
    inner: tuple[int, ...] = ()

    @property
    def reads(self) -> set[int]:
        """Numbers of all values that it reads."""
        return {self.src, *self.muls, *self.inner, *self.adds}

    @property
    def macs_a_ray(self) -> int:
        """Multiply-accumulates for each ray of the grid."""
        return int(self.scale**2 * self.weight.size)


@dataclass(frozen=True, eq=False)
class Network:
    """The layers of a student in the order in which they run; the last makes the picture."""

    layers: tuple[Layer, ...]

    def slots(self) -> tuple[dict[int, int], int]:
        """Returns the memory slot of each value, reused once it was read last, and their number."""
        last_read = {0: 0}
        for index, layer in enumerate(self.layers):
            for value in layer.reads:
                last_read[value] = index
        last_read[self.layers[-1].value] = len(self.layers)
        slots = {0: 0}
        free: list[int] = []
        count = 1
        for index, layer in enumerate(self.layers):
            if not free:
                free.append(count)
                count += 1
            slots[layer.value] = free.pop()
            done = (slots[v] for v in layer.reads if last_read[v] == index)
            free += sorted(done, reverse=True)
        return slots, count


def trace_network(network: nn.Module, channels: int, height: int, width: int) -> Network:
    """Traces the network of a deploy form and returns its layers.

    Args:
        network: maps [1, channels, height, width] to the picture.
        channels: of the encoded rays.
        height: rows of the ray grid.
        width: columns of the ray grid.

    Raises:
        DeployError: the network has an operator that a page does not run.
    """
    program = torch.export.export(network, (torch.zeros(1, channels, height, width),))
    signature = program.graph_signature
    names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    lowering = _Lowering(width)
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in names:
            lowering.weights[node] = program.state_dict[names[node.name]].detach().numpy()
            lowering.names[node] = names[node.name]
        elif node.op == "placeholder":
            lowering.values[node] = 0
        elif node.op == "call_function":
            lowering.lower(node)
    return Network(tuple(lowering.layers))


class _Lowering:
    """Layers under construction."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.layers: list[Layer] = []
        self.values: dict[fx.Node, int] = {}
        self.weights: dict[fx.Node, Any] = {}
        self.names: dict[fx.Node, str] = {}

    def lower(self, node: fx.Node) -> None:
        """Adds a layer, or extends the one that made the node's operand.

        Raises:
            DeployError: a page does not run the operator here.
        """
        name = str(node.target)
        if name in ("aten.conv2d.default", "aten.conv_transpose2d.input"):
            self._convolution(node, transposed="transpose" in name)
        elif name in _ACTS:
            self._activation(node, _ACTS[name])
        elif name in ("aten.add.Tensor", "aten.mul.Tensor"):
            self._joined(node, product="mul" in name)
        else:
            raise DeployError(
                f"operator {name} has no kernel in a page; it has conv2d, conv_transpose2d, add, "
                f"mul, {', '.join(sorted(_ACTS))}"
            )

    def _convolution(self, node: fx.Node, transposed: bool) -> None:
        schema = CONV_TRANSPOSE if transposed else CONV
        call = call_of(node, schema)
        weight = self.weights[call["weight"]]
        made = _transposed(weight, call) if transposed else _plain(weight, call)
        if made is None:
            shape = "×".join(map(str, weight.shape))
            raise DeployError(
                f"{node.target} with a weight of {shape}, stride {list(call['stride'])} and "
                f"padding {list(call['padding'])} has no kernel in a page; it has 1×1 convolutions "
                "and transposed ones of kernel 4, stride 2 and padding 1 or kernel = stride"
            )
        taps, packed, up = made
        out = packed.shape[-1]
        bias = np.zeros(out, np.float32) if call["bias"] is None else self.weights[call["bias"]]
        source = call["value"]
        value = len(self.layers) + 1
        self.layers.append(
            Layer(
                taps,
                np.ascontiguousarray(packed, np.float32),
                np.asarray(bias, np.float32),
                up,
                int(source.meta["val"].shape[3]) // self.width,
                "none",
                value,
                self.values[source],
                (),
                self.names[call["weight"]].removesuffix(".weight"),
            )
        )
        self.values[node] = value

    def _activation(self, node: fx.Node, act: Act) -> None:
        operand = node.args[0]
        assert isinstance(operand, fx.Node)
        if act == "gelu" and node.kwargs.get("approximate", "none") == "tanh":
            act = "gelu_tanh"
        layer = self._last(operand, node)
        if layer.act != "none":
            raise DeployError(
                f"{node.target} after another activation has no kernel in a page; it runs one "
                "activation after each convolution"
            )
        # What was added so far belongs to its argument.
        self.layers[-1] = replace(layer, act=act, inner=layer.adds, adds=())
        self.values[node] = layer.value

    def _joined(self, node: fx.Node, product: bool) -> None:
        """Multiplies or adds an older result to that of the newest layer."""
        if len(node.args) != 2 or not all(isinstance(part, fx.Node) for part in node.args):
            raise DeployError(f"{node.target} of a number has no kernel in a page")
        first, second = node.args
        assert isinstance(first, fx.Node)
        assert isinstance(second, fx.Node)
        newer, older = sorted((first, second), key=lambda part: -self.values[part])
        if newer.meta["val"].shape != older.meta["val"].shape:
            raise DeployError(f"{node.target} of different shapes has no kernel in a page")
        layer = self._last(newer, node)
        if product and (layer.act != "none" or layer.adds):
            raise DeployError(
                f"{node.target} after a sum or an activation has no kernel in a page; it "
                "multiplies right after a convolution"
            )
        if product:
            self.layers[-1] = replace(layer, muls=(*layer.muls, self.values[older]))
        else:
            self.layers[-1] = replace(layer, adds=(*layer.adds, self.values[older]))
        layer = self.layers[-1]
        if len(layer.muls + layer.inner + layer.adds) > MAX_JOINED:
            raise DeployError(
                f"{node.target}: more than {MAX_JOINED} other results in a layer have no kernel "
                "in a page"
            )
        self.values[node] = layer.value

    def _last(self, operand: fx.Node, node: fx.Node) -> Layer:
        """The newest layer, whose result only `node` may read, since it is replaced."""
        if self.values[operand] != len(self.layers) or len(operand.users) > 1 or not self.layers:
            raise DeployError(
                f"{node.target} of a result that others read, or that is not the newest, has no "
                "kernel in a page"
            )
        return self.layers[-1]


def _plain(
    weight: Any, call: dict[str, Any]
) -> tuple[tuple[tuple[Tap, ...], ...], _FloatArray, int] | None:
    """Taps, weights and upsampling of a 1×1 convolution."""
    if weight.shape[2:] != (1, 1) or set(call["stride"]) != {1} or set(call["padding"]) != {0}:
        return None
    if call["groups"] != 1:
        return None
    return (((0, 0),),), weight[:, :, 0, 0].T[None, None], 1


def _transposed(
    weight: Any, call: dict[str, Any]
) -> tuple[tuple[tuple[Tap, ...], ...], _FloatArray, int] | None:
    """Taps, weights and upsampling of a transposed convolution.

    Output pixel s·i + q reads input pixel i + d through the kernel's element q − s·d + padding,
    where that lies inside.
    """
    kernel, stride = weight.shape[2], call["stride"][0]
    padding = call["padding"][0]
    same = weight.shape[3] == kernel and set(call["stride"]) == {stride}
    same = same and set(call["padding"]) == {padding} and set(call["dilation"]) == {1}
    exact = kernel == stride + 2 * padding and call["groups"] == 1
    if not same or not exact or any(call["output_padding"]):
        return None
    reach = range(-padding, padding + 1)
    lines = [
        [(d, q - stride * d + padding) for d in reach if 0 <= q - stride * d + padding < kernel]
        for q in range(stride)
    ]
    if len({len(line) for line in lines}) > 1:
        return None
    taps, packed = [], []
    for down in lines:
        for across in lines:
            pairs = [(dx, dy, ky, kx) for dy, ky in down for dx, kx in across]
            taps.append(tuple((dx, dy) for dx, dy, _, _ in pairs))
            packed.append(np.stack([weight[:, :, ky, kx] for _, _, ky, kx in pairs]))
    return tuple(taps), np.stack(packed), stride


_ACTS: dict[str, Act] = {
    "aten.relu.default": "relu",
    "aten.gelu.default": "gelu",
    "aten.sigmoid.default": "sigmoid",
}
