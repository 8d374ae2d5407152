"""Reader of `transforms.json`, the format of instant-ngp and nerfstudio.

Its frames and lenses are those of Blender scenes too, see `json_frames`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mobile_nelf.cameras import FloatArray
from mobile_nelf.errors import SceneError, require
from mobile_nelf.scenes.assembly import Frame, normalised_scene
from mobile_nelf.scenes.photo_files import located, name_keys
from mobile_nelf.scenes.photos import photo_header, turn_of
from mobile_nelf.scenes.readers.json_file import loaded_json
from mobile_nelf.scenes.readers.json_lens import lens_of, lens_size
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.world import checked_pose

__all__ = ["CAMERAS", "METRES", "UP", "JsonFrames", "json_frames", "known_world", "read_transforms"]

CAMERAS = "transforms.json"
#: Beside it, cameras to test with; the first one that is there counts.
OTHER_SPLITS = ("transforms_test.json", "transforms_val.json")
#: At the top, what captures add where they know it: the true length of a unit of the poses, and
#: which way is up.
METRES, UP = "metres_per_unit", "up"
#: Keys that list the frames of a split; the first of the last two that is there is for testing.
TRAIN, TESTS = "train_filenames", ("test_filenames", "val_filenames")


class JsonFrames(NamedTuple):
    """What a camera file holds.

    Attributes:
        frames: in the order of the file.
        notices: what the reader has to say of them.
        top: values at the top of the file.
    """

    frames: list[Frame]
    notices: list[str]
    top: dict[str, Any]


def read_transforms(path: Path, file: Path | None = None) -> Scene:
    """Reads a scene.

    Frames to train on and to test with are those of `train_filenames` and `test_filenames` (or
    `val_filenames`), or test frames are those of `transforms_test.json` or `transforms_val.json`
    beside the file. Without such a split, every eighth frame by name is for testing.

    Lens values stand in a frame or, for all frames, at the top. Distortion is undone when a photo
    is read. Frames whose photo is missing are listed in `Scene.missing`. `metres_per_unit` and `up`
    at the top tell the true size and the upright axis, [3] in the world of the poses.

    Args:
        path: the folder.
        file: the camera file; `transforms.json` in the folder if None.

    Raises:
        InputError: there is no camera file.
        SceneError: it is malformed, a photo cannot be read, no photo exists, or the cameras look at
            nothing in common.
    """
    file = file or path / CAMERAS
    read = json_frames(file)
    frames = sorted(read.frames, key=lambda frame: frame.name)
    train, test, said = _split(file, read.top, frames)
    if test is None:
        beside = next((path / name for name in OTHER_SPLITS if (path / name).is_file()), None)
        if beside is not None and beside != file:
            other = json_frames(beside)
            test = sorted(other.frames, key=lambda frame: frame.name)
            said = [*other.notices, f"the test split is that of {beside.name}"]
            photos = {frame.photo for frame in test}
            train = [frame for frame in frames if frame.photo is None or frame.photo not in photos]
    metres, up = known_world(file, read.top)
    return normalised_scene(
        path,
        file,
        train,
        test=test,
        notices=(*read.notices, *said),
        own_axes=True,
        metres_per_unit=metres,
        up=up,
    )


def known_world(file: Path, top: Mapping[str, Any]) -> tuple[float | None, FloatArray | None]:
    """Returns the true length of a unit and the upright axis [3], None where the file has none.

    Raises:
        SceneError: they are none.
    """
    return _metres(file, top.get(METRES)), _up(file, top.get(UP))


def json_frames(file: Path) -> JsonFrames:
    """Reads all frames that have a pose.

    Raises:
        InputError: there is no such file.
        SceneError: it is cut off or malformed, a pose is none, or a photo cannot be read.
    """
    require(file, "the cameras of a scene")
    data = loaded_json(file)
    listed = data.get("frames") if isinstance(data, dict) else None
    if not isinstance(listed, list) or not all(
        isinstance(frame, dict) and isinstance(frame.get("file_path"), str) for frame in listed
    ):
        raise SceneError(
            f"{file}: expected an object with a list of frames that have a file_path, as Blender, "
            "instant-ngp and nerfstudio scenes have"
        )
    posed = [frame for frame in listed if frame.get("transform_matrix") is not None]
    without = [frame["file_path"] for frame in listed if frame.get("transform_matrix") is None]
    if without and not posed:
        raise SceneError(f"{file}: no frame has a pose; expected a transform_matrix in each")
    notices = []
    if without:
        notices.append(
            f"{len(without)} frames without a pose (transform_matrix) are left out: "
            f"{', '.join(without[:5])}{' and others' if len(without) > 5 else ''}"
        )
    names = [frame["file_path"] for frame in posed]
    photos = located(file.parent, names, file)
    masks = located(file.parent, [_mask_name(frame) for frame in posed], file)
    lost = [
        _mask_name(frame)
        for frame, mask in zip(posed, masks.paths, strict=True)
        if mask is None and _mask_name(frame)
    ]
    if lost:
        notices.append(f"{len(lost)} masks that {file.name} names do not exist, such as {lost[0]}")
    frames = [
        _frame(file, {**data, **frame}, photo, mask)
        for frame, photo, mask in zip(posed, photos.paths, masks.paths, strict=True)
    ]
    return JsonFrames(frames, [*notices, *photos.notices], data)


def _mask_name(frame: dict[str, Any]) -> str:
    name = frame.get("mask_path")
    return name if isinstance(name, str) else ""


def _frame(file: Path, values: dict[str, Any], photo: Path | None, mask: Path | None) -> Frame:
    # Names may hold halves of surrogate pairs, which no terminal can show.
    name = values["file_path"].encode("utf-8", "replace").decode("utf-8")
    where = f"{file}: frame {name}"
    pose = checked_pose(values["transform_matrix"], where)
    if photo is None:
        return Frame(name, None, pose, None)
    turn = turn_of(photo_header(photo), lens_size(values), shown=True)
    return Frame(name, photo, pose, lens_of(values, turn.size, where), turn, mask)


def _metres(file: Path, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, (int, float)) and 0.0 < value < math.inf:
        return float(value)
    raise SceneError(f"{file}: {METRES} is {value!r}, expected a length in metres")


def _up(file: Path, value: Any) -> FloatArray | None:
    if value is None:
        return None
    numbers = isinstance(value, list) and all(isinstance(v, (int, float)) for v in value)
    if numbers and len(value) == 3:
        up = np.array(value, np.float64)
        length = float(np.linalg.norm(up))
        if 0.0 < length < math.inf:
            return up / length
    raise SceneError(f"{file}: {UP} is {value!r}, expected a direction of three numbers")


def _split(
    file: Path, top: dict[str, Any], frames: Sequence[Frame]
) -> tuple[list[Frame], list[Frame] | None, list[str]]:
    """Returns the frames to train on and to test with, None if the file has no split."""
    lists = {key: top[key] for key in (TRAIN, *TESTS) if top.get(key)}
    for key, names in lists.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise SceneError(f"{file}: expected a list of names of frames in {key}")
    if not lists:
        return list(frames), None, []
    tests = next((key for key in TESTS if key in lists), None)
    named = {key: _named(frames, names) for key, names in lists.items()}
    for key, found in named.items():
        if not found:
            raise SceneError(f"{file}: none of its frames is named in {key}")
    test = named[tests] if tests else []
    held = {frame.name for key in TESTS for frame in named.get(key, ())}
    train = [frame for frame in named.get(TRAIN, frames) if frame.name not in held]
    if not train:
        raise SceneError(f"{file}: all frames of {TRAIN} are listed for testing too")
    used = f"the split is that of {' and '.join(key for key in (TRAIN, tests) if key in lists)}"
    left = len(frames) - len(train) - len(test)
    return train, test, [f"{used}; {left} other frames are left out" if left else used]


def _named(frames: Sequence[Frame], names: Sequence[str]) -> list[Frame]:
    """The frames that a list names: by their paths, or by stems alone if paths fit none."""
    paths, stems = ({name_keys(name)[place] for name in names} for place in (0, 1))
    by_path = [frame for frame in frames if name_keys(frame.name)[0] in paths]
    return by_path or [frame for frame in frames if name_keys(frame.name)[1] in stems]
