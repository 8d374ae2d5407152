"""From frames of a camera file to a scene: what all readers do alike."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mobile_nelf.cameras import Camera, FloatArray, Intrinsics, nearest_to_axes
from mobile_nelf.errors import SceneError
from mobile_nelf.scenes.lens import DistortedLens
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.view import View
from mobile_nelf.scenes.world import common_up, faces_forward, world_similarity

__all__ = ["Frame", "normalised_scene", "scene_as_given"]

#: Formats without a test split keep every so many frames for testing, the first among them.
HOLD_OUT = 8
#: Sizes whose aspects differ by less are the same picture at two scales; scaling rounds sides.
ASPECT_TOLERANCE = 0.01
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
        lens: over the photo's pixels; None without a photo.
    """

    name: str
    photo: Path | None
    cam_to_world: FloatArray
    lens: Intrinsics | DistortedLens | None


def normalised_scene(
    path: Path,
    source: Path,
    frames: Sequence[Frame],
    *,
    depths: tuple[float, float] | None = None,
    notices: Sequence[str] = (),
) -> Scene:
    """Makes a scene of frames in a world of any place, turn and scale; every eighth is for testing.

    The world is normalised by all frames, with and without a photo, so a copy that lacks some keeps
    its world.

    Args:
        path: the folder.
        source: the camera file, for messages.
        frames: in the order of their names.
        depths: nearest and farthest depth where something is, in units of the file, if known.
        notices: what the reader has to say.

    Raises:
        SceneError: there is no training photo, a photo or pose is there twice, a photo cannot be
            read, or the cameras look at nothing in common.
    """
    if not frames:
        raise SceneError(f"{source}: has no frames")
    _refuse_duplicates(source, frames)
    poses = np.stack([frame.cam_to_world for frame in frames])
    forward = faces_forward(poses)
    try:
        if forward and depths:
            # Half of the parallax is in front of this depth, half behind.
            focus = 2.0 / (1.0 / depths[0] + 1.0 / depths[1])
            ahead = -poses[:, :, 2].mean(0)
            target = poses[:, :, 3].mean(0) + focus * ahead / np.linalg.norm(ahead)
        else:
            target = nearest_to_axes(poses)
        up = common_up(poses[:, :, :3])
        similarity = world_similarity(poses, target, up.direction)
    except ValueError as error:
        raise SceneError(f"{source}: {error}") from error
    moved = [replace(frame, cam_to_world=similarity.pose(frame.cam_to_world)) for frame in frames]
    return _scene(
        path,
        source,
        [frame for index, frame in enumerate(moved) if index % HOLD_OUT],
        moved[::HOLD_OUT],
        (*notices, *(() if up.known else (UP_GUESSED,))),
        target=np.zeros(3),
        forward=forward,
        depths=(similarity.scale * depths[0], similarity.scale * depths[1]) if depths else None,
    )


def scene_as_given(
    path: Path, source: Path, train: Sequence[Frame], test: Sequence[Frame]
) -> Scene:
    """Makes a scene of frames whose world is used as it is.

    Raises:
        SceneError: there is no training photo, a photo or pose is there twice, a photo cannot be
            read, or the cameras look at nothing in common.
    """
    _refuse_duplicates(source, train)
    _refuse_duplicates(source, test)
    return _scene(path, source, train, test, ())


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
) -> Scene:
    train_views, test_views = _views(train), _views(test)
    if not train_views:
        raise SceneError(f"{source}: none of the {len(train)} training images exists")
    train_views, test_views, resized = _of_one_size(train_views, test_views)
    return Scene.from_views(
        path,
        train_views,
        test_views,
        [frame.name for frame in (*train, *test) if frame.photo is None],
        target=target,
        forward=forward,
        depths=depths,
        notices=(*notices, *resized),
    )


def _views(frames: Sequence[Frame]) -> list[View]:
    views = []
    for frame in frames:
        if frame.photo is None or frame.lens is None:
            continue
        if isinstance(frame.lens, DistortedLens):
            camera = Camera(frame.cam_to_world, frame.lens.pinhole())
            views.append(View(frame.photo, camera, frame.lens))
        else:
            views.append(View(frame.photo, Camera(frame.cam_to_world, frame.lens)))
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
            if _same_aspect(size, common)
            else f"are left out: most are {common[0]}×{common[1]}, of another aspect"
        )
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        notices.append(
            f"{len(names)} photos of {size[0]}×{size[1]} {what}: "
            f"{', '.join(names[:NAMES_SHOWN])}{more}"
        )
    fitted = [
        [
            view if view.size == common else view.resized(*common)
            for view in views
            if _same_aspect(view.size, common)
        ]
        for views in (train, test)
    ]
    return fitted[0], fitted[1], notices


def _same_aspect(size: tuple[int, int], other: tuple[int, int]) -> bool:
    return abs(size[0] * other[1] / (size[1] * other[0]) - 1.0) < ASPECT_TOLERANCE
