"""Target `onnx`: one file for ONNX Runtime on phones, desktops and the web."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract, default_activation
from mobile_nelf.deploy.cost import model_cost
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.errors import BundleError, DeployError
from mobile_nelf.export.exporter import Exported, Exporter
from mobile_nelf.export.inspection import Finding, Inspection, ModelRecord
from mobile_nelf.export.runtime import Runtime
from mobile_nelf.extras import import_extra
from mobile_nelf_exporters.onnx.build import build_onnx
from mobile_nelf_exporters.onnx.options import Options
from mobile_nelf_exporters.onnx.runtime import frame_function, parse_model, read_contract
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
        files = {
            MODEL: model.SerializeToString(deterministic=True),
            "README.md": render_readme("README.onnx.md.j2", name, contract),
        }
        return Exported(contract, files, reason, not_measured=("latency on a device",))

    def inspect(self, files: dict[str, bytes]) -> Inspection:
        """See `Exporter.inspect`."""
        content = _model_bytes(files)
        return Inspection(model_cost(parse_model(content, MODEL)), {MODEL: _record(content, MODEL)})

    def check_onnx(self, model: ModelProto, path: Path) -> Inspection:
        """See `Exporter.check_onnx`."""
        onnx = import_extra("onnx", "lens")
        findings = []
        try:
            onnx.checker.check_model(model)
        except onnx.checker.ValidationError as error:
            findings.append(Finding(path.name, "error", str(error).partition("\n")[0]))
        cost = None
        try:
            cost = model_cost(model)
        except DeployError as error:
            findings.append(Finding(path.name, "warning", str(error)))
        content = model.SerializeToString(deterministic=True)
        return Inspection(cost, {path.name: _record(content)}, findings=tuple(findings))

    def runtimes(self, files: dict[str, bytes], contract: Contract) -> tuple[Runtime, ...]:
        """See `Exporter.runtimes`."""
        model = parse_model(_model_bytes(files), MODEL)
        if read_contract(model, MODEL) != contract:
            raise BundleError(f"{MODEL}: carries another contract than the manifest")
        return (
            Runtime(
                "ONNX Runtime", MODEL, "", frame_function(model, contract), contract.min_psnr_db
            ),
        )


def _record(content: bytes, weights_file: str = "") -> ModelRecord:
    digest = hashlib.sha256(content).hexdigest()
    return ModelRecord("fp32", digest, len(content), weights_file=weights_file)


def _model_bytes(files: dict[str, bytes]) -> bytes:
    if MODEL not in files:
        raise BundleError(f"{MODEL}: is missing; bundle it again")
    return files[MODEL]
