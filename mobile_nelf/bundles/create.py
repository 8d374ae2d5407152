"""From a checkpoint to a bundle that was checked, executed and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf._version import __version__
from mobile_nelf.atomic import written_beside
from mobile_nelf.bundles.manifest import MANIFEST_NAME, FileRecord, Manifest
from mobile_nelf.bundles.origin import remember
from mobile_nelf.bundles.plan import BundlePlan, check_bundle_output, plan_bundle
from mobile_nelf.bundles.report.page import REPORT_NAME, render_report
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.form import ACTIVATION_FORMS, changes_function, deploy_network
from mobile_nelf.deploy.tolerances import DEPLOY_MAX_ERROR
from mobile_nelf.disk import cannot_write
from mobile_nelf.errors import DeployError, ParityError
from mobile_nelf.export.check import NO_CHOICES
from mobile_nelf.export.exporter import Exported, Exporter
from mobile_nelf.export.inspection import Inspection
from mobile_nelf.export.parity import ParityLeg, compare_frames, leg_name, proves_artefact
from mobile_nelf.export.reference import REFERENCE, Reference
from mobile_nelf.pictures import FloatImage, from_uint8
from mobile_nelf.progress import Progress, counted, silent
from mobile_nelf.rendering import student_frame_function
from mobile_nelf.vocabulary import ActivationForm

__all__ = ["Bundle", "create_bundle", "create_bundles"]

#: Reference frames a bundle; a turn in steps of 45 degrees sees every side.
REFERENCE_FRAMES = 8

#: Frames for the legs before the artefact, for emulations and for second opinions. They exercise
#: the same arithmetic at every pose, and the artefact itself is compared on all reference frames.
SHORT_LEG_FRAMES = 2


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk.

    Attributes:
        path: its folder.
        manifest: what it says about itself.
        next_step: what a user does with it, in one line; empty if that is open.
    """

    path: Path
    manifest: Manifest
    next_step: str = ""

    def __repr__(self) -> str:
        """Returns folder, target and network."""
        return f"Bundle({self.path}, {self.manifest!r})"


def create_bundle(
    checkpoint: Checkpoint,
    *,
    target: str,
    output: Path,
    name: str | None = None,
    options: Mapping[str, object] = NO_CHOICES,
    force: bool = False,
    on_progress: Progress = silent,
) -> Bundle:
    """Exports a student, proves the artefact, and writes the bundle.

    Args:
        checkpoint: the trained student.
        target: name of an installed exporter, such as `onnx`.
        output: folder to write; appears whole or not at all.
        name: of the project inside; made from that of `output` if `None`.
        options: what the exporter would choose by itself, by name.
        force: replace an existing bundle.
        on_progress: called with a stage's name, steps done and steps in all.

    Raises:
        InputError: unknown target, a name that it does not have, or a student that it cannot take,
            for its operators or its size.
        OutputError: `output` exists or cannot be written.
        ParityError: the artefact does not reproduce the trained network; nothing is written.
        MissingExtraError: the target's optional dependencies are not installed.
    """
    plan = plan_bundle(target, output, name=name, options=options, force=force)
    (bundle,) = create_bundles(checkpoint, [plan], on_progress)
    return bundle


def create_bundles(
    checkpoint: Checkpoint, plans: Sequence[BundlePlan], on_progress: Progress = silent
) -> list[Bundle]:
    """Exports a student for each plan, proves every artefact, and then writes the bundles.

    All are exported before the first one runs, so that most refusals come within seconds.

    Args:
        checkpoint: the trained student.
        plans: the bundles to make.
        on_progress: called with a stage's name, steps done and steps in all.

    Raises:
        InputError: a name that the target does not have, or a student that it cannot take.
        OutputError: an output cannot be written.
        ParityError: an artefact does not reproduce the trained network; nothing is written.
        MissingExtraError: a target's optional dependencies are not installed.
    """
    exports = [_export(checkpoint, plan, on_progress) for plan in plans]
    proven = [
        _prove(checkpoint, plan, *export, on_progress)
        for plan, export in zip(plans, exports, strict=True)
    ]
    bundles = []
    for plan, (manifest, files) in zip(plans, proven, strict=True):
        _write(plan.output, files, plan.force)
        remember(manifest)
        next_step = plan.exporter.next_step(plan.output, plan.name)
        bundles.append(Bundle(plan.output, manifest, next_step))
    return bundles


def _export(
    checkpoint: Checkpoint, plan: BundlePlan, on_progress: Progress
) -> tuple[Exported, Inspection]:
    """Returns the artefact and what is said of it without running it."""
    target = plan.exporter.target
    on_progress(f"export {target}", 0, 1)
    exported = plan.exporter.export(checkpoint, plan.name, plan.options)
    inspection = plan.exporter.inspect(exported.files)
    on_progress(f"export {target}", 1, 1)
    if not inspection.passed:
        reasons = "; ".join(inspection.problems)
        raise DeployError(f"target {target} cannot take this student: {reasons}")
    return exported, inspection


