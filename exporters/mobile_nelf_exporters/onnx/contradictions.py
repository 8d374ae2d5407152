"""What keeps every runtime from taking an ONNX graph: its names, its sizes, its shapes.

The checker and strict shape inference of ONNX find all of it, but stop at the first and name nodes
that have no name by nothing. So names, order and sizes, the usual mistakes, are looked at here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mobile_nelf.deploy.cost import Shape, tensor_shapes
from mobile_nelf.extras import import_extra

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

__all__ = ["contradictions", "listed_names", "node_label", "unknown_operators"]

#: Constants with more values are weights, which shape inference does not read.
MAX_SETTING_VALUES = 1024

#: Stands for the domain of operators that ONNX does not define; the checker leaves those alone.
UNKNOWN_DOMAIN = "unknown"

#: The checker quotes whole shapes and paths of its own source.
MAX_REASON = 300

DEFAULT_DOMAINS = ("", "ai.onnx")

#: Axis of the weight that the channels of the input meet.
CHANNEL_AXIS = {
    "BatchNormalization": 0,
    "Conv": 1,
    "ConvTranspose": 0,
    "InstanceNormalization": 0,
}


def contradictions(model: ModelProto) -> tuple[str, ...]:
    """Returns why no runtime takes `model`, one sentence each; empty if nothing was found.

    Operators that ONNX does not define and values of weights are left alone, so that any file can
    be looked at. What stands in other files may be missing.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    found = [*_size_problems(model.graph), *_name_problems(model.graph)]
    # With these there, what the checker says is about the same.
    if not found:
        shapes = tensor_shapes(model)
        found = [*_channel_problems(model.graph, shapes)] or [*_checked(model, shapes)]
    return tuple(found)


def unknown_operators(model: ModelProto) -> dict[str, list[str]]:
    """Returns labels of nodes by the operator of ONNX's own domain that ONNX does not define."""
    onnx = import_extra("onnx", extra="lens")
    opset = next((e.version for e in model.opset_import if e.domain in DEFAULT_DOMAINS), 1)
    functions = {(function.domain, function.name) for function in model.functions}
    unknown: dict[str, list[str]] = {}
    for node in model.graph.node:
        own = node.domain not in DEFAULT_DOMAINS or (node.domain, node.op_type) in functions
        if not own and not onnx.defs.has(node.op_type, opset, ""):
            unknown.setdefault(node.op_type, []).append(node_label(node))
    return unknown


def node_label(node: NodeProto) -> str:
    """Returns the name of a node, or of what it makes; many exporters leave nodes unnamed."""
    name: str = node.name or next(iter(node.output), "") or node.op_type
    return name


