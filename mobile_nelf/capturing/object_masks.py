"""Masks of the object from photos with poses alone: GrabCut in each photo, a hull between them.

The points of the reconstruction tell colours of the object from those around it, and GrabCut cuts
each photo by them. It errs in single photos; the hull that most of its masks carve tells each where
the object can be, and all are cut again. It takes neither a network nor weights. Rother,
Kolmogorov and Blake, "GrabCut", 2004; Laurentini, "The visual hull", 1994.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf.capturing.cells import Places, cube, places
from mobile_nelf.capturing.model import Model, PosedPhoto
from mobile_nelf.capturing.subject import Subject, find_subject
from mobile_nelf.errors import CaptureError
from mobile_nelf.extras import import_extra
from mobile_nelf.progress import Progress

__all__ = ["object_masks"]

Bytes: TypeAlias = npt.NDArray[np.uint8]
Mask: TypeAlias = npt.NDArray[np.bool_]

#: Longer side at which photos are cut; cells along each side of the cube that is carved.
SIDE, CELLS = 240, 72
#: How far from the hull a photo may show the object, in cells: a number for each time that all
#: photos are cut.
SLACKS = (5.0, 3.0, 2.0)
#: Share of the photos that must have a cell inside of their mask.
VOTES = 0.85
#: A cell covers so much more than its own width, so that those beside each other leave no holes.
COVER = 0.75
#: Pixels around a point that are the object's; colours of the background are taken from as far
#: around the object as this share of the longer side.
AROUND_POINT, AROUND_OBJECT = 1.0, 0.15
#: Colours of the object, and of the background, that tell the two apart.
COLOURS = 6400
#: The cube is this much larger than the hull of the round before.
ROOM = 1.1

NO_OBJECT = (
    "give masks of another tool, or photograph the object from all sides, in the middle of each "
    "photo, on something with texture; without the option for the object the same photos make a "
    "scene with their surroundings"
)


@dataclass(frozen=True, eq=False)
class _View:
    """A small photo.

    Attributes:
        photo: its pose and lens.
        scale: pixels of this one a pixel of the photo.
        pixels: [h, w, 3] in OpenCV's order of colours.
        given: [h, w] mask that is not to be changed; None if one is to be made.
        cell: pixels a world unit covers at the object.
        own: where it has the points of the object, seen or hidden.
        other: where it shows points that are not the object's.
    """

    photo: PosedPhoto
    scale: float
    pixels: Bytes
    given: Mask | None
    cell: float
    own: Places
    other: Places

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[0], self.pixels.shape[1]


@dataclass(frozen=True, eq=False)
class _Draft:
    """What is known of a photo before it is cut, [h, w] each: labels of GrabCut, sure pixels."""

    labels: Bytes
    own: Mask
    other: Mask


def object_masks(
    model: Model, photos: Path, given: Mapping[str, Bytes], on_progress: Progress, seed: int = 0
) -> Iterator[tuple[str, Bytes]]:
    """Yields the name of each photo that has a pose, and its mask [H, W], 255 for the object.

    Args:
        model: poses and points.
        photos: folder of the photos.
        given: masks of some photos, which stay as they are and help with the others.
        on_progress: called with a stage, steps done and steps in all.
        seed: of everything random.

    Raises:
        CaptureError: no object can be told from what is around it.
    """
    try:
        subject = find_subject(model, seed)
    except ValueError as error:
        raise CaptureError(f"{error}; {NO_OBJECT}") from error
    views = [
        _view(photo, photos / name, given.get(name), model, subject)
        for name, photo in model.photos.items()
    ]
    masks: list[Mask] = []
    centre, half = subject.centre, subject.radius
    total, done = len(SLACKS) * len(views), 0
    on_progress("object", done, total)
    for slack in SLACKS:
        cells = cube(centre, half, CELLS)
        cells = cells[subject.above(cells) if masks else subject.holds(cells)]
        size = 2.0 * half / CELLS
        seen = [places(view.photo, view.scale, view.shape, cells) for view in views]
        hull = _voted(seen, masks) if masks else np.ones(len(cells), bool)
        drafts = [
            _draft(view, place[hull], size, slack, masks[index] if masks else None)
            for index, (view, place) in enumerate(zip(views, seen, strict=True))
        ]
        colours = _sample(
            np.concatenate([v.pixels[d.own] for v, d in zip(views, drafts, strict=True)]), seed
        )
        masks = []
        for view, draft in zip(views, drafts, strict=True):
            masks.append(_cut(view, draft, colours, seed))
            done += 1
            on_progress("object", done, total)
        left = cells[_voted(seen, masks)]
        if not len(left):
            raise CaptureError(f"no object stands out from what is around it; {NO_OBJECT}")
        lower, upper = left.min(0), left.max(0)
        centre, half = (lower + upper) / 2.0, ROOM * (float((upper - lower).max()) / 2.0 + size)
    for (name, photo), mask in zip(model.photos.items(), masks, strict=True):
        if name in given:
            yield name, given[name]
        else:
            grown = Image.fromarray(mask.astype(np.uint8) * 255)
            full = grown.resize((photo.lens.width, photo.lens.height), Image.Resampling.BILINEAR)
            yield name, np.asarray(full)


def _view(
    photo: PosedPhoto, path: Path, given: Bytes | None, model: Model, subject: Subject
) -> _View:
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    scale = small.width / photo.lens.width
    shape = small.height, small.width
    fixed = None
    if given is not None:
        fixed = np.asarray(Image.fromarray(given).resize(small.size, Image.Resampling.BOX)) > 127
    shown = photo.points[subject.other[photo.points]]
    own = places(photo, scale, shape, model.points[subject.own])
    other = places(photo, scale, shape, model.points[shown])
    distance = float(np.linalg.norm(subject.centre - photo.cam_to_world[:, 3]))
    return _View(
        photo,
        scale,
        np.ascontiguousarray(np.asarray(small)[..., ::-1]),
        fixed,
        photo.lens.params[0] * scale / distance,
        own[own >= 0],
        other[other >= 0],
    )


def _voted(seen: Sequence[Places], masks: Sequence[Mask]) -> Mask:
    """Returns which cells are inside of the masks of most photos that show them."""
    cv2 = import_extra("cv2", "capture")
    inside, shown = np.zeros(len(seen[0])), np.zeros(len(seen[0]))
    for place, mask in zip(seen, masks, strict=True):
        wide = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).ravel()
        here = place >= 0
        inside[here] += wide[place[here]]
        shown += here
    return np.asarray(inside >= VOTES * np.maximum(shown, 0.5 * len(seen)))


def _draft(view: _View, hull: Places, size: float, slack: float, before: Mask | None) -> _Draft:
    """Says of each pixel whether it may be the object.

    Args:
        view: the photo.
        hull: where it has the cells of the hull.
        size: side of a cell.
        slack: how far from them it may show the object, in cells.
        before: the mask so far; None in the first round.
    """
    cv2 = import_extra("cv2", "capture")
    cell = view.cell * size
    drawn = _drawn(view, hull[hull >= 0], COVER * cell)
    possible = cv2.dilate(drawn, _disc(slack * cell))
    labels = np.where(possible > 0, np.uint8(cv2.GC_PR_BGD), np.uint8(cv2.GC_BGD))
    if before is not None:
        labels[drawn > 0] = cv2.GC_PR_FGD
    labels.ravel()[view.other] = cv2.GC_BGD
    labels.ravel()[view.own] = cv2.GC_FGD
    if before is None:
        own = (_drawn(view, view.own, AROUND_POINT) > 0) & (labels != cv2.GC_BGD)
    else:
        own = before & (drawn > 0)
    near = cv2.dilate(possible, _disc(AROUND_OBJECT * max(view.shape))) > 0
    return _Draft(labels, own, (labels == cv2.GC_BGD) & near)


def _cut(view: _View, draft: _Draft, colours: Bytes, seed: int) -> Mask:
    """Cuts a photo by the colours of the object in all photos and of the background in this one."""
    if view.given is not None:
        return view.given
    cv2 = import_extra("cv2", "capture")
    if not draft.other.any():  # it fills the photo
        return np.asarray(draft.labels != cv2.GC_BGD)
    pixels = np.concatenate([colours, _sample(view.pixels[draft.other], seed)])
    known = np.repeat(np.array([cv2.GC_FGD, cv2.GC_BGD], np.uint8), COLOURS)
    mixtures = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(seed)
    shape = 160, -1
    cv2.grabCut(
        np.ascontiguousarray(pixels.reshape(*shape, 3)),
        known.reshape(shape),
        None,
        *mixtures,
        2,
        cv2.GC_INIT_WITH_MASK,
    )
    labels = draft.labels.copy()
    cv2.grabCut(view.pixels, labels, None, *mixtures, 1, cv2.GC_EVAL_FREEZE_MODEL)
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))


def _sample(pixels: Bytes, seed: int) -> Bytes:
    """Returns as many pixels as tell colours, [COLOURS, 3]."""
    return pixels[np.random.default_rng(seed).choice(len(pixels), COLOURS)]


def _drawn(view: _View, points: Places, radius: float) -> Bytes:
    """Returns a picture [h, w] of discs around pixels."""
    cv2 = import_extra("cv2", "capture")
    picture = np.zeros(view.shape, np.uint8)
    picture.ravel()[points] = 1
    return np.asarray(cv2.dilate(picture, _disc(radius)), np.uint8)


def _disc(radius: float) -> Bytes:
    half = round(radius)
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    return np.asarray(x * x + y * y <= (radius + 0.3) ** 2, np.uint8)