def _prove(
    checkpoint: Checkpoint,
    plan: BundlePlan,
    exported: Exported,
    inspection: Inspection,
    on_progress: Progress,
) -> tuple[Manifest, dict[str, bytes]]:
    """Compares an artefact with the student; returns manifest and files of its bundle."""
    exporter, name = plan.exporter, plan.name
    references = {
        folder: _render_reference(checkpoint, contract, on_progress)
        for folder, contract in {REFERENCE: exported.contract, **exported.references}.items()
    }
    artefact_legs, shown = _artefact_legs(exporter, exported, references, on_progress)
    legs = [
        *_network_legs(checkpoint, exported, *references[REFERENCE]),
        *artefact_legs,
        *_detail_legs({folder: reference for folder, (reference, _) in references.items()}),
    ]
    failed = [leg for leg in legs if not leg.passed]
    if failed:
        raise ParityError("; ".join(leg.summary for leg in failed) + "; nothing was written")
    files = dict(exported.files)
    for folder, (reference, _) in references.items():
        files |= reference.to_files(folder)
    files |= exporter.companions(files, exported.contract, name)
    manifest = Manifest(
        name=name,
        target=exporter.target,
        mnelf_version=__version__,
        contract=exported.contract,
        layout_reason=exported.layout_reason,
        provenance=checkpoint.provenance,
        metrics=checkpoint.metrics,
        files={path: FileRecord.of(content) for path, content in files.items()},
        inspection=inspection,
        parity=tuple(legs),
        not_measured=exported.not_measured,
    )
    # The page shows the manifest, so the manifest can only list it afterwards.
    files[REPORT_NAME] = render_report(manifest, *shown, advice=exporter.advice())
    listed = {**manifest.files, REPORT_NAME: FileRecord.of(files[REPORT_NAME])}
    manifest = replace(manifest, files=listed)
    return manifest, {**files, MANIFEST_NAME: manifest.to_bytes()}


def _render_reference(
    checkpoint: Checkpoint, contract: Contract, on_progress: Progress
) -> tuple[Reference, list[FloatImage]]:
    """Renders the trained network on the grid of rays of an artefact."""
    student = contract.student
    deployed = checkpoint.on_grid(student.ray_width, student.ray_height, contract.intrinsics)
    return Reference.render(deployed, REFERENCE_FRAMES, on_progress)


def _network_legs(
    checkpoint: Checkpoint, exported: Exported, reference: Reference, frames: list[FloatImage]
) -> list[ParityLeg]:
    """Compares the rewritten network, and the mapped activation, with the student."""
    student = exported.contract.student
    cameras = reference.ray_cameras(student.scale)[:SHORT_LEG_FRAMES]
    exact = ACTIVATION_FORMS[student.activation][0]

    def rendered(activation: ActivationForm) -> list[FloatImage]:
        network = deploy_network(checkpoint, activation, grouped=False)
        frame = student_frame_function(checkpoint, network)
        return [frame(camera) for camera in cameras]

    legs = [
        compare_frames(
            "student → deploy form",
            rendered(exact),
            frames[:SHORT_LEG_FRAMES],
            max_error=DEPLOY_MAX_ERROR,
        )
    ]
    mapped = exported.contract.activation
    if changes_function(student.activation, mapped):
        legs.append(
            compare_frames(
                f"{student.activation} → {mapped}",
                rendered(mapped),
                frames[:SHORT_LEG_FRAMES],
                note="the activation was mapped to another function",
            )
        )
    return legs


def _artefact_legs(
    exporter: Exporter[Any],
    exported: Exported,
    references: dict[str, tuple[Reference, list[FloatImage]]],
    on_progress: Progress,
) -> tuple[list[ParityLeg], tuple[list[FloatImage], list[FloatImage]]]:
    """Compares artefacts with the student; also returns frames of it and of the proven artefact."""
    scale = exported.contract.student.scale
    legs: list[ParityLeg] = []
    shown: tuple[list[FloatImage], list[FloatImage]] = (references[REFERENCE][1], [])
    executed = exporter.runtimes(exported.files, exported.contract)
    for runtime in (*executed, *exported.opinions):
        short = runtime.emulates or runtime.min_psnr_db is None or runtime in exported.opinions
        reference, frames = references[runtime.reference]
        count = min(SHORT_LEG_FRAMES if short else len(frames), runtime.frames or len(frames))
        cameras = counted(f"run {runtime.name}", reference.ray_cameras(scale)[:count], on_progress)
        rendered = [runtime.frame(camera) for camera in cameras]
        legs.append(
            compare_frames(
                leg_name(runtime),
                rendered,
                frames[:count],
                min_psnr_db=runtime.min_psnr_db,
                note=runtime.assumes,
                largest_activation=runtime.largest_activation and runtime.largest_activation(),
                artefact=runtime.artefact,
            )
        )
        if not shown[1] and proves_artefact(legs[-1]):
            shown = (frames, rendered)
    return legs, shown


def _detail_legs(references: dict[str, Reference]) -> list[ParityLeg]:
    """Says what a smaller picture loses against the full one, once enlarged to its size."""
    full = references[REFERENCE].frames
    size = (full[0].shape[1], full[0].shape[0])
    legs = []
    for folder, reference in references.items():
        if folder == REFERENCE:
            continue
        enlarged = [_enlarged(frame, size) for frame in reference.frames]
        legs.append(
            compare_frames(
                f"picture → {reference.frames[0].shape[1]}×{reference.frames[0].shape[0]} picture",
                [from_uint8(frame) for frame in enlarged],
                [from_uint8(frame) for frame in full],
                note=f"detail that {folder} lacks, enlarged to {size[0]}×{size[1]}",
            )
        )
    return legs


def _enlarged(frame: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Returns a frame at `size` columns and rows.

    Each channel by itself, since Pillow weighs colours by their alpha, and ours are over the
    background already.
    """
    channels = [
        np.asarray(Image.fromarray(channel).resize(size, Image.Resampling.BILINEAR))
        for channel in np.moveaxis(frame, 2, 0)
    ]
    return np.stack(channels, axis=2)


def _write(output: Path, files: dict[str, bytes], force: bool) -> None:
    """Writes the whole bundle beside its destination and renames it into place."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(output, error) from error
    with written_beside(output) as folder:
        for path in sorted(files):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(files[path])
        check_bundle_output(output, force)  # minutes later, so that somebody may have been there
