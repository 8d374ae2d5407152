"""The research code's arrangement of a frame, rebuilt from its description as a baseline.

Three ONNX graphs of opset 11 with a free batch axis, run one after the other:

- sampler: `c2w33` [B, 1, 3, 3] and `c2w13` [B, 1, 1, 3], rotation and position of the camera, to
  `pts` [1, 1, h·w, 24], the coordinates of each ray's samples (channel 3·k + xyz);
- embedder: `rays` [1, 1, h·w, 24] to `embbrays` [1, 13, h·w, 24]: sines, cosines, the coordinate;
- network: `input` [B, 312, h, w] to `output`.

Between them the host copies. In Lens Studio tensors are NHWC, where [13, h·w, 24] and [312, h, w]
hold the same bytes (channel coord·13 + j of pixel p stands at (24·p + coord)·13 + j in both), so
each copy is flat. ONNX Runtime is NCHW: there the second copy has to move the axis too, and does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import fx, nn

from mobile_nelf.cameras import Intrinsics
from mobile_nelf.rays import sample_depths
from mobile_nelf.students import EncoderConfig, StudentConfig

__all__ = ["copied_bytes", "copy_encoding", "copy_points", "official_chain", "pose_inputs"]

FloatArray = npt.NDArray[np.float32]
Gelu = Literal["erf", "snap"]

OPSET = 11
IR_VERSION = 8
BATCH = "batch_size"


def official_chain(
    network: nn.Module, student: StudentConfig, intrinsics: Intrinsics, gelu: Gelu = "erf"
) -> tuple[ModelProto, ModelProto, ModelProto]:
    """Returns sampler, embedder and network.

    Args:
        network: convolutional, with BatchNorm folded (`rewrite.fold_batchnorm`).
        student: its ray grid and encoding.
        intrinsics: lens on the ray grid; the sampler holds the pixel directions as a constant.
        gelu: `erf` runs in ONNX Runtime, `snap` is what Lens Studio gets.
    """
    return _sampler(student, intrinsics), _embedder(student), _network(network, student, gelu)


def pose_inputs(cam_to_world: npt.NDArray[np.float64]) -> dict[str, FloatArray]:
    """Returns the sampler's inputs for a [3, 4] pose, world frame."""
    return {
        "c2w33": cam_to_world[None, None, :, :3].astype(np.float32),
        "c2w13": cam_to_world[None, None, None, :, 3].astype(np.float32),
    }


def copy_points(pts: FloatArray, rays: FloatArray) -> None:
    """Copies the sampler's output to the embedder's input, both [1, 1, h·w, 24]."""
    np.copyto(rays, pts)


def copy_encoding(embbrays: FloatArray, target: FloatArray) -> None:
    """Copies the embedder's output [1, 13, h·w, 24] to the network's input [1, 312, h, w].

    `target` must be contiguous. In NHWC memory this would be a flat copy of the same size.
    """
    _, per_coord, pixels, coords = embbrays.shape
    np.copyto(target.reshape(coords, per_coord, pixels), embbrays[0].transpose(2, 0, 1))


def copied_bytes(student: StudentConfig) -> int:
    """Bytes that the host copies each frame: the pose and the inputs of the other two graphs."""
    pixels = student.ray_width * student.ray_height
    return 4 * (12 + pixels * (student.encoder.coords + student.encoder.channels))


def _sampler(student: StudentConfig, intrinsics: Intrinsics) -> ModelProto:
    """Builds the sampler: p = R·d + z·o written with concatenated copies, not with broadcasting."""
    pixels, samples = student.ray_width * student.ray_height, student.encoder.samples
    directions = _pixel_directions(intrinsics)  # [h·w, 3]
    depths = sample_depths(student.encoder.near, student.encoder.far, samples)
    constants = {
        "directions": np.broadcast_to(directions[None, :, None], (1, pixels, 3, 3)),
        "depths": np.broadcast_to(depths[None, None, :, None], (1, pixels, samples, 3)),
        "flat_shape": np.array([pixels, 3]),
        "column_shape": np.array([1, pixels, 1, 3]),
        "pts_shape": np.array([1, 1, pixels, 3 * samples]),
    }
    node = helper.make_node
    nodes = [
        # World directions: each row of R times the pixel's direction, summed over the columns.
        node("Concat", ["c2w33"] * pixels, ["rotations"], axis=1),  # [1, h·w, 3, 3]
        node("Mul", ["rotations", "directions"], ["products"]),
        node("Transpose", ["products"], ["by_column"], perm=[0, 3, 1, 2]),  # [1, 3, h·w, 3]
        node("ReduceSum", ["by_column"], ["summed"], axes=[1], keepdims=0),  # [1, h·w, 3]
        node("Reshape", ["summed", "flat_shape"], ["flat"]),
        node("Reshape", ["flat", "column_shape"], ["rays_d"]),  # [1, h·w, 1, 3]
        node("Concat", ["rays_d"] * samples, ["rays_d_samples"], axis=2),
        node("Mul", ["rays_d_samples", "depths"], ["offsets"]),  # [1, h·w, 8, 3]
        # The same origin for every sample of every pixel.
        node("Concat", ["c2w13"] * pixels, ["origins"], axis=0),  # [h·w, 1, 1, 3]
        node("Reshape", ["origins", "column_shape"], ["rays_o"]),
        node("Concat", ["rays_o"] * samples, ["rays_o_samples"], axis=2),
        node("Add", ["rays_o_samples", "offsets"], ["points"]),
        node("Reshape", ["points", "pts_shape"], ["pts"]),
    ]
    inputs = {"c2w33": (BATCH, 1, 3, 3), "c2w13": (BATCH, 1, 1, 3)}
    outputs = {"pts": (1, 1, pixels, 3 * samples)}
    return _model("sampler", nodes, inputs, outputs, constants)


