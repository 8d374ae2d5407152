"""Target `onnx`: one file for ONNX Runtime on phones, desktops and the web."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import ClassVar

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract, default_activation
from mobile_nelf.deploy.cost import model_cost
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.errors import BundleError, InputError
from mobile_nelf.export.exporter import Exported
from mobile_nelf.export.inspection import Inspection, ProjectCheck
from mobile_nelf.export.options import ExportOptions
from mobile_nelf.export.runtime import Runtime
from mobile_nelf_exporters.onnx.build import build_onnx
from mobile_nelf_exporters.onnx.runtime import frame_function, parse_model, read_contract
from mobile_nelf_exporters.templates import render_readme

__all__ = ["OnnxExporter"]

MODEL = "model.onnx"


class OnnxExporter:
    """Exports a plain ONNX file."""

    target: ClassVar[str] = "onnx"

    def export(self, checkpoint: Checkpoint, name: str, options: ExportOptions) -> Exported:
        """See `Exporter.export`."""
        options.refuse(self.target, "weights", "output_form", "ios", "experience", "second_opinion")
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

    def companions(
        self, files: dict[str, bytes], contract: Contract, name: str
    ) -> dict[str, bytes]:
        """See `Exporter.companions`."""
        return {}

    def inspect(self, files: dict[str, bytes]) -> Inspection:
        """See `Exporter.inspect`."""
        return Inspection(model_cost(parse_model(_model_bytes(files), MODEL)))

    def tool_edits(
        self,
        files: Mapping[str, bytes],
        changed: Collection[str],
        is_original: Callable[[str, bytes], bool],
    ) -> dict[str, str]:
        """See `Exporter.tool_edits`."""
        return {}

    def is_tool_file(self, path: str) -> bool:
        """See `Exporter.is_tool_file`."""
        return False

    def check_project(self, folder: Path) -> ProjectCheck:
        """See `Exporter.check_project`."""
        raise InputError(
            f"{folder}: is a directory, expected a checkpoint or an ONNX file; target "
            f"{self.target} has no projects to check"
        )

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


def _model_bytes(files: dict[str, bytes]) -> bytes:
    if MODEL not in files:
        raise BundleError(f"{MODEL}: is missing; bundle it again")
    return files[MODEL]
