"""What Lens Studio's SnapML will make of an ONNX graph, layer by layer and back-end by back-end.

Works on any graph, also one that nothing here wrote. The rules are rows of the operator table; this
module models the import: which layers stand for a node, what they weigh, what stops the whole.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mobile_nelf.deploy.cost import Cost, model_cost, tensor_shapes
from mobile_nelf.errors import DeployError
from mobile_nelf.extras import import_extra
from mobile_nelf_exporters.onnx.contradictions import node_label
from mobile_nelf_exporters.snapml.problems import problems_of
from mobile_nelf_exporters.snapml.rules import (
    GraphView,
    attribute,
    bites,
    node_row,
    view_graph,
)
from mobile_nelf_exporters.snapml.schema import BACKENDS, Backend, Operator
from mobile_nelf_exporters.snapml.table import OUTPUT_SCALE_OPERATOR, operator
from mobile_nelf_exporters.snapml.valid import require_valid

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

__all__ = ["SNAPML_BUDGET_BYTES", "LayerRow", "SnapmlReport", "Verdict", "check_snapml"]

#: "Up to 10 MB of SnapML assets" in a Lens, of the imported size; read as the smaller unit.
SNAPML_BUDGET_BYTES = 10_000_000

#: Imported size of trained fp16 weights over their plain size: 17 114 351 bytes of ONNX, of which
#: 8 549 382 stay in fp16, became 8.386 MB. Sparse weights may deflate further.
HALF_DEFLATED = 0.981

#: The importer's own words, so that a reader finds them again in Lens Studio.
NOT_SUPPORTED = "The layer type is not supported by backend"


@dataclass(frozen=True)
class Verdict:
    """How one back-end takes the layers of one kind.

    Attributes:
        failing: layers that it cannot run.
        reason: the restriction that bites first; empty if none.
        node: name of the first node that it bites; empty if none.
    """

    failing: int = 0
    reason: str = ""
    node: str = ""


@dataclass(frozen=True)
class LayerRow:
    """All layers of one kind after import.

    Attributes:
        layer: SnapML's name; the ONNX operator's where SnapML has no such layer.
        operators: ONNX operators they come from.
        count: how many there are.
        verdicts: by back-end.
    """

    layer: str
    operators: tuple[str, ...]
    count: int
    verdicts: dict[Backend, Verdict]

    def support(self, backend: Backend) -> str:
        """How many of them a back-end runs: `yes`, `no` or `2 of 3`."""
        failing = self.verdicts[backend].failing
        if not failing:
            return "yes"
        return "no" if failing == self.count else f"{self.count - failing} of {self.count}"


@dataclass(frozen=True)
class SnapmlReport:
    """What is known about a graph before it meets Lens Studio.

    Attributes:
        opset: of the default domain.
        layers: one row a layer kind, in order of first appearance.
        problems: what stops the import on every back-end.
        warnings: what is likely to be a mistake, and what could not be checked.
        lacking: by back-end, the kinds of layers that it cannot run; empty if it runs the graph.
        import_bytes: predicted size of the asset after import.
        budget_bytes: what a Lens may hold.
        upload_bytes: float32 inputs of one frame.
        cost: of one frame; None if a shape is unknown.
        passed: whether it imports, fits the budget and runs at least on the CPU.
    """

    opset: int
    layers: tuple[LayerRow, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    lacking: dict[Backend, tuple[str, ...]]
    import_bytes: int
    budget_bytes: int
    upload_bytes: int
    cost: Cost | None
    passed: bool

    @property
    def complete_backends(self) -> tuple[Backend, ...]:
        """Back-ends that run the whole graph."""
        return tuple(backend for backend in BACKENDS if not self.lacking[backend])

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why SnapML cannot take the graph, one reason each; empty if it can."""
        reasons = list(self.problems)
        if self.import_bytes > self.budget_bytes:
            reasons.append(
                f"{self.import_bytes / 1e6:.1f} MB after import, a Lens may hold "
                f"{self.budget_bytes / 1e6:.0f} MB; use a smaller student"
            )
        if self.lacking["cpu"]:
            reasons.append(f"not even the CPU runs {', '.join(self.lacking['cpu'])}")
        return tuple(reasons)


@dataclass(frozen=True)
class _Layer:
    """One layer after import, with the reason why each failing back-end cannot run it."""

    kind: str
    op: str
    node: str
    reasons: dict[Backend, str] = field(default_factory=dict)


def check_snapml(model: ModelProto, *, output_scaled: bool = True) -> SnapmlReport:
    """Returns what SnapML will make of `model`.

    Args:
        model: any ONNX graph; weights in files that were not loaded are only counted.
        output_scaled: whether its outputs are images that the import settings scale by 255, which
            adds a layer to each.

    Raises:
        DeployError: the graph is not valid ONNX.
        MissingExtraError: onnx is not installed.
    """
    require_valid(model)
    view = view_graph(model, tensor_shapes(model))
    rows = _rows([*_layers(model, view), *(_output_scales(model) if output_scaled else ())])
    lacking = {
        backend: tuple(row.layer for row in rows if row.verdicts[backend].failing)
        for backend in BACKENDS
    }
    opset = next((entry.version for entry in model.opset_import if entry.domain == ""), 1)
    problems, warnings = problems_of(model, view, opset)
    try:
        cost = model_cost(model, view.shapes)
    except DeployError as error:
        cost = None
        warnings.append(str(error))
    import_bytes = _import_bytes(model, view)
    return SnapmlReport(
        opset=opset,
        layers=rows,
        problems=tuple(problems),
        warnings=tuple(warnings),
        lacking=lacking,
        import_bytes=import_bytes,
        budget_bytes=SNAPML_BUDGET_BYTES,
        upload_bytes=_upload_bytes(model, view),
        cost=cost,
        passed=not problems and not lacking["cpu"] and import_bytes <= SNAPML_BUDGET_BYTES,
    )


