"""Graphs of one operator, written out in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

__all__ = ["IMAGE", "constant_reader", "graph_model", "node_model", "weights"]

IMAGE = (1, 4, 8, 8)

Sizes = Sequence["int | str | None"]


def graph_model(
    nodes: Sequence[NodeProto],
    inputs: Mapping[str, Sizes],
    outputs: Mapping[str, Sizes | None],
    constants: Mapping[str, npt.ArrayLike] | None = None,
    opset: int = 11,
    ir_version: int = 8,
) -> ModelProto:
    """A model; Python and numpy integers become int64, everything else float32."""
    arrays = {name: np.asarray(value) for name, value in (constants or {}).items()}
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [
            numpy_helper.from_array(
                array.astype(np.int64 if array.dtype.kind == "i" else np.float32), name
            )
            for name, array in arrays.items()
        ],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)


def node_model(
    op: str,
    shapes: Sequence[Sizes],
    *constants: npt.ArrayLike,
    domain: str = "",
    **attributes: Any,
) -> ModelProto:
    """A model of one node `y = op(x0, x1, …, constants …)`; the output's shape is inferred."""
    inputs = {f"x{index}": shape for index, shape in enumerate(shapes)}
    values = {f"c{index}": value for index, value in enumerate(constants)}
    node = helper.make_node(op, [*inputs, *values], ["y"], name="node", domain=domain, **attributes)
    return graph_model([node], inputs, {"y": None}, values)


def weights(*shape):
    return np.zeros(shape, np.float32)


def constant_reader(op, *inputs):
    """A constant that is read by an operator beside the input `x`."""
    nodes = [
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(weights(*IMAGE))),
        helper.make_node(op, ["x", "c"], ["y"], **({"axis": 1} if op == "Concat" else {})),
    ]
    return graph_model(nodes, {"x": IMAGE}, {"y": None})
