"""What a checkpoint or scene holds, and what a target would make of a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mobile_nelf.atomic import written_beside
from mobile_nelf.cameras import Intrinsics, OrbitLimits
from mobile_nelf.checkpoints import CameraOptions, load_checkpoint
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.cost import Cost, model_cost
from mobile_nelf.deploy.exporter import NO_OPTIONS, ExportOptions, find_exporter
from mobile_nelf.deploy.placement import PlacementReport
from mobile_nelf.deploy.snapml_check import SnapmlReport, check_snapml
from mobile_nelf.errors import DeployError, InputError, OutputError, require
from mobile_nelf.extras import import_extra
from mobile_nelf.scenes import Box, Extent, Scene, read_scene
from mobile_nelf.scenes.findings import scene_warnings
from mobile_nelf.scenes.picture import camera_picture
from mobile_nelf.students import Activation, StudentConfig

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["CheckResult", "CheckpointSummary", "SceneSummary", "check_path", "inspect_path"]


@dataclass(frozen=True)
class CheckpointSummary:
    """What a checkpoint holds.

    Attributes:
        name: of the network, such as `D60-SR3`.
        student: its shape.
        parameters: numbers that were trained.
        zeros: the share of them that is zero, in [0, 1].
        intrinsics: lens of the rendered image.
        orbit: from where it was trained.
        background: RGB in [0, 1] that the photos were composited on.
        metrics: measured quality by name.
        provenance: where it came from.
        weights_sha256: hash of the weights, whatever the file format.
    """

    name: str
    student: StudentConfig
    parameters: int
    zeros: float
    intrinsics: Intrinsics
    orbit: OrbitLimits
    background: tuple[float, float, float]
    metrics: dict[str, float]
    provenance: dict[str, str]
    weights_sha256: str


@dataclass(frozen=True)
class SceneSummary:
    """What a scene holds.

    Attributes:
        train: number of training views.
        test: number of test views.
        intrinsics: lens of the first training view.
        extent: what the photos show.
        box: around the object, or what the teacher does not contract.
        near: depth of the first ray sample, world units.
        far: depth of the last ray sample, world units.
        orbit: the part of the sphere that the training cameras cover.
        missing: frames without an image.
        notices: what the reader did to the photos.
        warnings: what may surprise.
    """

    train: int
    test: int
    intrinsics: Intrinsics
    extent: Extent
    box: Box
    near: float
    far: float
    orbit: OrbitLimits
    missing: tuple[str, ...]
    notices: tuple[str, ...]
    warnings: tuple[str, ...]


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
        warnings: what may surprise, and what could not be checked.
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

    @property
    def passed(self) -> bool:
        """Whether the target takes the network."""
        return not self.problems


def inspect_path(
    path: Path,
    *,
    camera: CameraOptions | None = None,
    activation: Activation | None = None,
    picture: Path | None = None,
    force: bool = False,
) -> CheckpointSummary | SceneSummary:
    """Says what a checkpoint file or a scene folder holds.

    Args:
        path: a file is read as a checkpoint, a folder as a scene.
        camera: lens of an official checkpoint, see `load_checkpoint`.
        activation: non-linearity of an official checkpoint, see `load_checkpoint`.
        picture: PNG file to write with the cameras of a scene.
        force: replace an existing picture.

    Raises:
        InputError: there is nothing at `path`, it is neither checkpoint nor scene, or a picture is
            asked of a checkpoint.
        OutputError: the picture exists or cannot be written.
    """
    if path.is_dir():
        if picture is not None and picture.exists() and not force:
            raise OutputError(f"{picture}: exists already; choose another file or add --force")
        scene = read_scene(path)
        summary = _scene_summary(scene)
        if picture is not None:
            with written_beside(picture) as partial:
                camera_picture(scene).save(partial, "PNG", optimize=True)
        return summary
    if picture is not None and path.exists():
        raise InputError(f"{path}: is a checkpoint; --picture draws the cameras of a scene")
    return _checkpoint_summary(load_checkpoint(path, camera=camera, activation=activation))


def _scene_summary(scene: Scene) -> SceneSummary:
    return SceneSummary(
        train=len(scene.train),
        test=len(scene.test),
        intrinsics=scene.views("train")[0].camera.intrinsics,
        extent=scene.extent,
        box=scene.box,
        near=scene.near,
        far=scene.far,
        orbit=scene.orbit,
        missing=scene.missing,
        notices=scene.notices,
        warnings=scene_warnings(scene),
    )


def _checkpoint_summary(checkpoint: Checkpoint) -> CheckpointSummary:
    trained = [parameter.detach() for parameter in checkpoint.network().parameters()]
    parameters = sum(value.numel() for value in trained)
    return CheckpointSummary(
        name=checkpoint.student.name,
        student=checkpoint.student,
        parameters=parameters,
        zeros=sum(int((value == 0.0).sum()) for value in trained) / parameters,
        intrinsics=checkpoint.intrinsics,
        orbit=checkpoint.orbit,
        background=checkpoint.background,
        metrics=checkpoint.metrics,
        provenance=checkpoint.provenance,
        weights_sha256=checkpoint.weights_sha256(),
    )


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
    checkpoint = load_checkpoint(path, camera=camera, activation=trained_activation)
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
            raise InputError(f"{path}: is truncated or no ONNX model; export it again") from error
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
