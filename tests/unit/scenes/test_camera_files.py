"""Camera files as other programs write them: encodings, splits, layouts, lenses of nerfstudio."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_nelf.cameras import Camera
from mobile_nelf.errors import SceneError
from mobile_nelf.rays import ray_grid
from mobile_nelf.scenes import read_scene
from mobile_nelf.summary import SceneSummary, inspect_path
from tests.helpers.scenes import (
    arc,
    assert_poses,
    edit,
    name,
    pixels,
    save_photo,
    save_photos,
    write_colmap,
    write_llff,
    write_transforms,
)

FORWARD = {"azimuths": (-9, -6, -3, 3, 6, 9), "elevations": (-4, 4)}
POINTS = np.random.default_rng(4).uniform(-1.2, 1.2, (40, 3))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(tmp_path: Path, encoding: str) -> None:
    write_transforms(tmp_path, arc())
    file = tmp_path / "transforms.json"
    file.write_text(file.read_text(), encoding=encoding)
    assert_poses(read_scene(tmp_path), arc())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 200_000, "is nested more deeply than"),
        ('{"frames": [' + "9" * 5000 + "]}", "holds the number '9999"),
    ],
)
def test_json_that_exhausts_a_parser(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "transforms.json").write_text(text)
    with pytest.raises(SceneError, match=rf"transforms\.json: {words}"):
        read_scene(tmp_path)


@pytest.mark.parametrize("remove", [True, False])
def test_a_frame_without_a_pose_is_left_out_and_named(tmp_path: Path, remove: bool) -> None:
    write_transforms(tmp_path, arc())

    def without(data: dict) -> None:
        data["frames"][3]["transform_matrix"] = None
        if remove:
            del data["frames"][3]["transform_matrix"]

    edit(tmp_path / "transforms.json", without)
    scene = read_scene(tmp_path)
    assert len(scene.train) + len(scene.test) == 11
    assert name(3) not in {view.path.name for view in scene.train}
    assert f"without a pose (transform_matrix) are left out: images/{name(3)}" in scene.notices[0]


def test_no_pose_at_all(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc())
    edit(
        tmp_path / "transforms.json",
        lambda data: [frame.pop("transform_matrix") for frame in data["frames"]],
    )
    with pytest.raises(SceneError, match="no frame has a pose"):
        read_scene(tmp_path)


def test_the_camera_file_as_the_argument(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc())
    assert_poses(read_scene(tmp_path / "transforms.json"), arc())
    (tmp_path / "transforms.json").rename(tmp_path / "mine.json")
    assert_poses(read_scene(tmp_path / "mine.json"), arc())
    assert isinstance(inspect_path(tmp_path / "mine.json"), SceneSummary)
    with pytest.raises(SceneError, match="is a file, expected the folder of a scene"):
        read_scene(tmp_path / "images" / name(0))


# Splits


def names(*indices: int) -> list[str]:
    return [f"images/{name(index)}" for index in indices]


@pytest.mark.parametrize(
    ("lists", "train", "test"),
    [
        ({"train_filenames": names(*range(9)), "test_filenames": names(9, 10, 11)}, 9, [9, 10, 11]),
        ({"train_filenames": names(*range(9)), "val_filenames": names(10)}, 9, [10]),
        ({"test_filenames": ["./images\\photo_02.png"]}, 11, [2]),
        ({"val_filenames": names(1), "test_filenames": names(2)}, 10, [2]),
        # A frame in both is not trained on.
        ({"train_filenames": names(*range(12)), "test_filenames": names(4)}, 11, [4]),
    ],
)
def test_lists_of_nerfstudio(tmp_path: Path, lists: dict, train: int, test: list[int]) -> None:
    write_transforms(tmp_path, arc(), **lists)
    scene = read_scene(tmp_path)
    assert len(scene.train) == train
    assert [view.path.name for view in scene.test] == [name(index) for index in test]
    assert any("the split is that of" in notice for notice in scene.notices)


def test_a_list_that_names_no_frame(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc(), train_filenames=["a.png"])
    with pytest.raises(SceneError, match="none of its frames is named in train_filenames"):
        read_scene(tmp_path)
    edit(tmp_path / "transforms.json", lambda data: data.update(train_filenames="a.png"))
    with pytest.raises(SceneError, match="expected a list of names of frames in train_filenames"):
        read_scene(tmp_path)


@pytest.mark.parametrize("first", ["transforms.json", "transforms_train.json"])
@pytest.mark.parametrize("other", ["transforms_test.json", "transforms_val.json"])
def test_a_file_of_test_frames(tmp_path: Path, first: str, other: str) -> None:
    write_transforms(tmp_path, arc())
    file = tmp_path / "transforms.json"
    shutil.copy(file, tmp_path / "all.json")
    edit(file, lambda data: data.update(frames=data["frames"][:9]))
    file.rename(tmp_path / first)
    shutil.copy(tmp_path / "all.json", tmp_path / other)
    edit(tmp_path / other, lambda data: data.update(frames=data["frames"][9:]))
    scene = read_scene(tmp_path)
    assert [view.path.name for view in scene.test] == [name(9), name(10), name(11)]
    assert len(scene.train) == 9
    said = any(other in notice for notice in scene.notices)
    assert said != (first == "transforms_train.json" and other == "transforms_test.json")


# Lenses


def brown(r: np.ndarray, k1: float, k2: float, k3: float, k4: float) -> np.ndarray:
    return r * (1 + k1 * r**2 + k2 * r**4 + k3 * r**6 + k4 * r**8)


def test_k4_of_opencv_is_the_eighth_power(tmp_path: Path) -> None:
    """Photos show their own rays, found by bisection of the polynomial; nothing is shared."""
    width, height, f, bends = 120, 90, 90.0, (-0.12, 0.05, 0.03, 0.2)
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    x, y = (columns - 60) / f, (rows - 45) / f
    bent = np.hypot(x, y)
    low, high = np.zeros_like(bent), np.full_like(bent, 2.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = brown(middle, *bends) < bent
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    ratio = low / np.maximum(bent, 1e-12)
    colours = np.stack([127.5 + 120 * x * ratio, 127.5 + 120 * y * ratio, 0 * x], -1)
    lens = {"fl_x": f, "fl_y": f, "cx": 60, "cy": 45, "w": width, "h": height}
    k = dict(zip(("k1", "k2", "k3", "k4"), bends, strict=True))
    write_transforms(tmp_path, arc(), camera_model="OPENCV", **lens, **k)
    for index in range(12):
        picture = colours + np.array([0, 0, 10 * index])
        save_photo(tmp_path / "images" / name(index), picture.round().clip(0, 255).astype(np.uint8))
    view = read_scene(tmp_path).train[0]
    rays = ray_grid(Camera(np.eye(3, 4), view.camera.intrinsics))[3:]
    true = 127.5 + 120 * np.stack([rays[0] / -rays[2], -rays[1] / -rays[2]], -1)
    assert np.abs(view.rgba()[..., :2] - true).max() < 2.0  # 0.75 steps of colour a half pixel
    half = view.camera.intrinsics
    resized = view.lens.resized(60, 45)
    assert resized.pinhole().fx == pytest.approx(half.fx / 2, rel=0.02)


def test_k4_of_full_opencv_is_a_denominator(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc(), camera_model="FULL_OPENCV", k1=0.05, k4=0.04)
    assert read_scene(tmp_path).train[0].lens.model == "FULL_OPENCV"


# COLMAP


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize(
    ("model", "folder"),
    [
        ("sparse/0/models/0", "images"),
        ("sparse/1", "images"),
        ("colmap/sparse/0", "images"),
        ("dense/sparse", "dense/images"),
        ("dense/0/sparse", "dense/0/images"),
        ("colmap_text", "images"),
        (".", "images"),
        (".", "."),
        ("sfm_superpoint+superglue", "images"),
        ("distorted/sparse/0", "input"),
        ("sparse/0", "input"),
    ],
)
def test_colmap_layouts(tmp_path: Path, model: str, folder: str, text: bool) -> None:
    write_colmap(tmp_path / model, arc(), POINTS, text=text)
    save_photos(tmp_path / folder, 12)
    scene = read_scene(tmp_path)
    assert_poses(scene, arc(), 1e-8)
    assert scene.notices == ()


@pytest.mark.parametrize("text", [False, True])
def test_the_largest_of_several_models(tmp_path: Path, text: bool) -> None:
    write_colmap(tmp_path / "sparse/0", arc()[:3], POINTS, text=text)
    write_colmap(tmp_path / "sparse/1", arc(), POINTS, text=text)
    save_photos(tmp_path / "images", 12)
    scene = read_scene(tmp_path)
    assert len(scene.train) + len(scene.test) == 12
    assert "sparse/1 with 12 photos is used, not sparse/0 with 3" in scene.notices[0]


def test_undistorted_photos_have_their_own_model(tmp_path: Path) -> None:
    write_colmap(tmp_path / "sparse/0", arc(), POINTS)
    save_photos(tmp_path / "images", 12)
    write_colmap(tmp_path / "distorted/sparse/0", arc(), POINTS)
    save_photos(tmp_path / "input", 12, width=32, height=24)
    assert read_scene(tmp_path).train[0].size == (16, 12)


@pytest.mark.parametrize("text", [False, True])
def test_names_with_spaces_and_folders(tmp_path: Path, text: bool) -> None:
    write_colmap(tmp_path / "sparse/0", arc(), POINTS, text=text)
    for file in (tmp_path / "sparse/0").glob("images.*"):
        content = file.read_bytes().replace(b"photo_", b"a b/ph ")
        file.write_bytes(content)
    for index in range(12):
        save_photo(tmp_path / f"images/a b/ph {index:02d}.png", pixels(index))
    scene = read_scene(tmp_path)
    assert [view.path.name for view in scene.test] == ["ph 00.png", "ph 08.png"]
    np.testing.assert_allclose(scene.train[0].camera.cam_to_world, arc()[1], atol=1e-8)


@pytest.mark.parametrize("text", [False, True])
def test_a_model_without_points(tmp_path: Path, text: bool) -> None:
    write_colmap(tmp_path / "sparse/0", arc(), POINTS, text=text)
    next((tmp_path / "sparse/0").glob("points3D.*")).unlink()
    save_photos(tmp_path / "images", 12)
    scene = read_scene(tmp_path)
    assert_poses(scene, arc(), 1e-8)
    assert any("points3D" in notice for notice in scene.notices)


def test_photos_without_a_pose_are_counted(tmp_path: Path) -> None:
    write_colmap(tmp_path / "sparse/0", arc()[:8], POINTS)
    save_photos(tmp_path / "images", 20)
    (tmp_path / "images/._photo_00.png").write_bytes(b"")
    (notice,) = read_scene(tmp_path).notices
    assert notice.startswith("12 of 20 photos have no pose in the model")
    assert "failed for most of them" in notice


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    write_colmap(tmp_path / "sparse/0", arc(), POINTS)
    file = tmp_path / "sparse/0/images.bin"
    file.write_bytes(file.read_bytes().replace(b"photo_03", b"phot\xff_03"))
    save_photos(tmp_path / "images", 12)
    with pytest.raises(SceneError, match=r"images\.bin: the name of a photo is not UTF-8"):
        read_scene(tmp_path)


# LLFF


def test_hidden_files_of_macos(tmp_path: Path) -> None:
    write_llff(tmp_path, arc(**FORWARD), (2.0, 9.0))
    for index in range(12):
        (tmp_path / "images" / f"._{name(index)}").write_bytes(b"\0\x05\x16\x07")
    assert len(read_scene(tmp_path).train) == 10


@pytest.mark.parametrize("shape", [(6,), (6, 1), (12, 6), (6, 12)])
def test_lenses_of_nex(tmp_path: Path, shape: tuple[int, ...]) -> None:
    write_llff(tmp_path, arc(**FORWARD), (2.0, 9.0))
    file = tmp_path / "poses_bounds.npy"
    rows = np.load(file)
    tables = rows[:, :15].reshape(-1, 3, 5)[:, :, :4].reshape(-1, 12)
    np.save(file, np.concatenate([tables, rows[:, 15:]], 1))
    lens = np.array([24.0, 32.0, 40.0, 42.0, 17.0, 11.0])  # of photos twice as large
    many = np.tile(lens, (12, 1)) + np.arange(12)[:, None] * [0, 0, 0, 0, 0.1, 0]
    value = lens.reshape(shape) if np.prod(shape) == 6 else many if shape[0] == 12 else many.T
    np.save(tmp_path / "hwf_cxcy.npy", value)
    for view in read_scene(tmp_path).train:
        index = int(view.path.stem[-2:]) if np.prod(shape) > 6 else 0
        found = view.camera.intrinsics
        np.testing.assert_allclose(
            (found.fx, found.fy, found.cx, found.cy), (20.0, 21.0, 8.5 + 0.05 * index, 5.5)
        )
    (tmp_path / "hwf_cxcy.npy").unlink()
    with pytest.raises(SceneError, match=r"\[views, 14\] needs the lenses in hwf_cxcy\.npy"):
        read_scene(tmp_path)


def test_real_photos_of_phones_have_several_pictures_in_one(tmp_path: Path) -> None:
    """MPO: a JPEG that holds a depth map or second picture behind the first."""
    write_transforms(tmp_path, arc())
    for index in range(12):
        file = tmp_path / "images" / name(index)
        first = Image.open(file)
        first.save(file.with_suffix(".jpg"), "MPO", save_all=True, append_images=[first.copy()])
        file.unlink()
    scene = read_scene(tmp_path)
    assert len(scene.train) == 10
    scene.check_images()
