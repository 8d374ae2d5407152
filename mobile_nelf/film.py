"""Pictures from a student: a still, the frames of a turn, or a turn as GIF or MP4."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mobile_nelf.atomic import refuse_existing, written_beside
from mobile_nelf.cameras import FloatArray, OrbitLimits
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import InputError, OutputError
from mobile_nelf.extras import import_extra
from mobile_nelf.pictures import ByteImage, to_uint8
from mobile_nelf.progress import Progress, counted, silent
from mobile_nelf.rendering import student_frame_function

__all__ = ["TURN_SECONDS", "OrbitPosition", "render_still", "render_turn", "write_film"]

#: A turn takes as long whatever the number of frames.
TURN_SECONDS = 4.0

#: A position that was typed in from a rounded limit still counts as inside.
ANGLE_SLACK_DEG = 0.5
RADIUS_SLACK = 0.01


@dataclass(frozen=True)
class OrbitPosition:
    """Where a camera stands on the orbit; what is None lies in the middle of its range.

    Attributes:
        azimuth: degrees around the vertical axis.
        elevation: degrees above the horizon.
        radius: distance from the target, world units.
    """

    azimuth: float | None = None
    elevation: float | None = None
    radius: float | None = None

    def pose(self, orbit: OrbitLimits) -> FloatArray:
        """Returns the [3, 4] `cam_to_world` at this position.

        Raises:
            InputError: it lies outside of the photos that the student was trained on.
        """
        azimuth, middle = self.azimuth, sum(orbit.azimuth) / 2
        if azimuth is not None:
            # Angles that differ by whole turns are the same place.
            azimuth = middle + (azimuth - middle + 180.0) % 360.0 - 180.0
        return orbit.pose(
            _inside("azimuth", azimuth, orbit.azimuth, ANGLE_SLACK_DEG),
            _inside("elevation", self.elevation, orbit.elevation, ANGLE_SLACK_DEG),
            _inside("radius", self.radius, orbit.radius, RADIUS_SLACK * orbit.radius[1]),
        )


def _inside(name: str, value: float | None, limits: tuple[float, float], slack: float) -> float:
    low, high = limits
    if value is None:
        return (low + high) / 2
    if not low - slack <= value <= high + slack:
        raise InputError(
            f"{name} {value:g} lies outside of {low:.4g} to {high:.4g}, where the student was "
            "trained; it knows nothing beyond"
        )
    return value


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
    pose = position.pose(checkpoint.orbit)
    frame = student_frame_function(checkpoint)(checkpoint.ray_camera(pose))
    with written_beside(output) as partial:
        Image.fromarray(to_uint8(frame)).save(partial, "PNG")


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
    with imageio.get_writer(path, format="FFMPEG", fps=fps, macro_block_size=1) as writer:
        for picture in pictures:
            # H.264 halves the resolution of colour, so it takes even sizes only.
            rows, columns = picture.shape[0] % 2, picture.shape[1] % 2
            writer.append_data(
                np.pad(picture[..., :3], ((0, rows), (0, columns), (0, 0)), mode="edge")
            )


def _check_output(output: Path, force: bool) -> None:
    """Refuses a destination before anything is rendered."""
    refuse_existing(output, force)
    if output.is_dir() and not (output.suffix == "" and _holds_frames_only(output)):
        raise OutputError(
            f"{output}: is a directory, which force does not replace", arguments=["force"]
        )


def _holds_frames_only(folder: Path) -> bool:
    return all(path.match("frame_*.png") for path in folder.iterdir())
