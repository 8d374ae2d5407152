"""Frames of a video: the sharpest ones, at steps of equal motion.

The frames are decoded twice: small and grey to choose, then in full those that were chosen.
"""

from __future__ import annotations

import math
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf.cameras import FloatArray
from mobile_nelf.capturing.sharpness import JUDGED_SIDE, blurred, look_of
from mobile_nelf.errors import InputError
from mobile_nelf.extras import import_extra
from mobile_nelf.progress import Progress

__all__ = ["Frames", "analysed", "chosen", "read_frames"]

#: Largest and smallest motion between neighbours, as shares of the longer side: what still matches,
#: and what shows nothing new.
LARGEST_STEP = 0.12
SMALLEST_STEP = 0.01
#: A blurred frame stays where leaving it out would make a step wider than this.
WIDEST_GAP = 0.25
#: Motion of a frame is that of so much of its points: a turning object covers a part of it.
MOVING_PERCENTILE = 80.0
#: Points that are followed, and the share of them that must be left.
TRACKED_POINTS = 200
FEWEST_TRACKED = 0.4
#: Below this share of the median of its neighbours a chosen frame is dropped.
BLUR_SHARE = 0.5
#: Transfer functions of HDR video.
HDR = re.compile(r"arib-std-b67|smpte2084")
TO_SDR = (
    "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"
    "zscale=t=iec61966-2-1:m=bt709:r=pc,format=rgb24"
)


@dataclass(frozen=True, eq=False)
class Frames:
    """All frames of a video, as far as choosing needs them.

    Attributes:
        seconds: [N] time stamps.
        sharpness: [N] variance of the Laplacian.
        path: [N] motion since the first frame, as a share of the longer side.
    """

    seconds: FloatArray
    sharpness: FloatArray
    path: FloatArray


def chosen(frames: Frames, count: int) -> list[int]:
    """Returns the numbers of the frames to use, ascending.

    Each is the sharpest within a step of equal motion. There are more than `count` where steps
    would be too wide to match, and fewer where the camera hardly moves.
    """
    total = float(frames.path[-1])
    steps = min(max(count, math.ceil(total / LARGEST_STEP)), max(3, int(total / SMALLEST_STEP)))
    # Where nothing moves, time is the next best.
    way = frames.path if total > 3 * SMALLEST_STEP else frames.seconds - frames.seconds[0]
    bins = np.minimum((way / max(float(way[-1]), 1e-9) * steps).astype(int), steps - 1)
    best = []
    for step in range(steps):
        inside = np.flatnonzero(bins == step)
        if len(inside):
            best.append(int(inside[frames.sharpness[inside].argmax()]))
    soft = blurred([float(frames.sharpness[index]) for index in best], BLUR_SHARE)
    kept: list[int] = []
    for place, index in enumerate(best):
        after = best[min(place + 1, len(best) - 1)]
        gap = way[after] - way[kept[-1]] if kept else 0.0
        if not soft[place] or (way is frames.path and gap > WIDEST_GAP):
            kept.append(index)
    return kept


def analysed(video: Path, on_progress: Progress) -> Frames:
    """Decodes a video small and grey, and measures each frame.

    Raises:
        InputError: the file is not a video that ffmpeg reads.
    """
    width, height, text = _first_frame(video)
    scale = min(1.0, JUDGED_SIDE / max(width, height))
    size = max(16, round(width * scale)), max(16, round(height * scale))
    expected = _expected_frames(text)
    filters = f"scale={size[0]}:{size[1]}:flags=area,format=gray,showinfo"
    sharpness: list[float] = []
    follower = _Follower()
    with tempfile.TemporaryFile() as log:
        pictures = _decoded(video, filters, size, 1, log)
        for number, picture in enumerate(pictures, start=1):
            sharpness.append(look_of(picture[..., 0]).sharpness)
            follower.follow(picture[..., 0])
            on_progress("frames", number, max(expected, number))
        log.seek(0)
        told = log.read().decode("utf-8", "replace")
    stamps = [float(found) for found in re.findall(r"pts_time:\s*([\d.]+)", told)]
    if len(sharpness) < 3:
        raise InputError(f"{video}: has {len(sharpness)} frames, expected a video of some seconds")
    on_progress("frames", len(sharpness), len(sharpness))
    if len(stamps) != len(sharpness):
        stamps = list(np.arange(len(sharpness)) / 30.0)
    path = np.array(follower.path) / max(size)
    return Frames(np.array(stamps), np.array(sharpness), path)


