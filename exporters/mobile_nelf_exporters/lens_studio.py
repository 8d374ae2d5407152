"""Target `lens`: a Lens Studio project whose model fits SnapML."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.cost import model_cost
from mobile_nelf.deploy.exporter import Exported, ExportOptions, Inspection, Runtime
from mobile_nelf.deploy.form import DeployForm
from mobile_nelf.deploy.layouts import LAYOUTS, Layout, find_layout
from mobile_nelf.deploy.make_contract import default_activation
from mobile_nelf.deploy.operators_schema import BACKEND_TITLES, BACKENDS
from mobile_nelf.deploy.snapml_check import SnapmlReport, check_snapml
from mobile_nelf.errors import BundleError
from mobile_nelf.students import StudentConfig
from mobile_nelf_exporters.lens_project import MODEL_PATH, check_lens_name, render_lens_project
from mobile_nelf_exporters.onnx_build import build_onnx
from mobile_nelf_exporters.onnx_lowering import GELU_SNAP, lower_to_onnx
from mobile_nelf_exporters.onnx_runtime import (
    frame_function,
    parse_model,
    read_contract,
    with_fp16_weights,
)
from mobile_nelf_exporters.templates import render_readme

__all__ = ["LensStudioExporter"]

NOT_MEASURED = (
    "FPS, latency and memory on a phone",
    "that Lens Studio opens the project and imports the model",
    "the orientation of the output texture on the screen",
)


class LensStudioExporter:
    """Exports a Lens Studio project."""

    target: ClassVar[str] = "lens"

    def export(self, checkpoint: Checkpoint, name: str, options: ExportOptions) -> Exported:
        """See `Exporter.export`.

        Raises:
            InputError: `name` is no name for a lens.
        """
        options.refuse(self.target, "weights", "output_form", "ios", "second_opinion")
        check_lens_name(name)
        chosen, reason = (
            _choose_layout(checkpoint.student)
            if options.layout is None
            else (find_layout(options.layout), "asked for")
        )
        form = options.activation or default_activation(checkpoint, "gelusnap")
        model, contract = build_onnx(checkpoint, chosen, form, expand=True)
        content = model.SerializeToString(deterministic=True)
        files = {
            **render_lens_project(contract, content, name),
            "README.md": render_readme("README.lens.md.j2", name, contract),
        }
        return Exported(contract, files, reason, NOT_MEASURED)

    def companions(
        self, files: dict[str, bytes], contract: Contract, name: str
    ) -> dict[str, bytes]:
        """See `Exporter.companions`."""
        return {}

    def inspect(self, files: dict[str, bytes]) -> Inspection:
        """See `Exporter.inspect`."""
        model = parse_model(_model_bytes(files), MODEL_PATH)
        return Inspection(model_cost(model), check_snapml(model))

    def runtimes(self, files: dict[str, bytes], contract: Contract) -> tuple[Runtime, ...]:
        """See `Exporter.runtimes`.

        Lens Studio stores conv weights as fp16 on import, which the second runtime emulates.
        """
        model = parse_model(_model_bytes(files), MODEL_PATH)
        if read_contract(model, MODEL_PATH) != contract:
            raise BundleError(f"{MODEL_PATH}: carries another contract than the manifest")
        snap = any(node.op_type == GELU_SNAP for node in model.graph.node)
        assumes = "SnapML's GeluSnap is the erf form of GELU" if snap else ""
        return (
            Runtime(
                "ONNX Runtime",
                MODEL_PATH,
                assumes,
                frame_function(model, contract),
                contract.min_psnr_db,
            ),
            Runtime(
                "ONNX Runtime, conv weights as fp16",
                MODEL_PATH,
                "emulates how Lens Studio stores weights on import",
                frame_function(with_fp16_weights(model), contract),
                min_psnr_db=None,
            ),
        )


def _choose_layout(student: StudentConfig) -> tuple[Layout, str]:
    """Returns the layout that runs on most back-ends and then uploads least, and why."""
    candidates = []
    for layout in LAYOUTS:
        lacking = _check_encoder(student, layout).lacking
        missing = [BACKEND_TITLES[backend] for backend in BACKENDS if lacking[backend]]
        upload = sum(spec.bytes for spec in layout.inputs(student))
        candidates.append((len(missing), upload, layout, missing))
    missed, upload, chosen, _ = min(candidates, key=lambda candidate: candidate[:2])
    reasons = [
        f"its encoder runs on {len(BACKENDS) - missed} of {len(BACKENDS)} back-ends and uploads "
        f"{upload / 1e6:.2f} MB a frame"
    ]
    reasons += [
        f"{layout.name} "
        + (f"does not run on {', '.join(missing)}" if missing else f"uploads {size / 1e6:.2f} MB")
        for _, size, layout, missing in candidates
        if layout is not chosen
    ]
    return chosen, "; ".join(reasons)


def _check_encoder(student: StudentConfig, layout: Layout) -> SnapmlReport:
    """Checks the encoder alone, since the network after it is the same for every layout."""
    encoder = DeployForm(layout.encoder(student, expand=True), nn.Identity()).eval()
    return check_snapml(
        lower_to_onnx(encoder, layout.inputs(student), "encoded", "relu"), output_scaled=False
    )


def _model_bytes(files: dict[str, bytes]) -> bytes:
    if MODEL_PATH not in files:
        raise BundleError(f"{MODEL_PATH}: is missing; bundle it again")
    return files[MODEL_PATH]
