"""Photos by format, mode, size and EXIF orientation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobile_nelf.cameras import OrbitLimits
from mobile_nelf.errors import SceneError
from mobile_nelf.scenes import photos, read_scene
from mobile_nelf.scenes.photos import Header, Turn, decoded, decoded_mask, photo_header, turn_of
from tests.helpers.scenes import (
    LENS,
    arc,
    edit,
    name,
    pixels,
    save_photo,
    save_photos,
    write_colmap,
    write_llff,
    write_transforms,
)

ORIENTATION = 274
#: What each EXIF orientation does to rows and columns, by the table of its standard.
SHOWN: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: p[::-1].swapaxes(0, 1),
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: p.swapaxes(0, 1)[::-1],
}
#: The stored pixels that are shown as given.
STORED = {**SHOWN, 6: SHOWN[8], 8: SHOWN[6]}


def save_turned(path: Path, shown: np.ndarray, orientation: int) -> None:
    """Saves a photo that EXIF turns into `shown`; PNG, so that no pixel changes."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(STORED[orientation](shown))).save(path, exif=exif)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("orientation", SHOWN)
def test_pixels_are_turned_as_exif_says(tmp_path: Path, orientation: int, suffix: str) -> None:
    stored = pixels(1)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = tmp_path / f"a{suffix}"
    Image.fromarray(stored).save(file, exif=exif)
    header = photo_header(file)
    assert header == Header((LENS.width, LENS.height), orientation)
    shown = SHOWN[orientation](stored)
    turn = turn_of(header, None, shown=True)
    assert turn == Turn(shown.shape[1::-1], applied=orientation)
    np.testing.assert_array_equal(decoded(file, turn.size, turn.applied)[..., :3], shown)
    np.testing.assert_array_equal(decoded(file, header.size)[..., :3], stored)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_exif_is_found_in_every_format(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(pixels(1)).save(tmp_path / f"a{suffix}", exif=exif)
    assert photo_header(tmp_path / f"a{suffix}").orientation == 6


@pytest.mark.parametrize("shown", [False, True])
def test_the_aspect_of_the_camera_tells_which_picture_it_is_for(shown: bool) -> None:
    header = Header((120, 90), 6)
    assert turn_of(header, (360, 480), shown=shown) == Turn((90, 120), applied=6)
    assert turn_of(header, (480, 360), shown=shown) == Turn((120, 90), ignored=6)
    for lens in (None, (100, 100)):
        expected = Turn((90, 120), applied=6) if shown else Turn((120, 90), ignored=6)
        assert turn_of(header, lens, shown=shown) == expected


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_transforms_speak_of_the_turned_picture(tmp_path: Path, orientation: int) -> None:
    write_transforms(tmp_path, arc())
    for index in range(12):
        save_turned(tmp_path / "images" / name(index), pixels(index), orientation)
    scene = read_scene(tmp_path)
    for view in scene.train:
        assert view.camera.intrinsics == LENS
        np.testing.assert_array_equal(view.rgba()[..., :3], pixels(int(view.path.stem[-2:])))
    (notice,) = scene.notices
    assert notice.startswith("12 photos are turned as their EXIF orientation says")
    scene.check_images()


def upright_arc() -> list[np.ndarray]:
    orbit = OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (-90, 90), (4, 4))
    return [orbit.pose(6.0 * i, (20, 45, 70)[i % 3], 4.0) for i in range(24)]


@pytest.mark.parametrize(
    ("orientation", "roll"),
    # The stored picture of a camera on its side: what it calls right is where the photo's top was.
    [(6, [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]), (8, [[0, -1, 0], [1, 0, 0], [0, 0, 1]])],
)
def test_colmap_speaks_of_stored_pixels_and_exif_of_up(
    tmp_path: Path, orientation: int, roll: list[list[int]]
) -> None:
    rolled = [np.concatenate([pose[:, :3] @ roll, pose[:, 3:]], 1) for pose in upright_arc()]
    # Orientation 6 shows the left side of the stored picture at the top: its right is down.
    down = -1.0 if orientation == 6 else 1.0
    assert all(np.sign(pose[2, 0]) == down for pose in rolled)
    write_colmap(tmp_path / "sparse/0", rolled, np.zeros((1, 3)))
    for index in range(24):
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.fromarray(pixels(index)).save(tmp_path / "images" / name(index), exif=exif)
    scene = read_scene(tmp_path)
    np.testing.assert_allclose(scene.orbit.elevation, (20, 70), atol=1e-5)
    np.testing.assert_array_equal(scene.train[0].rgba()[..., :3], pixels(1))
    assert any("are not turned as their EXIF orientation says" in n for n in scene.notices)


