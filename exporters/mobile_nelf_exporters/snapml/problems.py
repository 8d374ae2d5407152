"""What stops the import of an ONNX graph on every SnapML back-end, and what deserves a warning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mobile_nelf.extras import import_extra
from mobile_nelf_exporters.onnx.contradictions import contradictions, listed_names, node_label
from mobile_nelf_exporters.onnx.values import fp16_problem, nan_problem
from mobile_nelf_exporters.snapml.rules import GraphView, attribute, node_row
from mobile_nelf_exporters.snapml.table import MAX_OPSET, MIN_OPSET, operator

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

__all__ = ["problems_of"]

#: The importer says "constant layer tensor dimensions size must be 1, 2 or 4", and its format holds
#: four sizes a tensor.
RANKS = (1, 2, 4)

#: How to get a file of an old opset from a new PyTorch, whose own exporter begins at 18.
EXPORT = (
    f"export it with torch.onnx.export(…, dynamo=False, opset_version={MAX_OPSET}), or give the "
    "checkpoint of a student, which needs no exporter"
)

#: Position of the bias of a recurrent layer.
LAST_WEIGHT = 3

#: The newest file format that is known to be imported.
MAX_IR_VERSION = 8


def problems_of(model: ModelProto, view: GraphView, opset: int) -> tuple[list[str], list[str]]:
    """Returns the problems that stop the import, and the warnings, each as a sentence."""
    problems = [
        *contradictions(model),
        *_opset_problems(opset),
        *_operator_problems(model),
        *_border_problems(model, view),
        *_rank_problems(model, view),
        *_setting_problems(model, view),
        *_value_problems(model, view),
        *_file_problems(model),
    ]
    return problems, list(_warnings(model, view, opset))


def _opset_problems(opset: int) -> Iterator[str]:
    if opset > MAX_OPSET:
        yield (f"Opset {opset}: nothing above {MAX_OPSET} is known to be imported; {EXPORT}")


def _operator_problems(model: ModelProto) -> Iterator[str]:
    nodes: dict[tuple[str, str], list[str]] = {}
    for node in model.graph.node:
        domain = "" if node.domain == "ai.onnx" else node.domain
        nodes.setdefault((domain, node.op_type), []).append(node_label(node))
    for (domain, op), labels in nodes.items():
        row = operator(op)
        if domain:
            yield f"Operator {domain}.{op} is not of ONNX itself: nodes {listed_names(labels)}"
        elif row is None:
            yield f"Operator {op} is unknown to the operator table: nodes {listed_names(labels)}"
        elif row.layer is None:
            yield f"Operator {op} has no SnapML layer: {row.advice}. Nodes {listed_names(labels)}"


def _border_problems(model: ModelProto, view: GraphView) -> Iterator[str]:
    onnx = import_extra("onnx", extra="lens")
    if not model.graph.output:
        yield "The graph has no output"
    for role, info in _border(model):
        if not info.type.HasField("tensor_type"):
            yield f"{role} {info.name!r} is not a tensor, expected float32"
            continue
        tensor = info.type.tensor_type
        if tensor.elem_type != onnx.TensorProto.FLOAT:
            names = {number: name.lower() for name, number in onnx.TensorProto.DataType.items()}
            kind = names.get(tensor.elem_type, f"of the unknown type {tensor.elem_type}")
            yield f"{role} {info.name!r} is {kind}, expected float32"
        shape = view.shapes.get(info.name)
        if shape is None:
            yield f"{role} {info.name!r} has no known rank; export it with a fixed shape"
            continue
        dynamic = [str(axis) for axis in _open_axes(role, info, shape)]
        if dynamic:
            yield (
                f"{role} {info.name!r} is dynamic along axis {', '.join(dynamic)}; only the batch "
                "axis may be, export the others with fixed sizes (without dynamic_axes or "
                "dynamic_shapes)"
            )
        batch = shape[0] if len(shape) > 1 else 1
        if batch is not None and batch > 1:
            yield f"{role} {info.name!r} has a batch of {batch}; Lens Studio has no batch, use 1"


def _open_axes(role: str, info: ValueInfoProto, shape: Sequence[int | None]) -> Iterator[int]:
    """Axes without a size. The importer reads what an output states and infers nothing."""
    stated = info.type.tensor_type.shape.dim
    for axis, size in enumerate(shape):
        by_name = role == "Output" and axis > 0 and axis < len(stated)
        if size is None or (by_name and not stated[axis].HasField("dim_value")):
            yield axis


def _border(model: ModelProto) -> Iterator[tuple[str, ValueInfoProto]]:
    weights = {tensor.name for tensor in model.graph.initializer}
    for info in model.graph.input:
        if info.name not in weights:
            yield "Input", info
    for info in model.graph.output:
        yield "Output", info


def _rank_problems(model: ModelProto, view: GraphView) -> Iterator[str]:
    # The official sampler drops an axis in ReduceSum and is imported: a reshape follows there.
    squeezed = {
        node.output[0]
        for node in model.graph.node
        if node.op_type.startswith("Reduce") and attribute(node, "keepdims", 1) == 0
    }
    wrong: dict[int, list[str]] = {}
    tensors = dict.fromkeys(info.name for _, info in _border(model))
    for node in model.graph.node:
        row = node_row(node)
        settings = row.parameters if row is not None else ()
        data = [name for at, name in enumerate(node.input) if at not in settings]
        tensors.update(dict.fromkeys(data))
        if node.op_type != "Constant":
            tensors.update(dict.fromkeys(node.output))
    for name in tensors:
        shape = _rank_shape(name, view)
        if shape is not None and len(shape) not in RANKS and name not in squeezed:
            wrong.setdefault(len(shape), []).append(name)
    for rank, names in wrong.items():
        yield (
            f"{len(names)} tensor(s) of rank {rank}, expected rank 4 (or 1 and 2): "
            f"{listed_names(names)}"
        )


def _rank_shape(name: str, view: GraphView) -> Sequence[int | None] | None:
    constant = view.constants.get(name)
    return view.shapes.get(name) if constant is None else tuple(constant.dims)


def _setting_problems(model: ModelProto, view: GraphView) -> Iterator[str]:
    """Finds settings that are computed while the graph runs; a layer has them as constants."""
    for node in model.graph.node:
        row = node_row(node)
        if row is None or row.layer is None:
            continue
        judged = {
            position
            for restriction in row.restrictions
            if restriction.rule == "constant"
            for position in restriction.values
        }
        computed = [
            name
            for position, name in enumerate(node.input)
            if name
            and position in row.parameters
            and position not in judged
            # The first states of a recurrence may come from anywhere.
            and not (row.op in ("LSTM", "RNN") and position > LAST_WEIGHT)
            and name not in view.constants
        ]
        if computed:
            yield (
                f"{node.op_type} {node_label(node)!r} takes {listed_names(computed)} at run time, "
                "where the importer needs constants; export it with fixed sizes and simplify it "
                "with onnxsim"
            )


def _value_problems(model: ModelProto, view: GraphView) -> Iterator[str]:
    """Finds weights that are not numbers, or will be none as fp16."""
    seen: set[str] = set()
    for node in model.graph.node:
        row = node_row(node)
        for position, name in enumerate(node.input):
            if name not in view.constants or name in seen:
                continue
            seen.add(name)
            tensor = view.constants[name]
            label = f"Weight {name!r} of {node.op_type} {node_label(node)!r}"
            found = nan_problem(label, tensor)
            if not found and row is not None and position in row.half:
                found = fp16_problem(label, tensor)
            if found:
                yield found


def _file_problems(model: ModelProto) -> Iterator[str]:
    onnx = import_extra("onnx", extra="lens")
    outside = [
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    ]
    if outside:
        yield (
            f"{len(outside)} weight(s) lie in another file: {listed_names(outside)}; a Lens Studio "
            "asset is one file, save the model with its weights inside, with "
            "onnx.save(onnx.load(path), path)"
        )


def _warnings(model: ModelProto, view: GraphView, opset: int) -> Iterator[str]:
    if opset < MIN_OPSET:
        yield f"Opset {opset}: only {MIN_OPSET} to {MAX_OPSET} are known to be imported"
    for op in dict.fromkeys(node.op_type for node in model.graph.node):
        row = operator(op)
        if row is not None and MIN_OPSET <= opset <= MAX_OPSET:
            low, high = row.opsets
            if not low <= opset <= high:
                yield f"Operator {op} is known to be imported with opset {low} to {high} only"
    if model.ir_version > MAX_IR_VERSION:
        yield (
            f"IR version {model.ir_version}: none above {MAX_IR_VERSION} is known to be imported"
        )
    weights = {tensor.name for tensor in model.graph.initializer}
    both = [info.name for info in model.graph.input if info.name in weights]
    if both:
        names = listed_names(both)
        yield f"{len(both)} weight(s) are also inputs, which Lens Studio may show: {names}"
    for role, info in _border(model):
        dims = info.type.tensor_type.shape.dim
        if role == "Input" and len(dims) > 1 and not dims[0].HasField("dim_value"):
            yield f"The batch axis of input {info.name!r} is free; it is taken as 1"
    outputs = dict.fromkeys(name for node in model.graph.node for name in node.output if name)
    unknown = [name for name in outputs if name not in view.constants and view.shape(name) is None]
    if unknown:
        yield (
            f"{len(unknown)} tensor(s) have an unknown shape, so rules about shapes could not be "
            f"applied there: {listed_names(unknown)}"
        )
