"""Photos or a video to a scene: all stages, each of which a repeated command does not repeat."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_nelf.atomic import replace_file, written_beside
from mobile_nelf.capturing.board import SQUARE_MM
from mobile_nelf.capturing.checks import find, no_scene, nothing_fits
from mobile_nelf.capturing.finding import Finding
from mobile_nelf.capturing.given import (
    GivenPoses,
    drift_findings,
    photo_poses,
    posed_input,
    with_focals,
    world_of,
)
from mobile_nelf.capturing.intake import Given, Intake, given_files, take_in
from mobile_nelf.capturing.masks import (
    feature_masks,
    found_masks,
    is_turntable,
    made_masks,
    read_mask,
)
from mobile_nelf.capturing.measure import Board, board_findings, find_board, in_world
from mobile_nelf.capturing.model import Model, read_model
from mobile_nelf.capturing.options import CaptureOptions
from mobile_nelf.capturing.page import PAGE, write_page
from mobile_nelf.capturing.report import check_replaceable, report_content, write_report
from mobile_nelf.capturing.scene_files import write_scene
from mobile_nelf.capturing.silhouettes import agreement, silhouette
from mobile_nelf.capturing.structure import Try, find_structure
from mobile_nelf.disk import cannot_write
from mobile_nelf.errors import CaptureError, InputError, SceneError
from mobile_nelf.extras import import_extra
from mobile_nelf.outputs import check_output
from mobile_nelf.parsing import read_json
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.plain import from_dict, to_dict
from mobile_nelf.progress import Progress, silent
from mobile_nelf.runs import hold_run, open_run_folder
from mobile_nelf.scenes import Scene, read_scene

__all__ = ["Captured", "capture", "files_stamp", "without_background"]

#: In the folder of a run.
PHOTOS, INTAKE, TRIES = "photos", "photos.json", "tries"
MASKS, FEATURE_MASKS = "masks", "feature_masks"
#: A reconstruction of no photo.
NOTHING = Model({}, np.zeros((0, 3)), 0.0, 0.0)
#: Of the children; named here so that a missing one is told before any work.
PACKAGES = ("cv2", "imageio_ffmpeg", "pi_heif", "pycolmap")


@dataclass(frozen=True, eq=False)
class Captured:
    """A scene from photos.

    Attributes:
        path: folder of the scene.
        scene: as it is read from there.
        registered: photos that have a pose.
        given: photos, or frames of a video, that were tried.
        tries: attempts at their poses.
        findings: what the checks found, errors first.
        reprojection: mean error of the points in pixels.
        points: number of points.
        board: the printed board, if photos show it.
        seconds: that it took, without stages that an earlier command did.
    """

    path: Path
    scene: Scene
    registered: int
    given: int
    tries: tuple[Try, ...]
    findings: tuple[Finding, ...]
    reprojection: float
    points: int
    board: Board | None
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not any(finding.level == "error" for finding in self.findings)


def capture(
    inputs: AnyPath | Sequence[AnyPath],
    output: AnyPath,
    *,
    size: int = 1600,
    frames: int = 120,
    masks: AnyPath | None = None,
    object: bool = False,
    turntable: bool = False,
    background: AnyPath | None = None,
    refine: bool = False,
    square_mm: float = SQUARE_MM,
    threads: int | None = None,
    seed: int = 0,
    force: bool = False,
    on_progress: Progress = silent,
) -> Captured:
    """Makes a scene of photos: finds where they were taken from and checks whether that is good.

    Interrupted, it resumes when it is called again; what it has so far is in the folder
    `OUTPUT.run`. The scene appears whole or not at all.

    Args:
        inputs: folders of photos, photos, or videos.
        output: folder of the scene to write.
        size: longer side of its images in pixels.
        frames: of videos, about so many in all.
        masks: folder of masks called like the photos, white where the object is.
        object: make masks of what stands in the middle of all photos, from their poses and colours.
            Those in `masks` stay as they are then, and may be of some photos alone.
        turntable: the object turned before a still camera and a still background; masks are made of
            what moves.
        background: photo of that background without the object, which makes better masks.
        refine: take the poses that came with the photos, and adjust them: of Polycam's raw data, a
            recording of Record3D, or `transforms.json` of any app. The scene stays in their world.
        square_mm: side of a square of the board (see `print_board`), if photos show it: the scene
            is in metres then, and stands on the board.
        threads: to use, all processors if None; one gives the same scene each time.
        seed: of everything random.
        force: replace a scene that a capture wrote.
        on_progress: called with a stage's name, steps done and steps in all.

    Raises:
        InputError: fewer than three photos can be read.
        CaptureError: no three photos fit together (`OUTPUT.run` has the report then), their poses
            make no scene (`OUTPUT` has it), or structure from motion ended by itself.
        OutputError: `output` exists or cannot be written.
        MissingExtraError: the optional packages of the extra `capture` are not installed.
    """
    began = time.monotonic()
    listed = [inputs] if isinstance(inputs, (str, os.PathLike)) else inputs
    paths = [as_path(path) for path in listed]
    target = as_path(output)
    try:
        options = CaptureOptions(
            size=size,
            frames=frames,
            masks=None if masks is None else str(as_path(masks)),
            object=object,
            turntable=turntable,
            background=None if background is None else str(as_path(background)),
            refine=refine,
            square_mm=square_mm,
            threads=threads,
            seed=seed,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    check_output(target, force, paths)
    check_replaceable(target)
    for package in PACKAGES:
        import_extra(package, "capture")
    files, given = posed_input(paths) if refine else (given_files(paths), None)
    files = without_background(files, options)
    try:
        with hold_run(target), open_run_folder(target) as work:
            try:
                captured = _captured(files, given, target, work, options, on_progress, began)
            except InputError:  # nothing here helps with other photos
                shutil.rmtree(work, ignore_errors=True)
                raise
            shutil.rmtree(work, ignore_errors=True)
            return captured
    except OSError as error:
        raise cannot_write(target, error) from error


def _captured(
    files: Sequence[Given],
    given: GivenPoses | None,
    target: Path,
    work: Path,
    options: CaptureOptions,
    on_progress: Progress,
    began: float,
) -> Captured:
    stamp = files_stamp(files)
    intake = _intake(files, stamp, work, options, on_progress)
    if given is not None:
        intake = with_focals(intake, given)
    photos, masks = work / PHOTOS, work / MASKS
    shutil.rmtree(masks, ignore_errors=True)
    masked = made_masks(intake, photos, masks, options, on_progress)
    still = is_turntable(intake.photos, photos)
    structure = find_structure(
        intake,
        photos,
        work / TRIES,
        options,
        on_progress,
        masks=feature_masks(intake, masks, work / FEATURE_MASKS) if masked else None,
        stationary=options.turntable,
        still=still,
        poses=None if given is None else photo_poses(intake, given),
    )
    if not structure.registered:
        finding = nothing_fits(intake, structure)
        content = report_content(intake, structure, NOTHING, [finding], options, stamp)
        write_page(content, None, photos, masks if masked else None, work)
        raise CaptureError(
            f"{finding.text}; {finding.advice}; what each photo lacks is in {work / PAGE}"
        )
    model = read_model(structure.model)
    if options.object:
        found_masks(intake, photos, masks, model, options.seed, on_progress)
        masked = True
    board = find_board(intake, photos, model, options.square_mm, on_progress)
    world = None if given is None else world_of(intake, model, given)
    if board is not None and board.fits:
        world = board.world
    if world is not None:
        model = in_world(model, world)
    used = masks if masked else None
    with written_beside(target) as partial:
        partial.mkdir()
        write_scene(intake, photos, used, model, structure.model, partial, on_progress, world)
        scene, refused = None, ""
        try:
            scene = read_scene(partial)
        except SceneError as error:
            refused = str(error).removeprefix(f"{partial}: ")
        overlaps = _overlaps(intake, masks, model) if masked else None
        seen = still and not options.turntable
        said = list(board_findings(board))
        if board is None or not board.fits:
            said += drift_findings(intake, model, given)
        findings = find(intake, photos, structure, model, scene, overlaps, seen, said)
        if refused:
            findings.insert(0, no_scene(refused))
        content = report_content(intake, structure, model, findings, options, stamp, board)
        write_page(content, scene, photos, used, partial)
        write_report(content, partial)
    if scene is None:
        raise CaptureError(
            f"{target}: {findings[0].text}; {findings[0].advice}; look at {target / PAGE}"
        )
    return Captured(
        path=target,
        scene=read_scene(target),
        registered=len(structure.registered),
        given=len(intake.photos),
        tries=structure.tries,
        findings=tuple(findings),
        reprojection=model.reprojection,
        points=len(model.points),
        board=board,
        seconds=time.monotonic() - began,
    )


def _overlaps(intake: Intake, masks: Path, model: Model) -> dict[str, float]:
    return agreement(
        {
            photo.name: silhouette(model.photos[photo.name], read_mask(masks, photo))
            for photo in intake.photos
            if photo.name in model.photos
        }
    )


def without_background(files: Sequence[Given], options: CaptureOptions) -> list[Given]:
    """Returns the files without the photo of the background, which may lie among the others."""
    plate = None if options.background is None else Path(options.background).resolve()
    return [file for file in files if file.path.resolve() != plate]


def files_stamp(files: Sequence[Given]) -> str:
    """Tells these files from others, and from themselves after a change."""
    listed = [
        [str(file.path.resolve()), file.path.stat().st_size, file.path.stat().st_mtime_ns]
        for file in files
    ]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def _intake(
    files: Sequence[Given], stamp: str, work: Path, options: CaptureOptions, on_progress: Progress
) -> Intake:
    """Reads the photos, unless an earlier command did and none was changed since."""
    key = f"{stamp} {options.size} {options.frames}"
    known = work / INTAKE
    if known.exists():
        content = read_json(known)
        if content["key"] == key:
            return from_dict(Intake, content["intake"])
    for folder in (work / PHOTOS, work / TRIES):
        shutil.rmtree(folder, ignore_errors=True)
    (work / PHOTOS).mkdir()
    intake = take_in(files, work / PHOTOS, options, on_progress)
    replace_file(known, json.dumps({"key": key, "intake": to_dict(intake)}).encode())
    return intake
