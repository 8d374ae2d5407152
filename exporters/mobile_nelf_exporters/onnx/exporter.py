"""Target `onnx`: one file for ONNX Runtime on phones, desktops and the web."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract, default_activation
from mobile_nelf.deploy.cost import model_cost
from mobile_nelf.deploy.eight_bits import INT8, UNPROVED
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.deploy.tolerances import COMPRESSED_MIN_PSNR_DB
from mobile_nelf.errors import BundleError, DeployError
from mobile_nelf.export.exporter import Exported, Exporter
from mobile_nelf.export.inspection import Finding, Inspection, ModelRecord
from mobile_nelf.export.runtime import Runtime
from mobile_nelf_exporters.onnx.build import build_onnx
from mobile_nelf_exporters.onnx.contradictions import (
    contradictions,
    listed_names,
    unknown_operators,
)
from mobile_nelf_exporters.onnx.options import Options
from mobile_nelf_exporters.onnx.outside import load_outside
from mobile_nelf_exporters.onnx.quantize import is_quantized, quantized
from mobile_nelf_exporters.onnx.runtime import (
    frame_function,
    load_problems,
    parse_model,
    read_contract,
)
from mobile_nelf_exporters.onnx.values import nan_problem
from mobile_nelf_exporters.templates import render_readme

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["OnnxExporter"]

MODEL = "model.onnx"


class OnnxExporter(Exporter[Options]):
    """Exports a plain ONNX file."""

    target: ClassVar[str] = "onnx"
    options = Options

    def export(self, checkpoint: Checkpoint, name: str, options: Options) -> Exported:
        """See `Exporter.export`."""
        layout, reason = options.layout, "asked for"
        if layout is None:
            layout = "camera"
            reason = "least to upload; ONNX Runtime computes the encoding in float32"
        model, contract = build_onnx(
            checkpoint,
            find_layout(layout),
            options.activation or default_activation(checkpoint, "erf"),
            expand=False,
        )
        not_measured = ["latency on a device"]
        if options.quantize:
            model = quantized(model, checkpoint, contract)
            not_measured.append(UNPROVED)
        files = {
            MODEL: model.SerializeToString(deterministic=True),
            "README.md": render_readme("README.onnx.md.j2", name, contract),
        }
        return Exported(contract, files, reason, not_measured=tuple(not_measured))

    def inspect(self, files: dict[str, bytes]) -> Inspection:
        """See `Exporter.inspect`."""
        content = _model_bytes(files)
        return Inspection(model_cost(parse_model(content, MODEL)), {MODEL: _record(content, MODEL)})

    def check_onnx(self, model: ModelProto, path: Path) -> Inspection:
        """See `Exporter.check_onnx`."""
        content = model.SerializeToString(deterministic=True)
        outside = load_outside(model, path.parent)
        problems = [*contradictions(model), *_operator_problems(model), *_value_problems(model)]
        if outside.missing:
            name, location = next(iter(outside.missing.items()))
            problems.append(
                f"{len(outside.missing)} weight(s) lie in another file, which is not beside the "
                f"model or does not hold them: {name!r} in {location!r}; put it there, or save the "
                "model with its weights inside"
            )
        if not problems:
            problems = [*load_problems(model)]
        findings = [Finding(path.name, "error", text) for text in problems]
        cost = None
        try:
            cost = None if problems else model_cost(model)
        except DeployError as error:
            findings.append(Finding(path.name, "warning", str(error)))
        return Inspection(cost, {path.name: _record(content)}, findings=tuple(findings))

    def runtimes(self, files: dict[str, bytes], contract: Contract) -> tuple[Runtime, ...]:
        """See `Exporter.runtimes`."""
        model = parse_model(_model_bytes(files), MODEL)
        if read_contract(model, MODEL) != contract:
            raise BundleError(f"{MODEL}: carries another contract than the manifest")
        demanded, name = contract.min_psnr_db, "ONNX Runtime"
        if is_quantized(model):
            demanded, name = min(demanded, COMPRESSED_MIN_PSNR_DB[INT8]), "ONNX Runtime, 8 bits"
        return (Runtime(name, MODEL, "", frame_function(model, contract, MODEL), demanded),)


def _operator_problems(model: ModelProto) -> Iterator[str]:
    for op, labels in unknown_operators(model).items():
        yield f"No Op registered for {op}, which is not an operator of ONNX: {listed_names(labels)}"


def _value_problems(model: ModelProto) -> Iterator[str]:
    for tensor in model.graph.initializer:
        yield from filter(None, [nan_problem(f"Weight {tensor.name!r}", tensor)])


def _record(content: bytes, weights_file: str = "") -> ModelRecord:
    digest = hashlib.sha256(content).hexdigest()
    weights = INT8 if is_quantized(parse_model(content, MODEL)) else "fp32"
    return ModelRecord(weights, digest, len(content), weights_file=weights_file)


def _model_bytes(files: dict[str, bytes]) -> bytes:
    if MODEL not in files:
        raise BundleError(f"{MODEL}: is missing; bundle it again")
    return files[MODEL]
