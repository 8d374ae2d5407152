"""Every format gives back the cameras that were written, in the normalised world."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_nelf.scenes import read_scene
from tests.helpers.scenes import (
    LENS,
    ROUND_TRIP,
    Elsewhere,
    arc,
    assert_poses,
    cameras_by_name,
    edit,
    name,
    pixels,
    save_photo,
    save_photos,
    write_colmap,
    write_llff,
    write_transforms,
)

#: COLMAP turns rotations into quaternions and back.
QUATERNION = 1e-8
#: Forward-facing: all look in about one direction, as in LLFF.
FORWARD = {"azimuths": (-9, -6, -3, 3, 6, 9), "elevations": (-4, 4)}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_transforms_are_normalised_whatever_their_world(tmp_path: Path, seed: int) -> None:
    poses, elsewhere = arc(), Elsewhere.random(seed)
    write_transforms(tmp_path, [elsewhere.pose(pose) for pose in poses])
    scene = read_scene(tmp_path)
    assert_poses(scene, poses)
    assert scene.extent == "unbounded"
    np.testing.assert_allclose(scene.orbit.target, 0.0, atol=ROUND_TRIP)
    np.testing.assert_allclose(scene.orbit.azimuth, (-70, 70), atol=1e-6)
    for view in scene.train:
        lens = view.camera.intrinsics
        assert (lens.width, lens.height, lens.fx, lens.fy, lens.cx, lens.cy) == (
            LENS.width, LENS.height, LENS.fx, LENS.fy, LENS.cx, LENS.cy,
        )  # fmt: skip


def test_every_eighth_photo_by_name_is_for_testing(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc())
    edit(tmp_path / "transforms.json", lambda data: data["frames"].reverse())
    scene = read_scene(tmp_path)
    assert [view.path.name for view in scene.test] == [name(0), name(8)]
    others = [index for index in range(12) if index % 8]
    assert [view.path.name for view in scene.train] == [name(index) for index in others]


def test_missing_photos_are_listed_and_move_neither_world_nor_split(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc())
    before = cameras_by_name(read_scene(tmp_path))
    for index in (2, 8):
        (tmp_path / "images" / name(index)).unlink()
    scene = read_scene(tmp_path)
    assert sorted(scene.missing) == [f"images/{name(2)}", f"images/{name(8)}"]
    assert [view.path.name for view in scene.test] == [name(0)]
    for key, camera in cameras_by_name(scene).items():
        np.testing.assert_array_equal(camera.cam_to_world, before[key].cam_to_world)


def test_a_frame_may_have_its_own_lens(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc())
    edit(tmp_path / "transforms.json", lambda data: data["frames"][3].update(fl_x=31.0, cx=7.0))
    found = cameras_by_name(read_scene(tmp_path))
    assert (found[name(3)].intrinsics.fx, found[name(3)].intrinsics.cx) == (31.0, 7.0)
    assert (found[name(4)].intrinsics.fx, found[name(4)].intrinsics.cx) == (LENS.fx, LENS.cx)


def test_lens_values_follow_a_copy_that_was_scaled_down(tmp_path: Path) -> None:
    twice = {"fl_x": 2 * LENS.fx, "fl_y": 2 * LENS.fy, "cx": 2 * LENS.cx, "cy": 2 * LENS.cy}
    write_transforms(tmp_path, arc(), **twice, w=2 * LENS.width, h=2 * LENS.height)
    assert read_scene(tmp_path).train[0].camera.intrinsics == LENS


def test_a_field_of_view_will_do(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc(), camera_angle_x=0.8)
    edit(tmp_path / "transforms.json", lambda d: [d.pop(k) for k in ("fl_x", "fl_y", "cx", "cy")])
    lens = read_scene(tmp_path).train[0].camera.intrinsics
    assert lens.fx == lens.fy == pytest.approx(8 / math.tan(0.4))
    assert (lens.cx, lens.cy) == (8.0, 6.0)


@pytest.mark.parametrize(("near", "capped"), [(2.4, False), (2.1, True)])
@pytest.mark.parametrize(("folder", "shrink"), [("images", 1), ("images_4", 4)])
def test_llff_axes_bounds_and_scaled_folders(
    tmp_path: Path, near: float, capped: bool, folder: str, shrink: int
) -> None:
    poses, elsewhere = arc(**FORWARD), Elsewhere.random(shrink)
    # The target is as far ahead of the mean camera as half of the parallax.
    middle = float(np.mean([pose[0, 3] for pose in poses]))
    far = 1.0 / (2.0 / middle - 1.0 / near)
    bounds = (elsewhere.scale * near, elsewhere.scale * far)
    write_llff(tmp_path, [elsewhere.pose(p) for p in poses], bounds, folder=folder, shrink=shrink)
    scene = read_scene(tmp_path)
    assert scene.extent == "forward"
    assert_poses(scene, poses)
    assert scene.near == pytest.approx(near, abs=ROUND_TRIP)
    # Three times as far away as the target is far enough.
    farthest = 3.0 * np.median([np.linalg.norm(v.camera.position) for v in scene.train])
    assert (far > farthest) == capped
    assert scene.far == pytest.approx(farthest if capped else far, abs=1e-6)
    lens = scene.train[0].camera.intrinsics
    assert (lens.fx, lens.fy, lens.cx, lens.cy) == (20.0, 20.0, 8.0, 6.0)
    # The box is what the cameras see between the two depths.
    for view in scene.train:
        for depth in (scene.near, scene.far):
            point = view.camera.cam_to_world @ [0.3 * depth, -0.2 * depth, -depth, 1.0]
            assert (point > scene.box.lower).all()
            assert (point < scene.box.upper).all()


def test_llff_takes_the_largest_folder_with_a_photo_for_each_pose(tmp_path: Path) -> None:
    write_llff(tmp_path, arc(**FORWARD), (2.0, 9.0), folder="images_8")
    save_photos(tmp_path / "images_4", 12, width=32, height=24)
    save_photos(tmp_path / "images", 3)
    lens = read_scene(tmp_path).train[0].camera.intrinsics
    assert (lens.width, lens.fx) == (32, 40.0)


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("folder", ["sparse/0", "sparse"])
def test_colmap_poses_and_depths(tmp_path: Path, text: bool, folder: str) -> None:
    poses, elsewhere = arc(), Elsewhere.random(3)
    points = np.random.default_rng(4).uniform(-1.2, 1.2, (40, 3))
    write_colmap(
        tmp_path / folder,
        [elsewhere.pose(pose) for pose in poses],
        np.stack([elsewhere.point(point) for point in points]),
        text=text,
    )
    save_photos(tmp_path / "images", len(poses))
    scene = read_scene(tmp_path)
    assert_poses(scene, poses, QUATERNION)
    assert scene.extent == "unbounded"
    depths = np.concatenate([(pose[:, 3] - points) @ pose[:, 2] for pose in poses])
    # One in a hundred points is left out at either end.
    assert depths.min() < scene.near < np.quantile(depths, 0.02)
    assert np.quantile(depths, 0.98) < scene.far < depths.max()
    np.testing.assert_allclose(scene.box.upper, 2.0, atol=0.2)


def test_colmap_faces_forward_without_axes_that_meet(tmp_path: Path) -> None:
    poses = [np.concatenate([np.eye(3), [[x], [y], [0.0]]], 1) for x in range(4) for y in range(3)]
    points = np.random.default_rng(5).uniform((-5, -5, -40), (5, 5, -8), (60, 3))
    write_colmap(tmp_path / "sparse/0", poses, points)
    save_photos(tmp_path / "images", len(poses))
    scene = read_scene(tmp_path)
    assert scene.extent == "forward"
    assert 1.0 < scene.near < 4.0 < scene.far <= 12.5


def test_colmap_photos_may_be_scaled_down(tmp_path: Path) -> None:
    write_colmap(tmp_path / "sparse/0", arc(), np.zeros((1, 3)))
    save_photos(tmp_path / "images_2", 12, width=8, height=6)
    lens = read_scene(tmp_path).train[0].camera.intrinsics
    assert (lens.width, lens.fx, lens.cy) == (8, LENS.fx / 2, LENS.cy / 2)


def test_colmap_says_when_there_are_other_models(tmp_path: Path) -> None:
    for number in "01":
        write_colmap(tmp_path / "sparse" / number, arc(), np.zeros((1, 3)))
    save_photos(tmp_path / "images", 12)
    (notice,) = read_scene(tmp_path).notices
    assert "sparse/0 with 12 photos is used, not sparse/1 with 12" in notice


def write_pseudo_npy(root: Path, poses: list[np.ndarray], *, kind: str, forward: bool) -> None:
    for folder in ("24x32_rgb", "poses", "hwf"):
        (root / folder).mkdir(parents=True)
    info = {"downscaled_height": 6, "downscaled_width": 8, "downscaled_focal": 9.0, "ff": forward}
    (root / "hwf/dataset_info.json").write_text(json.dumps({**info, "dataset_type": kind}))
    for index, pose in enumerate(poses):
        values = pixels(index, 32, 24).astype(np.float32) / 255.0
        np.save(root / f"24x32_rgb/rendered_rgb_{index:05d}.npy", values.reshape(-1, 3))
        np.save(root / f"poses/c2w_{index:05d}.npy", pose)


def test_a_pseudo_set_of_a_blender_scene(tmp_path: Path) -> None:
    poses = arc(azimuths=range(-150, 180, 30), elevations=(20, 50))
    shrunk = [pose[:, 3].astype(np.float32) * (1.5 / 4.031128857175551) for pose in poses]
    write_pseudo_npy(tmp_path, shrunk, kind="nerf", forward=False)
    scene = read_scene(tmp_path)
    assert (len(scene.train), len(scene.test)) == (22, 0)
    for index, (view, pose) in enumerate(zip(scene.train, poses, strict=True)):
        # Positions are stored in single precision.
        np.testing.assert_allclose(view.camera.cam_to_world, pose, atol=1e-5)
        np.testing.assert_array_equal(view.rgba()[..., :3], pixels(index, 32, 24))
        assert (view.rgba()[..., 3] == 255).all()
    lens = scene.train[0].camera.intrinsics
    assert (lens.width, lens.height, lens.fx, lens.cx) == (32, 24, 36.0, 16.0)


def test_a_pseudo_set_of_a_forward_facing_scene(tmp_path: Path) -> None:
    poses, elsewhere = arc(**FORWARD), Elsewhere.random(7)
    opencv = [elsewhere.pose(pose) * [1, -1, -1, 1] for pose in poses]
    write_pseudo_npy(tmp_path, opencv, kind="colmap", forward=True)
    scene = read_scene(tmp_path)
    assert scene.extent == "forward"
    found = {view.path.stem[-2:]: view.camera for view in (*scene.train, *scene.test)}
    for index, pose in enumerate(poses):
        np.testing.assert_allclose(found[f"{index:02d}"].cam_to_world, pose, atol=1e-6)


def test_transparent_photos_of_instant_ngp_show_a_bounded_object(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc())
    for index in range(12):
        rgba = np.dstack([pixels(index), np.zeros((LENS.height, LENS.width), np.uint8)])
        rgba[4:8, 6:11, 3] = 255
        save_photo(tmp_path / "images" / name(index), rgba)
    assert read_scene(tmp_path).extent == "bounded"


def test_photos_need_no_extension_in_the_file(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc())
    for index in range(12):
        file = tmp_path / "images" / name(index)
        Image.open(file).save(file.with_suffix(".jpg"))
        file.unlink()

    def cut(data: dict) -> None:
        for frame in data["frames"]:
            frame["file_path"] = frame["file_path"].removesuffix(".png")

    edit(tmp_path / "transforms.json", cut)
    assert len(read_scene(tmp_path).train) == 10
