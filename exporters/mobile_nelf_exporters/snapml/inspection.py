"""What SnapML makes of a graph, as the SDK takes it: a table of layers, findings, a record."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mobile_nelf.errors import BundleError
from mobile_nelf.export.inspection import Finding, Inspection, ModelRecord
from mobile_nelf.export.tables import Table, TableRow
from mobile_nelf_exporters.onnx.contradictions import listed_names
from mobile_nelf_exporters.onnx.outside import load_outside
from mobile_nelf_exporters.onnx.runtime import read_contract
from mobile_nelf_exporters.snapml.check import LayerRow, SnapmlReport, check_snapml
from mobile_nelf_exporters.snapml.schema import BACKEND_TITLES, BACKENDS

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["inspect_onnx", "inspection_of", "layer_table", "model_record"]


def inspection_of(report: SnapmlReport, models: dict[str, ModelRecord], path: str) -> Inspection:
    """Returns the inspection of a graph.

    Args:
        report: of the graph.
        models: records of the graph and of what shares its budget.
        path: of the graph's file, which findings name.
    """
    findings = [Finding(path, "error", text) for text in report.refusals]
    findings += [Finding(path, "warning", text) for text in report.warnings]
    return Inspection(report.cost, models, (layer_table(report),), tuple(findings))


def model_record(report: SnapmlReport, content: bytes) -> ModelRecord:
    """Returns the record of an ONNX file; SnapML stores weights as fp16 on import."""
    return ModelRecord(
        weights="fp16",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        bytes_on_device=report.import_bytes,
        budget=report.budget_bytes,
    )


def inspect_onnx(model: ModelProto, path: Path) -> Inspection:
    """Returns the inspection of any ONNX model.

    Args:
        model: the graph; weights that lie beside its file are put into it.
        path: of its file.
    """
    content = model.SerializeToString(deterministic=True)
    outside = load_outside(model, path.parent)
    report = check_snapml(model, output_scaled=_is_scaled(model, path))
    if outside.found:
        files = listed_names(sorted(set(outside.found.values())))
        inside = (
            f"{len(outside.found)} weight(s) lie in {files} beside the model; a Lens Studio asset "
            "is one file, save the model with its weights inside, with "
            "onnx.save(onnx.load(path), path)"
        )
        report = replace(report, problems=(*report.problems, inside), passed=False)
    return inspection_of(report, {path.name: model_record(report, content)}, path.name)


def _is_scaled(model: ModelProto, path: Path) -> bool:
    """Whether all outputs have the shape of an image, whose [0, 1] Lens Studio scales by 255.

    In a lens of ours white is 255 already, as its contract says.
    """
    try:
        if read_contract(model, str(path)).white > 1.0:
            return False
    except BundleError:  # somebody else's model
        pass
    shapes = [info.type.tensor_type.shape.dim for info in model.graph.output]
    return all(len(dims) == 4 and dims[1].dim_value in (3, 4) for dims in shapes)


def layer_table(report: SnapmlReport) -> Table:
    """Returns a table with a row for each kind of layer and a column for each back-end."""
    return Table(
        "Operators by back-end",
        ("layer", "from", *(BACKEND_TITLES[backend] for backend in BACKENDS), "count"),
        tuple(map(_row, report.layers)),
        numbers=1,
        notes=(
            f"Opset {report.opset}; the inputs of a frame take {report.upload_bytes / 1e6:.2f} MB "
            "in float32. Lens Studio shows the real size after import.",
        ),
    )


def _row(row: LayerRow) -> TableRow:
    reasons: dict[str, list[str]] = {}
    for backend in BACKENDS:
        verdict = row.verdicts[backend]
        if verdict.failing:
            reason = f"{verdict.reason} (first at {verdict.node})"
            reasons.setdefault(reason, []).append(BACKEND_TITLES[backend])
    cells = (
        row.layer,
        ", ".join(row.operators),
        *(row.support(backend) for backend in BACKENDS),
        str(row.count),
    )
    return TableRow(
        cells, tuple(f"{', '.join(titles)}: {reason}" for reason, titles in reasons.items())
    )
