"""The first stage: what was given becomes upright pictures of one folder a lens, in their order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf.capturing.options import CaptureOptions
from mobile_nelf.capturing.recording import (
    RECORDING_SUFFIX,
    chosen_frames,
    frame_source,
    read_recording,
)
from mobile_nelf.capturing.sharpness import look_of, small_grey
from mobile_nelf.capturing.shot import HEIF_SUFFIXES, Lens, read_shot
from mobile_nelf.capturing.video import analysed, chosen, read_frames
from mobile_nelf.errors import InputError, SceneError
from mobile_nelf.progress import Progress, counted
from mobile_nelf.scenes.photo_files import OTHER_SUFFIXES, PHOTO_SUFFIXES

__all__ = ["REPORT", "Given", "Group", "Intake", "LeftOut", "Photo", "given_files", "take_in"]

#: What phones and cameras call videos.
VIDEO_SUFFIXES = (".mov", ".mp4", ".m4v", ".avi", ".mkv", ".webm")
#: Of HEIC too, and those that are refused by name.
READ_SUFFIXES = (*PHOTO_SUFFIXES, *HEIF_SUFFIXES, *OTHER_SUFFIXES)
#: Folders of what runs and captures write, which may stand among the photos.
RUN_SUFFIX, REPORT = ".run", "capture.json"
#: Photos in what Polycam calls raw data; files without photos.
POLYCAM = "keyframes/images"
SPLAT_SUFFIXES = (".ply", ".spz", ".splat", ".ksplat", ".sog", ".glb", ".usdz", ".obj")
#: Folders of masks beside photos hold no photos.
MASK_FOLDERS = ("masks", "mask")
#: Structure from motion takes three photos; nobody makes a light field of fewer than that.
FEWEST = 3


@dataclass(frozen=True)
class Photo:
    """A picture that goes into structure from motion.

    Attributes:
        name: of its file in the folder of work, `GROUP/NUMBER.png`.
        source: file that it comes from, below the folder that was given.
        group: index of its lens.
        sharpness: see `sharpness.Look`.
        brightness: likewise.
        seconds: since the start of its video; None for a photo.
    """

    name: str
    source: str
    group: int
    sharpness: float
    brightness: float
    seconds: float | None = None


@dataclass(frozen=True)
class Group:
    """Pictures of one lens and size.

    Attributes:
        camera: make and model by EXIF; empty if unknown.
        lens: name of the lens by EXIF; empty if unknown.
        width: of its pictures in pixels.
        height: of its pictures in pixels.
        focal: in pixels by EXIF; None if unknown.
    """

    camera: str
    lens: str
    width: int
    height: int
    focal: float | None


@dataclass(frozen=True)
class LeftOut:
    """A file that is not used.

    Attributes:
        source: below the folder that was given.
        reason: why not.
    """

    source: str
    reason: str


@dataclass(frozen=True)
class Intake:
    """All pictures, in the order in which they were taken.

    Attributes:
        photos: at least three.
        groups: lenses.
        left_out: files that are not used.
    """

    photos: tuple[Photo, ...]
    groups: tuple[Group, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True)
class Given:
    """A file that was given.

    Attributes:
        path: of the file.
        source: its name for people.
    """

    path: Path
    source: str

    @property
    def is_video(self) -> bool:
        """Whether its name is that of a video."""
        return self.path.suffix.lower() in VIDEO_SUFFIXES

    @property
    def is_recording(self) -> bool:
        """Whether its name is that of a recording of Record3D."""
        return self.path.suffix.lower() == RECORDING_SUFFIX


def given_files(inputs: Sequence[Path]) -> list[Given]:
    """Lists photos and videos, in the order of their names with numbers read as numbers.

    Videos in a folder count only if it holds no photo: those beside photos are Live Photos.

    Raises:
        InputError: an input does not exist, or nothing is in it.
    """
    found: list[Given] = []
    for given in inputs:
        # Polycam's raw data has depths and the same photos once more beside them.
        raw = given / POLYCAM
        path = raw if raw.is_dir() else given
        if path.suffix.lower() in SPLAT_SUFFIXES:
            raise _only_splats(path)
        if path.is_dir():
            inside = sorted(_below(path), key=lambda file: _natural(str(file.relative_to(path))))
            files = [Given(file, file.relative_to(path).as_posix()) for file in inside]
            photos = [file for file in files if not file.is_video]
            if not files:
                for file in sorted(path.iterdir()):
                    if file.suffix.lower() in SPLAT_SUFFIXES:
                        raise _only_splats(file)
                raise InputError(
                    f"{path}: holds no photo or video; expected JPEG, PNG, HEIC, WebP or TIFF"
                )
            found += photos or files
        elif path.is_file():
            found.append(Given(path, path.name))
        else:
            raise InputError(f"{path}: no such file or folder, expected photos or a video")
    return found


def _only_splats(path: Path) -> InputError:
    return InputError(
        f"{path}: holds splats or a mesh and no photos, as Scaniverse and other apps share them; "
        "take a video of the object with the phone's own camera instead"
    )


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if path.name.lower() not in MASK_FOLDERS and not _is_ours(path):
                yield from _below(path)
        elif path.suffix.lower() in (*READ_SUFFIXES, *VIDEO_SUFFIXES):
            yield path


def _is_ours(folder: Path) -> bool:
    """Whether a capture or a training among the photos wrote a folder, or is about to."""
    return folder.suffix == RUN_SUFFIX or (folder / REPORT).exists()


def _natural(name: str) -> list[tuple[int, int | str]]:
    """`IMG_9` stands before `IMG_10`."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]