def read_frames(video: Path, numbers: Sequence[int], side: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Yields chosen frames of a video, [H, W, 3] sRGB, the longer side at most `side` pixels."""
    width, height, text = _first_frame(video)
    scale = min(1.0, side / max(width, height))
    size = max(16, round(width * scale)), max(16, round(height * scale))
    wanted = "+".join(f"eq(n\\,{number})" for number in numbers)
    colours = TO_SDR if HDR.search(text) else "format=rgb24"
    filters = f"select='{wanted}',scale={size[0]}:{size[1]}:flags=lanczos,{colours}"
    with tempfile.TemporaryFile() as log:
        yield from _decoded(video, filters, size, 3, log)


class _Follower:
    """Follows points from frame to frame; shaking to and fro covers no way."""

    def __init__(self) -> None:
        self.path: list[float] = []
        self._base = 0.0
        self._last: Any = None
        self._start: Any = None
        self._now: Any = None

    def follow(self, grey: npt.NDArray[np.uint8]) -> None:
        """Takes the next frame."""
        cv2 = import_extra("cv2", "capture")
        if self._last is None:
            self._anchor(cv2, grey)
            self.path.append(0.0)
            return
        moved = 0.0
        if self._now is not None and len(self._now):
            found, status, _ = cv2.calcOpticalFlowPyrLK(self._last, grey, self._now, None)
            good = status.ravel() == 1
            self._now, self._start = found[good], self._start[good]
            if len(self._now):
                way = np.linalg.norm((self._now - self._start).reshape(-1, 2), axis=1)
                moved = float(np.percentile(way, MOVING_PERCENTILE))
        self.path.append(max(self._base + moved, self.path[-1]))
        self._last = grey
        lost = self._now is None or len(self._now) < FEWEST_TRACKED * self._count
        if lost or moved > LARGEST_STEP / 2 * max(grey.shape):
            self._base = self.path[-1]
            self._anchor(cv2, grey)

    def _anchor(self, cv2: Any, grey: npt.NDArray[np.uint8]) -> None:
        self._last = grey
        spacing = max(grey.shape) / 60
        self._start = cv2.goodFeaturesToTrack(grey, TRACKED_POINTS, 0.01, spacing)
        self._now = self._start
        self._count = 0 if self._start is None else len(self._start)


def _decoded(
    video: Path, filters: str, size: tuple[int, int], channels: int, log: Any
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yields frames [H, W, channels] as ffmpeg's filters leave them; its words go to a log."""
    command = [
        *_ffmpeg("-loglevel", "info"),
        *("-i", str(video), "-map", "0:v:0", "-vf", filters),
        # Each frame as it was recorded: phones do not keep a constant rate.
        *("-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1"),
    ]
    length = size[0] * size[1] * channels
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
    )
    assert process.stdout is not None
    try:
        while len(data := process.stdout.read(length)) == length:
            yield np.frombuffer(data, np.uint8).reshape(size[1], size[0], channels)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _first_frame(video: Path) -> tuple[int, int, str]:
    """Returns width and height as shown, turned by the file's own mark, and what ffmpeg says."""
    command = [
        *_ffmpeg("-loglevel", "info"),
        *("-i", str(video), "-map", "0:v:0", "-frames:v", "1"),
        *("-f", "image2pipe", "-c:v", "png", "pipe:1"),
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    text = done.stderr.decode("utf-8", "replace")
    try:
        with Image.open(BytesIO(done.stdout), formats=("PNG",)) as image:
            return (*image.size, text)
    except OSError as error:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        said = lines[-1].removeprefix(f"{video}: ") if lines else "nothing"
        raise InputError(
            f"{video}: is not a video that can be read; ffmpeg says: {said}"
        ) from error


def _expected_frames(text: str) -> int:
    """Frames of a video by its header; 0 if that does not say."""
    length = re.search(r"Duration: (\d+):(\d+):([\d.]+)", text)
    rate = re.search(r"([\d.]+) fps", text)
    if not length or not rate:
        return 0
    hours, minutes, seconds = (float(part) for part in length.groups())
    return round((3600 * hours + 60 * minutes + seconds) * float(rate[1]))


def _ffmpeg(*options: str) -> list[str]:
    ffmpeg = import_extra("imageio_ffmpeg", "capture")
    return [ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", *options]
