"""Whether cameras can be what their file says: one check each, from their geometry alone.

What cannot be is refused, with the likely cause and the mend. What may be meant is a notice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mobile_nelf.cameras import FloatArray, Intrinsics, nearest_to_axes
from mobile_nelf.errors import SceneError
from mobile_nelf.scenes.world import FROM_OPENCV, common_up, faces_forward

__all__ = ["blender_world_notices", "check_lens", "lens_notices", "pose_notices"]

#: Fewer axes than this meet by chance.
FEWEST_CAMERAS = 5
#: Axes of a capture pass their common point within this, see `_Fit.apart`; a phone's by 0.2.
MEET = 0.25
#: Axes of rendered captures meet this closely; no capture by hand does, in any convention.
MEET_SURELY = 0.003
#: Poses may be in another convention only if their axes then meet this many times more closely.
CLEARLY_CLOSER = 4.0
#: Cameras go round something if their axes vary in two directions by this standard deviation.
ROUND = 0.2
#: Nearly all cameras, for poses read in another convention.
NEARLY_ALL = 0.95
#: With fewer cameras than this share looking at the point, no object is circled.
FEW_AHEAD = 0.2
#: With fewer than this share, it is worth a notice.
MOST_AHEAD = 0.75

#: Principal points lie in this middle part of a picture, unless it was cut out of another.
CENTRE = (0.25, 0.75)
#: Middles differ by less than this share of a side; photos with this aspect can lie on their side.
SAME_MIDDLE = 0.02
SIDEWAYS = 1.1
#: Fields of view in degrees of a pinhole: beyond these are a notice, and a refusal.
USUAL_VIEW_DEG = (3.0, 150.0)
WIDEST_VIEW_DEG = 170.0
#: Principal points of pictures this small may be anywhere below one pixel.
TINY_PIXELS = 8

#: Blender scenes have +z up; a world that leans by more is another.
LARGEST_LEAN_DEG = 45.0
#: Cameras of Blender scenes are about 4 units away; encodings are made for such worlds.
USUAL_DISTANCE = (0.4, 20.0)

NORMALISE = "rename the file to transforms.json, whose world is normalised"


class _Fit(NamedTuple):
    """How well cameras look at one point.

    Attributes:
        ahead: share of the cameras that have it before them.
        apart: median distance of their axes from it, relative to the distance of the cameras from
            it or from each other, whichever is smaller: parallel axes meet far away as well.
    """

    ahead: float
    apart: float


class _Convention(NamedTuple):
    """A mistake in which poses are read as something else.

    Attributes:
        what: the poses really are.
        mend: what to do.
        done: what has been done to each pose where that happened in another format.
        undo: takes them [N, 3, 4] to what they should be.
    """

    what: str
    mend: str
    done: str
    undo: Callable[[FloatArray], FloatArray]


def pose_notices(
    poses: FloatArray, source: str, *, own_axes: bool, depths_known: bool = False
) -> list[str]:
    """Checks that cameras look at what they have in common.

    Args:
        poses: [N, 3, 4] `cam_to_world`.
        source: the camera file, for messages.
        depths_known: whether the file tells where something is, so that cameras that fan out in one
            direction need no common point.
        own_axes: whether the file's axes are those of this SDK, OpenGL's, so that a file with
            OpenCV's would not be noticed; COLMAP and LLFF fix theirs.

    Raises:
        SceneError: nearly all look away from it.
    """
    if len(poses) < FEWEST_CAMERAS:
        return []
    fit = _fit(poses)
    # Nearly parallel axes meet anywhere, before or behind the cameras.
    parallel = faces_forward(poses) and (fit is None or fit.apart > MEET)
    found = []
    for convention in CONVENTIONS:
        sure = _explains(convention.undo(poses), fit, parallel=parallel)
        if sure is None:
            continue
        if not own_axes:
            said = (
                f"the cameras look at one point only if each pose is {convention.done}; are the "
                "poses in the convention of this format?"
            )
        elif sure:
            said = f"the poses are {convention.what}; {convention.mend}"
        else:
            said = (
                f"the cameras would look at one point more closely if the poses were "
                f"{convention.what}; if they are, {convention.mend}"
            )
        if sure:
            raise SceneError(f"{source}: {said}")
        found.append(said)
    if fit is None or fit.ahead >= MOST_AHEAD:
        return found
    if parallel:
        return found
    away = round((1.0 - fit.ahead) * len(poses))
    looks = f"{away} of {len(poses)} cameras look away from the point where their axes meet"
    if fit.ahead <= FEW_AHEAD and depths_known and faces_forward(poses):
        return [*found, f"{looks}; the poses are right only if the cameras fan out"]
    if fit.ahead > FEW_AHEAD:
        return [*found, f"{looks}; photos that do not show the object spoil what is learned"]
    opencv = (
        "either the poses have OpenCV axes (x right, y down, z ahead) where this file has x right, "
        "y up, z back: negate the second and third column of each pose; or "
        if own_axes
        else ""
    )
    raise SceneError(
        f"{source}: {looks}: {opencv}the capture is inside-out, such as of a room from its middle, "
        "which is not supported: cameras must look at an object or at one side of a place"
    )


def _fit(poses: FloatArray) -> _Fit | None:
    """None if the axes are parallel."""
    try:
        target = nearest_to_axes(poses)
    except ValueError:
        return None
    towards = target - poses[:, :, 3]
    along = -(towards * poses[:, :, 2]).sum(1)
    off = np.linalg.norm(towards + along[:, None] * poses[:, :, 2], axis=1)
    distance = float(np.median(np.linalg.norm(towards, axis=1)))
    spread = float(np.median(np.linalg.norm(poses[:, :, 3] - poses[:, :, 3].mean(0), axis=1)))
    if min(distance, spread) <= 1e-6 * float(np.abs(poses[:, :, 3]).max()):
        return _Fit(0.0, math.inf)  # all stand on it
    return _Fit(float((along > 0.0).mean()), float(np.median(off)) / min(distance, spread))


def _explains(poses: FloatArray, given: _Fit | None, *, parallel: bool) -> bool | None:
    """Whether poses in another convention are surely the right ones; None if they are not at all.

    Only what goes round tells: nearly parallel axes fit any convention.

    Args:
        poses: [N, 3, 4] in that convention.
        given: how well cameras look at one point by the poses as the file has them.
        parallel: whether their axes are nearly parallel by these.
    """
    fit = _fit(poses)
    axes = poses[:, :, 2]
    if (
        fit is None
        or fit.ahead < NEARLY_ALL
        or faces_forward(poses)
        or np.linalg.svd(axes - axes.mean(0), compute_uv=False)[1] < ROUND * math.sqrt(len(axes))
    ):
        return None
    if parallel:
        return fit.apart <= MEET_SURELY if fit.apart <= MEET else None
    if given is None or (given.ahead < MOST_AHEAD and given.apart > 2.0 * fit.apart):
        return True if fit.apart <= MEET else None
    if given.apart <= max(MEET, CLEARLY_CLOSER * fit.apart):
        return None
    return fit.apart <= MEET_SURELY


def _inverted(poses: FloatArray) -> FloatArray:
    rotations = poses[:, :, :3].transpose(0, 2, 1)
    return np.concatenate([rotations, -rotations @ poses[:, :, 3:]], 2)


def _flipped(poses: FloatArray) -> FloatArray:
    return np.concatenate([poses[:, :, :3] @ FROM_OPENCV, poses[:, :, 3:]], 2)


def _transposed(poses: FloatArray) -> FloatArray:
    return np.concatenate([poses[:, :, :3].transpose(0, 2, 1), poses[:, :, 3:]], 2)


#: OpenCV axes alone are not among them: they cannot be told from a capture that is inside-out.
CONVENTIONS = (
    _Convention(
        "world-to-camera matrices (extrinsics), expected camera-to-world",
        "invert each of them",
        "inverted",
        _inverted,
    ),
    _Convention(
        "world-to-camera matrices with OpenCV axes, expected camera-to-world with OpenGL's",
        "invert each of them, then negate the second and third column",
        "inverted and its y and z axes negated",
        lambda poses: _flipped(_inverted(poses)),
    ),
    _Convention(
        "matrices whose rotation is transposed",
        "transpose the 3×3 rotation of each",
        "transposed in its rotation",
        _transposed,
    ),
    _Convention(
        "matrices whose rotation is transposed, with OpenCV axes",
        "transpose the 3×3 rotation of each, then negate the second and third column",
        "transposed in its rotation and its y and z axes negated",
        lambda poses: _flipped(_transposed(poses)),
    ),
)


def check_lens(lens: Intrinsics, where: str) -> None:
    """Refuses lenses whose numbers are in another unit than pixels.

    Args:
        lens: over the pixels of the photo.
        where: file and photo, for messages.

    Raises:
        SceneError: the field of view is that of no lens, or the principal point lies in a corner.
    """
    for axis, focal, side in (("x", lens.fx, lens.width), ("y", lens.fy, lens.height)):
        view = _view_deg(focal, side)
        if view > WIDEST_VIEW_DEG:
            raise SceneError(
                f"{where}: a focal length f{axis} of {focal:.4g} pixels over {side} is a field of "
                f"view of {view:.0f}°; expected pixels of the photo, not fractions or millimetres"
            )
    small = min(lens.width, lens.height) <= TINY_PIXELS
    if not small and max(lens.cx, lens.cy) <= 1.0:
        raise SceneError(
            f"{where}: the principal point cx {lens.cx:.4g}, cy {lens.cy:.4g} is the corner of the "
            f"photo; expected pixels, about {lens.width / 2:.4g}, {lens.height / 2:.4g}; correct "
            "cx and cy, or remove them"
        )


def lens_notices(lenses: Sequence[tuple[str, Intrinsics]]) -> list[str]:
    """Says which lenses are unusual.

    Args:
        lenses: names of photos, and pinholes over their pixels.
    """
    off = [(name, lens) for name, lens in lenses if not _is_centred(lens)]
    odd = [
        (name, lens)
        for name, lens in lenses
        if not USUAL_VIEW_DEG[0] <= _view_deg(lens.fx, lens.width) <= USUAL_VIEW_DEG[1]
    ]
    squeezed = [(name, lens) for name, lens in lenses if not 0.8 <= lens.fx / lens.fy <= 1.25]
    notices = []
    if off:
        name, lens = off[0]
        notices.append(
            f"the principal point of {len(off)} photos is far from the middle: {lens.cx:.4g}, "
            f"{lens.cy:.4g} in {name} of {lens.width}×{lens.height}; are cx and cy for this size?"
        )
    if odd:
        name, lens = odd[0]
        notices.append(
            f"the field of view of {len(odd)} photos is unusual: "
            f"{_view_deg(lens.fx, lens.width):.3g}° in {name}; is the focal length in pixels?"
        )
    if squeezed:
        name, lens = squeezed[0]
        notices.append(
            f"the focal lengths of {len(squeezed)} photos differ across and down: fx {lens.fx:.4g} "
            f"and fy {lens.fy:.4g} in {name}; pixels are mostly square"
        )
    return notices


def _is_centred(lens: Intrinsics) -> bool:
    width, height = lens.width, lens.height
    # At the middle of the same photo on its side, values are for that.
    on_side = abs(2.0 * lens.cx / height - 1.0), abs(2.0 * lens.cy / width - 1.0)
    if max(on_side) < SAME_MIDDLE and max(width / height, height / width) > SIDEWAYS:
        return False
    return all(CENTRE[0] <= part <= CENTRE[1] for part in (lens.cx / width, lens.cy / height))


def _view_deg(focal: float, side: int) -> float:
    return math.degrees(2.0 * math.atan(0.5 * side / focal))


def blender_world_notices(poses: FloatArray) -> list[str]:
    """Says where cameras [N, 3, 4] are unlike those of Blender scenes, whose world is not moved."""
    notices = []
    try:
        up = common_up(poses[:, :, :3])
    except ValueError:
        return []
    lean = math.degrees(math.acos(float(np.clip(up.direction[2], -1.0, 1.0))))
    if up.known and lean > LARGEST_LEAN_DEG:
        axis = int(np.abs(up.direction).argmax())
        sign = "+" if up.direction[axis] > 0.0 else "−"
        notices.append(
            f"up is {sign}{'xyz'[axis]} by the cameras, but Blender scenes have +z up; turn the "
            f"poses, or {NORMALISE}"
        )
    try:
        target = nearest_to_axes(poses)
    except ValueError:
        return notices
    distance = float(np.median(np.linalg.norm(poses[:, :, 3] - target, axis=1)))
    if not USUAL_DISTANCE[0] <= distance <= USUAL_DISTANCE[1]:
        notices.append(
            f"the cameras are {distance:.3g} units from their target, but those of Blender scenes "
            f"are about 4; scale the world, or {NORMALISE}"
        )
    return notices
