"""Photos that lie elsewhere than the camera file says, or under another name."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_nelf.errors import SceneError
from mobile_nelf.scenes import read_scene
from mobile_nelf.scenes.photo_files import located
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


def rename(root: Path, change: Callable[[str], str]) -> None:
    def frames(data: dict) -> None:
        for frame in data["frames"]:
            frame["file_path"] = change(frame["file_path"])

    edit(root / "transforms.json", frames)


@pytest.mark.parametrize(
    "change",
    [
        lambda n: n.replace("/", "\\"),
        lambda n: f"/home/someone/scan/{n}",
        lambda n: f"C:\\Users\\me\\scan\\{n}".replace("/", "\\"),
        lambda n: n.replace(".png", ".jpeg"),
        lambda n: n.replace(".png", ".JPG"),
        lambda n: n.upper(),
        lambda n: n.partition("/")[2],
        lambda n: f"images/{n}",
        lambda n: f"../scan/{n}",
        lambda n: n.replace("images", "images_2"),
        lambda n: n.replace("images", "input"),
        lambda n: n.removesuffix(".png").upper(),
    ],
)
def test_photos_are_found_by_name_with_their_own_poses(
    tmp_path: Path, change: Callable[[str], str]
) -> None:
    write_transforms(tmp_path, arc())
    before = {v.path.name: v.camera.cam_to_world for v in read_scene(tmp_path).train}
    rename(tmp_path, change)
    scene = read_scene(tmp_path)
    assert scene.missing == ()
    assert {view.path.name for view in scene.train} == set(before)
    for view in scene.train:
        np.testing.assert_array_equal(view.camera.cam_to_world, before[view.path.name])
    (notice,) = scene.notices
    assert notice.startswith("12 photos are not where transforms.json says")
    assert change(f"images/{name(0)}") in notice
    assert f"images/{name(0)}" in notice


@pytest.mark.parametrize("place", [".", "images_4", "input", "images/images"])
def test_photos_at_another_place(tmp_path: Path, place: str) -> None:
    write_transforms(tmp_path, arc())
    for index in range(12):
        file = tmp_path / "images" / name(index)
        target = tmp_path / place / name(index)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
    if place != "images/images":
        (tmp_path / "images").rmdir()
    scene = read_scene(tmp_path)
    assert len(scene.train) + len(scene.test) == 12
    assert scene.missing == ()


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
def test_the_other_unicode_normal_form(tmp_path: Path, on_disk: str) -> None:
    write_transforms(tmp_path, arc())
    other = {"NFC": "NFD", "NFD": "NFC"}[on_disk]
    for index in range(12):
        new = unicodedata.normalize(on_disk, f"Küche_{index:02d}.png")
        (tmp_path / "images" / name(index)).rename(tmp_path / "images" / new)
    rename(tmp_path, lambda n: unicodedata.normalize(other, n.replace("photo", "Küche")))
    scene = read_scene(tmp_path)
    assert len(scene.train) == 10
    assert "normal form" in scene.notices[0]


def test_photos_of_one_name_in_two_folders_are_not_mixed_up(tmp_path: Path) -> None:
    for folder in ("left", "right"):
        for index in range(3):
            save_photo(tmp_path / "images" / folder / f"{index}.png", pixels(index))
    names = [f"D:\\scan\\images\\{f}\\{i}.png" for f in ("left", "right") for i in range(3)]
    found = located(tmp_path, names, Path("c.json")).paths
    expected = [tmp_path / "images" / f / f"{i}.png" for f in ("left", "right") for i in range(3)]
    assert found == expected


def test_training_photos_are_not_taken_from_the_test_split(tmp_path: Path) -> None:
    """A copy of a Blender scene without `train` has other photos of the same names in `test`."""
    for index in range(3):
        save_photo(tmp_path / "test" / f"r_{index}.png", pixels(index))
    assert located(tmp_path, [f"./train/r_{i}" for i in range(3)], Path("c")).paths == [None] * 3


def test_a_few_missing_photos_are_not_taken_from_smaller_copies(tmp_path: Path) -> None:
    save_photos(tmp_path / "images", 10)
    save_photos(tmp_path / "images_2", 12, width=8, height=6)
    found = located(tmp_path, [f"images/{name(i)}" for i in range(12)], Path("c"))
    assert found.paths[10:] == [None, None]
    assert found.notices == ()


def test_masks_and_hidden_files_are_no_photos(tmp_path: Path) -> None:
    save_photo(tmp_path / "masks/1.png", pixels(0))
    (tmp_path / "images").mkdir()
    (tmp_path / "images/._2.png").write_bytes(b"\0\x05\x16\x07")
    assert located(tmp_path, ["images/1.png", "images/2.png"], Path("c")).paths == [None, None]


def test_where_nothing_is_found_the_message_says_what_lies_there(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc())
    rename(tmp_path, lambda n: n.replace("photo", "picture"))
    first = rf"looked for .*images/{name(1).replace('photo', 'picture')} first"
    with pytest.raises(SceneError, match=rf"{first}; .*images holds photo_00\.png, .*7 more"):
        read_scene(tmp_path)
    rename(tmp_path, lambda n: n.replace("images", "frames"))
    with pytest.raises(SceneError, match=r"frames does not exist; .* holds images/, transforms"):
        read_scene(tmp_path)


def test_smaller_copies_of_colmap_may_have_another_suffix(tmp_path: Path) -> None:
    write_colmap(tmp_path / "sparse/0", arc(), np.zeros((1, 3)))
    save_photos(tmp_path / "images_2", 12, width=8, height=6)
    for file in (tmp_path / "images_2").iterdir():
        Image.open(file).save(file.with_suffix(".jpg"))
        file.unlink()
    (tmp_path / "images").mkdir()
    scene = read_scene(tmp_path)
    assert scene.train[0].size == (8, 6)
    assert "images_2/photo_00.jpg" in scene.notices[0]
