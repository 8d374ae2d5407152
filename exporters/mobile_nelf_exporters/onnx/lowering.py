"""From the one `torch.export` trace to ONNX.

Written here because no stock exporter gives what SnapML's importer takes: opset 11, static shapes
of rank 4, constants of rank 4, no GELU operator. The deploy form uses a dozen operators, each
lowered by one function below; anything else is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import fx, nn

from mobile_nelf.deploy.layouts import TensorSpec
from mobile_nelf.deploy.traced import CONV, CONV_TRANSPOSE, call_of
from mobile_nelf.errors import DeployError
from mobile_nelf.extras import import_extra
from mobile_nelf.vocabulary import GELU_SNAP, ActivationForm

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

__all__ = ["OPSET", "lower_to_onnx"]

#: The newest opset that SnapML's importer is known to take, and the IR version of Snap's own files.
OPSET = 11
IR_VERSION = 6

_Inputs = Sequence[str]


def lower_to_onnx(
    form: nn.Module,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[str],
    activation: ActivationForm,
) -> ModelProto:
    """Traces a deploy form, or a part of one, and lowers it to ONNX with static shapes.

    Args:
        form: maps the uploads to one tensor, or to several.
        inputs: names and shapes of the uploads, in order.
        outputs: names of the results.
        activation: how GELU is written; `gelusnap` gives nodes that no runtime but SnapML knows.

    Raises:
        DeployError: the form uses an operator that has no lowering.
        MissingExtraError: onnx is not installed.
    """
    helper = import_extra("onnx.helper", "lens")
    program = torch.export.export(form, tuple(torch.zeros(spec.shape) for spec in inputs))
    graph = _Graph(activation)
    names = iter(inputs)
    signature = program.graph_signature
    weights = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in weights:
            graph.weight(node, program.state_dict[weights[node.name]])
        elif node.op == "placeholder":
            graph.names[node] = next(names).name
        elif node.op == "call_function":
            graph.lower(node)
    results = next(node for node in program.graph.nodes if node.op == "output").args[0]
    shapes = {
        name: graph.finish(result, name) for name, result in zip(outputs, results, strict=True)
    }
    proto = helper.make_graph(
        graph.nodes,
        "nelf",
        [_value(helper, spec.name, spec.shape) for spec in inputs],
        [_value(helper, name, shape) for name, shape in shapes.items()],
        graph.initializers,
        value_info=[_value(helper, name, shape) for name, shape in graph.shapes.items()],
    )
    model: ModelProto = helper.make_model(
        proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    return model


def _value(helper: Any, name: str, shape: Sequence[int]) -> Any:
    return helper.make_tensor_value_info(name, 1, list(shape))  # 1 is TensorProto.FLOAT


class _Graph:
    """The ONNX graph under construction."""

    def __init__(self, activation: ActivationForm) -> None:
        self.activation = activation
        self.helper = import_extra("onnx.helper", "lens")
        self.numpy_helper = import_extra("onnx.numpy_helper", "lens")
        self.names: dict[fx.Node, str] = {}
        self.nodes: list[NodeProto] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.initializers: list[TensorProto] = []
        self._constants: dict[tuple[float, int], str] = {}

    def weight(self, node: fx.Node, value: torch.Tensor) -> None:
        """Adds a parameter or buffer of the trace."""
        # Prefixes of the trace ("p_network_head_0_weight") say nothing to a reader of the file.
        name = node.name.removeprefix("p_").removeprefix("b_")
        self.names[node] = self._initializer(name, value.detach().contiguous().numpy())

    def constant(self, value: float, rank: int = 4) -> str:
        """Returns the initializer of a number, of rank 4 because the importer refuses rank 0."""
        if (value, rank) not in self._constants:
            name = f"constant_{len(self._constants)}"
            array = np.full((1,) * rank, value, np.float32)
            self._constants[value, rank] = self._initializer(name, array)
        return self._constants[value, rank]

    def _initializer(self, name: str, array: npt.NDArray[Any]) -> str:
        self.initializers.append(self.numpy_helper.from_array(array, name))
        return name

    def emit(self, op_type: str, inputs: _Inputs, shape: Sequence[int], **attributes: Any) -> str:
        """Adds a node and returns the name of its output."""
        output = f"{op_type.lower()}_{len(self.nodes)}"
        node = self.helper.make_node(op_type, list(inputs), [output], name=output, **attributes)
        self.nodes.append(node)
        self.shapes[output] = tuple(shape)
        return output

    def lower(self, node: fx.Node) -> None:
        """Lowers one traced call.

        Raises:
            DeployError: the operator has no lowering.
        """
        lowering = _LOWERINGS.get(str(node.target))
        if lowering is None:
            raise DeployError(
                f"operator {node.target} has no ONNX lowering; known are "
                f"{', '.join(sorted(_LOWERINGS))}"
            )
        self.names[node] = lowering(self, node)

    def operand(self, argument: Any) -> str:
        """Returns the name of a traced value, or of the constant for a number."""
        return self.names[argument] if isinstance(argument, fx.Node) else self.constant(argument)

    def finish(self, result: fx.Node, name: str) -> tuple[int, ...]:
        """Gives the result its public name and returns its shape."""
        old = self.names[result]
        if old not in self.shapes:  # an input that is handed through, as by the `embedded` encoder
            old = self.emit("Identity", [old], _shape(result))
        for node in self.nodes:
            for names in (node.input, node.output):
                names[:] = [name if entry == old else entry for entry in names]
        return self.shapes.pop(old)


def _shape(node: fx.Node) -> tuple[int, ...]:
    return tuple(int(size) for size in node.meta["val"].shape)


def _elementwise(op_type: str) -> Callable[[_Graph, fx.Node], str]:
    def lower(graph: _Graph, node: fx.Node) -> str:
        return graph.emit(op_type, [graph.operand(a) for a in node.args], _shape(node))

    return lower


def _concat(graph: _Graph, node: fx.Node) -> str:
    parts, axis = call_of(node, {"tensors": None, "dim": 0}).values()
    return graph.emit("Concat", [graph.names[p] for p in parts], _shape(node), axis=axis)


def _slice(graph: _Graph, node: fx.Node) -> str:
    value, axis, start, end = node.args
    bounds = [
        graph._initializer(f"slice_{len(graph.nodes)}_{name}", np.array([bound], np.int64))
        for name, bound in (("start", start), ("end", end), ("axis", axis))
    ]
    return graph.emit("Slice", [graph.operand(value), *bounds], _shape(node))


def _convolution(op_type: str, schema: Mapping[str, Any]) -> Callable[[_Graph, fx.Node], str]:
    def lower(graph: _Graph, node: fx.Node) -> str:
        call = call_of(node, schema)
        if any(call.get("output_padding", ())):
            raise DeployError("a transposed conv with output padding has no ONNX lowering")
        operands = [call[name] for name in ("value", "weight", "bias")]
        return graph.emit(
            op_type,
            [graph.names[operand] for operand in operands if operand is not None],
            _shape(node),
            kernel_shape=list(_shape(call["weight"])[2:]),
            strides=call["stride"],
            pads=[*call["padding"], *call["padding"]],
            dilations=call["dilation"],
            group=call["groups"],
        )

    return lower


def _pad(graph: _Graph, node: fx.Node) -> str:
    parameters = {"value": None, "widths": None, "mode": "constant", "fill": None}
    value, widths, mode, fill = call_of(node, parameters).values()
    if mode != "constant" or fill not in (None, 0) or len(widths) != 4:
        raise DeployError("only padding of rows and columns with zeros has an ONNX lowering")
    left, right, top, bottom = widths
    pads = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    name = graph._initializer(f"pad_{len(graph.nodes)}_widths", pads)
    return graph.emit("Pad", [graph.operand(value), name], _shape(node), mode="constant")


def _gelu(graph: _Graph, node: fx.Node) -> str:
    x, shape = graph.operand(node.args[0]), _shape(node)
    rank = 4
    if node.kwargs.get("approximate", "none") == "tanh":
        gate = _tanh_gate(graph, x, shape)
    elif graph.activation == "gelusnap":
        return graph.emit(GELU_SNAP, [x], shape)
    else:
        # These very operators, with constants of rank 1, are what ONNX Runtime fuses into one GELU;
        # as five passes over memory they would cost a quarter of the frame.
        rank = 1
        scaled = graph.emit("Div", [x, graph.constant(2**0.5, rank)], shape)
        gate = graph.emit("Erf", [scaled], shape)
    opened = graph.emit("Add", [gate, graph.constant(1.0, rank)], shape)
    product = graph.emit("Mul", [x, opened], shape)
    return graph.emit("Mul", [product, graph.constant(0.5, rank)], shape)


def _tanh_gate(graph: _Graph, x: str, shape: tuple[int, ...]) -> str:
    """tanh(√(2/π)·(x + 0.044715·x³)), Hendrycks and Gimpel 2016."""
    root = float(np.sqrt(2.0 / np.pi))
    square = graph.emit("Mul", [x, x], shape)
    cubic = graph.emit("Mul", [square, graph.constant(0.044715 * root)], shape)
    slope = graph.emit("Add", [cubic, graph.constant(root)], shape)
    return graph.emit("Tanh", [graph.emit("Mul", [x, slope], shape)], shape)


_LOWERINGS: dict[str, Callable[[_Graph, fx.Node], str]] = {
    "aten.abs.default": _elementwise("Abs"),
    "aten.add.Tensor": _elementwise("Add"),
    "aten.cat.default": _concat,
    "aten.conv2d.default": _convolution("Conv", CONV),
    "aten.conv_transpose2d.input": _convolution("ConvTranspose", CONV_TRANSPOSE),
    "aten.cos.default": _elementwise("Cos"),
    "aten.gelu.default": _gelu,
    "aten.mul.Tensor": _elementwise("Mul"),
    "aten.pad.default": _pad,
    "aten.relu.default": _elementwise("Relu"),
    "aten.sigmoid.default": _elementwise("Sigmoid"),
    "aten.sin.default": _elementwise("Sin"),
    "aten.slice.Tensor": _slice,
    "aten.sub.Tensor": _elementwise("Sub"),
}
