"""A program of all operators that packages of mnelf use, and what each computes, the slow way."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch

from mobile_nelf_exporters.coreml.interpreter.interpreter import Interpreter
from mobile_nelf_exporters.coreml.package.package import Package
from tests.helpers.coreml.models import convert_program, package_files

__all__ = ["INPUTS", "ORACLES", "SAME_ARITHMETIC", "SHAPES", "all_operators", "run", "weight"]

#: Sums of up to 50 products of numbers around 1, in float32 and float64.
SAME_ARITHMETIC = 5e-6

RNG = np.random.default_rng(3)
SHAPES = {"a": (1, 4, 5, 6), "b": (1, 4, 1, 6), "c": (1, 4, 5, 1), "d": (1, 2, 5, 6)}
INPUTS = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


def weight(*shape):
    return RNG.normal(size=shape).astype(np.float32)


POINTWISE, GROUPED, TALL, WIDE, DEPTHWISE = (
    weight(3, 4, 1, 1),
    weight(2, 2, 1, 1),
    weight(3, 4, 3, 2),
    weight(2, 4, 1, 1),
    weight(4, 1, 5, 1),
)
DOUBLE, TRIPLE = weight(4, 3, 4, 4), weight(4, 2, 3, 3)
BIAS = weight(3)


def _build(a, b, c, d):
    """Every operator that packages of mnelf use."""
    from coremltools.converters.mil import Builder as mb  # noqa: N813

    # Both returned and read on.
    positive = mb.relu(x=a, name="relu_out")
    return (
        mb.concat(values=[a, d, a], axis=1, interleave=False, name="concat_out"),
        positive,
        mb.sigmoid(x=a, name="sigmoid_out"),
        mb.sin(x=a, name="sin_out"),
        mb.cos(x=positive, name="cos_out"),
        mb.gelu(x=a, mode="EXACT", name="gelu_out"),
        mb.gelu(x=a, mode="TANH_APPROXIMATION", name="tanh_out"),
        mb.add(x=b, y=c, name="add_out"),
        mb.sub(x=b, y=c, name="sub_out"),
        mb.mul(x=a, y=b, name="mul_out"),
        mb.mul(x=a, y=np.float32(255), name="scaled_out"),
        mb.slice_by_index(
            x=a,
            begin=[0, 1, 0, 2],
            end=[1, 3, 1, 4],
            end_mask=[True, False, True, False],
            name="slice_out",
        ),
        mb.conv(x=a, weight=POINTWISE, bias=BIAS, pad_type="valid", name="pointwise_out"),
        mb.conv(x=a, weight=WIDE, pad_type="valid", name="plain_out"),
        mb.conv(
            x=a, weight=GROUPED, strides=[2, 1], groups=2, pad_type="valid", name="grouped_out"
        ),
        mb.conv(
            x=a,
            weight=TALL,
            bias=BIAS,
            strides=[2, 1],
            pad_type="custom",
            pad=[1, 1, 2, 2],
            name="conv_out",
        ),
        mb.conv(
            x=b,
            weight=DEPTHWISE,
            pad_type="custom",
            pad=[4, 4, 0, 0],
            groups=4,
            name="depthwise_out",
        ),
        mb.conv_transpose(
            x=a,
            weight=DOUBLE,
            bias=BIAS,
            strides=[2, 2],
            pad_type="custom",
            pad=[1, 1, 1, 1],
            output_shape=(1, 3, 10, 12),
            name="double_out",
        ),
        mb.conv_transpose(
            x=a,
            weight=TRIPLE,
            strides=[3, 3],
            pad_type="valid",
            output_shape=(1, 2, 15, 18),
            name="triple_out",
        ),
    )


def _slow_conv(x, weight, bias, stride, pad, groups=1):
    """The definition of a conv, one output at a time."""
    x = np.pad(x[0], ((0, 0), (pad[0], pad[0]), (pad[1], pad[1])))
    out_channels, in_channels, tall, wide = weight.shape
    rows = (x.shape[1] - tall) // stride[0] + 1
    columns = (x.shape[2] - wide) // stride[1] + 1
    out = np.zeros((1, out_channels, rows, columns))
    for channel in range(out_channels):
        first = channel // (out_channels // groups) * in_channels
        for v in range(rows):
            for u in range(columns):
                top, left = v * stride[0], u * stride[1]
                seen = x[first : first + in_channels, top : top + tall, left : left + wide]
                out[0, channel, v, u] = (seen * weight[channel]).sum() + bias[channel]
    return out


def _slow_conv_transpose(x, weight, bias, stride, pad):
    """Every input element stamps the kernel onto the output; the border is cut off."""
    _, out_channels, tall, wide = weight.shape
    _, channels, height, width = x.shape
    out = np.zeros((out_channels, (height - 1) * stride + tall, (width - 1) * stride + wide))
    for channel in range(channels):
        for v in range(height):
            for u in range(width):
                top, left = v * stride, u * stride
                stamp = x[0, channel, v, u] * weight[channel]
                out[:, top : top + tall, left : left + wide] += stamp
    cut = out[:, pad : out.shape[1] - pad, pad : out.shape[2] - pad]
    return cut[None] + np.asarray(bias)[None, :, None, None]


def _erf_gelu(x):
    return np.vectorize(lambda t: 0.5 * t * (1 + math.erf(t / math.sqrt(2))))(x)


def _tanh_gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


NONE = np.zeros(4)
#: By output: the function in float64 of the inputs and of stored numbers that `q` quantizes.
ORACLES = {
    "concat_out": lambda q, a, b, c, d: np.concatenate([a, d, a], axis=1),
    "relu_out": lambda q, a, b, c, d: np.maximum(a, 0),
    "sigmoid_out": lambda q, a, b, c, d: 1 / (1 + np.exp(-a)),
    "sin_out": lambda q, a, b, c, d: np.sin(a),
    "cos_out": lambda q, a, b, c, d: np.cos(np.maximum(a, 0)),
    "gelu_out": lambda q, a, b, c, d: _erf_gelu(a),
    "tanh_out": lambda q, a, b, c, d: _tanh_gelu(a),
    "add_out": lambda q, a, b, c, d: b + c,
    "sub_out": lambda q, a, b, c, d: b - c,
    "mul_out": lambda q, a, b, c, d: a * b,
    "scaled_out": lambda q, a, b, c, d: a * 255,
    "slice_out": lambda q, a, b, c, d: a[:, 1:3, :, 2:4],
    "pointwise_out": lambda q, a, b, c, d: _slow_conv(a, q(POINTWISE), q(BIAS), (1, 1), (0, 0)),
    "plain_out": lambda q, a, b, c, d: _slow_conv(a, q(WIDE), NONE, (1, 1), (0, 0)),
    "grouped_out": lambda q, a, b, c, d: _slow_conv(a, q(GROUPED), NONE, (2, 1), (0, 0), 2),
    "conv_out": lambda q, a, b, c, d: _slow_conv(a, q(TALL), q(BIAS), (2, 1), (1, 2)),
    "depthwise_out": lambda q, a, b, c, d: _slow_conv(b, q(DEPTHWISE), NONE, (1, 1), (4, 0), 4),
    "double_out": lambda q, a, b, c, d: _slow_conv_transpose(a, q(DOUBLE), q(BIAS), 2, 1),
    "triple_out": lambda q, a, b, c, d: _slow_conv_transpose(a, q(TRIPLE), NONE[:2], 3, 0),
}


@functools.cache
def all_operators(*, fp16: bool) -> dict[str, bytes]:
    """The package of all operators, in float32 for iOS 16 or in fp16 for iOS 18."""
    ios = 18 if fp16 else 16
    model = convert_program(_build, list(SHAPES.values()), list(ORACLES), ios=ios, fp16=fp16)
    return package_files(model)


def run(
    package: Package, inputs: dict[str, Any], *, emulate_fp16: bool = False
) -> tuple[dict[str, Any], Interpreter]:
    """Outputs as arrays, and the interpreter that made them."""
    interpreter = Interpreter(package, emulate_fp16=emulate_fp16)
    tensors = {name: torch.from_numpy(np.asarray(array)) for name, array in inputs.items()}
    return {name: out.numpy() for name, out in interpreter.run(tensors).items()}, interpreter
