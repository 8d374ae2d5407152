"""What a frame costs: multiply-accumulates and memory for activations, from the graph alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobile_nelf.errors import DeployError
from mobile_nelf.extras import import_extra
from mobile_nelf.vocabulary import GELU_SNAP

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

__all__ = ["Cost", "Shape", "bind_batch", "model_cost", "tensor_shapes"]

#: Sizes of a tensor; None for one that the graph does not tell.
Shape = tuple["int | None", ...]

#: Larger initializers hold weights. Shape inference reads the values of small ones only.
MAX_SHAPE_VALUES = 1024

#: Operators that multiply and accumulate, each from two operands.
PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True)
class Cost:
    """Cost of one run of a graph.

    Attributes:
        macs: multiply-accumulates of convolutions and matrix products. A transposed convolution
            spends its whole kernel on each input pixel.
        peak_activation_bytes: largest sum of tensors alive at once, as float32 and without weights.
            A tensor is alive from the node that makes it (graph inputs: from the start) to its last
            reader (graph outputs: to the end); a node needs its inputs and outputs at once.
    """

    macs: int
    peak_activation_bytes: int


def tensor_shapes(model: ModelProto) -> dict[str, Shape]:
    """Returns the shape of every tensor that shape inference finds, by name.

    A free batch axis counts as 1 (`bind_batch`); SnapML's `GeluSnap`, which ONNX does not know, has
    the shape of its input. Tensors of unknown rank are absent.
    """
    onnx = import_extra("onnx", extra="lens")
    shape_inference = import_extra("onnx.shape_inference", extra="lens")
    skeleton = _skeleton(model)
    bind_batch(skeleton.graph)
    try:
        inferred = shape_inference.infer_shapes(skeleton, data_prop=True)
    except (shape_inference.InferenceError, onnx.checker.ValidationError, ValueError):
        # A graph that contradicts itself, or a type ONNX does not have (ValueError); what the graph
        # states is all there is to know.
        inferred = skeleton
    graph: GraphProto = inferred.graph
    shapes: dict[str, Shape] = {}
    for info in (*graph.value_info, *graph.input, *graph.output):
        if info.type.HasField("tensor_type") and info.type.tensor_type.HasField("shape"):
            shapes[info.name] = _stated_shape(info)
    for tensor in graph.initializer:
        shapes[tensor.name] = tuple(tensor.dims)
    return shapes


def bind_batch(graph: GraphProto) -> None:
    """Sets the free axis 0 of a graph's inputs, and axes of the same name, to 1 in place."""
    weights = {tensor.name for tensor in graph.initializer}
    names = set()
    for info in graph.input:
        dims = info.type.tensor_type.shape.dim
        if info.name not in weights and len(dims) > 1 and not dims[0].HasField("dim_value"):
            names.add(dims[0].dim_param)
            dims[0].dim_value = 1
    names.discard("")
    for info in (*graph.input, *graph.output, *graph.value_info):
        for dim in info.type.tensor_type.shape.dim:
            if dim.dim_param in names:
                dim.dim_value = 1


def _skeleton(model: ModelProto) -> ModelProto:
    """Returns a copy of `model` without the values of weights, for shape inference."""
    onnx = import_extra("onnx", extra="lens")
    copy: ModelProto = onnx.ModelProto(ir_version=model.ir_version)
    copy.opset_import.extend(model.opset_import)
    copy.functions.extend(model.functions)
    copy.graph.node.extend(model.graph.node)
    copy.graph.input.extend(model.graph.input)
    copy.graph.output.extend(model.graph.output)
    copy.graph.value_info.extend(model.graph.value_info)
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= MAX_SHAPE_VALUES:
            copy.graph.initializer.append(tensor)
        else:
            copy.graph.initializer.add(
                name=tensor.name, data_type=tensor.data_type, dims=tensor.dims
            )
    for node in copy.graph.node:
        if node.op_type == GELU_SNAP and node.domain == "":
            node.op_type = "Relu"
    return copy


def _stated_shape(info: ValueInfoProto) -> Shape:
    return tuple(
        dim.dim_value if dim.HasField("dim_value") else None
        for dim in info.type.tensor_type.shape.dim
    )


def model_cost(model: ModelProto, shapes: dict[str, Shape] | None = None) -> Cost:
    """Returns what one run of `model` costs.

    Args:
        model: an ONNX graph in topological order, whose shapes can be inferred.
        shapes: what `tensor_shapes` returned, if it was called already.

    Raises:
        DeployError: the shape of a tensor is unknown.
    """
    known = _static(tensor_shapes(model) if shapes is None else shapes)
    graph = model.graph
    _require_shapes(graph, known)
    return Cost(
        macs=sum(_macs(node, known) for node in graph.node),
        peak_activation_bytes=_peak_bytes(graph, known),
    )


def _static(shapes: dict[str, Shape]) -> dict[str, tuple[int, ...]]:
    static = {}
    for name, shape in shapes.items():
        sizes = tuple(size for size in shape if size is not None)
        if len(sizes) == len(shape):
            static[name] = sizes
    return static


def _require_shapes(graph: GraphProto, known: dict[str, tuple[int, ...]]) -> None:
    constants = _constant_names(graph)
    for info in graph.input:
        if info.name not in known:
            raise DeployError(
                f"input {info.name!r} has no static shape; export it with fixed sizes"
            )
    for node in graph.node:
        operands = [name for name in node.input[:2] if known.get(name)]
        if node.op_type in PRODUCTS and len(operands) < 2:
            raise DeployError(
                f"{node.op_type} {node.name!r} needs two operands of static shape, found {operands}"
            )
        for name in (*node.input, *node.output):
            if name and name not in constants and name not in known:
                raise DeployError(
                    f"tensor {name!r} at {node.op_type} {node.name!r} has no static shape, so the "
                    "cost of the graph is open; export it with fixed sizes"
                )


def _constant_names(graph: GraphProto) -> set[str]:
    names = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            names.update(node.output)
    return names


def _macs(node: NodeProto, shapes: dict[str, tuple[int, ...]]) -> int:
    """Multiply-accumulates of one node; 0 for what is neither convolution nor matrix product."""
    if node.domain not in ("", "ai.onnx"):
        return 0
    if node.op_type == "Conv":  # weight [out, in/group, ...]: a row of it for each output
        return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])
    if node.op_type == "ConvTranspose":  # weight [in, out/group, ...]: a row for each input
        return math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])
    if node.op_type == "MatMul":
        return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    if node.op_type == "Gemm":
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else 1]
    return 0


def _peak_bytes(graph: GraphProto, shapes: dict[str, tuple[int, ...]]) -> int:
    constants = _constant_names(graph)
    last_reader: dict[str, int] = {}
    for index, node in enumerate(graph.node):
        last_reader.update((name, index) for name in (*node.output, *node.input))
    last_reader.update((info.name, len(graph.node)) for info in graph.output)

    def size(name: str) -> int:
        return 0 if name in constants or not name else 4 * math.prod(shapes[name])

    alive = {info.name for info in graph.input} - constants
    current = peak = sum(map(size, alive))
    for index, node in enumerate(graph.node):
        current += sum(size(name) for name in node.output)
        alive.update(node.output)
        peak = max(peak, current)
        for name in {*node.input, *node.output} & alive:
            if last_reader[name] == index:
                current -= size(name)
                alive.remove(name)
    return peak
