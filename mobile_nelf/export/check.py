"""Whether a target takes a network, and at what cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mobile_nelf.checkpoints import CameraOptions, load_checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.cost import Cost, model_cost
from mobile_nelf.errors import DeployError, InputError, require
from mobile_nelf.export.exporter import find_exporter
from mobile_nelf.export.options import NO_OPTIONS, ExportOptions
from mobile_nelf.export.seam import PlacementReport, SnapmlReport, check_snapml
from mobile_nelf.extras import import_extra
from mobile_nelf.vocabulary import Activation

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["CheckResult", "check_path"]


@dataclass(frozen=True)
class CheckResult:
    """What a target would make of a network.

    Attributes:
        target: name of the exporter.
        contract: of the exported network; None for an ONNX file.
        layout_reason: why the layout was chosen; empty for an ONNX file.
        operators: the operator report, for targets that have one.
        cost: of one frame; None if a shape is unknown.
        problems: what the target refuses, one sentence each; empty if nothing.
        warnings: what is likely to be a mistake, and what could not be checked.
        placement: where operations will run, for targets with rules about it.
    """

    target: str
    contract: Contract | None
    layout_reason: str
    operators: SnapmlReport | None
    cost: Cost | None
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    placement: PlacementReport | None = None

    def __repr__(self) -> str:
        """Returns the verdict and how much there is to read."""
        network = self.contract.student.name if self.contract else "the model"
        verdict = "takes" if self.passed else "refuses"
        return (
            f"CheckResult(target {self.target} {verdict} {network}, {len(self.problems)} problems, "
            f"{len(self.warnings)} warnings)"
        )

    @property
    def passed(self) -> bool:
        """Whether the target takes the network."""
        return not self.problems


def check_path(
    path: Path,
    *,
    target: str,
    options: ExportOptions = NO_OPTIONS,
    camera: CameraOptions | None = None,
    trained_activation: Activation | None = None,
) -> CheckResult:
    """Says whether a target takes the network in a file, and at what cost.

    Args:
        path: a checkpoint, which is exported first, or any ONNX file; told by its content.
        target: name of an installed exporter.
        options: of the export.
        camera: lens of an official checkpoint, see `load_checkpoint`.
        trained_activation: non-linearity of an official checkpoint, see `load_checkpoint`.

    Raises:
        InputError: no such file or target, or options that the file has no use for.
        CheckpointError: the file is neither a checkpoint nor an ONNX model.
        MissingExtraError: the target's optional dependencies are not installed.
    """
    exporter = find_exporter(target)
    model = _read_onnx(require(path, "a checkpoint or an ONNX model"))
    if model is not None:
        if options != NO_OPTIONS or camera or trained_activation:
            raise InputError(
                f"{path}: is an ONNX model and is checked as it is; layout, activation, camera "
                "and the like are options for checkpoints"
            )
        return _check_onnx(model, path, target)
    checkpoint = load_checkpoint(path, camera=camera, trained_activation=trained_activation)
    exported = exporter.export(checkpoint, "check", options)
    inspection = exporter.inspect(exported.files)
    report = inspection.operators
    return CheckResult(
        target=target,
        contract=exported.contract,
        layout_reason=exported.layout_reason,
        operators=report,
        cost=inspection.cost,
        problems=report.refusals if report else (),
        warnings=report.warnings if report else (),
        placement=inspection.placement,
    )


def _read_onnx(path: Path) -> ModelProto | None:
    """Returns the model in an ONNX file, and None for a file of another kind."""
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith((b"PK\x03\x04", b"\x80")):  # what torch writes, now and before 1.6
        return None
    onnx = import_extra("onnx", "lens")
    decode_error = import_extra("google.protobuf.message", "lens").DecodeError
    try:
        # Weights in other files are reported and not needed.
        model: ModelProto = onnx.load(path, format="protobuf", load_external_data=False)
    except decode_error as error:
        if path.suffix == ".onnx":
            raise InputError(
                f"{path}: is truncated or not an ONNX model; export it again"
            ) from error
        return None
    # Protobuf skips what it does not know, so many files parse as a model of nothing.
    return model if model.graph.node else None


def _check_onnx(model: ModelProto, path: Path, target: str) -> CheckResult:
    if target == "lens":
        report = check_snapml(model, output_scaled=_makes_images(model))
        return CheckResult(target, None, "", report, report.cost, report.refusals, report.warnings)
    if target != "onnx":
        raise InputError(f"{path}: an ONNX model can be checked for lens or onnx, not for {target}")
    onnx = import_extra("onnx", "lens")
    problems: tuple[str, ...] = ()
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        problems = (str(error).partition("\n")[0],)
    try:
        return CheckResult(target, None, "", None, model_cost(model), problems, ())
    except DeployError as error:
        return CheckResult(target, None, "", None, None, problems, (str(error),))


def _makes_images(model: ModelProto) -> bool:
    """Whether all outputs have the shape of an image, whose [0, 1] Lens Studio scales by 255."""
    shapes = [info.type.tensor_type.shape.dim for info in model.graph.output]
    return all(len(dims) == 4 and dims[1].dim_value in (3, 4) for dims in shapes)