def take_in(
    files: Sequence[Given], folder: Path, options: CaptureOptions, on_progress: Progress
) -> Intake:
    """Writes photos and chosen frames of videos into `folder`, scaled down to `options.size`.

    A photo that cannot be read is left out, and named.

    Raises:
        InputError: fewer than three pictures are left.
        MissingExtraError: an optional package is missing.
        OSError: they cannot be written.
    """
    taken = _Taken(folder)
    left: list[LeftOut] = []
    videos = sum(file.is_video or file.is_recording for file in files)
    for file in counted("photos", files, on_progress):
        if file.is_video:
            _take_video(file, taken, max(FEWEST, options.frames // videos), options, on_progress)
            continue
        if file.is_recording:
            count = max(FEWEST, options.frames // videos)
            _take_recording(file, taken, count, options, on_progress)
            continue
        try:
            shot = read_shot(file.path)
        except SceneError as error:
            left.append(LeftOut(file.source, _reason(error, file.path)))
            continue
        taken.add(_scaled(shot.pixels, options.size), shot.lens, file.source)
    photos = taken.photos
    if len(photos) < FEWEST:
        why = f"; {left[0].source} {left[0].reason}" if left else ""
        raise InputError(
            f"{len(photos)} photos can be used, expected at least {FEWEST}, better 40 to 100{why}"
        )
    return Intake(tuple(photos), tuple(taken.groups), tuple(left))


class _Taken:
    """Pictures as they are written, and their lenses."""

    def __init__(self, folder: Path) -> None:
        self.photos: list[Photo] = []
        self.groups: list[Group] = []
        self._folder = folder
        self._known: dict[tuple[Any, ...], int] = {}

    def add(
        self,
        pixels: npt.NDArray[np.uint8],
        lens: Lens,
        source: str,
        seconds: float | None = None,
        video: str = "",
    ) -> None:
        """Writes a picture [H, W, 3 or 4] into the folder of its lens.

        Args:
            pixels: upright.
            lens: by EXIF.
            source: name for people.
            seconds: in its video.
            video: that it is from: each has a crop, hence a lens, of its own.
        """
        height, width = pixels.shape[:2]
        key = (lens, video, width, height)
        if not video and lens == Lens():
            # Messengers remove EXIF: such photos are taken for those of the same size.
            same = [known for known in self._known if known[1:] == key[1:]]
            key = same[0] if len(same) == 1 else key
        if key not in self._known:
            self._known[key] = len(self.groups)
            focal = lens.focal_pixels(width, height)
            self.groups.append(Group(lens.camera, lens.lens, width, height, focal))
        group = self._known[key]
        name = f"{group}/{len(self.photos) + 1:04d}.png"
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        if pixels.shape[2] == 4 and pixels[..., 3].min() == 255:
            pixels = np.ascontiguousarray(pixels[..., :3])
        Image.fromarray(pixels).save(path, "PNG", compress_level=1)
        look = look_of(small_grey(pixels))
        photo = Photo(name, source, group, look.sharpness, look.brightness, seconds)
        self.photos.append(photo)


def _take_video(
    file: Given, taken: _Taken, count: int, options: CaptureOptions, on_progress: Progress
) -> None:
    frames = analysed(file.path, on_progress)
    numbers = chosen(frames, count)
    pictures = read_frames(file.path, numbers, options.size)
    for number, pixels in zip(
        counted("chosen frames", numbers, on_progress), pictures, strict=False
    ):
        seconds = float(frames.seconds[number])
        source = f"{file.source} at {seconds:.2f} s"
        taken.add(pixels, Lens(), source, seconds, str(file.path))


def _take_recording(
    file: Given, taken: _Taken, count: int, options: CaptureOptions, on_progress: Progress
) -> None:
    recording = read_recording(file.path)
    numbers = chosen_frames(recording, count)
    pictures = recording.frames(numbers)
    for number, pixels in zip(
        counted("chosen frames", numbers, on_progress), pictures, strict=False
    ):
        source = frame_source(file.source, number)
        seconds = number / recording.rate
        taken.add(_scaled(pixels, options.size), Lens(), source, seconds, str(file.path))


def _scaled(pixels: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """Shrinks a picture until its longer side is at most `side`."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1.0:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def _reason(error: SceneError, path: Path) -> str:
    """What is wrong with a file, without its path."""
    return str(error).removeprefix(f"{path}: ")
