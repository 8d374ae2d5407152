"""Readers of the rule kinds that rows of the operator table use.

A rule holds where a shape or value that it needs is unknown; the report lists the unknown ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mobile_nelf.deploy.cost import Shape
from mobile_nelf.extras import import_extra
from mobile_nelf_exporters.snapml.schema import Operator, Restriction, Rule
from mobile_nelf_exporters.snapml.table import operator

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

__all__ = ["GraphView", "attribute", "bites", "node_row", "view_graph"]


@dataclass(frozen=True)
class GraphView:
    """What rules need to know about a graph.

    Attributes:
        shapes: of tensors, by name (`cost.tensor_shapes`).
        constants: initializers and outputs of Constant nodes, by name.
        readers: nodes that read a tensor, by its name.
    """

    shapes: dict[str, Shape]
    constants: dict[str, TensorProto]
    readers: dict[str, list[NodeProto]]

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Returns the shape of a tensor if all its sizes are known."""
        sizes = [size for size in self.shapes.get(name, (None,)) if size is not None]
        return tuple(sizes) if len(sizes) == len(self.shapes.get(name, (None,))) else None

    def value(self, node: NodeProto, position: int) -> npt.NDArray[Any] | None:
        """Returns the constant at an input of a node, None if there is none in the file."""
        onnx = import_extra("onnx", extra="lens")
        tensor = self.constants.get(_input(node, position))
        if tensor is None or tensor.data_location == onnx.TensorProto.EXTERNAL:
            return None
        value: npt.NDArray[Any] = onnx.numpy_helper.to_array(tensor)
        return value


