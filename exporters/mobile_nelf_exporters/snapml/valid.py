"""Refusal of graphs that are not valid ONNX, so that everything after it may rely on their form.

`onnx.checker.check_model` cannot do it: it refuses every operator that ONNX does not define, like
SnapML's own GeluSnap, and those are for the report to judge.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mobile_nelf.errors import DeployError
from mobile_nelf.extras import import_extra

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

__all__ = ["require_valid"]


def require_valid(model: ModelProto) -> None:
    """Checks names, nodes and constants one by one.

    Raises:
        DeployError: one of them is broken; the message says which and how.
    """
    onnx = import_extra("onnx", extra="lens")
    if not all(isinstance(text, str) for text in _texts(model)):
        raise DeployError("the ONNX graph holds names that are not text; the file is damaged")
    context = _context(model)
    for node in model.graph.node:
        if not node.output:
            raise DeployError(f"node {node.name!r} ({node.op_type}) is not valid ONNX: no output")
        if _is_defined(node, context.opset_imports):
            _check(f"node {node.name or node.output[0]!r}", onnx.checker.check_node, node, context)
        for entry in node.attribute:
            if entry.HasField("t"):
                _check_tensor(node.output[0], entry.t, context)
    for tensor in model.graph.initializer:
        _check_tensor(tensor.name, tensor, context)


def _check_tensor(name: str, tensor: TensorProto, context: Any) -> None:
    onnx = import_extra("onnx", extra="lens")
    # Values in another file, which may not be here, are a problem for the report.
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        _check(f"constant {name!r}", onnx.checker.check_tensor, tensor, context)
        # The checker takes some types and values that do not make an array.
        _check(f"constant {name!r}", onnx.numpy_helper.to_array, tensor)


def _check(what: str, check: Any, *arguments: Any) -> None:
    onnx = import_extra("onnx", extra="lens")
    try:
        check(*arguments)
    except (onnx.checker.ValidationError, KeyError, ValueError) as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise DeployError(f"{what} is not valid ONNX: {reason}") from error


def _context(model: ModelProto) -> Any:
    onnx = import_extra("onnx", extra="lens")
    context = onnx.checker.C.CheckerContext()
    context.ir_version = model.ir_version
    context.opset_imports = {entry.domain: entry.version for entry in model.opset_import}
    return context


def _is_defined(node: NodeProto, opsets: dict[str, int]) -> bool:
    """Whether ONNX defines the operator; nodes with inner graphs read names of the outer one."""
    onnx = import_extra("onnx", extra="lens")
    if node.domain or any(entry.HasField("g") for entry in node.attribute):
        return False
    known: bool = onnx.defs.has(node.op_type, opsets.get("", 1), "")
    return known


def _texts(model: ModelProto) -> Iterator[object]:
    """Every name in the graph; protobuf hands over bytes for one that is not UTF-8."""
    for node in model.graph.node:
        yield from (node.op_type, node.domain, node.name, *node.input, *node.output)
        yield from (entry.name for entry in node.attribute)
    graph = model.graph
    for info in (*graph.input, *graph.output, *graph.value_info):
        yield info.name
        yield from (dim.dim_param for dim in info.type.tensor_type.shape.dim)
    yield from (tensor.name for tensor in graph.initializer)
    yield from (entry.domain for entry in model.opset_import)
