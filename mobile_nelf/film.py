"""Pictures from a student: a still, the frames of a turn, or a turn as GIF or MP4."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mobile_nelf.atomic import written_beside
from mobile_nelf.cameras import OrbitPosition
from mobile_nelf.checkpoints import as_checkpoint
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import InputError, OutputError
from mobile_nelf.extras import import_extra
from mobile_nelf.outputs import check_output, files_below
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.pictures import ByteImage, to_uint8
from mobile_nelf.progress import Progress, counted, silent
from mobile_nelf.rendering import student_frame_function

__all__ = ["TURN_SECONDS", "Rendered", "render", "render_still", "render_turn", "write_film"]

#: A turn takes as long whatever the number of frames.
TURN_SECONDS = 4.0

#: What `_write_folder` calls its files.
FRAME = re.compile(r"frame_\d{3,}\.png")

#: More than the system can hold back on a full disk.
PROBE_BYTES = 1_000_000

#: Of a turn where nobody says how many.
DEFAULT_FRAMES = 60


@dataclass(frozen=True)
class Rendered:
    """What was written.

    Attributes:
        path: of the file, or of the folder of frames.
        frames: pictures in it.
        width: of each in pixels.
        height: of each in pixels.
    """

    path: Path
    frames: int
    width: int
    height: int


def render(
    checkpoint: Checkpoint | AnyPath,
    output: AnyPath,
    *,
    frames: int | None = None,
    azimuth: float | None = None,
    elevation: float | None = None,
    radius: float | None = None,
    force: bool = False,
    on_progress: Progress = silent,
) -> Rendered:
    """Writes a still, if `output` is a PNG file or a position is given, and a turn otherwise.

    For a frame in memory see `Checkpoint.render`.

    Args:
        checkpoint: the trained student, or its file.
        output: a .png file for a still; for a turn a .gif or .mp4 file, or a folder of PNG files.
        frames: of a turn; 60 if None.
        azimuth: of a still, degrees around the vertical axis; the middle of its range if None.
        elevation: of a still, degrees above the horizon; likewise.
        radius: of a still, distance from the target in world units; likewise.
        force: replace an existing output.
        on_progress: called with a stage's name, frames done and frames in all.

    Raises:
        InputError: the position lies outside of the orbit, or frames are asked of a still.
        CheckpointError: the checkpoint cannot be read.
        OutputError: `output` exists, is the checkpoint, cannot be written or has another ending.
        MissingExtraError: MP4 without imageio and its ffmpeg.
    """
    path = as_path(output)
    given = [] if isinstance(checkpoint, Checkpoint) else [as_path(checkpoint)]
    check_output(path, force, given)
    trained = as_checkpoint(checkpoint)
    position = OrbitPosition(azimuth, elevation, radius)
    still = position != OrbitPosition() or path.suffix.lower() == ".png"
    if still and frames is not None:
        raise InputError("frames are for a turn, and this is a still", arguments=["frames"])
    count = 1 if still else DEFAULT_FRAMES if frames is None else frames
    if still:
        render_still(trained, path, position, force=force)
    else:
        render_turn(trained, path, count, force=force, on_progress=on_progress)
    return Rendered(path, count, trained.student.image_width, trained.student.image_height)


def render_still(
    checkpoint: Checkpoint, output: Path, position: OrbitPosition, *, force: bool = False
) -> None:
    """Writes one PNG.

    Args:
        checkpoint: the trained student.
        output: a file that ends in .png.
        position: of the camera.
        force: replace an existing file.

    Raises:
        InputError: the position lies outside of the orbit.
        OutputError: `output` exists, cannot be written or has another ending.
    """
    if output.suffix.lower() != ".png":
        raise OutputError(
            f"{output}: a still is a .png file; give output such a name", arguments=["output"]
        )
    _check_output(output, force)
    frame = checkpoint.render(position.azimuth, position.elevation, position.radius)
    with written_beside(output) as partial:
        Image.fromarray(frame).save(partial, "PNG")


def render_turn(
    checkpoint: Checkpoint,
    output: Path,
    frames: int,
    *,
    force: bool = False,
    on_progress: Progress = silent,
) -> None:
    """Writes the frames of a turn around the object.

    Args:
        checkpoint: the trained student.
        output: a file that ends in .gif or .mp4, or a folder for PNG files.
        frames: how many.
        force: replace an existing file, or a folder that holds nothing but such frames.
        on_progress: called with a stage's name, frames done and frames in all.

    Raises:
        InputError: no frames are asked for.
        OutputError: `output` exists, cannot be written or has another ending.
        MissingExtraError: MP4 without imageio and its ffmpeg.
    """
    if frames < 1:
        raise InputError(f"frames must be positive, found {frames}")
    turn = _turn(checkpoint, frames, on_progress)
    write_film(output, turn, frames / TURN_SECONDS, force=force)


def write_film(
    output: Path, pictures: Iterator[ByteImage], fps: float, *, force: bool = False
) -> None:
    """Writes pictures as they come; none is asked for before the destination was checked.

    Args:
        output: a file that ends in .gif or .mp4, or a folder for PNG files.
        pictures: [height, width, 3 or 4] uint8 each, at least one, of the same size; GIF and MP4
            get RGB, whose colours are on the background already.
        fps: pictures a second.
        force: replace an existing file, or a folder that holds nothing but such frames.

    Raises:
        OutputError: `output` exists, cannot be written or has another ending.
        MissingExtraError: MP4 without imageio and its ffmpeg.
    """
    writers = {"": _write_folder, ".gif": _write_gif, ".mp4": _write_mp4}
    write = writers.get(output.suffix.lower())
    if write is None:
        raise OutputError(
            f"{output}: unknown ending {output.suffix!r}; expected .gif, .mp4, .png for a still, "
            "or none for a folder of frames"
        )
    if write is _write_mp4:
        import_extra("imageio_ffmpeg", "train")
    _check_output(output, force)
    with written_beside(output) as partial:
        write(partial, pictures, fps)


def _turn(checkpoint: Checkpoint, frames: int, on_progress: Progress) -> Iterator[ByteImage]:
    frame = student_frame_function(checkpoint)
    for pose in counted("render", checkpoint.orbit.sweep(frames), on_progress):
        yield to_uint8(frame(checkpoint.ray_camera(pose)))


def _write_folder(folder: Path, pictures: Iterator[ByteImage], fps: float) -> None:
    folder.mkdir()
    for index, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"frame_{index:03d}.png")


def _write_gif(path: Path, pictures: Iterator[ByteImage], fps: float) -> None:
    images = (Image.fromarray(picture[..., :3]) for picture in pictures)
    first = next(images)
    first.save(
        path, "GIF", save_all=True, append_images=images, duration=round(1000.0 / fps), loop=0
    )


def _write_mp4(path: Path, pictures: Iterator[ByteImage], fps: float) -> None:
    imageio = import_extra("imageio.v2", "train")
    ffmpeg = import_extra("imageio_ffmpeg", "train")
    written = 0
    try:
        with imageio.get_writer(path, format="FFMPEG", fps=fps, macro_block_size=1) as writer:
            for picture in pictures:
                # H.264 halves the resolution of colour, so it takes even sizes only.
                rows, columns = picture.shape[0] % 2, picture.shape[1] % 2
                writer.append_data(
                    np.pad(picture[..., :3], ((0, rows), (0, columns), (0, 0)), mode="edge")
                )
                written += 1
        # ffmpeg is a process of its own, and nobody looks at its exit code.
        found = ffmpeg.count_frames_and_secs(path)[0]
    except (OSError, RuntimeError):
        found = 0
    if found != written or written == 0:
        # If the disk is full, this says so.
        path.with_name("probe").write_bytes(bytes(PROBE_BYTES))
        raise OutputError(
            f"{path.name}: ffmpeg wrote {found} of {written} frames; use .gif instead",
            arguments=["output"],
        )


def _check_output(output: Path, force: bool) -> None:
    """Refuses a destination before anything is rendered."""
    check_output(output, force)
    if output.is_dir() and not (output.suffix == "" and _holds_frames_only(output)):
        raise OutputError(
            f"{output}: is a directory, which force does not replace", arguments=["force"]
        )


def _holds_frames_only(folder: Path) -> bool:
    return all(FRAME.fullmatch(name) for name in files_below(folder))
