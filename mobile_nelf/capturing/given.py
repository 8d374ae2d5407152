"""Poses that other apps recorded with the photos: Polycam, Record3D, ARKit by `transforms.json`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mobile_nelf.cameras import FloatArray
from mobile_nelf.capturing.child import Rows
from mobile_nelf.capturing.finding import Finding
from mobile_nelf.capturing.intake import Given, Intake
from mobile_nelf.capturing.measure import World, aligned
from mobile_nelf.capturing.model import Model
from mobile_nelf.capturing.recording import RECORDING_SUFFIX, frame_source, read_recording
from mobile_nelf.errors import InputError, SceneError
from mobile_nelf.lenses import DistortedLens
from mobile_nelf.scenes.readers.json_file import loaded_json
from mobile_nelf.scenes.readers.transforms import CAMERAS, json_frames, known_world
from mobile_nelf.scenes.world import checked_pose

__all__ = [
    "GivenCamera",
    "GivenPoses",
    "drift_findings",
    "photo_poses",
    "posed_input",
    "with_focals",
    "world_of",
]

#: In the folder of Polycam's raw data: the cameras as ARKit had them, one JSON file a photo.
POLYCAM_CAMERAS, POLYCAM_PHOTOS = "keyframes/cameras", "keyframes/images"
#: Of ARKit.
ARKIT_UP = (0.0, 1.0, 0.0)
#: Given poses that had to move by more than this share of the path were not good.
LARGEST_DRIFT = 0.05
#: No focal length or side of a picture is longer.
MOST_PIXELS = 1e6


class GivenCamera(NamedTuple):
    """A camera that came with a photo.

    Attributes:
        cam_to_world: [3, 4], axes right, up, back.
        focal: in pixels.
        width: of the picture that the focal length is for.
        height: likewise.
    """

    cam_to_world: FloatArray
    focal: float
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class GivenPoses:
    """All cameras that came with photos.

    Attributes:
        cameras: by the source of the photo (`intake.Photo.source`).
        metres_per_unit: of their world; None if unknown.
        up: upright axis of their world; None if unknown.
    """

    cameras: dict[str, GivenCamera]
    metres_per_unit: float | None
    up: tuple[float, float, float] | None


def posed_input(inputs: Sequence[Path]) -> tuple[list[Given], GivenPoses]:
    """Returns photos and the cameras that came with them.

    Args:
        inputs: one: a folder of Polycam's raw data, a recording of Record3D, or a folder with
            `transforms.json`.

    Raises:
        InputError: there are several, or no poses.
        SceneError: what describes them is malformed.
    """
    if len(inputs) != 1:
        raise InputError(f"refine takes one recording with poses, found {len(inputs)}")
    path = inputs[0]
    if not path.exists():
        raise InputError(f"{path}: no such file or folder, expected a recording with poses")
    if path.is_file() and path.suffix.lower() == RECORDING_SUFFIX:
        return _record3d(path)
    file = path if path.is_file() and path.suffix.lower() == ".json" else path / CAMERAS
    if file.is_file():
        return _transforms(file)
    if (path / POLYCAM_CAMERAS).is_dir():
        return _polycam(path)
    raise InputError(
        f"{path}: holds no poses to refine; expected Polycam's raw data ({POLYCAM_CAMERAS}), a "
        f"recording of Record3D (.r3d) or {CAMERAS}; capture it without refine to find poses anew"
    )


def with_focals(intake: Intake, given: GivenPoses) -> Intake:
    """Returns the photos with the focal lengths that came with them.

    Raises:
        InputError: a photo has another aspect than its camera.
    """
    groups = []
    for index, group in enumerate(intake.groups):
        focals = []
        for photo in intake.photos:
            camera = given.cameras.get(photo.source) if photo.group == index else None
            if camera is None:
                continue
            scale = group.width / camera.width
            if abs(camera.height * scale / group.height - 1.0) > 0.02:
                raise InputError(
                    f"{photo.source}: is {group.width}×{group.height}, its camera is for "
                    f"{camera.width}×{camera.height}; capture it without refine"
                )
            focals.append(scale * camera.focal)
        groups.append(replace(group, focal=float(np.median(focals)) if focals else group.focal))
    return replace(intake, groups=tuple(groups))


def photo_poses(intake: Intake, given: GivenPoses) -> dict[str, Rows]:
    """Returns the given poses by the name of the photo, as a job takes them."""
    return {
        photo.name: tuple(
            tuple(map(float, row)) for row in given.cameras[photo.source].cam_to_world
        )
        for photo in intake.photos
        if photo.source in given.cameras
    }


def world_of(intake: Intake, model: Model, given: GivenPoses) -> World | None:
    """Returns what takes a reconstruction to the world of the given poses; None without three."""
    pairs = [
        (model.photos[photo.name].cam_to_world[:, 3], given.cameras[photo.source].cam_to_world)
        for photo in intake.photos
        if photo.name in model.photos and photo.source in given.cameras
    ]
    if len(pairs) < 3:
        return None
    found = np.stack([place for place, _ in pairs])
    true = np.stack([pose[:, 3] for _, pose in pairs])
    fit = aligned(found, true)
    return replace(fit.world, metres_per_unit=given.metres_per_unit, up=given.up)


def drift_findings(intake: Intake, model: Model, given: GivenPoses | None) -> Iterator[Finding]:
    """Says how far poses were moved from where they were given.

    Args:
        intake: the photos.
        model: in the world of the given poses.
        given: what came with the photos; None if nothing did.
    """
    if given is None:
        return
    posed = [p for p in intake.photos if p.name in model.photos and p.source in given.cameras]
    if not posed:
        return
    true = np.stack([given.cameras[photo.source].cam_to_world[:, 3] for photo in posed])
    found = np.stack([model.photos[photo.name].cam_to_world[:, 3] for photo in posed])
    moved = float(np.sqrt(((found - true) ** 2).sum(1).mean()))
    share = moved / max(float(np.linalg.norm(np.ptp(true, axis=0))), 1e-9)
    metres = given.metres_per_unit
    far = f"{100 * moved * metres:.1f} cm" if metres is not None else f"{share:.2%} of the path"
    large = share > LARGEST_DRIFT
    yield Finding(
        "given poses",
        "warning" if large else "note",
        f"the poses that came with the photos were moved by {far} (root of the mean square)",
        "look at the cameras in capture.html; if they are wrong, capture the photos without refine"
        if large
        else "nothing is to be done",
    )


def _record3d(path: Path) -> tuple[list[Given], GivenPoses]:
    recording = read_recording(path)
    if recording.poses is None:
        raise InputError(
            f"{path}: has no poses; Record3D records them with the LiDAR sensor alone, not with "
            "the front camera; capture it without refine to find poses anew"
        )
    cameras = {
        frame_source(path.name, number): GivenCamera(
            pose, recording.focal, recording.width, recording.height
        )
        for number, pose in enumerate(recording.poses)
    }
    return [Given(path, path.name)], GivenPoses(cameras, 1.0, ARKIT_UP)


def _polycam(path: Path) -> tuple[list[Given], GivenPoses]:
    files, cameras = [], {}
    for photo in sorted((path / POLYCAM_PHOTOS).glob("*.jp*g")):
        file = path / POLYCAM_CAMERAS / f"{photo.stem}.json"
        if not file.is_file():
            continue
        values = loaded_json(file)
        try:
            rows = [[values[f"t_{row}{column}"] for column in range(4)] for row in range(3)]
            focal, width, height = (float(values[key]) for key in ("fx", "width", "height"))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise SceneError(
                f"{file}: is not a camera of Polycam ({type(error).__name__}: {error})"
            ) from error
        if not all(1.0 <= value < MOST_PIXELS for value in (focal, width, height)):
            raise SceneError(f"{file}: its lens makes no sense: {focal:g}, {width:g}×{height:g}")
        pose = checked_pose(rows, str(file))
        cameras[photo.name] = GivenCamera(pose, focal, int(width), int(height))
        files.append(Given(photo, photo.name))
    if not files:
        raise InputError(
            f"{path}: no photo in {POLYCAM_PHOTOS} has a camera in {POLYCAM_CAMERAS}; share the "
            "raw data from Polycam once more, with developer mode on"
        )
    return files, GivenPoses(cameras, 1.0, ARKIT_UP)


def _transforms(file: Path) -> tuple[list[Given], GivenPoses]:
    read = json_frames(file)
    files, cameras = [], {}
    for frame in read.frames:
        if frame.photo is None or frame.lens is None:
            continue
        if frame.turn is not None and frame.turn.ignored != 1:
            raise InputError(
                f"{frame.photo}: is turned by EXIF, and its camera is for the pixels as stored; "
                "remove its EXIF orientation, or capture it without refine"
            )
        lens = frame.lens
        focal = lens.params[0] if isinstance(lens, DistortedLens) else lens.fx
        cameras[frame.name] = GivenCamera(frame.cam_to_world, focal, lens.width, lens.height)
        files.append(Given(frame.photo, frame.name))
    if not files:
        raise InputError(f"{file}: none of its photos exists")
    metres, up = known_world(file, read.top)
    axis = None if up is None else (float(up[0]), float(up[1]), float(up[2]))
    return files, GivenPoses(cameras, metres, axis)