def test_llff_speaks_of_stored_pixels(tmp_path: Path) -> None:
    write_llff(tmp_path, arc((-9, -6, -3, 3, 6, 9), (-4, 4)), (2.0, 9.0))
    for index in range(12):
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        Image.fromarray(pixels(index)).save(tmp_path / "images" / name(index), exif=exif)
    scene = read_scene(tmp_path)
    np.testing.assert_array_equal(scene.train[0].rgba()[..., :3], pixels(1))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_of_16_bits_is_scaled(tmp_path: Path, suffix: str) -> None:
    grey = np.linspace(0, 65535, 64).astype(np.uint16).reshape(4, 16)
    Image.fromarray(grey).save(tmp_path / f"a{suffix}")
    found = decoded(tmp_path / f"a{suffix}", (16, 4))
    assert np.abs(found[..., :3] - (grey / 257.0)[..., None]).max() <= 0.5
    assert (found[..., 3] == 255).all()


def test_grey_palette_and_cmyk(tmp_path: Path) -> None:
    colour = Image.fromarray(pixels(3))
    colour.convert("L").save(tmp_path / "l.png")
    found = decoded(tmp_path / "l.png", colour.size)
    np.testing.assert_array_equal(found[..., 0], np.asarray(colour.convert("L")))
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "p.png", transparency=0)
    assert decoded(tmp_path / "p.png", (2, 1)).tolist() == [[[10, 20, 30, 0], [40, 50, 60, 255]]]
    Image.new("CMYK", (2, 2), (0, 255, 255, 0)).save(tmp_path / "c.tif")
    red = decoded(tmp_path / "c.tif", (2, 2))[0, 0].tolist()
    assert red[0] > 200 > 60 > red[1]
    assert red[3] == 255


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_other_depths_are_refused_by_name(tmp_path: Path, kind: type) -> None:
    Image.fromarray(np.full((4, 4), 99999, kind)).save(tmp_path / "a.tif")
    with pytest.raises(SceneError, match=r"a\.tif: has (32 bits a pixel|pixels of floating)"):
        decoded(tmp_path / "a.tif", (4, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0", r"is a HEIC photo.*sips.*Most Compatible"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0", "is a HEIC photo"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer.*git lfs pull"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"BM" + bytes(60), "is a BMP, expected PNG, JPEG, WEBP or TIFF"),
        (b"nothing at all", "not a readable image of PNG, JPEG, WEBP or TIFF"),
    ],
)
def test_files_that_are_no_photos_say_what_they_are(
    tmp_path: Path, content: bytes, message: str
) -> None:
    write_transforms(tmp_path, arc())
    (tmp_path / "images" / name(3)).write_bytes(content)
    with pytest.raises(SceneError, match=rf"photo_03\.png: .*{message}"):
        read_scene(tmp_path)


def test_only_a_few_decoders_are_reached(tmp_path: Path) -> None:
    for kind in ("BMP", "GIF", "PPM", "ICO", "EPS"):
        Image.new("RGB", (16, 16)).save(tmp_path / "a.png", kind)
        with pytest.raises(SceneError, match=r"a\.png: "):
            photo_header(tmp_path / "a.png")


def test_a_photo_of_too_many_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_photo(tmp_path / "a.png", pixels(0))
    monkeypatch.setattr(photos, "PIXEL_LIMIT", LENS.width * LENS.height - 1)
    for read in (photo_header, lambda path: decoded(path, (LENS.width, LENS.height))):
        with pytest.raises(SceneError, match=r"has 16×12 pixels.*scale the photos down"):
            read(tmp_path / "a.png")


