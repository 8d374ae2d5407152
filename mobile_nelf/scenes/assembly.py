"""From frames of a camera file to a scene: what all readers do alike."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mobile_nelf.cameras import Camera, FloatArray, Intrinsics, nearest_to_axes
from mobile_nelf.errors import SceneError
from mobile_nelf.lenses import DistortedLens
from mobile_nelf.scenes.photo_files import MASKS, masks_of, what_lies_at
from mobile_nelf.scenes.photos import Turn, same_aspect
from mobile_nelf.scenes.plausibility import (
    blender_world_notices,
    check_lens,
    lens_notices,
    pose_notices,
)
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.view import View
from mobile_nelf.scenes.world import Up, common_up, faces_forward, world_similarity

__all__ = ["Frame", "normalised_scene", "scene_as_given"]

#: Formats without a test split keep every so many frames for testing, the first among them.
HOLD_OUT = 8
#: Files that a notice names.
NAMES_SHOWN = 5
UP_GUESSED = (
    "up is the mean of the photos' upper sides: the cameras' x axes do not tell it, since they are "
    "parallel or turned at random; if the scene is on its side, turn its cameras"
)


@dataclass(frozen=True, eq=False)
class Frame:
    """What a camera file says of a photo.

    Attributes:
        name: of the photo, as the file has it.
        photo: its path; None if it does not exist.
        cam_to_world: [3, 4] in the file's world.
        lens: over the photo's pixels, after turning; None without a photo.
        turn: how the photo's stored pixels are turned; None leaves them.
        mask: file whose white is the object; None if there is none.
    """

    name: str
    photo: Path | None
    cam_to_world: FloatArray
    lens: Intrinsics | DistortedLens | None
    turn: Turn | None = None
    mask: Path | None = None


def normalised_scene(
    path: Path,
    source: Path,
    frames: Sequence[Frame],
    *,
    test: Sequence[Frame] | None = None,
    depths: tuple[float, float] | None = None,
    notices: Sequence[str] = (),
    own_axes: bool = False,
    metres_per_unit: float | None = None,
    up: FloatArray | None = None,
) -> Scene:
    """Makes a scene of frames in a world of any place, turn and scale.

    The world is normalised by all frames, with and without a photo, so a copy that lacks some keeps
    its world.

    Args:
        path: the folder.
        source: the camera file, for messages.
        frames: in the order of their names, to train on.
        test: frames to test with; every eighth of `frames` if None.
        depths: nearest and farthest depth where something is, in units of the file, if known.
        notices: what the reader has to say.
        own_axes: whether poses are in the file as they are here, see `pose_notices`.
        metres_per_unit: of the file's world, if known.
        up: [3] unit vector in the file's world; worked out from the cameras if None.

    Raises:
        SceneError: there is no training photo, a photo or pose is there twice, a photo cannot be
            read, or the cameras look at nothing in common.
    """
    if not frames:
        raise SceneError(f"{source}: has no frames")
    everything = [*frames, *(test or ())]
    _refuse_duplicates(source, everything)
    poses = np.stack([frame.cam_to_world for frame in everything])
    found = pose_notices(poses, str(source), own_axes=own_axes, depths_known=depths is not None)
    forward = faces_forward(poses)
    try:
        if forward and depths:
            # Half of the parallax is in front of this depth, half behind.
            focus = 2.0 / (1.0 / depths[0] + 1.0 / depths[1])
            ahead = -poses[:, :, 2].mean(0)
            target = poses[:, :, 3].mean(0) + focus * ahead / np.linalg.norm(ahead)
        else:
            target = nearest_to_axes(poses)
        upright = (
            common_up(np.stack([_shown_axes(frame) for frame in everything]))
            if up is None
            else Up(up, True)
        )
        similarity = world_similarity(poses, target, upright.direction)
    except ValueError as error:
        raise SceneError(f"{source}: {error}") from error
    moved = [
        replace(frame, cam_to_world=similarity.pose(frame.cam_to_world)) for frame in everything
    ]
    split = (
        ([f for i, f in enumerate(moved) if i % HOLD_OUT], moved[::HOLD_OUT])
        if test is None
        else (moved[: len(frames)], moved[len(frames) :])
    )
    return _scene(
        path,
        source,
        *split,
        (*notices, *found, *(() if upright.known else (UP_GUESSED,))),
        target=np.zeros(3),
        forward=forward,
        depths=(similarity.scale * depths[0], similarity.scale * depths[1]) if depths else None,
        metres_per_unit=None if metres_per_unit is None else metres_per_unit / similarity.scale,
    )


def scene_as_given(
    path: Path,
    source: Path,
    train: Sequence[Frame],
    test: Sequence[Frame],
    notices: Sequence[str] = (),
) -> Scene:
    """Makes a scene of frames whose world is used as it is.

    Raises:
        SceneError: there is no training photo, a photo or pose is there twice, a photo cannot be
            read, or the cameras look at nothing in common.
    """
    _refuse_duplicates(source, train)
    _refuse_duplicates(source, test)
    found: list[str] = []
    if train:
        poses = np.stack([frame.cam_to_world for frame in train])
        found += pose_notices(poses, str(source), own_axes=True)
        found += blender_world_notices(poses)
    return _scene(path, source, train, test, (*notices, *found))


def _shown_axes(frame: Frame) -> FloatArray:
    """The camera axes [3, 3] of the picture as EXIF says it is to be shown.

    Where pixels are not turned, the camera is on its side with them, and so would be its up.
    """
    axes = frame.cam_to_world[:, :3]
    orientation = frame.turn.ignored if frame.turn else 1
    right, up, back = axes[:, 0], axes[:, 1], axes[:, 2]
    if orientation in (3, 4):
        return np.stack([-right, -up, back], 1)
    if orientation in (5, 6):  # shown after a turn clockwise: the left side is up
        return np.stack([up, -right, back], 1)
    if orientation in (7, 8):
        return np.stack([-up, right, back], 1)
    return axes


def _scene(
    path: Path,
    source: Path,
    train: Sequence[Frame],
    test: Sequence[Frame],
    notices: Sequence[str],
    *,
    target: FloatArray | None = None,
    forward: bool = False,
    depths: tuple[float, float] | None = None,
    metres_per_unit: float | None = None,
) -> Scene:
    frames = _masked(path, [*train, *test])
    train, test = frames[: len(train)], frames[len(train) :]
    train_views, test_views = _views(source, train), _views(source, test)
    if not train_views:
        first = path / train[0].name if train else path
        # Of an absolute path on another machine, nothing is here.
        near = first if first.is_relative_to(path) else path / first.name
        raise SceneError(
            f"{source}: none of the {len(train)} training images exists; looked for {first} first; "
            f"{what_lies_at(near)}"
        )
    lenses = [(view.path.name, view.camera.intrinsics) for view in (*train_views, *test_views)]
    found = [*_turn_notices(frames), *_mask_notices(path, frames), *lens_notices(lenses)]
    train_views, test_views, resized = _of_one_size(train_views, test_views)
    return Scene.from_views(
        path,
        train_views,
        test_views,
        [frame.name for frame in frames if frame.photo is None],
        target=target,
        forward=forward,
        depths=depths,
        notices=(*notices, *found, *resized),
        metres_per_unit=metres_per_unit,
    )


def _masked(path: Path, frames: Sequence[Frame]) -> list[Frame]:
    """Gives frames the masks of the folder `masks`, where the camera file names none."""
    found = masks_of(path, [frame.photo for frame in frames])
    return [replace(f, mask=f.mask or mask) for f, mask in zip(frames, found, strict=True)]


def _mask_notices(path: Path, frames: Sequence[Frame]) -> list[str]:
    there = [frame for frame in frames if frame.photo is not None]
    without = [frame.name for frame in there if frame.mask is None]
    count = len(there) - len(without)
    if not count:
        return [f"{path / MASKS} holds no mask of any photo"] if (path / MASKS).is_dir() else []
    said = f"alpha comes from the masks of {count} photos"
    return [f"{said}; {len(without)} have none: {_listed(without)}" if without else said]


def _turn_notices(frames: Sequence[Frame]) -> list[str]:
    turns = [(f.name, f.turn) for f in frames if f.turn is not None]
    applied = [name for name, turn in turns if turn.applied != 1]
    ignored = [name for name, turn in turns if turn.ignored != 1]
    notices = []
    if applied:
        notices.append(
            f"{len(applied)} photos are turned as their EXIF orientation says, since their cameras "
            f"are for the turned picture: {_listed(applied)}"
        )
    if ignored:
        notices.append(
            f"{len(ignored)} photos are not turned as their EXIF orientation says, since their "
            f"cameras are for the pixels as stored: {_listed(ignored)}"
        )
    return notices


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"{', '.join(names[:NAMES_SHOWN])}{more}"


def _views(source: Path, frames: Sequence[Frame]) -> list[View]:
    views = []
    for frame in frames:
        if frame.photo is None or frame.lens is None:
            continue
        bent = frame.lens if isinstance(frame.lens, DistortedLens) else None
        where = f"{source}: {frame.name}"
        try:
            pinhole = bent.pinhole() if bent else frame.lens
        except SceneError as error:
            raise SceneError(f"{where}: {error}") from error
        assert isinstance(pinhole, Intrinsics)
        check_lens(pinhole, where)
        views.append(
            View(
                frame.photo,
                Camera(frame.cam_to_world, pinhole),
                bent,
                orientation=frame.turn.applied if frame.turn else 1,
                mask=frame.mask,
            )
        )
    return views


def _refuse_duplicates(source: Path, frames: Sequence[Frame]) -> None:
    """A photo at two poses, or two photos at one, is a mistake that blurs what is learned."""
    if len(frames) > 1 and len({frame.cam_to_world.tobytes() for frame in frames}) == 1:
        raise SceneError(f"{source}: all {len(frames)} cameras have the same pose")
    photos: dict[Path, str] = {}
    poses: dict[bytes, str] = {}
    for frame in frames:
        if frame.photo is None:
            continue
        photo, pose = frame.photo.resolve(), frame.cam_to_world.tobytes()
        if photo in photos:
            raise SceneError(
                f"{source}: frames {photos[photo]} and {frame.name} are the same photo; remove one"
            )
        if pose in poses:
            raise SceneError(
                f"{source}: photos {poses[pose]} and {frame.name} have the same pose; remove one, "
                "or correct it"
            )
        photos[photo] = poses[pose] = frame.name


def _of_one_size(
    train: Sequence[View], test: Sequence[View]
) -> tuple[list[View], list[View], list[str]]:
    """Returns the views at the most common size, and what became of the others."""
    common = Counter(view.size for view in (*train, *test)).most_common(1)[0][0]
    groups: dict[tuple[int, int], list[str]] = defaultdict(list)
    for view in (*train, *test):
        if view.size != common:
            groups[view.size].append(view.path.name)
    notices = []
    for size, names in groups.items():
        what = (
            f"are resized to {common[0]}×{common[1]}, the most common size"
            if same_aspect(size, common)
            else f"are left out: most are {common[0]}×{common[1]}, of another aspect"
        )
        notices.append(f"{len(names)} photos of {size[0]}×{size[1]} {what}: {_listed(names)}")
    fitted = [
        [
            view if view.size == common else view.resized(*common)
            for view in views
            if same_aspect(view.size, common)
        ]
        for views in (train, test)
    ]
    return fitted[0], fitted[1], notices