def listed_names(names: list[str]) -> str:
    """Returns the first names of a list, so that a long one stays one line."""
    shown = ", ".join(repr(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _size_problems(graph: GraphProto) -> Iterator[str]:
    weights = {tensor.name for tensor in graph.initializer}
    for info in graph.input:
        if info.name not in weights:
            yield from _sizes(f"Input {info.name!r}", info, 1)
    for info in graph.output:
        yield from _sizes(f"Output {info.name!r}", info, 1)
    for info in graph.value_info:
        # Unused settings, such as the region of a Resize, have no elements.
        yield from _sizes(f"Tensor {info.name!r}", info, 0)


def _sizes(label: str, info: ValueInfoProto, least: int) -> Iterator[str]:
    dims = info.type.tensor_type.shape.dim
    wrong = {
        axis: dim.dim_value
        for axis, dim in enumerate(dims)
        if dim.HasField("dim_value") and dim.dim_value < least
    }
    if wrong:
        places = ", ".join(f"{size} on axis {axis}" for axis, size in wrong.items())
        yield (
            f"{label} has size {places}; sizes are positive, and exporters write −1 for one that "
            "they do not know: export it with fixed sizes, without dynamic axes"
        )


def _name_problems(graph: GraphProto) -> Iterator[str]:
    counts = Counter(node.name for node in graph.node if node.name)
    for name, count in counts.items():
        if count > 1:
            yield (
                f"{count} nodes have the name {name!r}; ONNX Runtime and converters refuse that, "
                "give each its own or none"
            )
    known = {info.name for info in graph.input} | {tensor.name for tensor in graph.initializer}
    known |= {tensor.values.name for tensor in graph.sparse_initializer}
    makers: dict[str, str] = {}
    for node in graph.node:
        for name in node.output:
            makers.setdefault(name, node_label(node))
    made: set[str] = set()
    for node in graph.node:
        label = f"{node.op_type} {node_label(node)!r}"
        for name in dict.fromkeys(node.input):
            if not name or name in known or name in made:
                continue
            if name in makers:
                yield f"{label} reads {name!r} before node {makers[name]!r} makes it"
            else:
                yield f"{label} reads {name!r}, which nothing in the graph makes"
        for name in filter(None, node.output):
            if name in known or name in made:
                yield f"{label} makes {name!r}, which is there already"
            made.add(name)
    for info in graph.output:
        if info.name not in known | made:
            yield f"Output {info.name!r} is made by no node of the graph"


def _channel_problems(graph: GraphProto, shapes: dict[str, Shape]) -> Iterator[str]:
    """Finds weights made for another number of channels, which shape inference does not look at."""
    for node in graph.node:
        if node.domain not in DEFAULT_DOMAINS or node.op_type not in CHANNEL_AXIS:
            continue
        data, weight = (shapes.get(name, ()) for name in (*node.input[:2], "", "")[:2])
        group = next((entry.i for entry in node.attribute if entry.name == "group"), 1)
        axis = CHANNEL_AXIS[node.op_type]
        size = weight[axis] if len(weight) > axis else None
        if len(data) < 2 or data[1] is None or size is None:
            continue
        expected = size * (group if node.op_type == "Conv" else 1)
        if data[1] != expected:
            yield (
                f"{node.op_type} {node_label(node)!r} has a weight {node.input[1]!r} for "
                f"{expected} channels, its input {node.input[0]!r} has {data[1]}"
            )


def _checked(model: ModelProto, shapes: dict[str, Shape]) -> Iterator[str]:
    """What ONNX's checker and strict shape inference say."""
    stand_in = _without_weights(model)
    for info in (*stand_in.graph.input, *stand_in.graph.output):
        tensor = info.type.tensor_type
        if info.type.HasField("tensor_type") and not tensor.HasField("shape"):
            # The checker wants a shape, which graphs may leave to inference.
            if info.name not in shapes:
                return
            for size in shapes[info.name]:
                tensor.shape.dim.add(**({} if size is None else {"dim_value": size}))
    onnx = import_extra("onnx", extra="lens")
    inference_error = import_extra("onnx.shape_inference", extra="lens").InferenceError
    try:
        onnx.checker.check_model(stand_in, full_check=True)
    # A type that ONNX does not have is a ValueError.
    except (onnx.checker.ValidationError, inference_error, ValueError) as error:
        reason = " ".join(str(error).split())
        shown = reason if len(reason) <= MAX_REASON else f"{reason[:MAX_REASON]}…"
        yield f"The graph contradicts itself: {shown}"


def _without_weights(model: ModelProto) -> ModelProto:
    """Returns a copy whose weights are inputs and whose unknown operators are somebody's own."""
    onnx = import_extra("onnx", extra="lens")
    # Versions are judged elsewhere; a newer file may still be read.
    version = min(max(model.ir_version, 4), int(onnx.IR_VERSION))
    copy: ModelProto = onnx.ModelProto(ir_version=version)
    copy.opset_import.extend(model.opset_import)
    copy.functions.extend(model.functions)
    copy.graph.CopyFrom(
        onnx.GraphProto(
            name=model.graph.name or "graph",
            node=model.graph.node,
            input=model.graph.input,
            output=model.graph.output,
            value_info=model.graph.value_info,
        )
    )
    stated = {info.name for info in model.graph.input}
    for tensor in model.graph.initializer:
        if _is_setting(tensor):
            copy.graph.initializer.append(tensor)
        elif tensor.name not in stated:
            copy.graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
    unknown = unknown_operators(model)
    for node in copy.graph.node:
        if node.domain in DEFAULT_DOMAINS and node.op_type in unknown:
            node.domain = UNKNOWN_DOMAIN
        for entry in node.attribute:
            if entry.HasField("t") and entry.t.data_location == onnx.TensorProto.EXTERNAL:
                zeros = onnx.TensorProto(data_type=entry.t.data_type, dims=[0], raw_data=b"")
                entry.t.CopyFrom(zeros)
    if unknown:
        copy.opset_import.append(onnx.helper.make_opsetid(UNKNOWN_DOMAIN, 1))
    return copy


def _is_setting(tensor: TensorProto) -> bool:
    """Whether shape inference may need the values, which must be in the file for that."""
    onnx = import_extra("onnx", extra="lens")
    inside: bool = tensor.data_location != onnx.TensorProto.EXTERNAL
    return inside and math.prod(tensor.dims) <= MAX_SETTING_VALUES
