"""Masks of an object that stands in the middle, from photos with poses."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mobile_nelf.cameras import look_at
from mobile_nelf.capturing.intake import Group, Intake, Photo
from mobile_nelf.capturing.masks import found_masks, made_masks, read_mask
from mobile_nelf.capturing.model import Model, PosedPhoto
from mobile_nelf.capturing.object_masks import object_masks
from mobile_nelf.capturing.options import CaptureOptions
from mobile_nelf.capturing.subject import find_subject
from mobile_nelf.errors import CaptureError, InputError
from mobile_nelf.lenses import DistortedLens
from mobile_nelf.progress import silent
from tests.helpers.phone import LENS, LOWER, UPPER, box_mask, red_box_photo, ring

TRUE_LENS = DistortedLens("SIMPLE_PINHOLE", LENS.width, LENS.height, (LENS.fx, LENS.cx, LENS.cy))
#: Intersection over union with the truth: asked of a capture, mean and least of all photos.
ASKED, LEAST = 0.85, 0.75


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """Photos of a red box, and a reconstruction of them as it would be found."""
    folder = tmp_path_factory.mktemp("box")
    (folder / "0").mkdir()
    rng = np.random.default_rng(0)
    sides = rng.uniform(LOWER, UPPER, (500, 3))
    face = rng.integers(0, 3, 500)
    sides[np.arange(500), face] = np.where(rng.uniform(size=500) < 0.5, LOWER[face], UPPER[face])
    table = np.append(rng.uniform(-3, 3, (1500, 2)), np.zeros((1500, 1)), 1)
    points = np.concatenate([sides, table + rng.normal(0, 0.003, table.shape)])
    photos, masks, listed = {}, {}, []
    for number, camera in enumerate(ring(12)):
        name = f"0/{number:04d}.png"
        masks[name] = box_mask(camera)
        Image.fromarray(red_box_photo(camera)).save(folder / name)
        local = (points - camera.position) @ camera.cam_to_world[:, :3]
        x = (LENS.cx - LENS.fx * local[:, 0] / local[:, 2]).astype(int)
        y = (LENS.cy + LENS.fx * local[:, 1] / local[:, 2]).astype(int)
        seen = (x >= 0) & (x < LENS.width) & (y >= 0) & (y < LENS.height) & (local[:, 2] < 0)
        seen[seen] &= masks[name][y[seen], x[seen]] == (np.flatnonzero(seen) < 500)
        shown = np.flatnonzero(seen & (rng.uniform(size=len(points)) < 0.4))
        photos[name] = PosedPhoto(
            camera.cam_to_world, TRUE_LENS, shown, np.stack([x, y], 1)[shown].astype(float)
        )
        listed.append(Photo(name, f"IMG_{number}.jpg", 0, 100.0, 120.0))
    group = Group("", "", LENS.width, LENS.height, None)
    intake = Intake(tuple(listed), (group,))
    return SimpleNamespace(
        folder=folder, model=Model(photos, points, 0.5, 5.0), masks=masks, intake=intake
    )


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    return (first & second).sum() / (first | second).sum()


def test_what_stands_on_a_table_is_cut_out(box):
    stages = []
    found = dict(object_masks(box.model, box.folder, {}, lambda *said: stages.append(said)))
    overlaps = [_overlap(found[name] > 127, true) for name, true in box.masks.items()]
    assert np.mean(overlaps) > ASKED
    assert min(overlaps) > LEAST
    assert stages[0] == ("object", 0, 36)
    assert stages[-1] == ("object", 36, 36)


def test_the_table_and_the_points_on_it_are_told_from_the_object(box):
    subject = find_subject(box.model)
    assert subject.up == pytest.approx([0, 0, 1], abs=0.01)
    assert subject.table == pytest.approx(0.0, abs=0.01)
    # Those on its bottom, and beside it, count as the table's.
    assert subject.own[:500].mean() > 0.6
    assert not subject.own[500:].any()
    assert np.abs(subject.centre - (LOWER + UPPER) / 2).max() < 0.1
    assert subject.radius > np.linalg.norm(UPPER - LOWER) / 2


def test_masks_that_are_given_stay_and_may_be_of_some_photos(box, tmp_path):
    photo = box.intake.photos[4]
    (tmp_path / "given").mkdir()
    painted = np.zeros((LENS.height, LENS.width), np.uint8)
    painted[60:200, 90:210] = 255
    Image.fromarray(painted).save(tmp_path / "given" / "IMG_4.png")
    options = CaptureOptions(masks=str(tmp_path / "given"), object=True)
    masks = tmp_path / "masks"
    assert not made_masks(box.intake, box.folder, masks, options, silent)
    found_masks(box.intake, box.folder, masks, box.model, 0, silent)
    assert (read_mask(masks, photo) == painted).all()
    other = box.intake.photos[5]
    assert _overlap(read_mask(masks, other) > 127, box.masks[other.name]) > LEAST


def test_a_folder_without_any_mask_is_refused(box, tmp_path):
    options = CaptureOptions(masks=str(tmp_path), object=True)
    with pytest.raises(InputError, match="has no mask for 12 photos"):
        made_masks(box.intake, box.folder, tmp_path / "masks", options, silent)


def test_cameras_that_look_at_nothing_in_common_have_no_object(box):
    ahead = {
        name: PosedPhoto(look_at((x, 0, 0), (x, 5, 0)), TRUE_LENS, photo.points, photo.places)
        for x, (name, photo) in enumerate(list(box.model.photos.items())[:3])
    }
    apart = Model(ahead, box.model.points, 0.5, 5.0)
    with pytest.raises(CaptureError, match=r"no common point.*give masks of another tool"):
        next(object_masks(apart, box.folder, {}, silent))


def test_a_table_alone_is_no_object(box):
    table = replace(box.model, points=box.model.points * (1.0, 1.0, 0.0))
    with pytest.raises(CaptureError, match="only 0 points lie on what stands"):
        next(object_masks(table, box.folder, {}, silent))


def test_an_object_and_a_turntable_are_two_ways():
    with pytest.raises(ValueError, match="object of what stands still"):
        CaptureOptions(object=True, turntable=True)
