"""From a trained student to a smaller one with one call.

Calibrate, plan, cut and re-fit, fine-tune, in rounds; then a long fine-tuning, rounding, and the
judgement.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mobile_nelf._version import __version__
from mobile_nelf.atomic import written_beside
from mobile_nelf.checkpoints import as_checkpoint, load_checkpoint, save_checkpoint
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.compression.goals import Goals
from mobile_nelf.compression.measured import device_times
from mobile_nelf.compression.report import CompressionReport, path_picture, with_devices
from mobile_nelf.compression.run import STEPS, CompressionRun
from mobile_nelf.errors import InputError, SceneError
from mobile_nelf.evaluation import PROTOCOL, evaluate, require_metrics
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.plain import from_dict, to_dict
from mobile_nelf.progress import Progress, silent
from mobile_nelf.runs import (
    check_run_output,
    check_writable,
    config_path,
    finish_run,
    hold_run,
    open_run_folder,
    put_in_place,
    result_path,
    write_settings,
)
from mobile_nelf.scenes import Scene, read_scene
from mobile_nelf.students import StudentConfig
from mobile_nelf.training.views.sources import PhotoViews
from mobile_nelf.vocabulary import CompressionMethod, DeviceName, RoundingBits, TrainedPart

__all__ = ["Compressed", "compress"]

COMMAND = "mnelf compress"


@dataclass(frozen=True, eq=False)
class Compressed:
    """A finished compression.

    Attributes:
        path: the file that was written; None without one.
        checkpoint: the compressed student; None if only the path was asked for.
        report: the path, and what was chosen.
    """

    path: Path | None
    checkpoint: Checkpoint | None
    report: CompressionReport

    def __repr__(self) -> str:
        """Returns the report's table."""
        return repr(self.report)


def compress(
    checkpoint: Checkpoint | AnyPath,
    output: AnyPath | None = None,
    *,
    keep: float | None = None,
    max_mb: float | None = None,
    speed: float | None = None,
    max_loss: float | None = None,
    at_least: float | None = None,
    target: str | None = None,
    scene: Scene | AnyPath | None = None,
    method: CompressionMethod = "narrow",
    bits: RoundingBits = "none",
    table_steps: int = 0,
    steps: int | None = None,
    multiple: int = 8,
    train_only: TrainedPart = "all",
    half: bool = False,
    seed: int = 0,
    device: DeviceName = "auto",
    force: bool = False,
    on_progress: Progress = silent,
) -> Compressed:
    """Makes a student smaller: plan, cut and re-fit, fine-tune, round, judge.

    It needs nothing but the student, which teaches the smaller one on its own orbit. Without a goal
    it shows what there is to choose from and stops. A run that was interrupted is resumed from the
    files in its folder beside `output`.

    Args:
        checkpoint: the student, or its file.
        output: the checkpoint to write; None keeps the result in memory only.
        keep: share of the parameters that may stay.
        max_mb: size of the model of `target` in 10⁶ bytes.
        speed: how many times faster, in multiply-accumulates and in ONNX Runtime here.
        max_loss: dB that the test views may lose; estimated where there is no scene.
        at_least: dB that the test views must reach; likewise.
        target: exporter whose model `max_mb` is about.
        scene: the photos, or their folder; half of the fine-tuning is on them, and dB are measured.
        method: `narrow` makes layers narrower; `magnitude` is the paper's way, which sets the
            smallest weights to zero.
        bits: of the table of each layer's weights; `mixed` chooses them by what each layer loses.
        table_steps: of the tuning of those tables, each weight keeping its place; 0 for none.
        steps: of the long fine-tuning; 1,000 if None.
        multiple: what widths are a multiple of; those of narrow stages go in quarters.
        train_only: `tail` tunes the super-resolution alone.
        half: store the weights as float16.
        seed: of the fine-tuning.
        device: where to fine-tune; `auto` is a GPU where there is one.
        force: replace an existing output.
        on_progress: called with a stage's name, steps done and steps in all.

    Raises:
        CheckpointError: the student cannot be read.
        SceneError: the scene cannot be read, or its photos are not of the student's size.
        InputError: goals that no student meets, with the nearest that does; choices that contradict
            each other; a state of another run.
        OutputError: `output` exists or cannot be written.
        TrainingError: the fine-tuning diverged.
        MissingExtraError: a package for a target or for the judgement is not installed.
    """
    goals = Goals(keep, max_mb, speed, max_loss, at_least)
    _check_choices(goals, target, method, bits, table_steps)
    path = None if output is None else as_path(output)
    inputs = [as_path(each) for each in (checkpoint, scene) if isinstance(each, (str, os.PathLike))]
    if path is not None:
        check_writable(path, inputs)
    given = as_checkpoint(checkpoint)
    photos = None if scene is None else _read_photos(scene, given.student)
    initial = given.weights_sha256()
    settings = {
        "command": COMMAND,
        "version": __version__,
        "initial": initial,
        "scene": None if photos is None else photos.path.resolve().name,
        "goals": to_dict(goals),
        "target": target,
        "method": method,
        "bits": bits,
        "table_steps": table_steps,
        "steps": steps or STEPS,
        "multiple": multiple,
        "train_only": train_only,
        "half": half,
        "seed": seed,
    }
    with ExitStack() as stack:
        if path is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            stack.enter_context(hold_run(path))
            told = finish_run(path, settings)
            if told is not None and not force:
                return Compressed(path, load_checkpoint(path), from_dict(CompressionReport, told))
            check_run_output(path, force, inputs)
            folder = stack.enter_context(open_run_folder(path))
        run = CompressionRun(
            given, photos, folder, seed, device, train_only, table_steps, on_progress
        )
        if method == "magnitude":
            report, small = run.by_magnitude(goals, steps or STEPS)
        else:
            report, small = run.narrower(goals, target, bits, steps or STEPS, multiple)
        near = [] if isinstance(checkpoint, Checkpoint) else [as_path(checkpoint).absolute().parent]
        report = with_devices(report, *device_times(initial, [*near, Path()]))
        if small is None:
            return Compressed(None, None, report)
        small = _judged(small, photos, settings, on_progress)
        if path is not None:
            write_settings(settings, config_path(path))
            write_settings(to_dict(report), path.with_name(path.name + ".report.json"))
            with written_beside(path.with_name(path.name + ".path.svg")) as partial:
                partial.write_text(path_picture(report), encoding="utf-8")
            save_checkpoint(small, result_path(path), half=half)
            put_in_place(path, settings, to_dict(report))
    return Compressed(path, small, report)


