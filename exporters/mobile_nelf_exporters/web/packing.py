"""The weights of a page: one run of bytes, and where each layer finds its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mobile_nelf.deploy.tolerances import FP16_LIMIT
from mobile_nelf.errors import BundleError, DeployError
from mobile_nelf.vocabulary import PageWeights
from mobile_nelf_exporters.web.program import Layer, Network
from mobile_nelf_exporters.web.steps import VECTOR, Program, Step

__all__ = ["Packed", "pack_network", "unpack_weights"]

Array = npt.NDArray[np.float32]

_TYPES: dict[str, type[np.float16] | type[np.float32]] = {"fp16": np.float16, "fp32": np.float32}


@dataclass(frozen=True)
class Packed:
    """A network as a page holds it.

    Attributes:
        program: the layers, and where each finds its weights.
        content: the weights in the program's precision, then the biases in float32.
    """

    program: Program
    content: bytes


def pack_network(network: Network, weights: PageWeights) -> Packed:
    """Returns a network as a page holds it.

    Raises:
        DeployError: fp16 does not hold a weight.
    """
    dtype = _TYPES[weights]
    slots, count = network.slots()
    steps, parts, biases = [], [], []
    numbers = bias_numbers = 0
    for layer in network.layers:
        packed, bias = _packed_weight(layer), _padded(layer.bias, 0)
        largest = float(np.abs(packed).max())
        if weights == "fp16" and not largest <= FP16_LIMIT:
            raise DeployError(
                f"layer {layer.name} has a weight of {largest:.3g}, and fp16 ends at "
                f"{FP16_LIMIT:g}; fine-tune with weight decay, or store the weights of the page as "
                "fp32",
                arguments=["page_weights"],
            )
        steps.append(
            Step(
                layer.weight.shape[2],
                layer.weight.shape[3],
                layer.scale,
                layer.up,
                layer.taps,
                numbers // VECTOR,
                bias_numbers // VECTOR,
                layer.act,
                slots[layer.src],
                slots[layer.value],
                *(
                    tuple(slots[value] for value in values)
                    for values in (layer.adds, layer.muls, layer.inner)
                ),
            )
        )
        parts.append(packed.astype(dtype))
        biases.append(bias)
        numbers += packed.size
        bias_numbers += bias.size
    program = Program(
        weights,
        numbers,
        bias_numbers,
        count,
        slots[0],
        slots[network.layers[-1].value],
        tuple(steps),
    )
    content = b"".join(part.astype(part.dtype.newbyteorder("<")).tobytes() for part in parts)
    content += b"".join(bias.astype("<f4").tobytes() for bias in biases)
    return Packed(program, content)


def unpack_weights(program: Program, content: bytes) -> list[tuple[Array, Array]]:
    """Returns weight [classes, taps, in, out] and bias [out] of each layer, padded to vectors.

    Raises:
        BundleError: the bytes are not those of the program.
    """
    dtype = np.dtype(_TYPES[program.precision]).newbyteorder("<")
    if len(content) != dtype.itemsize * program.weights + 4 * program.biases:
        raise BundleError(f"{len(content)} bytes of weights do not fit the layers of the page")
    numbers = np.frombuffer(content, dtype, program.weights).astype(np.float32)
    shifts = np.frombuffer(content, "<f4", program.biases, dtype.itemsize * program.weights)
    layers = []
    for step in program.steps:
        parities, taps, inputs, outputs = step.blocks
        shape = (parities, taps, inputs, outputs, VECTOR, VECTOR)
        blocks = numbers[VECTOR * step.weights :][: math.prod(shape)].reshape(shape)
        weight = blocks.transpose(0, 1, 2, 4, 3, 5).reshape(
            parities, taps, VECTOR * inputs, VECTOR * outputs
        )
        layers.append((weight, shifts[VECTOR * step.bias :][: VECTOR * outputs]))
    return layers


def _packed_weight(layer: Layer) -> Array:
    """[classes, taps, in/4, out/4, 4 in, 4 out], padded with zeros, in one run."""
    weight = _padded(_padded(layer.weight, 2), 3)
    classes, taps, inputs, outputs = weight.shape
    blocks = weight.reshape(classes, taps, inputs // VECTOR, VECTOR, outputs // VECTOR, VECTOR)
    return np.ascontiguousarray(blocks.transpose(0, 1, 2, 4, 3, 5)).reshape(-1)


def _padded(array: Array, axis: int) -> Array:
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, -array.shape[axis] % VECTOR)
    return np.pad(array, widths)
