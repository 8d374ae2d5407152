"""A film of what a bundle shows, rendered by its own artefact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_nelf.bundles.manifest import Manifest
from mobile_nelf.bundles.verify import allowed_runtimes, read_bundle
from mobile_nelf.cameras import Camera
from mobile_nelf.errors import BundleError, InputError, ParityError
from mobile_nelf.export.exporter import find_exporter
from mobile_nelf.export.runtime import FILM_FPS, Runtime
from mobile_nelf.film import TURN_SECONDS, write_film
from mobile_nelf.outputs import check_output
from mobile_nelf.pictures import ByteImage, to_uint8
from mobile_nelf.progress import Progress, counted, silent

__all__ = ["Preview", "preview_bundle"]


@dataclass(frozen=True)
class Preview:
    """What a film shows.

    Attributes:
        path: of the film.
        runtime: what rendered it.
        interactive: whether it shows the experience, with someone's fingers or steps; else it is a
            turn round the object.
        frames: pictures in it.
        scripts_left_out: whether the experience was left out because it runs scripts of a bundle
            that was not made on this machine.
    """

    path: Path
    runtime: str
    interactive: bool
    frames: int
    scripts_left_out: bool


def preview_bundle(
    path: Path,
    output: Path,
    *,
    frames: int,
    screen: tuple[int, int],
    run_scripts: bool = False,
    force: bool = False,
    on_progress: Progress = silent,
) -> Preview:
    """Writes a film of a bundle.

    Args:
        path: the bundle's folder.
        output: a file that ends in .gif or .mp4, or a folder for PNG files.
        frames: pictures in the film.
        screen: columns and rows of the screen, for experiences that fill one.
        run_scripts: run scripts of the bundle also if it was not made on this machine; they reach
            no file, network or process.
        force: replace an existing film.
        on_progress: called with a stage's name, steps done and steps in all.

    Raises:
        InputError: `path` is not a folder, or no frames are asked for.
        BundleError: the bundle is damaged.
        OutputError: `output` exists, cannot be written or has another ending.
        MissingExtraError: the target's optional dependencies are not installed.
    """
    if frames < 1 or min(screen) < 1:
        raise InputError(
            f"a film of {frames} frames on a screen of {screen[0]}×{screen[1]}: expected positive "
            "numbers"
        )
    check_output(output, force, [path])
    contents = read_bundle(path)
    manifest, files = contents.manifest, contents.files
    if contents.problems:
        raise BundleError(f"{path}: {'; '.join(contents.problems)}; bundle it again")
    runtimes = find_exporter(manifest.target).runtimes(files, manifest.contract)
    allowed = allowed_runtimes(runtimes, manifest, run_scripts)
    if not allowed:
        raise BundleError(
            f"{path}: only its scripts can show it; set run_scripts to run them",
            arguments=["run_scripts"],
        )
    shown = next((runtime for runtime in allowed if runtime.film is not None), allowed[0])
    if shown.film is None:
        fps = frames / TURN_SECONDS
        pictures = _turn(shown, manifest, frames, on_progress)
    else:
        fps = FILM_FPS
        pictures = _counted(shown.film(frames, screen), frames, on_progress)
    write_film(output, pictures, fps, force=force)
    return Preview(output, shown.name, shown.film is not None, frames, len(allowed) < len(runtimes))


def _turn(
    runtime: Runtime, manifest: Manifest, frames: int, on_progress: Progress
) -> Iterator[ByteImage]:
    contract = manifest.contract
    student = contract.student
    for pose in counted("render", contract.orbit.sweep(frames), on_progress):
        camera = Camera(pose, contract.intrinsics)
        frame = runtime.frame(camera.resized(student.ray_width, student.ray_height))
        if not np.isfinite(frame).all():
            raise ParityError(
                f"{runtime.name}: renders NaN (not a number) or infinite pixels; run verify, and "
                "bundle an earlier checkpoint"
            )
        yield to_uint8(frame)


def _counted(
    pictures: Iterator[ByteImage], frames: int, on_progress: Progress
) -> Iterator[ByteImage]:
    for _ in counted("render", range(frames), on_progress):
        yield next(pictures)