def test_heic_beside_the_camera_file_is_named_and_not_missing(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc())
    for index in range(12):
        file = tmp_path / "images" / name(index)
        file.with_suffix(".HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
        file.unlink()
    with pytest.raises(SceneError, match="is a HEIC photo"):
        read_scene(tmp_path)


# Masks


def mask(index: int) -> np.ndarray:
    """White where the object is."""
    return np.where(pixels(index)[..., 0] > 127, np.uint8(255), np.uint8(0))


@pytest.mark.parametrize("ending", ["{stem}.png", "{stem}.png.png"])
def test_a_folder_of_masks_becomes_alpha(tmp_path: Path, ending: str) -> None:
    write_transforms(tmp_path, arc())
    for index in range(12):
        save_photo(tmp_path / "masks" / ending.format(stem=name(index)[:-4]), mask(index))
    scene = read_scene(tmp_path)
    for view in scene.train:
        index = int(view.path.stem[-2:])
        np.testing.assert_array_equal(view.rgba()[..., 3], mask(index))
        np.testing.assert_array_equal(view.rgba()[..., :3], pixels(index))
    assert "alpha comes from the masks of 12 photos" in scene.notices


def test_masks_of_colmap_and_those_that_are_missing(tmp_path: Path) -> None:
    write_colmap(tmp_path / "sparse/0", arc(), np.zeros((1, 3)))
    save_photos(tmp_path / "images", 12)
    for index in range(1, 12):
        save_photo(tmp_path / "masks" / f"{name(index)}.png", mask(index))
    scene = read_scene(tmp_path)
    assert "alpha comes from the masks of 11 photos; 1 have none: photo_00.png" in scene.notices
    np.testing.assert_array_equal(scene.train[0].rgba()[..., 3], mask(1))


def test_mask_path_of_nerfstudio(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc())
    save_photo(tmp_path / "other/m.png", mask(1))

    def named(data: dict) -> None:
        data["frames"][1]["mask_path"] = "other/m.png"

    edit(tmp_path / "transforms.json", named)
    view = read_scene(tmp_path).train[0]
    np.testing.assert_array_equal(view.rgba()[..., 3], mask(1))


def test_masks_of_every_mode(tmp_path: Path) -> None:
    true = mask(1)
    size = (LENS.width, LENS.height)
    variants = {
        "grey": true,
        "labels": true // 255,
        "16 bits": true.astype(np.uint16) * 257,
        "colour": np.dstack([true] * 3),
        "alpha": np.dstack([np.zeros((*true.shape, 3), np.uint8), true]),
    }
    for what, values in variants.items():
        save_photo(tmp_path / f"{what}.png", values)
        found = decoded_mask(tmp_path / f"{what}.png", size)
        np.testing.assert_array_equal(found, true, err_msg=what)
    Image.fromarray(true > 0).save(tmp_path / "1.png")
    np.testing.assert_array_equal(decoded_mask(tmp_path / "1.png", size), true)
    save_photo(tmp_path / "twice.png", true.repeat(2, 0).repeat(2, 1))
    assert np.abs(decoded_mask(tmp_path / "twice.png", size).astype(int) - true).mean() < 60
    save_photo(tmp_path / "wide.png", true[:6])
    with pytest.raises(SceneError, match=r"wide\.png: the mask is 16×6, but its photo is 16×12"):
        decoded_mask(tmp_path / "wide.png", size)


def test_masks_make_a_scene_bounded_and_are_checked(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc())
    middle = np.zeros((LENS.height, LENS.width), np.uint8)
    middle[4:8, 6:11] = 255
    for index in range(12):
        save_photo(tmp_path / "masks" / name(index), middle)
    scene = read_scene(tmp_path)
    assert scene.extent == "bounded"
    (tmp_path / "masks" / name(5)).write_bytes(b"")
    with pytest.raises(SceneError, match=r"masks/photo_05\.png: .*empty"):
        scene.check_images()


def test_one_opaque_photo_is_named(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc())
    for index in range(12):
        rgba = np.dstack([pixels(index), np.full((LENS.height, LENS.width), 255, np.uint8)])
        if index != 4:
            rgba[..., 3] = 0
            rgba[4:8, 6:11, 3] = 255
        save_photo(tmp_path / "images" / name(index), rgba)
    scene = read_scene(tmp_path)
    assert scene.extent == "bounded"
    assert any("1 photos are opaque" in n and name(4) in n for n in scene.notices)


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc())
    strange = ["x" * 5000, "", "//", "..", "C:\\a\\b.png", "/dev/zero", "images"]

    def change(data: dict[str, Any]) -> None:
        for frame, given in zip(data["frames"], strange, strict=False):
            frame["file_path"] = given

    edit(tmp_path / "transforms.json", change)
    assert sorted(read_scene(tmp_path).missing) == sorted(strange)


@pytest.mark.parametrize("given", ["images/\0.png", "\ud800.png"])
def test_names_that_are_no_text(tmp_path: Path, given: str) -> None:
    """They are missing or refused, and what is said of them can be printed."""
    write_transforms(tmp_path, arc())
    edit(tmp_path / "transforms.json", lambda data: data["frames"][0].update(file_path=given))
    try:
        said = "".join(read_scene(tmp_path).missing)
    except SceneError as error:
        said = str(error)
    assert said.encode()