def _layers(model: ModelProto, view: GraphView) -> Iterator[_Layer]:
    """Yields the layers of the imported graph, constants where they are read first."""
    helper = import_extra("onnx.helper", extra="lens")
    seen: set[str] = set()
    for node in model.graph.node:
        row = node_row(node)
        if row is None or row.layer is None:
            yield _unknown_layer(node, row)
            continue
        for name in _data_inputs(node, row):
            if name in view.constants and name not in seen:
                seen.add(name)
                stand_in = helper.make_node("Constant", [], [name], name=name)
                yield from _imported("Constant", stand_in, view)
        if node.op_type != "Constant":
            yield from _imported(node.op_type, node, view)


def _imported(op: str, node: NodeProto, view: GraphView) -> Iterator[_Layer]:
    """Yields the layers that stand for a node after import."""
    for part in _chain(op, node):
        row = _row(part)
        reasons = dict.fromkeys(row.missing, NOT_SUPPORTED)
        # What the importer adds around a node does not have the node's attributes.
        for restriction in row.restrictions if part == op else ():
            if bites(restriction, node, view):
                for backend in restriction.backends:
                    reasons.setdefault(backend, restriction.text)
        yield _Layer(str(row.layer), part, node_label(node), reasons)


def _chain(op: str, node: NodeProto) -> tuple[str, ...]:
    """Operators whose layers the importer makes of a node."""
    row = _row(op)
    if row.layer == "reduce" and attribute(node, "keepdims", 1) == 0:
        return (op, "Reshape")
    return (op,) if row.becomes is None else row.becomes


def _row(op: str) -> Operator:
    row = operator(op)
    if row is None:
        raise KeyError(f"the operator table names {op!r} without a row for it")
    return row


def _unknown_layer(node: NodeProto, row: Operator | None) -> _Layer:
    name = f"{node.domain}.{node.op_type}" if row is None and node.domain else node.op_type
    reason = f"SnapML has no such layer; {row.advice}" if row else "Unknown to the operator table"
    return _Layer(name, name, node_label(node), dict.fromkeys(BACKENDS, reason))


def _output_scales(model: ModelProto) -> Iterator[_Layer]:
    row = _row(OUTPUT_SCALE_OPERATOR)
    for info in model.graph.output:
        yield _Layer(str(row.layer), "output scale", info.name)


def _data_inputs(node: NodeProto, row: Operator) -> list[str]:
    """Names of the inputs of a node that are tensors of the graph and no part of the layer."""
    return [
        name for position, name in enumerate(node.input) if name and position not in row.parameters
    ]


def _rows(layers: Iterable[_Layer]) -> tuple[LayerRow, ...]:
    kinds: dict[str, list[_Layer]] = {}
    for layer in layers:
        kinds.setdefault(layer.kind, []).append(layer)
    return tuple(
        LayerRow(
            layer=kind,
            operators=tuple(dict.fromkeys(member.op for member in members)),
            count=len(members),
            verdicts={backend: _verdict(members, backend) for backend in BACKENDS},
        )
        for kind, members in kinds.items()
    )


def _verdict(members: list[_Layer], backend: Backend) -> Verdict:
    failing = [member for member in members if backend in member.reasons]
    if not failing:
        return Verdict()
    return Verdict(len(failing), failing[0].reasons[backend], failing[0].node)


def _upload_bytes(model: ModelProto, view: GraphView) -> int:
    """Float32 bytes of the graph's inputs; an input of unknown size counts nothing."""
    weights = {tensor.name for tensor in model.graph.initializer}
    shapes = (view.shape(info.name) for info in model.graph.input if info.name not in weights)
    return 4 * sum(math.prod(shape) for shape in shapes if shape is not None)


def _import_bytes(model: ModelProto, view: GraphView) -> int:
    """Predicted size after import: weights in fp16, other numbers deflated in fp32."""
    half: set[str] = set()
    full: set[str] = set()
    for node in model.graph.node:
        row = node_row(node)
        for position, name in enumerate(node.input):
            if name in view.constants:
                stored_half = row is not None and position in row.half
                (half if stored_half else full).add(name)
    weights: int = sum(2 * math.prod(view.constants[name].dims) for name in half)
    constants: int = sum(_deflated(view.constants[name]) for name in full - half)
    return round(HALF_DEFLATED * weights) + constants


def _deflated(tensor: TensorProto) -> int:
    """Bytes of a constant in the imported file; integers are settings that vanish in a layer."""
    onnx = import_extra("onnx", extra="lens")
    if tensor.data_type not in (
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.DOUBLE,
    ):
        return 0
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        size: int = 4 * math.prod(tensor.dims)
        return size
    return len(zlib.compress(onnx.numpy_helper.to_array(tensor).astype("<f4").tobytes()))
