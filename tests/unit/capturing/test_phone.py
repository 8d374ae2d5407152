"""Captures as careless people make them: each check is provoked by real photos and named."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from mobile_nelf.cameras import Camera, look_at
from mobile_nelf.capturing.run import capture
from tests.helpers.phone import LENS, box_mask, exif, photo, right_poses, ring, save_turned

pytestmark = pytest.mark.slow

#: Of a walk around three quarters of the object, all from one height.
STEP_DEG, COUNT = 15.0, 18
BLURRED, DARK, HEIC, TURNED = (4, 11), 7, 9, {2: 6, 14: 8}


def _walk() -> list[Camera]:
    cameras = []
    for index in range(COUNT):
        azimuth, up = math.radians(STEP_DEG * index), math.radians(32.0)
        place = 2.6 * np.array(
            [math.cos(azimuth) * math.cos(up), math.sin(azimuth) * math.cos(up), math.sin(up)]
        )
        cameras.append(Camera(look_at(place, (0.0, 0.0, 0.3)), LENS))
    return cameras


def _findings(folder: Path) -> dict[str, dict[str, str]]:
    report = json.loads((folder / "capture.json").read_text())
    page = (folder / "capture.html").read_text()
    found = {finding["check"]: finding for finding in report["findings"]}
    assert all(f"{finding['level']}, {check}" in page for check, finding in found.items())
    return found


def test_a_careless_walk_is_told_what_is_wrong_with_it(tmp_path):
    (tmp_path / "photos").mkdir()
    cameras = _walk()
    for number, camera in enumerate(cameras):
        pixels = photo(camera)
        if number in BLURRED:
            pixels = cv2.GaussianBlur(pixels, (0, 0), 2.0)
        if number == DARK:
            pixels = (pixels * 2 ** (-1.2 / 2.2)).round().astype(np.uint8)
        path = tmp_path / "photos" / f"IMG_{number}.jpg"
        if number == HEIC:
            picture = pillow_heif.from_pillow(Image.fromarray(pixels))
            picture.save(path.with_suffix(".heic"), quality=95, exif=exif().tobytes())
        else:
            save_turned(pixels, path, TURNED.get(number, 1))
    # Of somewhere else: mirrored pictures share nothing with others.
    save_turned(np.fliplr(photo(cameras[0])), tmp_path / "photos" / "IMG_50.jpg")
    (tmp_path / "photos" / "IMG_51.jpg").write_bytes(b"cut off")
    captured = capture(tmp_path / "photos", tmp_path / "scene", threads=1)
    found = _findings(tmp_path / "scene")
    assert captured.passed
    assert f"{COUNT} of {COUNT + 1} photos have a pose" in found["registered"]["text"]
    assert "IMG_50.jpg shares no details" in found["registered"]["text"]
    assert "IMG_51.jpg is left out" in found["unreadable"]["text"]
    assert all(f"IMG_{number}.jpg" in found["blur"]["text"] for number in BLURRED)
    assert found["blur"]["text"].startswith(f"{len(BLURRED)} photos")
    assert f"IMG_{DARK}.jpg" in found["exposure"]["text"] or "2 photos" in found["exposure"]["text"]
    # From 255° to 360°.
    assert "a gap of 105°" in found["gap"]["text"]
    assert "from one height" in found["elevation"]["text"]
    assert "few photos" in found
    assert not {"focal length", "fold", "jump", "second model", "distortion"} & {*found}
    frames = json.loads((tmp_path / "scene" / "transforms.json").read_text())["frames"]
    poses = [np.array(frame["transform_matrix"]) for frame in frames]
    numbers = [int(Path(frame["source"]).stem.removeprefix("IMG_")) for frame in frames]
    right, rms, _ = right_poses(poses, [cameras[number].cam_to_world for number in numbers])
    assert right.all()
    assert rms < 0.006


def test_zoom_a_second_object_and_wrong_masks_are_named(tmp_path):
    """Zoomed photos whose EXIF does not know it, another object among them, shifted masks."""
    for name in ("photos", "masks"):
        (tmp_path / name).mkdir()
    cameras = ring(16)
    half = (LENS.height // 8, LENS.width // 8)
    for number, camera in enumerate(cameras):
        pixels, mask = photo(camera), box_mask(camera).astype(np.uint8) * 255
        # Digital zoom by 4/3 for all.
        inner = np.s_[half[0] : -half[0], half[1] : -half[1]]
        save_turned(np.ascontiguousarray(pixels[inner]), tmp_path / "photos" / f"{number}.jpg")
        if number in (3, 9):
            mask = np.roll(mask, LENS.width // 5, axis=1)
        Image.fromarray(mask[inner]).save(tmp_path / "masks" / f"{number}.png")
    for number, camera in enumerate(ring(16)[:5]):
        mirrored = np.fliplr(photo(camera)[inner])
        save_turned(np.ascontiguousarray(mirrored), tmp_path / "photos" / f"{60 + number}.jpg")
        mask = np.fliplr(box_mask(camera)[inner]).astype(np.uint8) * 255
        Image.fromarray(mask).save(tmp_path / "masks" / f"{60 + number}.png")
    captured = capture(tmp_path / "photos", tmp_path / "scene", threads=1, masks=tmp_path / "masks")
    found = _findings(tmp_path / "scene")
    assert not captured.passed
    assert found["registered"]["level"] == "error"
    assert "photos fit each other but not the rest" in found["second model"]["text"]
    assert "but EXIF of 0.jpg says" in found["focal length"]["text"]
    assert "3.jpg" in found["silhouettes"]["text"]
    assert "9.jpg" in found["silhouettes"]["text"]
    assert found["silhouettes"]["level"] == "error"


def test_a_turntable_before_a_still_picture_has_right_cameras_and_masks(tmp_path):
    (tmp_path / "photos").mkdir()
    cameras = ring(24, radius=2.3)
    still = photo(ring(5)[2]).astype(float)[::-1]
    rng = np.random.default_rng(3)
    for number, camera in enumerate(cameras):
        turning = np.where(box_mask(camera)[..., None], photo(camera), still)
        noisy = (turning + rng.normal(0, 2, turning.shape)).clip(0, 255).astype(np.uint8)
        save_turned(noisy, tmp_path / "photos" / f"{number}.jpg")
    save_turned((0.9 * still).astype(np.uint8), tmp_path / "photos" / "empty.jpg")
    captured = capture(
        tmp_path / "photos",
        tmp_path / "scene",
        threads=1,
        turntable=True,
        background=tmp_path / "photos" / "empty.jpg",
    )
    frames = json.loads((tmp_path / "scene" / "transforms.json").read_text())["frames"]
    assert captured.given == len(cameras)
    assert len(frames) >= 0.75 * len(cameras)
    poses = [np.array(frame["transform_matrix"]) for frame in frames]
    numbers = [int(Path(frame["source"]).stem) for frame in frames]
    right, _, _ = right_poses(poses, [cameras[number].cam_to_world for number in numbers])
    assert right.all()
    overlaps = []
    for frame, number in zip(frames, numbers, strict=True):
        name = Path(frame["file_path"]).stem
        found = np.asarray(Image.open(tmp_path / "scene" / "source_masks" / f"{name}.png")) > 127
        true = box_mask(cameras[number])
        overlaps.append((found & true).sum() / (found | true).sum())
    assert np.mean(overlaps) > 0.9
    assert not {"fold", "silhouettes", "turntable"} & _findings(tmp_path / "scene").keys()
