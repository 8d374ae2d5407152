"""Checks of a capture, each on one that was changed so that it must be named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mobile_nelf.capturing.checks import reasons
from mobile_nelf.capturing.finding import Finding
from mobile_nelf.capturing.photo_checks import exposures
from mobile_nelf.capturing.structure import Matched
from tests.helpers.phone import (
    PHOTO_COUNT,
)


def test_too_few_photos_with_a_pose_fail_and_name_the_cause(captured, found):
    names = found.structure.registered
    some = replace(found.structure, registered=names[:9])
    finding = found.checks(structure=some)["registered"]
    assert finding.level == "error"
    assert f"9 of {PHOTO_COUNT} photos have a pose" in finding.text
    most = replace(found.structure, registered=names[:12])
    assert found.checks(structure=most)["registered"].level == "warning"
    told = reasons(captured.intake, replace(some, others=((names[9], names[10]),)))
    assert "second model" in told[names[9]]
    lonely = {**some.matched, names[12]: Matched(900, 0, 0)}
    assert "shares no details" in reasons(captured.intake, replace(some, matched=lonely))[names[12]]
    plain = {**some.matched, names[12]: Matched(20, 0, 0)}
    assert "only 20 features" in reasons(captured.intake, replace(some, matched=plain))[names[12]]


def test_a_second_model_is_named(found):
    names = found.structure.registered
    split = replace(found.structure, registered=names[:8], others=(names[8:],))
    assert (
        "5 photos fit each other but not the rest"
        in found.checks(structure=split)["second model"].text
    )


def test_blurred_photos_are_named(captured, found):
    photos = list(captured.intake.photos)
    photos[4] = replace(photos[4], sharpness=0.1 * photos[4].sharpness)
    finding = found.checks(intake=replace(captured.intake, photos=tuple(photos)))["blur"]
    assert photos[4].source in finding.text


def test_a_jump_of_the_exposure_is_found_by_the_points_that_photos_share(captured, found):
    name = captured.intake.photos[6].name
    dark = np.asarray(Image.open(found.folder / name)).astype(float)
    Image.fromarray((dark * 2 ** (-1 / 2.2)).round().astype(np.uint8)).save(found.folder / name)
    stops = exposures(captured.intake, found.folder, captured.model)
    assert stops[name] == pytest.approx(-1.0, abs=0.15)
    assert "exposure changes" in found.checks()["exposure"].text


def test_a_focal_length_unlike_exif_is_named(captured, found):
    groups = tuple(replace(group, focal=1.4 * group.focal) for group in captured.intake.groups)
    finding = found.checks(intake=replace(captured.intake, groups=groups))["focal length"]
    assert "but EXIF of IMG_" in finding.text


def test_a_pose_far_from_its_neighbours_is_named(captured, found):
    posed = dict(captured.model.photos)
    name = captured.intake.photos[4].name
    moved = posed[name].cam_to_world.copy()
    moved[:, 3] *= -12.0
    posed[name] = replace(posed[name], cam_to_world=moved)
    finding = found.checks(model=replace(captured.model, photos=posed))["jump"]
    assert captured.intake.photos[4].source in finding.text


def _changed(finding: dict[str, Finding], usual: dict[str, Finding]) -> set[str]:
    return finding.keys() - usual.keys()


def test_points_that_miss_their_photos_are_named(captured, found):
    usual = found.checks()
    bad = replace(captured.model, reprojection=2.4)
    said = found.checks(model=bad)
    assert _changed(said, usual) == {"reprojection"}
    assert said["reprojection"].text.startswith("points are 2.40 pixels off")
    assert said["reprojection"].level == "warning"


def test_points_that_few_photos_show_are_named(captured, found):
    """Of each point, two sights alone are left."""
    seen = np.zeros(len(captured.model.points), int)
    posed = {}
    for name, photo in captured.model.photos.items():
        kept = seen[photo.points] < 2
        seen[photo.points] += 1
        posed[name] = replace(photo, points=photo.points[kept], places=photo.places[kept])
    sights = sum(len(photo.points) for photo in posed.values())
    short = replace(captured.model, photos=posed, track_length=sights / len(seen))
    said = found.checks(model=short)
    assert "tracks" in _changed(said, found.checks())
    assert said["tracks"].text.startswith("a point is seen in 2.0 photos on average")


def test_photos_on_the_wrong_side_are_named_as_a_fold(captured, found):
    """Four of 13 stand where others do, and their points are doubles of those of another side."""
    names = [photo.name for photo in captured.intake.photos]
    posed = dict(captured.model.photos)
    for name, other in zip(names[:4], names[6:10], strict=True):
        doubles = posed[name].points + len(captured.model.points)
        posed[name] = replace(posed[name], cam_to_world=posed[other].cam_to_world, points=doubles)
    points = np.concatenate([captured.model.points] * 2)
    said = found.checks(model=replace(captured.model, photos=posed, points=points))
    assert said["fold"].level == "error"
    assert "share nothing with those that would be taken from beside them" in said["fold"].text


def test_a_lens_that_was_simplified_is_named(captured, found):
    simplified = replace(found.structure, simplified=(captured.intake.photos[2].name,))
    finding = found.checks(structure=simplified)["distortion"]
    assert captured.intake.photos[2].source in finding.text
    assert finding.level == "warning"


def test_gaps_and_a_single_height_are_named(captured, found):
    scene = captured.result.scene
    ring_of = [v for v in scene.train if v.camera.position[0] > 0]
    half = replace(scene, train=tuple(ring_of), test=())
    assert "around the object" in found.checks(scene=half)["gap"].text
    views = (*scene.train, *scene.test)
    low = replace(
        scene, train=tuple(sorted(views, key=lambda v: v.camera.position[2])[:5]), test=()
    )
    assert "one height" in found.checks(scene=low)["elevation"].text


def test_masks_that_contradict_the_shape_fail_the_capture(captured, found):
    names = list(captured.model.photos)
    overlaps = dict.fromkeys(names, 0.86)
    assert "silhouettes" not in found.checks(overlaps=overlaps)
    wrong = {**overlaps, names[2]: 0.41, names[7]: 0.6}
    finding = found.checks(overlaps=wrong)["silhouettes"]
    assert finding.level == "error"
    assert "2 masks contradict the shape" in finding.text
    assert "down to an overlap of 41% where 86% is usual" in finding.text
    poor = found.checks(overlaps=dict.fromkeys(names, 0.5))["silhouettes"]
    assert poor.level == "warning"
    nothing = found.checks(overlaps=dict.fromkeys(names, 0.2))["silhouettes"]
    assert nothing.level == "error"
    assert "either may be wrong" in nothing.advice


def test_what_looks_like_a_turntable_is_proposed(found):
    assert "repeat it as a turntable" in found.checks(turntable=True)["turntable"].advice
