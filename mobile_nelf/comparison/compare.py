"""Rows from checkpoints, bundles and splats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from mobile_nelf.bundles.manifest import MANIFEST_NAME, Manifest, read_manifest
from mobile_nelf.bundles.measured import bundle_measurements, bundles_in
from mobile_nelf.checkpoints import CameraOptions, open_checkpoint
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.comparison.rows import Comparison, DeviceFigures, Row, runs_of
from mobile_nelf.errors import InputError
from mobile_nelf.evaluation import evaluate
from mobile_nelf.export.parity import ParityLeg
from mobile_nelf.export.speed import run_here
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.progress import Progress, silent
from mobile_nelf.pruning.widths import macs
from mobile_nelf.scenes import Scene, read_scene
from mobile_nelf.surfaces.splat_files import SPLAT_SUFFIXES, read_splats
from mobile_nelf.text import command_line
from mobile_nelf.vocabulary import Activation

__all__ = ["compare"]

#: What a checkpoint keeps of its evaluation (`evaluation.Evaluation.as_metrics`).
PSNR_METRIC, SSIM_METRIC = "test_psnr_db", "test_ssim"

#: Of a row of splats.
UNTRAINED = "splats; those of `mnelf export` are placed in closed form, not trained"

#: Bytes of a weight as a phone stores it.
HALF_BYTES = 2


def compare(
    *paths: AnyPath,
    scene: Scene | AnyPath | None = None,
    all_runs: bool = False,
    timed: bool = False,
    camera: CameraOptions | None = None,
    trained_activation: Activation | None = None,
    on_progress: Progress = silent,
) -> Comparison:
    """Returns rows for checkpoints, bundles and files of splats, in the order given.

    A bundle has a row for each model in it, with the fastest run whose picture is right.

    Args:
        *paths: folders are bundles, files are checkpoints or splats (`.ply`, `.spz`).
        scene: whose test views checkpoints and splats are measured on, now; without one, what a
            checkpoint says of itself is taken, and of splats nothing is known.
        all_runs: a row for each run, also failed ones.
        timed: whether checkpoints run in ONNX Runtime, for `Row.runtime_ms` and `Row.peak_bytes`.
        camera: lens of the official checkpoints among them, see `load_checkpoint`.
        trained_activation: non-linearity of the official checkpoints among them, see
            `load_checkpoint`.
        on_progress: called with a stage's name, steps done and steps in all.

    Raises:
        InputError: a path is none of these.
        SceneError: the scene cannot be read, or is not that of a checkpoint.
        BundleError: a manifest or a measurement in a bundle was edited or damaged.
        MissingExtraError: `timed`, and the packages are not installed.
    """
    rows: list[Row] = []
    checkpoints: dict[int, Checkpoint] = {}
    posed = scene if scene is None or isinstance(scene, Scene) else read_scene(scene)
    for path in map(as_path, paths):
        if path.is_dir():
            rows += _bundle_rows(path, all_runs)
        elif path.suffix.lower() in SPLAT_SUFFIXES:
            rows.append(_splat_row(path, posed, on_progress))
        else:
            checkpoint = _load(path, camera, trained_activation)
            checkpoints[len(rows)] = checkpoint
            rows.append(_checkpoint_row(path, checkpoint, posed, on_progress))
    if timed:
        for index, run in zip(checkpoints, run_here(*checkpoints.values()), strict=True):
            rows[index] = replace(rows[index], runtime_ms=run.ms, peak_bytes=run.peak_bytes)
    return Comparison(rows)


def _load(
    path: Path, camera: CameraOptions | None, trained_activation: Activation | None
) -> Checkpoint:
    if path.suffix == ".json" and path.is_file():
        raise InputError(
            f"{path}: is a JSON file, expected a bundle or a checkpoint; put what a device "
            f"measured into its bundle: `{command_line('bench import {}', path)}`"
        )
    opened = open_checkpoint(path)
    # The options are for the official files of a list; others say themselves what they are.
    if opened.kind != "official":
        return opened.checkpoint()
    return opened.checkpoint(camera=camera, trained_activation=trained_activation)


def _checkpoint_row(
    path: Path, checkpoint: Checkpoint, scene: Scene | None, on_progress: Progress
) -> Row:
    metrics = checkpoint.metrics
    if scene is not None:
        metrics = evaluate(checkpoint, scene, on_progress).as_metrics()
    parameters = sum(value.numel() for value in checkpoint.network().parameters())
    return Row(
        name=str(path),
        kind="checkpoint",
        model="",
        network=checkpoint.student.name,
        target="",
        weights="",
        size_bytes=HALF_BYTES * parameters,
        size_of="parameters, two bytes each",
        psnr_db=metrics.get(PSNR_METRIC),
        parity_db=None,
        figures=None,
        ssim=metrics.get(SSIM_METRIC),
        macs=macs(checkpoint.student),
    )


def _splat_row(path: Path, scene: Scene | None, on_progress: Progress) -> Row:
    count = len(read_splats(path).centres)
    metrics = {} if scene is None else evaluate(path, scene, on_progress).as_metrics()
    return Row(
        name=str(path),
        kind="splat",
        model="",
        network="",
        target="",
        weights="",
        size_bytes=path.stat().st_size,
        size_of="file",
        psnr_db=metrics.get(PSNR_METRIC),
        parity_db=None,
        figures=None,
        note=f"{count:,} {UNTRAINED}",
        ssim=metrics.get(SSIM_METRIC),
    )


def _bundle_rows(path: Path, all_runs: bool) -> list[Row]:
    if not (path / MANIFEST_NAME).is_file():
        inside = bundles_in(path)
        if inside:
            raise InputError(
                f"{path}: is not a bundle; it contains the bundles "
                f"{', '.join(map(str, inside))}; pass those instead"
            )
        for folder in path.absolute().parents:
            if (folder / MANIFEST_NAME).is_file():
                raise InputError(f"{path}: is a part of the bundle {folder}; name the bundle")
    manifest = read_manifest(path)
    measurements = bundle_measurements(path)
    models = manifest.inspection.measurable
    if not models:
        return [_artefact_row(path, manifest)]
    rows = []
    for model in models:
        runs = runs_of(model, measurements)
        shown: list[DeviceFigures | None] = [*(runs if all_runs else runs[:1])]
        further = len(runs) - len(shown)
        rows += [_model_row(path, manifest, model, run, further) for run in shown or [None]]
    return rows


def _artefact_row(path: Path, manifest: Manifest) -> Row:
    """Returns the row of a bundle whose models no device measures for mnelf."""
    inspection = manifest.inspection
    records = [inspection.models[model] for model in inspection.model_paths]
    size, size_of = inspection.bytes_on_device, "models after import, predicted"
    if size is None and records:
        size, size_of = sum(record.bytes for record in records), "models in the bundle"
    return Row(
        name=str(path),
        kind="bundle",
        model=", ".join(inspection.model_paths),
        network=manifest.contract.student.name,
        target=manifest.target,
        weights=", ".join(dict.fromkeys(record.weights for record in records)),
        size_bytes=size,
        size_of=size_of if records else "",
        psnr_db=manifest.metrics.get(PSNR_METRIC),
        ssim=manifest.metrics.get(SSIM_METRIC),
        parity_db=_parity_db(manifest.parity),
        figures=None,
        macs=macs(manifest.contract.student),
    )


def _model_row(
    path: Path, manifest: Manifest, model: str, figures: DeviceFigures | None, further: int
) -> Row:
    record = manifest.inspection.models[model]
    return Row(
        name=str(path),
        kind="bundle",
        model=model,
        network=manifest.contract.student.name,
        target=manifest.target,
        weights=record.weights,
        size_bytes=record.bytes if record.bytes_on_device is None else record.bytes_on_device,
        size_of="model in the bundle"
        if record.bytes_on_device is None
        else "model after import, predicted",
        psnr_db=manifest.metrics.get(PSNR_METRIC),
        ssim=manifest.metrics.get(SSIM_METRIC),
        parity_db=_parity_db(leg for leg in manifest.parity if leg.artefact == model),
        figures=figures,
        further_runs=further,
        macs=macs(manifest.contract.student),
    )


def _parity_db(legs: Iterable[ParityLeg]) -> float | None:
    """Returns the worst of an artefact's legs."""
    return min((leg.psnr_db for leg in legs if leg.artefact), default=None)
