"""Target toy: a program of PyTorch, with an option, a table and a check of ONNX files."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch

from mobile_nelf.cameras import Camera
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract, default_activation, make_contract
from mobile_nelf.deploy.form import deploy_form
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.errors import BundleError
from mobile_nelf.export.exporter import Exported, Exporter
from mobile_nelf.export.inspection import Finding, Inspection, ModelRecord
from mobile_nelf.export.runtime import Runtime
from mobile_nelf.export.tables import Table, TableRow
from mobile_nelf.pictures import FloatImage
from toy_target.options import Options

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["ToyExporter"]

MODEL = "toy.pt2"

#: What the chip that toys have cannot compute.
REFUSED = "Erf"


class ToyExporter(Exporter[Options]):
    """Exports what `torch.export` makes of a student."""

    target: ClassVar[str] = "toy"
    options = Options

    def export(self, checkpoint: Checkpoint, name: str, options: Options) -> Exported:
        """See `Exporter.export`."""
        dtype = torch.float64 if options.precision == "double" else torch.float32
        layout = find_layout(options.layout or "factored")
        activation = options.activation or default_activation(checkpoint, "erf")
        form = deploy_form(checkpoint, layout, activation, expand=False).to(dtype)
        shapes = [spec.shape for spec in layout.inputs(checkpoint.student)]
        program = torch.export.export(form, tuple(torch.zeros(s, dtype=dtype) for s in shapes))
        buffer = io.BytesIO()
        torch.export.save(program, buffer)
        contract = make_contract(checkpoint, layout, activation)
        return Exported(contract, {MODEL: buffer.getvalue()}, "the toy's", ("fun on a device",))

    def inspect(self, files: dict[str, bytes]) -> Inspection:
        """See `Exporter.inspect`."""
        program = _program(files)
        operators = Counter(
            str(node.target) for node in program.graph.nodes if node.op == "call_function"
        )
        stored = {str(tensor.dtype) for tensor in program.state_dict.values()}
        content = files[MODEL]
        record = ModelRecord(
            weights=", ".join(sorted(stored)).replace("torch.", ""),
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
            bytes_on_device=len(content) // 2,
            budget=10_000_000,
        )
        return Inspection(None, {MODEL: record}, (_operator_table(operators),))

    def runtimes(self, files: dict[str, bytes], contract: Contract) -> tuple[Runtime, ...]:
        """See `Exporter.runtimes`."""
        module = _program(files).module()
        (dtype,) = {tensor.dtype for tensor in module.state_dict().values()}
        layout = find_layout(contract.layout)

        def frame(camera: Camera) -> FloatImage:
            uploads = layout.host(camera, contract.student.encoder)
            inputs = [torch.from_numpy(uploads[spec.name]).to(dtype) for spec in contract.inputs]
            with torch.no_grad():
                image: FloatImage = module(*inputs)[0].permute(1, 2, 0).float().numpy()
            return image

        return (Runtime("PyTorch", MODEL, "", frame, contract.min_psnr_db),)

    def next_step(self, bundle: Path, name: str) -> str:
        """See `Exporter.next_step`."""
        return f"wind up {bundle / MODEL}"

    def check_onnx(self, model: ModelProto, path: Path) -> Inspection:
        """See `Exporter.check_onnx`."""
        operators = Counter(node.op_type for node in model.graph.node)
        findings = ()
        if operators[REFUSED]:
            findings = (Finding(path.name, "error", f"toys have no {REFUSED}", "use Tanh"),)
        return Inspection(None, {}, (_operator_table(operators),), findings)


def _operator_table(operators: Counter[str]) -> Table:
    rows = tuple(
        TableRow((name, str(count)), ("slow on toys",) if name == REFUSED else ())
        for name, count in operators.items()
    )
    return Table("Operators of the toy", ("operator", "count"), rows, numbers=1)


def _program(files: dict[str, bytes]) -> torch.export.ExportedProgram:
    if MODEL not in files:
        raise BundleError(f"{MODEL}: is missing; bundle it again")
    return torch.export.load(io.BytesIO(files[MODEL]))
