"""Masks from other tools and from what moves, and whether poses agree with masks and points."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_nelf.cameras import look_at
from mobile_nelf.capturing.folds import folded
from mobile_nelf.capturing.intake import Group, Intake, Photo
from mobile_nelf.capturing.masks import (
    feature_masks,
    is_turntable,
    made_masks,
    moving_masks,
    read_mask,
)
from mobile_nelf.capturing.model import Model, PosedPhoto
from mobile_nelf.capturing.options import CaptureOptions
from mobile_nelf.capturing.silhouettes import agreement, contradicting, silhouette
from mobile_nelf.errors import InputError, SceneError
from mobile_nelf.lenses import DistortedLens
from mobile_nelf.progress import silent
from tests.helpers.phone import LENS, LOWER, UPPER, box_mask, photo, ring

COUNT = 12
#: Intersection over union with the truth, demanded of masks of a turntable.
WITH_PLATE, WITHOUT = 0.9, 0.75
TRUE_LENS = DistortedLens("SIMPLE_PINHOLE", LENS.width, LENS.height, (LENS.fx, LENS.cx, LENS.cy))


def _intake(names: list[str]) -> Intake:
    photos = tuple(
        Photo(f"0/{number:04d}.png", name, 0, 100.0, 120.0)
        for number, name in enumerate(names, start=1)
    )
    return Intake(photos, (Group("", "", LENS.width, LENS.height, None),))


@pytest.fixture(scope="module")
def turntable(tmp_path_factory):
    """The box turning before a still picture, in photos with noise; its masks, and the plate."""
    folder = tmp_path_factory.mktemp("turntable")
    rng = np.random.default_rng(3)
    still = photo(ring(5)[2]).astype(float)[::-1]
    cameras = ring(COUNT, radius=3.4)
    intake = _intake([f"{number}.jpg" for number in range(COUNT)])
    masks = {}
    for one, camera in zip(intake.photos, cameras, strict=True):
        masks[one.name] = box_mask(camera)
        picture = np.where(masks[one.name][..., None], photo(camera), still)
        picture += rng.normal(0, 2, picture.shape)
        (folder / one.name).parent.mkdir(exist_ok=True)
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / one.name)
    # The plate was exposed a little less.
    Image.fromarray((0.9 * still).astype(np.uint8)).save(folder / "empty.png")
    return folder, intake, masks


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    return (first & second).sum() / (first | second).sum()


@pytest.mark.parametrize(("plate", "least"), [("empty.png", WITH_PLATE), (None, WITHOUT)])
def test_what_moves_before_a_still_background_is_the_object(turntable, tmp_path, plate, least):
    folder, intake, masks = turntable
    assert is_turntable(intake.photos, folder)
    moving_masks(intake.photos, folder, tmp_path, plate and folder / plate, silent)
    found = [_overlap(read_mask(tmp_path, p) > 127, masks[p.name]) for p in intake.photos]
    assert np.mean(found) > least
    assert min(found) > least - 0.15


def test_a_walk_round_an_object_is_not_a_turntable(tmp_path):
    intake = _intake([f"{number}.jpg" for number in range(6)])
    for one, camera in zip(intake.photos, ring(6), strict=True):
        (tmp_path / one.name).parent.mkdir(exist_ok=True)
        Image.fromarray(photo(camera, oversample=1)).save(tmp_path / one.name)
    assert not is_turntable(intake.photos, tmp_path)


def test_a_background_of_another_aspect_is_refused(turntable, tmp_path):
    folder, intake, _ = turntable
    Image.new("RGB", (100, 100)).save(tmp_path / "square.png")
    with pytest.raises(InputError, match=r"square.png: is 100×100, which is another aspect"):
        moving_masks(intake.photos, folder, tmp_path, tmp_path / "square.png", silent)


def test_masks_of_other_tools_are_found_by_the_names_of_photos(turntable, tmp_path):
    folder, intake, _ = turntable
    some = replace(intake, photos=intake.photos[:3])
    given = tmp_path / "given"
    (given / "deeper").mkdir(parents=True)
    white = Image.new("L", (LENS.width // 2, LENS.height // 2), 255)
    white.save(given / "0.PNG")
    white.save(given / "deeper" / "1.jpg.png")
    options = CaptureOptions(masks=str(given))
    with pytest.raises(InputError, match=r"no mask for 1 photos: 2\.jpg; expected 2\.png"):
        made_masks(some, folder, tmp_path / "masks", options, silent)
    white.save(given / "0003.png")  # as the scene itself calls it
    assert made_masks(some, folder, tmp_path / "masks", options, silent)
    assert read_mask(tmp_path / "masks", some.photos[2]).shape == (LENS.height, LENS.width)
    Image.new("L", (64, 64), 255).save(given / "0003.png")
    with pytest.raises(SceneError, match="another aspect"):
        made_masks(some, folder, tmp_path / "masks", options, silent)
    gone = CaptureOptions(masks=str(tmp_path / "gone"))
    with pytest.raises(InputError, match="no such folder, expected masks"):
        made_masks(some, folder, tmp_path / "masks", gone, silent)


def test_a_folder_that_rembg_wrote_is_one_of_masks(turntable, tmp_path):
    """`rembg p photos cut` writes `cut/1.png` for `1.jpg`: the upright photo, cut out by alpha."""
    folder, intake, masks = turntable
    (tmp_path / "cut").mkdir()
    for one in intake.photos:
        soft = np.where(masks[one.name], 255, 0).astype(np.uint8)
        with Image.open(folder / one.name) as picture:
            picture.putalpha(Image.fromarray(soft))
            picture.save(tmp_path / "cut" / Path(one.source).with_suffix(".png"))
    options = CaptureOptions(masks=str(tmp_path / "cut"))
    assert made_masks(intake, folder, tmp_path / "masks", options, silent)
    for one in intake.photos:
        assert ((read_mask(tmp_path / "masks", one) > 127) == masks[one.name]).all()


def test_features_keep_clear_of_the_outline_and_other_masks_are_another_folder(tmp_path):
    intake = _intake(["a.jpg"])
    mask = np.zeros((240, 320), np.uint8)
    mask[100:140, 100:140] = 255
    folders = set()
    for change in (0, 255):
        mask[0, 0] = change
        (tmp_path / "m" / "0").mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(tmp_path / "m" / "0" / "0001.png.png")
        place = feature_masks(intake, tmp_path / "m", tmp_path / "wide")
        folders.add(place)
        wide = np.asarray(Image.open(place / "0" / "0001.png.png"))
        assert wide[97, 97] == 255
        assert wide[94, 94] == 0
    assert len(folders) == 2


def test_photos_with_alpha_bring_their_masks(tmp_path):
    intake = _intake(["a.png", "b.png"])
    (tmp_path / "0").mkdir()
    pixels = np.full((240, 320, 4), 200, np.uint8)
    pixels[:50, :, 3] = 0
    for one in intake.photos:
        Image.fromarray(pixels).save(tmp_path / one.name)
    assert made_masks(intake, tmp_path, tmp_path / "masks", CaptureOptions(), silent)
    assert (read_mask(tmp_path / "masks", intake.photos[1]) == pixels[..., 3]).all()
    Image.fromarray(pixels[..., :3]).save(tmp_path / intake.photos[0].name)
    assert not made_masks(intake, tmp_path, tmp_path / "none", CaptureOptions(), silent)


def test_options_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="background is for a turntable"):
        CaptureOptions(background="x.jpg")
    with pytest.raises(ValueError, match="masks takes those of another tool"):
        CaptureOptions(masks="x", turntable=True)


def _turned(pose: np.ndarray, degrees: float) -> np.ndarray:
    """A camera that was placed on another side of the axis."""
    angle = np.radians(degrees)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    return turn @ pose


@pytest.mark.parametrize("wrong", [(), (3,), (0, 5, 9, 14, 17)])
def test_masks_of_wrong_poses_contradict_the_hull_of_the_others(wrong):
    views = {}
    for number, camera in enumerate(ring(20, elevation=25.0)):
        # A turn alone changes the silhouette of a box too little; see the test of folds.
        pose = camera.cam_to_world.copy()
        pose[:, 3] *= 0.75 if number in wrong else 1.0
        posed = PosedPhoto(pose, TRUE_LENS, np.zeros(0, np.int64), np.zeros((0, 2)))
        mask = box_mask(camera).astype(np.uint8) * 255
        views[f"{number}"] = silhouette(posed, mask)
    overlap = agreement(views)
    flags = contradicting(np.array(list(overlap.values())))
    assert {int(name) for name, flag in zip(overlap, flags, strict=True) if flag} == {*wrong}


def _seen_model(cameras, places) -> Model:
    """A model of points on the sides of the box, each seen by the cameras before its side.

    Args:
        cameras: where photos were taken from.
        places: where the model has them.
    """
    rng = np.random.default_rng(1)
    size = UPPER - LOWER
    points, normals = [], []
    for axis in (0, 1):
        for end in (0.0, 1.0):
            unit = rng.uniform(0, 1, (150, 3))
            unit[:, axis] = end
            points.append(LOWER + unit * size)
            normals.append(np.tile(np.eye(3)[axis] * (2 * end - 1), (150, 1)))
    points, normals = np.concatenate(points), np.concatenate(normals)
    photos = {}
    for number, (camera, place) in enumerate(zip(cameras, places, strict=True)):
        way = camera.position - points
        facing = (way * normals).sum(1) / np.linalg.norm(way, axis=1) > 0.35
        shown = np.flatnonzero(facing & (rng.uniform(size=len(points)) < 0.7))
        photos[f"{number:02d}"] = PosedPhoto(place, TRUE_LENS, shown, np.zeros((len(shown), 2)))
    return Model(photos, points, 0.5, 5.0)


def test_photos_placed_on_the_wrong_side_share_nothing_with_those_beside_them():
    cameras = ring(40)
    right = [camera.cam_to_world for camera in cameras]
    assert folded(_seen_model(cameras, right), None) == []
    # 12 of 40 fit each other, on the side across: as a symmetric object has it.
    wrong = set(range(10, 22))
    places = [_turned(p, 180.0) if i in wrong else p for i, p in enumerate(right)]
    found = folded(_seen_model(cameras, places), None)
    assert {int(name) for name in found} <= wrong
    # Those at the ends of the arc stand beside as many photos that agree.
    assert len(found) >= 8
    # Pairs that were never matched prove nothing.
    assert folded(_seen_model(cameras, places), [("00", "01")]) == []


def test_cameras_without_a_common_point_are_no_fold():
    ahead = [look_at((x, 0, 0), (x, 5, 0)) for x in (0.0, 0.1, 0.2)]
    photos = {
        str(i): PosedPhoto(pose, TRUE_LENS, np.arange(9), np.zeros((9, 2)))
        for i, pose in enumerate(ahead)
    }
    assert folded(Model(photos, np.zeros((9, 3)), 0.5, 3.0), None) == []
