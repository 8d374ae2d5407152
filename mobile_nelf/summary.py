"""What a checkpoint or a scene holds."""

from __future__ import annotations

from dataclasses import dataclass, fields

from mobile_nelf.atomic import written_beside
from mobile_nelf.cameras import Intrinsics, OrbitLimits
from mobile_nelf.checkpoints import CameraOptions, load_checkpoint
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import InputError
from mobile_nelf.outputs import check_output
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.scenes import Box, Scene, read_scene
from mobile_nelf.scenes.findings import scene_warnings
from mobile_nelf.scenes.picture import camera_picture
from mobile_nelf.students import StudentConfig
from mobile_nelf.text import text_fields
from mobile_nelf.vocabulary import Activation, Extent

__all__ = ["CheckpointSummary", "SceneSummary", "inspect_path"]


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
        metres_per_unit: true length of a world unit; None if unknown.
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
    metres_per_unit: float | None

    def __repr__(self) -> str:
        """Returns names and values in two columns."""
        return _text(self)


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
        warnings: what is likely to spoil a training.
        metres_per_unit: true length of a world unit; None if unknown.
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
    metres_per_unit: float | None

    def __repr__(self) -> str:
        """Returns names and values in two columns."""
        return _text(self)


def _text(summary: CheckpointSummary | SceneSummary) -> str:
    values = {field.name: getattr(summary, field.name) for field in fields(summary)}
    return text_fields(
        {name: str(value) for name, value in values.items() if value not in ((), {}, None)}
    )


def inspect_path(
    path: AnyPath,
    *,
    camera: CameraOptions | None = None,
    trained_activation: Activation | None = None,
    picture: AnyPath | None = None,
    force: bool = False,
) -> CheckpointSummary | SceneSummary:
    """Says what a checkpoint file or a scene folder holds.

    Args:
        path: a folder or a JSON file is read as a scene, any other file as a checkpoint.
        camera: lens of an official checkpoint, see `load_checkpoint`.
        trained_activation: non-linearity of an official checkpoint, see `load_checkpoint`.
        picture: PNG file to write with the cameras of a scene.
        force: replace an existing picture.

    Raises:
        InputError: there is nothing at `path`, it is neither checkpoint nor scene, or a picture is
            asked of a checkpoint.
        OutputError: the picture exists or cannot be written.
    """
    path = as_path(path)
    picture = None if picture is None else as_path(picture)
    if path.is_dir() or path.suffix.lower() == ".json":
        if picture is not None:
            check_output(picture, force, [path], argument="picture")
        scene = read_scene(path)
        summary = _scene_summary(scene)
        if picture is not None:
            with written_beside(picture) as partial:
                camera_picture(scene).save(partial, "PNG", optimize=True)
        return summary
    if picture is not None and path.exists():
        raise InputError(
            f"{path}: is a checkpoint; a picture shows the cameras of a scene",
            arguments=["picture"],
        )
    return _checkpoint_summary(load_checkpoint(path, camera=camera, activation=trained_activation))


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
        metres_per_unit=scene.metres_per_unit,
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
        metres_per_unit=checkpoint.metres_per_unit,
    )
