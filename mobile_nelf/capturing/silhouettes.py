"""Do masks and poses agree: each mask against the hull that the other masks carve.

Votes instead of an intersection: a few wrong poses would carve everything away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import FloatArray, nearest_to_axes
from mobile_nelf.capturing.cells import Places, cube, places
from mobile_nelf.capturing.model import PosedPhoto
from mobile_nelf.extras import import_extra

__all__ = ["Silhouette", "agreement", "contradicting", "object_ball", "silhouette"]

#: Cells along each side of the cube; masks are shrunk until a pixel is about as wide as a cell.
CELLS = 48
MASK_PIXELS = 96
#: Share of the views that must show a cell inside: at first, when some are wrong, and of those that
#: agree.
FIRST_VOTES, LAST_VOTES = 0.65, 0.9
#: Times that those with the largest overlap are taken for right, whatever the others are, and their
#: share of all (least trimmed squares: Rousseeuw and Van Driessen, 1999). Wrong poses in a row
#: would spoil the hull otherwise until nothing stands out. Then, times that all vote who agree.
CONCENTRATIONS, CONSENSUS = 5, 0.6
ROUNDS = 4
#: A mask contradicts the hull if it overlaps less than the median one, as intersection over union,
#: by this much and by so many standard deviations of them all.
LEAST_DROP, DEVIATIONS = 0.12, 2.0
#: Standard deviation of a normal distribution whose median absolute deviation is 1.
NORMAL = 1.4826


class Silhouette(NamedTuple):
    """A small mask of a photo with a pose.

    Attributes:
        photo: its pose and lens.
        mask: [h, w] where the object is.
        scale: pixels of the mask a pixel of the photo.
    """

    photo: PosedPhoto
    mask: npt.NDArray[np.bool_]
    scale: float


def silhouette(photo: PosedPhoto, mask: npt.NDArray[np.uint8]) -> Silhouette:
    """Shrinks the mask [H, W] of a photo."""
    cv2 = import_extra("cv2", "capture")
    scale = min(1.0, MASK_PIXELS / max(mask.shape))
    size = max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale))
    small = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    return Silhouette(photo, small > 127, scale)


def agreement(silhouettes: Mapping[str, Silhouette]) -> dict[str, float]:
    """Returns the overlap of each mask with the hull of those that agree, without its own vote.

    At first the views that agree most have the vote, then all that do not contradict them. Nothing
    is returned where all cameras look the same way, and so at no common point.
    """
    names = list(silhouettes)
    views = [silhouettes[name] for name in names]
    try:
        centre, half = object_ball(views)
    except ValueError:
        return {}
    cells = cube(centre, half, CELLS)
    looked = [places(view.photo, view.scale, view.mask.shape, cells) for view in views]
    seen = np.stack([place >= 0 for place in looked])
    inside = np.stack([view.mask.ravel()[place] for view, place in zip(views, looked, strict=True)])
    inside &= seen
    voters, share = np.ones(len(views), bool), FIRST_VOTES
    overlap = np.zeros(len(views))
    for turn in range(CONCENTRATIONS + ROUNDS):
        for index, view in enumerate(views):
            others = voters.copy()
            others[index] = False
            votes = inside[others].sum(0)
            hull = votes >= share * np.maximum(seen[others].sum(0), 0.5 * others.sum())
            overlap[index] = _overlap(view.mask, looked[index][hull & seen[index]])
        if turn < CONCENTRATIONS:
            kept = overlap >= np.quantile(overlap, 1.0 - CONSENSUS)
        else:
            kept = ~contradicting(overlap)
            if (kept == voters).all():
                break
        voters, share = kept, LAST_VOTES
    return dict(zip(names, overlap.tolist(), strict=True))


def contradicting(overlap: FloatArray) -> npt.NDArray[np.bool_]:
    """Returns which of the overlaps [N] are much smaller than is usual among them."""
    below = float(np.median(overlap)) - overlap
    spread = NORMAL * float(np.median(np.abs(below)))
    return np.asarray(below > max(LEAST_DROP, DEVIATIONS * spread))


def object_ball(views: list[Silhouette]) -> tuple[FloatArray, float]:
    """Returns the point that all cameras look at, and how far the object reaches from there.

    Raises:
        ValueError: all cameras look in the same direction.
    """
    centre = nearest_to_axes([view.photo.cam_to_world for view in views])
    reaches = []
    for view in views:
        rows, columns = np.nonzero(view.mask)
        if not len(rows):
            continue
        pose = view.photo.cam_to_world
        local = (centre - pose[:, 3]) @ pose[:, :3]
        middle = view.photo.lens.pixels(np.array([[local[0], -local[1]]]) / -local[2])[0]
        away = np.hypot(
            (columns + 0.5) / view.scale - middle[0], (rows + 0.5) / view.scale - middle[1]
        )
        reaches.append(float(np.percentile(away, 98)) * -local[2] / view.photo.lens.params[0])
    return centre, 1.3 * float(np.median(reaches)) if reaches else 1.0


def _overlap(mask: npt.NDArray[np.bool_], shown: Places) -> float:
    """Intersection over union of a mask and of cells as they appear in it."""
    cv2 = import_extra("cv2", "capture")
    drawn = np.zeros(mask.shape, np.uint8)
    drawn.ravel()[shown] = 1
    drawn = cv2.morphologyEx(drawn, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0
    union = int((drawn | mask).sum())
    return float((drawn & mask).sum()) / union if union else 0.0
