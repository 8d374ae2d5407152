"""Structure from motion in a child process: what it is told, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from mobile_nelf.capturing.sfm import RESULT
from mobile_nelf.errors import CaptureError
from mobile_nelf.fence import process as fence
from mobile_nelf.parsing import parse_json
from mobile_nelf.progress import Progress

__all__ = ["JOB", "Job", "JobGroup", "Rows", "run"]

JOB, LOG = "job.json", "log.txt"
#: Of a matrix.
Rows: TypeAlias = tuple[tuple[float, ...], ...]
#: What the child's interpreter runs.
PROGRAM = ("-m", "mobile_nelf.capturing.sfm")
#: Characters of the last words of a child.
LAST_WORDS = 300


@dataclass(frozen=True)
class JobGroup:
    """Photos of one lens.

    Attributes:
        names: of the photos, in one folder.
        width: of each in pixels.
        height: of each in pixels.
        focal: in pixels, if known.
    """

    names: tuple[str, ...]
    width: int
    height: int
    focal: float | None


@dataclass(frozen=True)
class Job:
    """What a child process does.

    Attributes:
        folder: for its files.
        photos: folder of the photos.
        masks: folder of masks `NAME.png`, black where no features are wanted; None without.
        groups: photos by lens.
        pairs: to match; None chooses them.
        neighbours: partners of each photo, where pairs are chosen.
        first_octave: −1 doubles the picture first.
        features: scales at most that are described in a photo.
        mapper: `incremental`, `global`, or `given`, which adjusts `poses`.
        stationary: drop matches that do not move.
        threads: to use.
        seed: of everything random.
        poses: by the name of the photo, rows of [3, 4] with axes right, up, back; None without.
    """

    folder: str
    photos: str
    masks: str | None
    groups: tuple[JobGroup, ...]
    pairs: tuple[tuple[str, str], ...] | None
    neighbours: int
    first_octave: int
    features: int
    mapper: str
    stationary: bool
    threads: int
    seed: int
    poses: dict[str, Rows] | None = None


def run(folder: Path, on_progress: Progress) -> None:
    """Runs the job in a folder as a child process.

    Raises:
        CaptureError: it ended by itself; the message has its last line.
    """
    stage = "its start"
    command = [sys.executable, *PROGRAM, str(folder / JOB)]
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            # Ctrl-C is for the parent, which ends the child.
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                stage, done, total = parse_json(line)
                on_progress(stage, done, total)
            code = process.wait()
        finally:
            fence.end(process)
    if code != 0 or not (folder / RESULT).exists():
        raise CaptureError(
            f"structure from motion {_ended(code)} at {stage}; it said last: "
            f"{_last_line(folder / LOG)}; the whole of it is in {folder / LOG}"
        )


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    killed = " (the system ends processes like that when memory is short)" if code == -9 else ""
    return f"was ended by {name}{killed}"


def _last_line(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace")
    # After an abort the trace of the stack follows the message.
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("@", "***", "PC:"))]
    return (told or lines or ["nothing"])[-1][-LAST_WORDS:]
