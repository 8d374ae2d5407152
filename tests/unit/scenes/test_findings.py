"""Warnings, the picture of the cameras, and `mnelf inspect SCENE`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageFilter

from mobile_nelf.cameras import OrbitLimits
from mobile_nelf.cli import cli
from mobile_nelf.errors import InputError, OutputError
from mobile_nelf.scenes import Scene, read_scene
from mobile_nelf.scenes.findings import scene_warnings
from mobile_nelf.scenes.picture import MARGIN, PANEL, TEST, TRAIN, camera_picture
from mobile_nelf.summary import inspect_path
from tests.helpers.scenes import arc, name, save_photo, write_llff, write_transforms

ALL_ROUND = range(-170, 190, 20)


def scene_of(folder: Path, poses: list[np.ndarray]) -> Scene:
    write_transforms(folder, poses)
    return read_scene(folder)


def test_photos_all_round_are_fine(tmp_path: Path) -> None:
    assert scene_warnings(scene_of(tmp_path, arc(ALL_ROUND, (-20, 20)))) == ()


def test_few_photos(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, arc(ALL_ROUND, (10,)))
    assert scene_warnings(scene) == ("only 15 photos to train on; take 20 or more",)


def test_few_photos_suffice_from_one_side(tmp_path: Path) -> None:
    write_llff(tmp_path, arc((-9, -6, -3, 3, 6, 9), (-4, 4)), (2.0, 9.0))
    assert scene_warnings(read_scene(tmp_path)) == ()


def test_an_arc_and_gaps_in_it(tmp_path: Path) -> None:
    azimuths = (-80, -70, -60, -50, -40, -35, -30, 30, 35, 40, 50, 60, 70, 80)
    around, within = sorted(scene_warnings(scene_of(tmp_path, arc(azimuths, (-20, 20)))))
    assert around == "no photo from azimuth -30° to 30°, a gap of 60°; viewers cannot go there"
    assert within == "no photo from azimuth 80° to -80°, a gap of 200°; viewers cannot go there"


def test_uneven_distances(tmp_path: Path) -> None:
    poses = arc(ALL_ROUND, (-20, 20))
    for pose in poses[::3]:
        pose[:, 3] *= 2.0
    (warning,) = scene_warnings(scene_of(tmp_path, poses))
    trained = [pose for index, pose in enumerate(poses) if index % 8]
    distances = [float(np.linalg.norm(pose[:, 3])) for pose in trained]
    assert warning.startswith("the distance to the target varies")
    assert f"{max(distances) / min(distances):.1f} times" in warning


@pytest.mark.parametrize("alpha", [False, True])
def test_blurred_photos_are_named(tmp_path: Path, alpha: bool) -> None:
    write_transforms(tmp_path, arc(ALL_ROUND, (-20, 20)))
    for index in (3, 20):
        file = tmp_path / "images" / name(index)
        Image.open(file).filter(ImageFilter.GaussianBlur(1.5)).save(file)
    if alpha:
        # The sharp outline of an object does not make the photo sharp.
        for index in range(36):
            file = tmp_path / "images" / name(index)
            rgba = np.asarray(Image.open(file).convert("RGBA")).copy()
            rgba[..., :3] = 200 + rgba[..., :3] // 16
            rgba[:, [0, 1, 2, -3, -2, -1], 3] = 0
            rgba[:, [0, 1, 2, -3, -2, -1], :3] = 0
            save_photo(file, rgba)
    (warning,) = scene_warnings(read_scene(tmp_path))
    assert warning == "2 photos look blurred against the others: photo_03.png, photo_20.png"


def test_missing_photos(tmp_path: Path) -> None:
    write_transforms(tmp_path, arc(ALL_ROUND, (-20, 20)))
    (tmp_path / "images" / name(5)).unlink()
    (warning,) = scene_warnings(read_scene(tmp_path))
    assert warning == "1 photos that the camera file names do not exist"


def test_the_picture_has_a_camera_where_one_stands(tmp_path: Path) -> None:
    orbit = OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (-90, 90), (4, 4))
    # A cross of four cameras in the plane: in the panels, one stands at each end of an axis.
    poses = [orbit.pose(azimuth, 0, 4) for azimuth in (0, 90, 180, -90)]
    picture = camera_picture(scene_of(tmp_path, poses))
    top, side = (
        picture.crop((x, MARGIN + 74, x + PANEL, MARGIN + 74 + PANEL))
        for x in (MARGIN, 2 * MARGIN + PANEL)
    )
    # The world reaches 4 units to each side of the middle, and the panel 12 % farther.
    edge = PANEL / 2 * (1 - 1 / 1.12)
    marks = {
        "right": (PANEL - edge, PANEL / 2),
        "left": (edge, PANEL / 2),
        "up": (PANEL / 2, edge),
        "down": (PANEL / 2, PANEL - edge),
    }

    def colour(panel: Image.Image, mark: str) -> str:
        x, y = (round(value) for value in marks[mark])
        pixel = np.array(panel.getpixel((x, y)), int)
        distances = {
            what: np.abs(pixel - known).max()
            for what, known in {"train": TRAIN, "test": TEST, "": (255, 255, 255)}.items()
        }
        return min(distances, key=lambda what: distances[what])

    # The first photo is for testing; normalisation leaves such a cross at any turn about z.
    assert sorted(colour(top, mark) for mark in marks) == ["test", "train", "train", "train"]
    assert colour(side, "up") == colour(side, "down") == ""
    assert colour(side, "left") != ""
    assert colour(side, "right") != ""


def test_up_is_up_in_the_picture(tmp_path: Path) -> None:
    picture = np.asarray(camera_picture(scene_of(tmp_path, arc(ALL_ROUND, (30, 50)))))
    side = picture[MARGIN + 74 :, 2 * MARGIN + PANEL :].astype(int)
    rows = np.flatnonzero((np.abs(side - TRAIN).max(2) < 20).any(1))
    target = np.flatnonzero((side.max(2) < 60).any(1)).mean()
    assert rows.max() < target, "cameras that look down on the target are drawn above it"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_transforms(tmp_path / "scene", arc())
    save_photo(tmp_path / "scene/images" / name(4), np.zeros((24, 32, 3), np.uint8))
    (tmp_path / "scene/images" / name(3)).unlink()
    return tmp_path / "scene"


def test_inspect_says_all_of_it(folder: Path) -> None:
    text = CliRunner().invoke(cli, ["inspect", str(folder)]).stdout
    for part in (
        "9 to train on, 2 to test with",
        "16×12",
        "unbounded: an object and all that is around it",
        "box      (-2",
        "depths",
        "azimuth -70° to 70°",
        "missing  images/photo_03.png",
        "note: 1 photos of 32×24 are resized to 16×12",
        "warning: only 9 photos",
        "warning: no photo from azimuth 70° to -70°",
    ):
        assert part in text
    result = CliRunner().invoke(cli, ["inspect", str(folder), "--json"])
    report = json.loads(result.stdout)
    scene = read_scene(folder)
    assert report["extent"] == scene.extent
    assert report["box"] == {"lower": list(scene.box.lower), "upper": list(scene.box.upper)}
    assert report["notices"] == list(scene.notices)
    assert report["warnings"] == list(scene_warnings(scene))


def test_inspect_draws(folder: Path, tmp_path: Path) -> None:
    picture = tmp_path / "cameras.png"
    inspect_path(folder, picture=picture)
    with Image.open(picture) as image:
        assert image.format == "PNG"
        assert image.size == camera_picture(read_scene(folder)).size
    before = picture.read_bytes()
    with pytest.raises(OutputError, match=r"cameras\.png: exists already"):
        inspect_path(folder, picture=picture)
    inspect_path(folder, picture=picture, force=True)
    assert picture.read_bytes() == before, "the same scene gives the same bytes"
    result = CliRunner().invoke(cli, ["inspect", str(folder), "--picture", str(picture)])
    assert result.exit_code == 2


def test_a_checkpoint_has_no_cameras_to_draw(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"anything")
    with pytest.raises(InputError, match="a picture shows the cameras of a scene"):
        inspect_path(tmp_path / "a.pt", picture=tmp_path / "cameras.png")
