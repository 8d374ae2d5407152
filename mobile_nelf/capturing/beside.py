"""A training that is given photos or a video instead of a scene: the capture that comes first."""

from __future__ import annotations

import os
from pathlib import Path

from mobile_nelf.capturing.intake import REPORT, VIDEO_SUFFIXES, given_files
from mobile_nelf.capturing.recording import RECORDING_SUFFIX
from mobile_nelf.capturing.run import capture, files_stamp
from mobile_nelf.errors import CaptureError, InputError, OutputError
from mobile_nelf.parsing import read_json
from mobile_nelf.progress import Progress, silent
from mobile_nelf.scenes.readers import READERS
from mobile_nelf.text import command_line

__all__ = ["captured_beside", "needs_capture", "scene_folder"]


def needs_capture(path: Path) -> bool:
    """Whether there are photos or videos, and no cameras."""
    if path.is_file():
        return path.suffix.lower() in (*VIDEO_SUFFIXES, RECORDING_SUFFIX)
    if not path.is_dir() or any(reader.find(path) for reader in READERS):
        return False
    try:
        return bool(given_files([path]))
    except InputError:
        return False


def scene_folder(output: Path) -> Path:
    """Returns where the scene of a training that writes `output` is put."""
    return output.with_name(output.name + ".scene")


def captured_beside(path: Path, output: Path, on_progress: Progress = silent) -> Path:
    """Returns the scene of photos, made now unless it is there from an earlier command.

    Args:
        path: folder of photos, or a video.
        output: checkpoint that will be trained; the scene stands beside it.
        on_progress: called with a stage's name, steps done and steps in all.

    Raises:
        CaptureError: the checks failed: training would be in vain.
        InputError: torchrun started several processes.
        OutputError: what stands there is of other photos.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError(
            f"{path}: has no cameras, and several processes cannot capture it; make a scene of it "
            f"first: {command_line('capture {} -o {}', path, scene_folder(output))}"
        )
    folder = scene_folder(output)
    if folder.exists():
        try:
            found = read_json(folder / REPORT)
            same = found["inputs"] == files_stamp(given_files([path]))
        except (OSError, ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise OutputError(
                f"{folder}: is the scene of other photos than {path}; delete it, or use another "
                "output",
                arguments=["output"],
            )
        passed, texts = found["passed"], [finding["text"] for finding in found["findings"]]
    else:
        captured = capture(path, folder, on_progress=on_progress)
        passed, texts = captured.passed, [finding.text for finding in captured.findings]
    if not passed:
        raise CaptureError(
            f"{path}: {texts[0]}; look at {folder / 'capture.html'}, or train on it all the same: "
            f"{command_line('train {} -o {}', folder, output)}"
        )
    return folder
