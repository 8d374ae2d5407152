"""Checks of the photos themselves: blur, exposure, focal length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from mobile_nelf.cameras import FloatArray
from mobile_nelf.capturing.finding import Finding
from mobile_nelf.capturing.intake import Intake, Photo
from mobile_nelf.capturing.model import Model
from mobile_nelf.capturing.sharpness import blurred
from mobile_nelf.outputs import names_text

__all__ = ["blur", "exposure", "exposures", "focal_lengths", "soft_photos"]

#: Stops between neighbours, of points that both show.
EXPOSURE_STOPS = 0.5
#: A focal length this far from EXIF's is a zoom, a crop, or wrong poses.
FOCAL_SHARE = 0.15


def soft_photos(intake: Intake) -> set[str]:
    """Returns the names of the photos that are blurred against their neighbours."""
    flags = blurred([photo.sharpness for photo in intake.photos])
    return {photo.name for photo, flag in zip(intake.photos, flags, strict=True) if flag}


def blur(intake: Intake) -> Iterator[Finding]:
    """Names blurred photos."""
    soft = soft_photos(intake)
    if soft:
        sources = [photo.source for photo in intake.photos if photo.name in soft]
        yield Finding(
            "blur",
            "warning",
            f"{len(soft)} photos are blurred against their neighbours: {names_text(sources)}",
            "remove them or take them again, slower or in more light",
        )


def exposures(intake: Intake, photos: Path, model: Model) -> dict[str, float]:
    """Returns how much brighter each photo shows the same points than the others do, in stops.

    Least squares over all points that several photos show, in logarithms of linear light.
    """
    rows, values, owners = [], [], []
    names = [photo.name for photo in intake.photos if photo.name in model.photos]
    for index, name in enumerate(names):
        posed = model.photos[name]
        with Image.open(photos / name) as image:
            grey = np.asarray(image.convert("L"), np.float64)
        x = posed.places[:, 0].astype(int).clip(0, grey.shape[1] - 1)
        y = posed.places[:, 1].astype(int).clip(0, grey.shape[0] - 1)
        level = grey[y, x]
        usable = (level > 10) & (level < 245)
        rows.append(posed.points[usable])
        values.append(2.2 * np.log2(level[usable] / 255.0))
        owners.append(np.full(int(usable.sum()), index))
    point, value, owner = map(np.concatenate, (rows, values, owners))
    offset = np.zeros(len(names))
    for _ in range(10):  # by turns: the points' own brightness, then the photos' exposure
        mean = _means(value - offset[owner], point, len(model.points))
        offset = _means(value - mean[point], owner, len(names))
        offset -= np.median(offset)
    return dict(zip(names, offset.tolist(), strict=True))


def _means(values: FloatArray, keys: FloatArray, count: int) -> FloatArray:
    total = np.bincount(keys, weights=values, minlength=count)
    return np.asarray(total / np.maximum(np.bincount(keys, minlength=count), 1), np.float64)


def exposure(intake: Intake, photos: Path, model: Model) -> Iterator[Finding]:
    """Names jumps of the exposure between photos that follow each other."""
    stops = exposures(intake, photos, model)
    jumps = [
        (abs(stops[b.name] - stops[a.name]), b.source) for a, b in _neighbours(intake.photos, stops)
    ]
    large = [(jump, source) for jump, source in jumps if jump > EXPOSURE_STOPS]
    if large:
        yield Finding(
            "exposure",
            "warning",
            f"exposure changes by more than {EXPOSURE_STOPS:g} stops at {len(large)} photos, by "
            f"{max(large)[0]:.1f} at {max(large)[1]}",
            "lock exposure and focus by a long press before the first photo",
        )


def _neighbours(photos: Sequence[Photo], known: Mapping[str, object]) -> list[tuple[Photo, Photo]]:
    listed = [photo for photo in photos if photo.name in known]
    return list(pairwise(listed))


def focal_lengths(intake: Intake, model: Model) -> Iterator[Finding]:
    """Compares the focal lengths that were found with what EXIF says."""
    seen = set()
    for photo in intake.photos:
        group = intake.groups[photo.group]
        if photo.group in seen or photo.name not in model.photos or group.focal is None:
            continue
        seen.add(photo.group)
        focal = model.photos[photo.name].lens.params[0]
        if abs(focal / group.focal - 1.0) > FOCAL_SHARE:
            yield Finding(
                "focal length",
                "warning",
                f"the focal length came out at {focal:.0f} pixels, but EXIF of {photo.source} says "
                f"{group.focal:.0f}",
                "take all photos with one lens and without zoom, and do not crop them",
            )