def _read_photos(scene: Scene | AnyPath, student: StudentConfig) -> Scene:
    require_metrics()
    photos = scene if isinstance(scene, Scene) else read_scene(scene)
    photos.check_images()
    photos = photos.cropped(student.scale)
    width, height = PhotoViews(photos.train or photos.test).size
    if (width, height) != (student.image_width, student.image_height):
        raise SceneError(
            f"{photos.path}: images are {width}×{height}, the student renders "
            f"{student.image_width}×{student.image_height}; give the photos it was trained on",
            arguments=["scene"],
        )
    return photos


def _check_choices(
    goals: Goals, target: str | None, method: str, bits: str, table_steps: int
) -> None:
    if (goals.max_mb is None) != (target is None):
        raise InputError(
            "max_mb is the size of a target's model; give both or neither",
            arguments=["max_mb", "target"],
        )
    if table_steps and bits == "none":
        raise InputError(
            "table_steps tunes the tables that bits makes; give both or neither",
            arguments=["table_steps", "bits"],
        )
    others = (goals.max_mb, goals.speed, goals.max_loss, goals.at_least)
    if method == "magnitude" and (
        goals.keep is None or bits != "none" or any(goal is not None for goal in others)
    ):
        raise InputError(
            "method magnitude sets weights to zero, which only `keep` counts; give it alone",
            arguments=["method", "keep"],
        )


def _judged(
    checkpoint: Checkpoint,
    scene: Scene | None,
    settings: dict[str, Any],
    on_progress: Progress,
) -> Checkpoint:
    """Returns the student with its provenance and, where there are test views, its figures."""
    weights = checkpoint.weights
    if settings["half"]:
        weights = {name: value.half().float() for name, value in weights.items()}
    provenance = {
        "source": COMMAND,
        "initial": settings["initial"],
        "steps": str(settings["steps"]),
        "method": settings["method"],
        "bits": settings["bits"],
        "version": __version__,
    }
    if settings["scene"]:
        provenance["scene"] = settings["scene"]
    small = replace(checkpoint, weights=weights, metrics={}, provenance=provenance)
    if scene is None or not scene.test:
        return small
    evaluation = evaluate(small, scene, on_progress)
    return replace(
        small,
        metrics=evaluation.as_metrics(),
        provenance={**provenance, "protocol": PROTOCOL},
    )
