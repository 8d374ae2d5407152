"""What a view makes of its file: undistorted, resized, cropped; and the visual hull of masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pycolmap
import pytest
from PIL import Image

from mobile_nelf.cameras import Camera, Intrinsics, OrbitLimits
from mobile_nelf.errors import SceneError
from mobile_nelf.lenses import DistortedLens
from mobile_nelf.rays import ray_grid
from mobile_nelf.scenes import View, read_scene
from mobile_nelf.scenes.hull import visual_hull
from tests.helpers.scenes import (
    arc,
    edit,
    name,
    pixels,
    save_photo,
    save_photos,
    write_colmap,
    write_transforms,
)

#: 8-bit photos resampled by cubic interpolation; the pattern has waves of 15 pixels and more.
RESAMPLED = 5
#: Resizing averages pixels; a pattern of long waves changes by no more than this.
RESIZED = 6


def pattern(directions: np.ndarray) -> np.ndarray:
    """A colour for each direction [..., 3] of the camera frame (x right, y up, looking at −z)."""
    x, y = -directions[..., 0] / directions[..., 2], -directions[..., 1] / directions[..., 2]
    waves = np.stack([np.sin(9 * x + 1), np.sin(8 * y - 2 * x), np.cos(7 * (x + y))], -1)
    return np.round(127.5 + 120.0 * waves).astype(np.uint8)


def seen_by(lens: Intrinsics) -> np.ndarray:
    """The pattern as a pinhole sees it."""
    rays = ray_grid(Camera(np.eye(3, 4), lens))[3:]
    return pattern(np.moveaxis(rays, 0, -1))


#: The inverse direction of the model, pixel to ray, draws the photo: nothing is shared with the
#: code under test.
LENSES = [
    ("SIMPLE_RADIAL", (80.0, 61.0, 44.0, 0.12)),
    ("SIMPLE_RADIAL", (80.0, 60.0, 45.0, -0.08)),
    ("OPENCV", (80.0, 78.0, 58.0, 47.0, 0.06, -0.05, 0.004, -0.006)),
    ("OPENCV_FISHEYE", (70.0, 70.0, 60.0, 45.0, 0.03, 0.01, 0.0, 0.0)),
    ("FULL_OPENCV", (80.0, 78.0, 60.0, 45.0, 0.05, -0.02, 0.001, 0.002, 0.01, 0.01, 0.0, 0.0)),
]


def distorted_photo(model: str, params: tuple[float, ...]) -> np.ndarray:
    camera = pycolmap.Camera(model=model, width=120, height=90, params=list(params))
    columns, rows = np.meshgrid(np.arange(120) + 0.5, np.arange(90) + 0.5)
    plane = camera.cam_from_img(np.stack([columns.ravel(), rows.ravel()], 1))
    directions = np.stack([plane[:, 0], -plane[:, 1], -np.ones(len(plane))], 1)
    return pattern(directions).reshape(90, 120, 3)


@pytest.mark.parametrize(("model", "params"), LENSES)
def test_undistorted_photos_are_what_the_pinhole_sees(
    tmp_path: Path, model: str, params: tuple[float, ...]
) -> None:
    save_photo(tmp_path / "a.png", distorted_photo(model, params))
    lens = DistortedLens(model, 120, 90, params)
    view = View(tmp_path / "a.png", Camera(np.eye(3, 4), lens.pinhole()), lens)
    rgba = view.rgba()
    assert rgba.shape == (90, 120, 4)
    assert (rgba[..., 3] == 255).all()
    # The rim counts too: nothing there is blank or repeated.
    errors = np.abs(rgba[..., :3].astype(int) - seen_by(view.camera.intrinsics).astype(int))
    assert errors.max() <= RESAMPLED
    assert view.camera.intrinsics.fx < 1.3 * params[0]


def test_what_is_transparent_does_not_bleed_when_undistorted(tmp_path: Path) -> None:
    rgba = np.full((90, 120, 4), (0, 255, 255, 0), np.uint8)
    rgba[20:70, 30:90] = (200, 100, 50, 255)
    save_photo(tmp_path / "a.png", rgba)
    lens = DistortedLens(*LENSES[0][:1], 120, 90, LENSES[0][1])
    found = View(tmp_path / "a.png", Camera(np.eye(3, 4), lens.pinhole()), lens).rgba()
    solid = found[found[..., 3] > 8].astype(int)
    assert len(solid) > 2000
    assert np.abs(solid[:, :3] - [200, 100, 50]).max() <= 16  # rounding where alpha is small
    assert set(np.unique(found[..., 3])) >= {0, 255}


def test_colmap_photos_are_undistorted(tmp_path: Path) -> None:
    model, params = LENSES[2]
    camera = pycolmap.Camera(model=model, width=120, height=90, params=list(params))
    write_colmap(tmp_path / "sparse/0", arc(), np.zeros((1, 3)), camera=camera)
    for index in range(12):
        save_photo(tmp_path / "images" / name(index), distorted_photo(model, params))
    view = read_scene(tmp_path).train[0]
    errors = view.rgba()[..., :3].astype(int) - seen_by(view.camera.intrinsics).astype(int)
    assert np.abs(errors).max() <= RESAMPLED


def test_distortion_of_transforms_is_undone(tmp_path: Path) -> None:
    model, (fx, fy, cx, cy, k1, k2, p1, p2) = LENSES[2]
    values = {"fl_x": fx, "fl_y": fy, "cx": cx, "cy": cy, "k1": k1, "k2": k2, "p1": p1, "p2": p2}
    write_transforms(tmp_path, arc(), **values, w=120, h=90)
    for index in range(12):
        save_photo(tmp_path / "images" / name(index), distorted_photo(model, LENSES[2][1]))
    view = read_scene(tmp_path).cropped(7).train[0]
    assert view.size == (119, 84)
    errors = view.rgba()[..., :3].astype(int) - seen_by(view.camera.intrinsics).astype(int)
    assert np.abs(errors).max() <= RESAMPLED


@pytest.mark.parametrize(
    ("model", "params", "message"),
    [
        ("NONSENSE", (1.0, 2.0), "no camera model 'NONSENSE'"),
        ("OPENCV", (1.0, 2.0), "cannot be turned into a pinhole"),
        ("EQUIRECTANGULAR", (120.0, 90.0), "cannot be turned into a pinhole"),
        ("SIMPLE_RADIAL", (80.0, 60.0, 45.0, float("nan")), "cannot be turned into a pinhole"),
        ("SIMPLE_RADIAL", (80.0, 60.0, 45.0, 40.0), "bends too much"),
    ],
)
def test_impossible_lenses_are_refused(model: str, params: tuple[float, ...], message: str) -> None:
    with pytest.raises(SceneError, match=message):
        DistortedLens(model, 120, 90, params).pinhole()


def test_a_crop_is_the_middle_and_keeps_its_rays(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc())
    whole = read_scene(tmp_path)
    cropped = whole.cropped(5)
    assert cropped.cropped(5) is cropped
    assert "cropped from 16×12 to 15×10" in cropped.notices[0]
    assert whole.cropped(4) is whole
    for before, after in zip(
        (*whole.train, *whole.test), (*cropped.train, *cropped.test), strict=True
    ):
        np.testing.assert_array_equal(after.rgba(), before.rgba()[1:11, 0:15])
        rays = ray_grid(before.camera)[:, 1:11, 0:15]
        np.testing.assert_allclose(ray_grid(after.camera), rays, atol=1e-12)
    twice = cropped.cropped(2)
    np.testing.assert_array_equal(twice.train[0].rgba(), whole.train[0].rgba()[1:11, 0:14])


def test_nothing_is_left_to_crop(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc())
    with pytest.raises(SceneError, match="expected at least 13×13"):
        read_scene(tmp_path).cropped(13)


def test_other_sizes_are_resized_or_left_out_and_said(tmp_path: Path) -> None:
    save_photos(tmp_path / "images", 12)
    write_transforms(tmp_path, arc(), fl_x=20.0, fl_y=20.0, cx=8.0, cy=6.0)
    large = Intrinsics.centred(48, 36, 60.0)
    for index in (1, 9):
        save_photo(tmp_path / "images" / name(index), seen_by(large))
    save_photo(tmp_path / "images" / name(2), pixels(2, 12, 16))

    def own(data: dict) -> None:
        data["frames"][2].update(w=12, h=16, cx=6, cy=8)

    edit(tmp_path / "transforms.json", own)
    scene = read_scene(tmp_path)
    assert len(scene.train) == 9
    assert {view.size for view in (*scene.train, *scene.test)} == {(16, 12)}
    resized, left_out = scene.notices
    assert resized == (
        "2 photos of 48×36 are resized to 16×12, the most common size: photo_01.png, photo_09.png"
    )
    assert left_out.startswith("1 photos of 12×16 are left out: most are 16×12")
    views = {view.path.name: view for view in scene.train}
    assert name(2) not in views
    for view in (views[name(1)], views[name(1)].cropped(10, 8)):
        errors = view.rgba()[..., :3].astype(int) - seen_by(view.camera.intrinsics).astype(int)
        # Averages of waves are a little flatter than samples of them; the rim has less to average.
        assert np.abs(errors)[1:-1, 1:-1].max() <= 3 * RESIZED
        assert np.abs(errors).mean() <= RESIZED


BALL = np.array([0.4, -0.3, 0.25])
BALL_RADIUS = 0.7
ORBIT = OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (-90, 90), (4, 4))


def ball_views(folder: Path, lens: Intrinsics) -> list[View]:
    """A ball off the centre, seen from all sides and from above and below."""
    views = []
    stands = [(a, e) for e in (-35, 10, 50) for a in range(-180, 180, 45)]
    for index, (azimuth, elevation) in enumerate([*stands, (0, 88), (0, -88)]):
        camera = Camera(ORBIT.pose(azimuth, elevation, 4.0), lens)
        rays = ray_grid(camera)
        towards = BALL[:, None, None] - rays[:3]
        along = (towards * rays[3:]).sum(0) / (rays[3:] ** 2).sum(0)
        distance = np.linalg.norm(towards - along * rays[3:], axis=0)
        rgba = np.full((lens.height, lens.width, 4), 255, np.uint8)
        rgba[..., 3] = np.where(distance < BALL_RADIUS, 255, 0)
        save_photo(folder / f"{index}.png", rgba)
        views.append(View(folder / f"{index}.png", camera))
    return views


@pytest.mark.parametrize(
    "lens",
    [
        Intrinsics.centred(60, 60, 80.0),
        Intrinsics(90, 70, 110.0, 100.0, 50.0, 31.0),
        # Larger than the masks that are compared, and no multiple of the factor between them.
        Intrinsics(611, 401, 560.0, 560.0, 300.0, 205.0),
    ],
)
def test_the_hull_holds_the_object_and_little_more(tmp_path: Path, lens: Intrinsics) -> None:
    views = ball_views(tmp_path, lens)
    hull = visual_hull(views, np.zeros(3), 4.0)
    lower, upper = np.array(hull.box.lower), np.array(hull.box.upper)
    # Silhouettes from 26 sides leave a body a little larger than the ball; a pixel of the smallest
    # lens is 0.05 units wide at the ball, a cell some 0.03, and one is added all round.
    room = 0.3
    assert (lower <= BALL - BALL_RADIUS).all()
    assert (lower >= BALL - BALL_RADIUS - room).all()
    assert (upper >= BALL + BALL_RADIUS).all()
    assert (upper <= BALL + BALL_RADIUS + room).all()
    depths = [(v.camera.position - BALL) @ v.camera.cam_to_world[:, 2] for v in views]
    assert min(depths) - BALL_RADIUS - room <= hull.near <= min(depths) - BALL_RADIUS
    assert max(depths) + BALL_RADIUS <= hull.far <= max(depths) + BALL_RADIUS + room


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_few_opaque_photos_carve_nothing(tmp_path: Path, mode: str) -> None:
    views = ball_views(tmp_path, Intrinsics.centred(60, 60, 80.0))
    others = visual_hull([v for i, v in enumerate(views) if i not in (3, 7)], np.zeros(3), 4.0)
    for index in (3, 7):
        Image.new(mode, (60, 60), "white").save(views[index].path)
    assert visual_hull(views, np.zeros(3), 4.0).box == others.box


def test_half_of_the_photos_opaque_means_no_hull(tmp_path: Path) -> None:
    views = ball_views(tmp_path, Intrinsics.centred(60, 60, 80.0))
    for view in views[::2]:
        Image.new("RGB", (60, 60)).save(view.path)
    assert visual_hull(views, np.zeros(3), 4.0) is None


def test_empty_masks_leave_nothing(tmp_path: Path) -> None:
    views = ball_views(tmp_path, Intrinsics.centred(60, 60, 80.0))
    Image.new("RGBA", (60, 60)).save(views[7].path)
    assert visual_hull(views, np.zeros(3), 4.0) is None