def _pixel_directions(intrinsics: Intrinsics) -> npt.NDArray[np.float64]:
    """Returns [h·w, 3] unnormalised directions of the pixel centres, camera frame, row-major."""
    columns = (np.arange(intrinsics.width) + 0.5 - intrinsics.cx) / intrinsics.fx
    rows = -(np.arange(intrinsics.height) + 0.5 - intrinsics.cy) / intrinsics.fy
    grid = np.stack(np.broadcast_arrays(columns[None, :], rows[:, None], -1.0), axis=-1)
    return grid.reshape(-1, 3)


def _embedder(student: StudentConfig) -> ModelProto:
    encoder: EncoderConfig = student.encoder
    pixels, levels = student.ray_width * student.ray_height, encoder.frequencies
    octaves = 2.0 ** np.arange(levels)
    shape = (1, levels, pixels, encoder.coords)
    constants = {"octaves": np.broadcast_to(octaves[None, :, None, None], shape)}
    node = helper.make_node
    nodes = [
        node("Concat", ["rays"] * levels, ["copies"], axis=1),
        node("Mul", ["copies", "octaves"], ["phases"]),
        node("Sin", ["phases"], ["sines"]),
        node("Cos", ["phases"], ["cosines"]),
        node("Concat", ["sines", "cosines", "rays"], ["embbrays"], axis=1),
    ]
    inputs = {"rays": (BATCH, 1, pixels, encoder.coords)}
    outputs = {"embbrays": (BATCH, 2 * levels + 1, pixels, encoder.coords)}
    return _model("embedder", nodes, inputs, outputs, constants)


def _network(network: nn.Module, student: StudentConfig, gelu: Gelu) -> ModelProto:
    """Writes a convolutional network node by node, in the order of its own trace."""
    graph = (
        network.graph if isinstance(network, fx.GraphModule) else fx.symbolic_trace(network).graph
    )
    modules = dict(network.named_modules())
    constants: dict[str, npt.NDArray[Any]] = {}
    if gelu == "erf":
        constants = {"sqrt2": np.array(math.sqrt(2.0)), "one": np.array(1.0), "half": np.array(0.5)}
    nodes: list[NodeProto] = []
    names: dict[Any, str] = {}
    for step in graph.nodes:
        if step.op == "placeholder":
            names[step] = "input"
        elif step.op == "output":
            nodes[-1].output[0] = "output"
        elif isinstance(modules.get(str(step.target)), nn.Identity):  # a student without BatchNorm
            names[step] = names[step.args[0]]
        else:
            names[step] = step.name
            sources = [names[source] for source in step.args]
            if step.op == "call_function":  # the residual sums, the only function in the students
                nodes.append(helper.make_node("Add", sources, [step.name]))
            else:
                module = modules[step.target]
                nodes += _module_nodes(module, sources[0], step.name, gelu)
                if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                    constants[f"{step.name}.weight"] = module.weight.detach().numpy()
                    constants[f"{step.name}.bias"] = _bias(module)
    inputs = {"input": (BATCH, student.encoder.channels, student.ray_height, student.ray_width)}
    size = (student.out_channels, student.image_height, student.image_width)
    return _model("network", nodes, inputs, {"output": (BATCH, *size)}, constants)


def _module_nodes(module: nn.Module, source: str, name: str, gelu: Gelu) -> Iterator[NodeProto]:
    node = helper.make_node
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        yield node(
            "Conv" if isinstance(module, nn.Conv2d) else "ConvTranspose",
            [source, f"{name}.weight", f"{name}.bias"],
            [name],
            kernel_shape=module.kernel_size,
            strides=module.stride,
            pads=[*_pair(module.padding), *_pair(module.padding)],
            dilations=module.dilation,
            group=module.groups,
        )
    elif isinstance(module, nn.GELU) and gelu == "erf":
        yield node("Div", [source, "sqrt2"], [f"{name}.scaled"])
        yield node("Erf", [f"{name}.scaled"], [f"{name}.erf"])
        yield node("Add", [f"{name}.erf", "one"], [f"{name}.gate"])
        yield node("Mul", [source, f"{name}.gate"], [f"{name}.double"])
        yield node("Mul", [f"{name}.double", "half"], [name])
    else:
        operators = {nn.GELU: "GeluSnap", nn.ReLU: "Relu", nn.Sigmoid: "Sigmoid"}
        yield node(operators[type(module)], [source], [name])


def _pair(padding: str | tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(padding, str):
        raise TypeError(f"padding {padding!r}: the students state theirs in numbers")
    return padding


def _bias(module: nn.Conv2d | nn.ConvTranspose2d) -> npt.NDArray[Any]:
    bias = torch.zeros(module.out_channels) if module.bias is None else module.bias
    return bias.detach().numpy()


def _model(
    name: str,
    nodes: list[NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Mapping[str, Sequence[int | str]],
    constants: dict[str, npt.NDArray[Any]],
) -> ModelProto:
    def initializer(key: str, value: npt.NDArray[Any]) -> TensorProto:
        dtype = np.int64 if np.issubdtype(value.dtype, np.integer) else np.float32
        return numpy_helper.from_array(np.ascontiguousarray(value, dtype).reshape(value.shape), key)

    def border(tensors: Mapping[str, Sequence[int | str]]) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(key, TensorProto.FLOAT, shape)
            for key, shape in tensors.items()
        ]

    graph = helper.make_graph(
        nodes,
        name,
        border(inputs),
        border(outputs),
        [initializer(key, value) for key, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
