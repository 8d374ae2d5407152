"""`mnelf capture` as people use it: what is refused, what is said, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_nelf.cameras import Intrinsics
from mobile_nelf.capturing.model import read_reconstruction
from mobile_nelf.scenes import read_scene
from mobile_nelf.scenes.photos import MASK_NOISE
from tests.helpers.cli import mnelf_process
from tests.helpers.phone import BOARD_SQUARE, box_mask, photo, red_box_photo, ring, save_turned

PHOTO_COUNT = 14


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phone") / "my photos"
    folder.mkdir()
    for number, camera in enumerate(ring(PHOTO_COUNT)):
        save_turned(photo(camera), folder / f"IMG_{number}.jpg")
    return folder


def test_inputs_that_make_no_scene_end_with_2(mnelf, tmp_path):
    (tmp_path / "photos").mkdir()
    result = mnelf("capture", "photos", "-o", "scene")
    assert result.exit_code == 2
    assert "photos: holds no photo or video" in result.stderr
    result = mnelf("capture", "photos", "-o", "photos")
    assert result.exit_code == 2
    assert "is an input of this command" in result.stderr
    Image.new("RGB", (64, 48)).save(tmp_path / "photos" / "1.png")
    result = mnelf("capture", "photos", "-o", "scene", "--frames", 1)
    assert "frames must be 3 to 2000, found 1" in result.stderr
    result = mnelf("capture", "photos", "-o", "nowhere/scene")
    assert result.exit_code == 2
    assert "nowhere" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


def test_the_board_is_written_and_nothing_else(mnelf, tmp_path):
    result = mnelf("capture", "--print-board", "board.pdf")
    assert result.exit_code == 0
    assert (tmp_path / "board.pdf").read_bytes().startswith(b"%PDF")
    assert "lay it flat under the object" in result.stdout
    result = mnelf("capture", "--print-board", "board.pdf")
    assert result.exit_code == 2
    assert "exists already" in result.stderr
    result = mnelf("capture", "photos", "--print-board", "other.pdf")
    assert result.exit_code == 2
    assert "capture photos with a second command" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["board.pdf"]


def test_photos_and_a_place_for_the_scene_are_needed(mnelf, tmp_path):
    assert "Missing argument 'PHOTOS_OR_VIDEO...'" in mnelf("capture", "-o", "x").stderr
    result = mnelf("capture", "photos")
    assert result.exit_code == 2
    assert "Missing option '-o' / '--output'" in result.stderr


def test_photos_that_share_nothing_fail_and_say_what_to_do(mnelf, tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(3):
        Image.new("RGB", (96, 72), (80 * number, 90, 20)).save(
            tmp_path / "photos" / f"{number}.png"
        )
    result = mnelf("capture", "photos", "-o", "scene")
    assert result.exit_code == 1
    assert "no three of the 3 photos fit together" in result.stderr
    assert "put a newspaper under a plain object" in result.stderr
    assert not (tmp_path / "scene").exists()
    page = (tmp_path / "scene.run" / "capture.html").read_text()
    assert "scene.run" in result.stderr
    assert "0 of 3" in page
    assert page.count("has only 0 features") == 3


@pytest.mark.slow
def test_a_killed_capture_takes_its_child_along_and_is_resumed(photos, tmp_path):
    process = mnelf_process(tmp_path, "capture", photos, "-o", "scene", "--threads", 1)
    database = tmp_path / "scene.run" / "tries" / "first" / "database.db"
    deadline = time.monotonic() + 120
    child = _child_of(process.pid)
    while not database.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    while _lives(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(child)
    assert [path.name for path in tmp_path.iterdir() if path.name == "scene"] == []

    process = mnelf_process(tmp_path, "capture", photos, "-o", "scene", "--threads", 1)
    child = _child_of(process.pid)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert not _lives(child)
    assert "repeat the command to resume from" in said
    assert not (tmp_path / "scene").exists()

    process = mnelf_process(tmp_path, "capture", photos, "-o", "scene", "--threads", 1)
    said = process.communicate()[1]
    assert process.returncode == 0, said
    report = json.loads((tmp_path / "scene" / "capture.json").read_text())
    assert report["registered"] == PHOTO_COUNT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scene"]


@pytest.mark.slow
def test_one_thread_gives_the_same_scene_each_time(mnelf, photos, tmp_path):
    for name in ("a", "b"):  # the same name: it stands in the picture of the cameras
        (tmp_path / name).mkdir()
        result = mnelf("capture", photos, "-o", f"{name}/scene", "--threads", 1)
        assert result.exit_code == 0, result.output
    assert re.search(r"next +mnelf train b/scene -o scene\.pt", result.stdout)
    files = [
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*")}
        for name in ("a", "b")
    ]
    assert files[0] == files[1]


def _mean_distance(places: list[np.ndarray]) -> float:
    stacked = np.stack(places)
    return float(np.linalg.norm(stacked[:, None] - stacked[None], axis=-1).mean())


def _child_of(parent: int, seconds: float = 120.0) -> int:
    """Waits for structure from motion to be started by a process."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = _children(parent)
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError("no child")


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent and b"capturing.sfm" in _command(entry):
                found.append(int(entry.name))
    return found


