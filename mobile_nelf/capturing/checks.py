"""What is wrong with a capture, and what to photograph next.

The share of photos with a pose and the reprojection error alone prove nothing: wrong poses may look
better than right ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from mobile_nelf.capturing.finding import Finding
from mobile_nelf.capturing.folds import folded
from mobile_nelf.capturing.intake import Intake
from mobile_nelf.capturing.model import Model
from mobile_nelf.capturing.photo_checks import blur, exposure, focal_lengths, soft_photos
from mobile_nelf.capturing.silhouettes import contradicting
from mobile_nelf.capturing.structure import ENOUGH_SHARE, Structure
from mobile_nelf.outputs import names_text
from mobile_nelf.scenes import Scene

__all__ = ["find", "no_scene", "nothing_fits", "reasons", "silhouette_findings"]

#: Share of the photos with a pose below which there is a warning.
GOOD_SHARE = 0.95
#: Share of the photos in a second model that is worth a warning.
SECOND_SHARE = 0.1
#: Reprojection error in pixels of a picture of 1,600; photos in which a point is seen.
LARGE_ERROR = 1.0
ERROR_SIDE = 1600
SHORT_TRACKS = 3.0
#: Degrees without a photo; range of elevations that shows an object from above and from the side.
GAP_DEG = 40.0
FLAT_DEG = 10.0
#: Cameras this far up see all sides; their azimuth means little.
STEEP_DEG = 70.0
#: A photo this many times farther from its neighbours in time than those from each other.
JUMP_TIMES = 6.0
#: Wrong poses of more than this share fail the capture.
WRONG_SHARE = 0.05
#: The same for photos that share nothing with those beside them, which may be right where photos
#: are few.
FOLDED_SHARE = 0.15
#: Masks that overlap the hull of all by less are poor, or poses are.
GOOD_OVERLAP = 0.7
#: Below this no shape fits the masks from where the poses see it; thin objects reach 0.5.
LEAST_OVERLAP = 0.35
#: Fewer photos than these leave much to guess.
FEW_PHOTOS = 20
#: Of a photo that shares nothing with others.
FEW_FEATURES = 200


def find(
    intake: Intake,
    photos: Path,
    structure: Structure,
    model: Model,
    scene: Scene | None,
    overlaps: Mapping[str, float] | None = None,
    turntable: bool = False,
    more: Iterable[Finding] = (),
) -> list[Finding]:
    """Returns what all checks found, errors first.

    Args:
        intake: all photos.
        photos: their folder.
        structure: how they were placed.
        model: the best reconstruction.
        scene: that was written of it; None if it makes none.
        overlaps: of each mask with the hull of the others, see `silhouettes.agreement`.
        turntable: it looks as if the object turned, and the capture was not told.
        more: what was found out elsewhere.
    """
    found = [
        *_registered(intake, structure),
        *_left_out(intake),
        *_second_model(intake, structure),
        *_quality(model),
        *(_coverage(scene) if scene else ()),
        *blur(intake),
        *exposure(intake, photos, model),
        *focal_lengths(intake, model),
        *_distortion(intake, structure),
        *_jumps(intake, model),
        *_folded(intake, structure, model),
        *silhouette_findings(intake, overlaps or {}),
        *_turntable(turntable),
        *more,
    ]
    order = ("error", "warning", "note")
    return sorted(found, key=lambda finding: order.index(finding.level))


def nothing_fits(intake: Intake, structure: Structure) -> Finding:
    """Returns what is said where no three photos have a pose."""
    matched = structure.matched.values()
    features = sorted(photo.features for photo in matched)
    few = f"; the median photo has {features[len(features) // 2]} features" if features else ""
    return Finding(
        "registered",
        "error",
        f"no three of the {len(intake.photos)} photos fit together; "
        f"{sum(photo.partners > 0 for photo in matched)} of them share details with another{few}",
        "take more photos, each 10° to 15° from the last one, of something with texture, and put a "
        "newspaper under a plain object",
    )


def no_scene(why: str) -> Finding:
    """Returns what is said where poses were found that make no scene."""
    return Finding(
        "scene",
        "error",
        f"the poses that were found make no scene: {why}",
        "take more photos, from more sides, each 10° to 15° from the last one",
    )


def reasons(intake: Intake, structure: Structure) -> dict[str, str]:
    """Says of each photo without a pose why it has none."""
    soft = soft_photos(intake)
    elsewhere = {name for names in structure.others for name in names}
    told = {}
    for photo in intake.photos:
        if photo.name in structure.registered:
            continue
        matched = structure.matched.get(photo.name)
        if photo.name in elsewhere:
            why = "belongs to a second model that shares nothing with the first"
        elif matched is None or matched.features < FEW_FEATURES:
            features = matched.features if matched else 0
            why = f"has only {features} features"
        elif matched.partners == 0:
            why = "shares no details with another photo"
        else:
            why = f"shares details with {matched.partners} photos, too few or contradictory ones"
        told[photo.name] = f"{why}; it is blurred" if photo.name in soft else why
    return told


def _registered(intake: Intake, structure: Structure) -> Iterator[Finding]:
    count, given = len(structure.registered), len(intake.photos)
    if count >= GOOD_SHARE * given:
        return
    why = reasons(intake, structure)
    named = [photo.source for photo in intake.photos if photo.name in why]
    first = next(photo for photo in intake.photos if photo.name in why)
    yield Finding(
        "registered",
        "error" if count < ENOUGH_SHARE * given else "warning",
        f"{count} of {given} photos have a pose; without one: {names_text(named)}; {first.source} "
        f"{why[first.name]}",
        "photograph the ways between those photos and the others, 10° to 15° a step, and put "
        "something with texture under a plain object",
    )


def _left_out(intake: Intake) -> Iterator[Finding]:
    if intake.left_out:
        first = intake.left_out[0]
        more = f", and {len(intake.left_out) - 1} more" if len(intake.left_out) > 1 else ""
        yield Finding(
            "unreadable",
            "warning",
            f"{first.source} is left out: {first.reason}{more}",
            "convert the files, or remove them",
        )


def _second_model(intake: Intake, structure: Structure) -> Iterator[Finding]:
    large = [names for names in structure.others if len(names) >= SECOND_SHARE * len(intake.photos)]
    if large:
        sources = {photo.name: photo.source for photo in intake.photos}
        yield Finding(
            "second model",
            "warning",
            f"{len(large[0])} photos fit each other but not the rest, such as "
            f"{names_text([sources[name] for name in large[0]])}",
            "take photos that show the object from in between; if its sides look alike, put a "
            "newspaper or the printed board under it",
        )


def _quality(model: Model) -> Iterator[Finding]:
    lens = next(iter(model.photos.values())).lens
    scaled = model.reprojection * ERROR_SIDE / max(lens.width, lens.height, ERROR_SIDE / 4)
    if scaled > LARGE_ERROR * 2 or model.reprojection > LARGE_ERROR * 1.5:
        yield Finding(
            "reprojection",
            "warning",
            f"points are {model.reprojection:.2f} pixels off their photos, expected less than 1",
            "hold the phone still, lock focus and zoom, and keep everything in the scene unmoved",
        )
    if model.track_length < SHORT_TRACKS:
        yield Finding(
            "tracks",
            "warning",
            f"a point is seen in {model.track_length:.1f} photos on average, expected 3 or more",
            "take photos closer to each other",
        )


def _distortion(intake: Intake, structure: Structure) -> Iterator[Finding]:
    if structure.simplified:
        sources = {photo.name: photo.source for photo in intake.photos}
        yield Finding(
            "distortion",
            "warning",
            "the lens came out with a distortion that folds inside the picture, so a simpler lens "
            f"is used, for {names_text([sources[name] for name in structure.simplified])} and all "
            "photos like it",
            "look at the cameras in capture.html, since wrong poses bend lenses; else take more "
            "photos, from more sides, with the main lens and without zoom",
        )


def _coverage(scene: Scene) -> Iterator[Finding]:
    views = (*scene.train, *scene.test)
    if len(views) < FEW_PHOTOS:
        yield Finding(
            "few photos",
            "warning",
            f"only {len(views)} photos have a pose",
            "take 40 to 100, or 60 to 90 seconds of video",
        )
    if scene.extent == "forward":
        yield Finding(
            "coverage",
            "note",
            "all photos are taken from one side; the object is shown from there alone",
            "walk around the object to show it from all sides",
        )
        return
    offsets = np.stack([view.camera.position for view in views]) - scene.orbit.target
    local = offsets @ scene.orbit.basis().T
    elevation = np.degrees(np.arcsin(local[:, 2] / np.linalg.norm(local, axis=1)))
    low = local[np.abs(elevation) < STEEP_DEG]
    azimuth = np.sort(np.degrees(np.arctan2(low[:, 1], low[:, 0])))
    gaps = np.diff(np.append(azimuth, azimuth[0] + 360.0)) if len(azimuth) else np.array([360.0])
    wide = [gap for gap in gaps if gap > GAP_DEG]
    if wide:
        text = (
            f"a gap of {wide[0]:.0f}°"
            if len(wide) == 1
            else (f"{len(wide)} gaps, the widest of {max(wide):.0f}°")
        )
        yield Finding(
            "gap",
            "warning",
            f"the photos leave {text} around the object",
            "photograph the missing sides, neighbours at most 15° apart, and close the ring",
        )
    if elevation.max() - elevation.min() < FLAT_DEG:
        yield Finding(
            "elevation",
            "warning",
            f"all photos are taken from one height, {elevation.min():.0f}° to "
            f"{elevation.max():.0f}° up",
            "add a second ring at another height, 20° to 30° higher or lower",
        )


def _jumps(intake: Intake, model: Model) -> Iterator[Finding]:
    """Photos that lie far from those before and after them, while those lie near each other."""
    listed = [photo for photo in intake.photos if photo.name in model.photos]
    if len(listed) < 5:
        return
    places = np.stack([model.photos[photo.name].cam_to_world[:, 3] for photo in listed])
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    across = np.linalg.norm(places[2:] - places[:-2], axis=1)
    usual = float(np.median(steps))
    apart = np.minimum(steps[:-1], steps[1:])
    far = (apart > JUMP_TIMES * usual) & (apart > 2.0 * across)
    names = [listed[index + 1].source for index in np.flatnonzero(far)]
    if names:
        yield Finding(
            "jump",
            "warning",
            f"{len(names)} photos have poses far from those taken before and after them: "
            f"{names_text(names)}",
            "look at them in capture.html; if their poses are wrong, remove them and repeat",
        )


def _folded(intake: Intake, structure: Structure, model: Model) -> Iterator[Finding]:
    count = len(intake.photos)
    every = len(structure.pairs) == count * (count - 1) // 2
    wrong = folded(model, None if every else structure.pairs)
    if wrong:
        sources = [photo.source for photo in intake.photos if photo.name in wrong]
        yield Finding(
            "fold",
            "error" if len(wrong) > FOLDED_SHARE * len(model.photos) else "warning",
            f"{len(wrong)} photos share nothing with those that would be taken from beside them, "
            f"so their poses may be wrong: {names_text(sources)}",
            "the sides of the object look alike: put a newspaper under it, or take photos from "
            "in between; remove these photos if they are few",
        )


def silhouette_findings(intake: Intake, overlaps: Mapping[str, float]) -> Iterator[Finding]:
    """Names photos whose masks contradict the hull; see `silhouettes.agreement`."""
    if not overlaps:
        return
    usual = float(np.median(list(overlaps.values())))
    flags = contradicting(np.array(list(overlaps.values())))
    named = {name for name, flag in zip(overlaps, flags, strict=True) if flag}
    wrong = [photo for photo in intake.photos if photo.name in named]
    if wrong:
        least = min(overlaps[photo.name] for photo in wrong)
        yield Finding(
            "silhouettes",
            "error" if len(wrong) > WRONG_SHARE * len(overlaps) else "warning",
            f"{len(wrong)} masks contradict the shape that the others carve, down to an overlap of "
            f"{least:.0%} where {usual:.0%} is usual: "
            f"{names_text([photo.source for photo in wrong])}",
            "look at them in capture.html: correct the masks and give them with masks, or remove "
            "the photos whose poses are wrong",
        )
    elif usual < GOOD_OVERLAP:
        yield Finding(
            "silhouettes",
            "error" if usual < LEAST_OVERLAP else "warning",
            f"masks overlap the shape that all of them carve by {usual:.0%}, expected 80 % or more",
            "look at masks and cameras in capture.html: either may be wrong",
        )


def _turntable(seen: bool) -> Iterator[Finding]:
    if seen:
        yield Finding(
            "turntable",
            "warning",
            "the border of the photos stands still while their middle moves",
            "if the object turned and the camera did not, repeat it as a turntable",
        )
