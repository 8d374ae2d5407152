"""A training that is given photos or a video instead of a scene: the capture that comes first."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_nelf.capturing.finding import Finding
from mobile_nelf.capturing.intake import REPORT, VIDEO_SUFFIXES, given_files
from mobile_nelf.capturing.options import CaptureOptions
from mobile_nelf.capturing.page import PAGE
from mobile_nelf.capturing.recording import RECORDING_SUFFIX
from mobile_nelf.capturing.run import capture, files_stamp, without_background
from mobile_nelf.errors import CaptureError, InputError, OutputError
from mobile_nelf.parsing import read_json
from mobile_nelf.plain import from_dict, to_dict
from mobile_nelf.progress import Progress, silent
from mobile_nelf.scenes.readers import READERS
from mobile_nelf.text import command_line

__all__ = ["Verdict", "capture_options", "captured_beside", "needs_capture", "scene_folder"]

#: Options that a training takes for its capture: what is the object in the photos.
MASK_OPTIONS = ("masks", "object", "turntable", "background")


@dataclass(frozen=True)
class Verdict:
    """What a capture said of its scene.

    Attributes:
        path: folder of the scene.
        given: photos that were tried.
        registered: those that have a pose.
        findings: errors first.
    """

    path: Path
    given: int
    registered: int
    findings: tuple[Finding, ...]

    @property
    def page(self) -> Path:
        """The page that shows all that."""
        return self.path / PAGE


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


def capture_options(
    path: Path, masks: Path | None, object: bool, turntable: bool, background: Path | None
) -> CaptureOptions:
    """Returns the options of the capture that a training of `path` begins with.

    Raises:
        InputError: they contradict each other, or `path` is a scene and needs no capture.
    """
    try:
        options = CaptureOptions(
            masks=None if masks is None else str(masks),
            object=object,
            turntable=turntable,
            background=None if background is None else str(background),
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    if options != CaptureOptions() and path.exists() and not needs_capture(path):
        raise InputError(
            f"{path}: has cameras; masks, object, turntable and background are for photos that are "
            "captured first"
        )
    return options


def captured_beside(
    path: Path,
    output: Path,
    options: CaptureOptions | None = None,
    *,
    on_progress: Progress = silent,
    on_verdict: Callable[[Verdict], None] = lambda verdict: None,
) -> Path:
    """Returns the scene of photos, made now unless it is there from an earlier command.

    Args:
        path: folder of photos, or a video.
        output: checkpoint that will be trained; the scene stands beside it.
        options: of the capture. A scene that is there is taken however it was made, unless options
            name other masks than it has.
        on_progress: called with a stage's name, steps done and steps in all.
        on_verdict: called with what the checks found, before an error ends the command.

    Raises:
        CaptureError: the checks failed: training would be in vain.
        InputError: torchrun started several processes.
        OutputError: what stands there is of other photos or has other masks.
    """
    folder, options = scene_folder(output), options or CaptureOptions()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError(
            f"{path}: has no cameras, and several processes cannot capture it; make a scene of it "
            f"first: {command_line('capture {} -o {}', path, folder)}"
        )
    if folder.exists():
        found = _known(folder, path)
        known, wanted = found["options"], to_dict(options)
        default = to_dict(CaptureOptions())
        asked = {name: wanted[name] for name in MASK_OPTIONS if wanted[name] != default[name]}
        if asked and any(known.get(name) != wanted[name] for name in MASK_OPTIONS):
            raise OutputError(
                f"{folder}: was captured without {', '.join(asked)}, or with others; delete it, or "
                "use another output",
                arguments=["output"],
            )
    else:
        capture(path, folder, **to_dict(options), on_progress=on_progress)
        found = read_json(folder / REPORT)
    findings = tuple(from_dict(Finding, finding) for finding in found["findings"])
    verdict = Verdict(folder, found["given"], found["registered"], findings)
    on_verdict(verdict)
    if not found["passed"]:
        raise CaptureError(
            f"{path}: {findings[0].text}; {findings[0].advice}; {verdict.page} shows the photos; "
            "delete the scene to capture others, or train on it all the same: "
            f"{command_line('train {} -o {}', folder, output)}"
        )
    return folder


def _known(folder: Path, path: Path) -> dict[str, Any]:
    """Returns the report of a scene.

    Raises:
        OutputError: it is of other photos than those in `path`, or of no capture.
    """
    try:
        found: dict[str, Any] = read_json(folder / REPORT)
        made = from_dict(CaptureOptions, found["options"])
        same = found["inputs"] == files_stamp(without_background(given_files([path]), made))
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if not same:
        raise OutputError(
            f"{folder}: is the scene of other photos than {path}; delete it, or use another output",
            arguments=["output"],
        )
    return found