def _command(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_photos_of_the_board_give_a_scene_in_metres(mnelf, tmp_path):
    (tmp_path / "photos").mkdir()
    lens = Intrinsics.centred(480, 360, 432.0)
    cameras = [replace(camera, intrinsics=lens) for camera in ring(PHOTO_COUNT)]
    for number, camera in enumerate(cameras):
        save_turned(photo(camera, board=True), tmp_path / "photos" / f"{number}.jpg")
    result = mnelf("capture", "photos", "-o", "scene", "--threads", 1, "--square-mm", 25)
    assert result.exit_code == 0, result.output
    assert re.search(r"true size +known by the board in \d+ photos", result.stdout)
    metres = 0.025 / BOARD_SQUARE
    frames = json.loads((tmp_path / "scene" / "transforms.json").read_text())["frames"]
    for frame in frames:
        place = np.array(frame["transform_matrix"])[:3, 3]
        true = metres * cameras[int(Path(frame["source"]).stem)].position
        # The board's middle is the origin, and its normal the z axis: 1 % of the distance.
        assert place == pytest.approx(true, abs=0.01 * metres * 2.6)
    scene = read_scene(tmp_path / "scene")
    found = [view.camera.position for view in (*scene.train, *scene.test)]
    apart = _mean_distance(found) * scene.metres_per_unit
    true_apart = _mean_distance([camera.position for camera in cameras]) * metres
    assert apart == pytest.approx(true_apart, rel=0.01)
    report = json.loads((tmp_path / "scene" / "capture.json").read_text())
    assert report["board"]["used"] is True
    model = read_reconstruction(tmp_path / "scene" / "sparse" / "0")
    places = [i.cam_from_world().inverse().translation for i in model.images.values()]
    assert np.median(np.linalg.norm(places, axis=1)) == pytest.approx(metres * 2.6, rel=0.03)


@pytest.mark.slow
def test_an_object_is_cut_out_and_a_mask_is_corrected_by_hand(mnelf, tmp_path):
    (tmp_path / "photos").mkdir()
    cameras = ring(PHOTO_COUNT)
    for number, camera in enumerate(cameras):
        save_turned(red_box_photo(camera), tmp_path / "photos" / f"{number}.jpg")
    result = mnelf("capture", "photos", "-o", "scene", "--threads", 1, "--object")
    assert result.exit_code == 0, result.output
    frames = json.loads((tmp_path / "scene" / "transforms.json").read_text())["frames"]
    overlaps = []
    for frame in frames:
        mask = np.asarray(
            Image.open(tmp_path / "scene" / "source_masks" / f"{Path(frame['file_path']).stem}.png")
        )
        true = box_mask(cameras[int(Path(frame["source"]).stem)])
        overlaps.append(((mask > 127) & true).sum() / ((mask > 127) | true).sum())
        assert Image.open(tmp_path / "scene" / frame["file_path"]).mode == "RGBA"
    assert np.mean(overlaps) > 0.85
    painted = tmp_path / "scene" / "source_masks" / "0003.png"
    corrected = np.asarray(Image.open(painted)).copy()
    corrected[:, :170] = 0
    Image.fromarray(corrected).save(painted)
    again = mnelf("capture", "photos", "-o", "again", "--object", "--masks", "scene/source_masks")
    assert again.exit_code in (0, 1), again.output  # one of 13 masks contradicts the others now
    kept = np.asarray(Image.open(tmp_path / "again" / "source_masks" / "0003.png"))
    # What is next to nothing counts as noise of a mask that was compressed.
    assert (kept == np.where(corrected < MASK_NOISE, 0, corrected)).all()