def view_graph(model: ModelProto, shapes: dict[str, Shape]) -> GraphView:
    """Returns the view of a valid graph whose shapes are known already."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
        if node.op_type == "Constant" and node.domain == "":
            constants[node.output[0]] = _constant(node)
    return GraphView(shapes, constants, readers)


def attribute(node: NodeProto, name: str, default: Any = None) -> Any:
    """Returns an attribute of a node as a plain Python value, text decoded."""
    onnx = import_extra("onnx", extra="lens")
    for entry in node.attribute:
        if entry.name == name:
            value = onnx.helper.get_attribute_value(entry)
            return value.decode(errors="replace") if isinstance(value, bytes) else value
    return default


def node_row(node: NodeProto) -> Operator | None:
    """Returns the row of the operator table for a node, None for operators of other domains."""
    return operator(node.op_type) if node.domain in ("", "ai.onnx") else None


def bites(restriction: Restriction, node: NodeProto, view: GraphView) -> bool:
    """Returns whether `node` breaks the condition of `restriction`."""
    return not _RULES[restriction.rule](restriction, node, view)


def _constant(node: NodeProto) -> TensorProto:
    """Returns the value of a Constant node; one that is not dense keeps its type and no values."""
    onnx = import_extra("onnx", extra="lens")
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        value = attribute(node, name)
        if isinstance(value, onnx.TensorProto):
            tensor: TensorProto = value
            return tensor
        if value is not None:
            dtype = np.float32 if "float" in name else np.int64
            tensor = onnx.numpy_helper.from_array(np.asarray(value, dtype))
            return tensor
    empty: TensorProto = onnx.numpy_helper.from_array(np.zeros(0, np.float32))
    return empty


def _input(node: NodeProto, position: int) -> str:
    return node.input[position] if position < len(node.input) else ""


def _entries(restriction: Restriction, node: NodeProto) -> list[Any]:
    value = attribute(node, restriction.attribute, restriction.default)
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _kernel(node: NodeProto, view: GraphView) -> list[int]:
    """Kernel sizes from the attribute or from the weight, empty if neither tells."""
    stated = attribute(node, "kernel_shape")
    return list(stated or (view.shape(_input(node, 1)) or ())[2:])


def _allowed(restriction: Restriction, node: NodeProto, view: GraphView) -> bool:
    return all(entry in restriction.values for entry in _entries(restriction, node))


def _axis(restriction: Restriction, node: NodeProto, view: GraphView) -> bool:
    shape = view.shapes.get(_input(node, 0))
    axis = attribute(node, restriction.attribute, restriction.default)
    if axis is None or (axis < 0 and shape is None):
        return True
    return (axis if shape is None else axis % max(len(shape), 1)) in restriction.values


def _axes(restriction: Restriction, node: NodeProto, view: GraphView) -> bool:
    shape = view.shapes.get(_input(node, 0))
    if shape is None:
        return True
    value = view.value(node, 1)  # from opset 13 on, axes are an input
    axes = attribute(node, "axes") if value is None else value.tolist()
    reduced = range(len(shape)) if not axes else [axis % len(shape) for axis in axes]
    return tuple(sorted(reduced)) in restriction.values


def _broadcast(restriction: Restriction, node: NodeProto, view: GraphView) -> bool:
    shapes = [view.shape(name) for name in node.input]
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or not known:
        return True
    rank = max(len(shape) for shape in known)
    aligned = [(1,) * (rank - len(shape)) + shape for shape in known]
    full = tuple(max(sizes) for sizes in zip(*aligned, strict=True))
    if restriction.values[0] == "none":
        return all(shape == full for shape in known)
    if restriction.values[0] == "first_largest" and aligned[0] != full:
        return False
    return full in aligned and all(_spreads_simply(shape, full) for shape in aligned)


def _spreads_simply(shape: tuple[int, ...], full: tuple[int, ...]) -> bool:
    """Whether `shape` spreads to `full` along the channel, along height and width, or over all."""
    spread = {axis for axis, size in enumerate(shape) if size != full[axis]}
    wide = {axis for axis, size in enumerate(full) if size > 1}
    if not spread or spread == wide:
        return True
    return len(full) == 4 and spread in ({1} & wide, {2, 3} & wide)


def _clip(restriction: Restriction, node: NodeProto, view: GraphView) -> bool:
    for position, name, bound in zip((1, 2), ("min", "max"), restriction.values, strict=True):
        value = view.value(node, position)  # from opset 11 on, bounds are inputs
        found = attribute(node, name) if value is None else value.item()
        if found is None or float(found) != bound:
            return False
    return True


def _constant_inputs(restriction: Restriction, node: NodeProto, view: GraphView) -> bool:
    return all(
        not name or name in view.constants or position not in restriction.values
        for position, name in enumerate(node.input)
    )


def _equal(restriction: Restriction, node: NodeProto, view: GraphView) -> bool:
    kernel = restriction.attribute == "kernel_shape"
    return len(set(_kernel(node, view) if kernel else _entries(restriction, node))) <= 1


def _group(restriction: Restriction, node: NodeProto, view: GraphView) -> bool:
    group = attribute(node, "group", 1)
    shape = view.shapes.get(_input(node, 0))
    channels = shape[1] if shape is not None and len(shape) > 1 else None
    return group == 1 or channels is None or group == channels


def _padding(restriction: Restriction, node: NodeProto, view: GraphView) -> bool:
    pads, kernel = attribute(node, "pads", []), _kernel(node, view)
    return not kernel or all(pad <= size for pad, size in zip(pads, kernel * 2, strict=False))


def _rank(restriction: Restriction, node: NodeProto, view: GraphView) -> bool:
    shape = view.shapes.get(_input(node, 0))
    return shape is None or len(shape) in restriction.values


def _readers(restriction: Restriction, node: NodeProto, view: GraphView) -> bool:
    rows = (node_row(reader) for reader in view.readers.get(node.output[0], []))
    return all(row is not None and row.layer in restriction.values for row in rows)


def _scale(restriction: Restriction, node: NodeProto, view: GraphView) -> bool:
    before, after = view.shape(_input(node, 0)), view.shape(node.output[0])
    if before is None or after is None:
        return True
    # Cross-multiplied, so that no quotient is rounded.
    return (
        len(before) == 4
        and before[:2] == after[:2]
        and after[2] * before[3] == after[3] * before[2]
    )


def _whole_shape(restriction: Restriction, node: NodeProto, view: GraphView) -> bool:
    (position,) = restriction.values
    value = view.value(node, position) if isinstance(position, int) else None
    return value is None or 0 not in value


_RULES: dict[Rule, Callable[[Restriction, NodeProto, GraphView], bool]] = {
    "allowed": _allowed,
    "axes": _axes,
    "axis": _axis,
    "broadcast": _broadcast,
    "clip": _clip,
    "constant": _constant_inputs,
    "equal": _equal,
    "group": _group,
    "padding": _padding,
    "rank": _rank,
    "readers": _readers,
    "scale": _scale,
    "shape": _whole_shape,
}
