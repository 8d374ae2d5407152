"""Broken scenes are refused when they are read, or by `check_images`, with the file named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
import pytest
from PIL import Image

from mobile_nelf.errors import MissingExtraError, SceneError
from mobile_nelf.scenes import Scene, read_scene
from tests.helpers.scenes import (
    LENS,
    arc,
    edit,
    name,
    pixels,
    save_photos,
    write_colmap,
    write_llff,
    write_transforms,
)

FORWARD = {"azimuths": (-9, -6, -3, 3, 6, 9), "elevations": (-4, 4)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_transforms(tmp_path, arc())
    return tmp_path


def frame_edit(index: int, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: data["frames"][index].update(values)


def test_a_whole_scene_passes(folder: Path) -> None:
    read_scene(folder).check_images()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_json_cut_off(folder: Path, share: float) -> None:
    text = (folder / "transforms.json").read_text()
    (folder / "transforms.json").write_text(text[: int(share * len(text))])
    with pytest.raises(SceneError, match=r"transforms\.json: is cut off or not JSON"):
        read_scene(folder)


@pytest.mark.parametrize("value", [[], {"frames": 3}, {"frames": [1]}, {"frames": [{"a": 1}]}])
def test_json_of_something_else(folder: Path, value: Any) -> None:
    (folder / "transforms.json").write_text(json.dumps(value))
    with pytest.raises(SceneError, match="a list of frames that have a file_path"):
        read_scene(folder)


def broken_pose(value: float) -> list[list[float]]:
    matrix = np.vstack([arc()[3], [0, 0, 0, 1]])
    matrix[0, 0] = value
    return matrix.tolist()


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        (broken_pose(float("nan")), "not finite"),
        (broken_pose(float("inf")), "not finite"),
        (broken_pose(3.0), "not a rotation"),
        ((np.eye(4) * [1, 1, -1, 1]).tolist(), "not a rotation"),
        (np.zeros((4, 4)).tolist(), "not a rotation"),
        ([[1, 2]], r"found shape \[1, 2\]"),
        ([[1], []], "expected a pose of 3×4 or 4×4 numbers"),
        ("a pose", "expected a pose of 3×4 or 4×4 numbers"),
    ],
)
def test_poses_that_are_none(folder: Path, pose: Any, message: str) -> None:
    edit(folder / "transforms.json", frame_edit(3, transform_matrix=pose))
    with pytest.raises(SceneError, match=rf"frame images/photo_03\.png: .*{message}"):
        read_scene(folder)


def test_one_pose_for_all(folder: Path) -> None:
    pose = np.eye(4).tolist()
    edit(
        folder / "transforms.json",
        lambda data: [f.update(transform_matrix=pose) for f in data["frames"]],
    )
    with pytest.raises(SceneError, match="all 12 cameras have the same pose"):
        read_scene(folder)


def test_two_photos_at_one_pose(folder: Path) -> None:
    pose = np.vstack([arc()[2], [0, 0, 0, 1]]).tolist()
    edit(folder / "transforms.json", frame_edit(5, transform_matrix=pose))
    message = r"photos images/photo_02\.png and images/photo_05\.png have the same pose"
    with pytest.raises(SceneError, match=message):
        read_scene(folder)


@pytest.mark.parametrize("path", ["images/photo_02.png", "./images/../images/photo_02.png"])
def test_one_photo_at_two_poses(folder: Path, path: str) -> None:
    edit(folder / "transforms.json", frame_edit(5, file_path=path))
    with pytest.raises(SceneError, match=r"frames .*photo_02\.png and .* are the same photo"):
        read_scene(folder)


def test_no_photo_at_all(folder: Path) -> None:
    for file in (folder / "images").iterdir():
        file.unlink()
    with pytest.raises(SceneError, match="none of the 10 training images exists"):
        read_scene(folder)


def test_no_frames(folder: Path) -> None:
    (folder / "transforms.json").write_text('{"frames": []}')
    with pytest.raises(SceneError, match=r"transforms\.json: has no frames"):
        read_scene(folder)


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_an_image_without_a_header(folder: Path, share: float) -> None:
    file = folder / "images" / name(4)
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(SceneError, match=r"photo_04\.png: not a readable image"):
        read_scene(folder)


def test_an_empty_image_is_called_so(folder: Path) -> None:
    (folder / "images" / name(0)).write_bytes(b"")
    with pytest.raises(SceneError, match=r"photo_00\.png: .*the file is empty"):
        read_scene(folder)


@pytest.mark.parametrize("index", [8, 11])
def test_a_truncated_image_is_found_by_the_check(folder: Path, index: int) -> None:
    file = folder / "images" / name(index)
    file.write_bytes(file.read_bytes()[:-200])
    scene = read_scene(folder)
    with pytest.raises(SceneError, match=rf"{name(index)}: not a readable image"):
        scene.check_images()


def test_an_image_that_was_changed_is_found_by_the_check(folder: Path) -> None:
    scene = read_scene(folder)
    Image.fromarray(pixels(0, 9, 9)).save(folder / "images" / name(3))
    with pytest.raises(SceneError, match=r"photo_03\.png: is 9×9, but the scene was read with"):
        scene.check_images()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fl_x": 0.0, "fl_y": 0.0}, "expected fl_x or camera_angle_x"),
        ({"fl_x": "wide"}, "could not convert"),
        ({"cx": float("nan")}, "not finite"),
        ({"k1": float("inf")}, "not finite"),
        ({"w": 0}, "expected fl_x or camera_angle_x"),
        ({"h": 24}, "another aspect"),
        ({"camera_model": "EQUIRECTANGULAR"}, "camera_model EQUIRECTANGULAR is not supported"),
    ],
)
def test_lenses_that_are_none(folder: Path, values: dict[str, Any], message: str) -> None:
    edit(folder / "transforms.json", lambda data: data.update(values))
    with pytest.raises(SceneError, match=rf"photo_00\.png: .*{message}"):
        read_scene(folder)


def llff(folder: Path) -> Path:
    write_llff(folder, arc(**FORWARD), (2.0, 9.0))
    return folder / "poses_bounds.npy"


def rows_edit(file: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    np.save(file, change(np.load(file)))


def with_value(row: int, column: int, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(rows: np.ndarray) -> np.ndarray:
        rows[row, column] = value
        return rows

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:, :16], r"expected an array of \[views, 17\], found \[12, 16\]"),
        (lambda rows: rows[0], r"expected an array of \[views, 17\], found \[17\]"),
        (lambda rows: rows[:0], r"expected an array of \[views, 17\], found \[0, 17\]"),
        (lambda rows: rows.astype(str), "expected an array of numbers"),
        (with_value(2, 3, np.nan), "not finite"),
        (with_value(2, 0, 7.0), r"row 2 \(photo_02\.png\): its pose is not a rotation"),
        (with_value(2, 15, 0.0), "0 < near < far"),
        (with_value(2, 16, 1.0), "0 < near < far"),
        (with_value(2, 14, 0.0), "height, width and focal length"),
        (
            lambda rows: rows[:11],
            "with 11 photos, one a row of poses_bounds.npy; found images with",
        ),
    ],
)
def test_llff_poses_that_are_none(
    tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], message: str
) -> None:
    rows_edit(llff(tmp_path), change)
    with pytest.raises(SceneError, match=message):
        read_scene(tmp_path)


def test_llff_files_that_are_no_arrays(tmp_path: Path) -> None:
    file = llff(tmp_path)
    content = file.read_bytes()
    for broken in (b"", content[:200], b"text"):
        file.write_bytes(broken)
        with pytest.raises(SceneError, match=r"poses_bounds\.npy: not a readable NumPy array"):
            read_scene(tmp_path)


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    file = llff(tmp_path)
    np.save(file, np.array([Bomb(tmp_path / "exploded")]), allow_pickle=True)
    with pytest.raises(SceneError, match=r"poses_bounds\.npy: not a readable NumPy array"):
        read_scene(tmp_path)
    assert not (tmp_path / "exploded").exists()


def colmap(folder: Path, **options: Any) -> Path:
    points = np.random.default_rng(0).uniform(-1, 1, (5, 3))
    write_colmap(folder / "sparse/0", arc(), points, **options)
    save_photos(folder / "images", 12)
    return folder / "sparse/0"


BINARY = ["cameras.bin", "images.bin", "points3D.bin", "rigs.bin", "frames.bin"]


@pytest.mark.parametrize("file", BINARY)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_binary_colmap_files_cut_off(tmp_path: Path, file: str, share: float) -> None:
    model = colmap(tmp_path)
    content = (model / file).read_bytes()
    (model / file).write_bytes(content[: int(share * len(content))])
    with pytest.raises(SceneError, match=rf"{file}: not a readable COLMAP model; it is cut off"):
        read_scene(tmp_path)


def test_binary_colmap_files_are_walked_to_their_ends(tmp_path: Path) -> None:
    """One byte less is noticed in each, so the walk knows where the last entry ends."""
    model = colmap(tmp_path)
    for file in BINARY:
        content = (model / file).read_bytes()
        (model / file).write_bytes(content[:-1])
        with pytest.raises(SceneError, match=f"{file}: not a readable COLMAP model"):
            read_scene(tmp_path)
        (model / file).write_bytes(content)
    read_scene(tmp_path)


def test_an_unknown_colmap_camera_model(tmp_path: Path) -> None:
    model = colmap(tmp_path)
    content = bytearray((model / "cameras.bin").read_bytes())
    content[12:16] = (77).to_bytes(4, "little")  # behind the count and the camera's number
    (model / "cameras.bin").write_bytes(content)
    with pytest.raises(SceneError, match=r"cameras\.bin: not a readable COLMAP model"):
        read_scene(tmp_path)


@pytest.mark.parametrize("file", ["cameras.txt", "images.txt"])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_text_colmap_files_cut_off(tmp_path: Path, file: str, share: float) -> None:
    model = colmap(tmp_path, text=True)
    content = (model / file).read_text()
    (model / file).write_text(content[: int(share * len(content))])
    with pytest.raises(SceneError, match="sparse/0: not a readable COLMAP model"):
        read_scene(tmp_path)


def test_a_colmap_model_without_photos_or_poses(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    write_colmap(empty / "sparse/0", [], np.zeros((0, 3)))
    with pytest.raises(SceneError, match="has no photo with a pose"):
        read_scene(empty)
    write_colmap(tmp_path / "sparse/0", arc(), np.zeros((1, 3)))
    with pytest.raises(SceneError, match="expected a folder images beside the COLMAP model"):
        read_scene(tmp_path)


def test_colmap_photos_of_another_aspect(tmp_path: Path) -> None:
    colmap(tmp_path)
    save_photos(tmp_path / "images", 12, width=12, height=16)
    with pytest.raises(SceneError, match=r"photo_00\.png: is 12×16, but its camera is 16×12"):
        read_scene(tmp_path)


def test_a_colmap_lens_that_bends_too_much(tmp_path: Path) -> None:
    params = [20.0, 8.0, 6.0, 90.0]
    camera = pycolmap.Camera(
        model="SIMPLE_RADIAL", width=LENS.width, height=LENS.height, params=params
    )
    colmap(tmp_path, camera=camera)
    with pytest.raises(SceneError, match="bends too much for a pinhole"):
        read_scene(tmp_path)


def test_colmap_needs_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colmap(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "pycolmap", None)
    with pytest.raises(MissingExtraError, match=r"mobile-nelf\[train\]"):
        read_scene(tmp_path)


def pseudo(folder: Path) -> Scene:
    for part in ("24x32_rgb", "poses", "hwf"):
        (folder / part).mkdir(parents=True)
    info = {"downscaled_height": 6, "downscaled_width": 8, "downscaled_focal": 9.0, "ff": False}
    (folder / "hwf/dataset_info.json").write_text(json.dumps({**info, "dataset_type": "nerf"}))
    for index, pose in enumerate(arc()):
        values = pixels(index, 32, 24).astype(np.float32) / 255.0
        np.save(folder / f"24x32_rgb/rendered_rgb_{index:05d}.npy", values)
        np.save(folder / f"poses/c2w_{index:05d}.npy", pose[:, 3])
    return read_scene(folder)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((24, 31, 3), np.float32), "expected 24·32×3 numbers, found an array of shape"),
        (np.full((24, 32, 3), np.nan, np.float32), "not finite"),
        (np.array([{"a": 1}]), "not a readable NumPy array"),
    ],
)
def test_pseudo_images_that_are_none(tmp_path: Path, array: np.ndarray, message: str) -> None:
    scene = pseudo(tmp_path)
    np.save(tmp_path / "24x32_rgb/rendered_rgb_00007.npy", array)
    with pytest.raises(SceneError, match=rf"rendered_rgb_00007\.npy: .*{message}"):
        scene.check_images()


def test_pseudo_sets_that_are_none(tmp_path: Path) -> None:
    pseudo(tmp_path)
    pose = tmp_path / "poses/c2w_00003.npy"
    np.save(pose, np.zeros(4))
    with pytest.raises(SceneError, match=r"c2w_00003\.npy: expected the position of a camera"):
        read_scene(tmp_path)
    pose.unlink()
    with pytest.raises(SceneError, match=r"c2w_00003\.npy: no such file, expected the pose of"):
        read_scene(tmp_path)
    info = tmp_path / "hwf/dataset_info.json"
    edit(info, lambda data: data.update(downscaled_width=7))
    with pytest.raises(SceneError, match="expected a multiple of the ray grid of 7×6"):
        read_scene(tmp_path)
    edit(info, lambda data: data.update(downscaled_width=0))
    with pytest.raises(SceneError, match="expected a ray grid and a focal length"):
        read_scene(tmp_path)
    edit(info, lambda data: data.pop("ff"))
    with pytest.raises(SceneError, match=r"dataset_info\.json: expected .* found KeyError\('ff'\)"):
        read_scene(tmp_path)
    info.write_text("{")
    with pytest.raises(SceneError, match=r"dataset_info\.json: is cut off or not JSON"):
        read_scene(tmp_path)
