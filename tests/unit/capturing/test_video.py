"""Frames of a video: sharp ones, at steps of motion, with their time stamps and upright."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from mobile_nelf.capturing.intake import FEWEST, given_files, take_in
from mobile_nelf.capturing.options import CaptureOptions
from mobile_nelf.capturing.sharpness import blurred, look_of
from mobile_nelf.capturing.video import Frames, analysed, chosen, read_frames
from mobile_nelf.errors import InputError
from mobile_nelf.progress import silent
from tests.helpers.phone import photo, ring

FPS, COUNT = 10, 72
SIZE = (160, 120)
#: Frames during which the hand moves too fast.
SHAKEN = (4, 5, 11, 12, 13, 30, 31, 44, 59, 60, 61)
#: Frames in the middle of which the camera stands still.
STILL = range(18, 28)


#: Grey levels that the codec costs on average.
LOSS = 10.0


def _differing(first: np.ndarray, second: np.ndarray) -> float:
    """Of luminance: colours are coded at half the size."""
    greys = [picture.astype(float) @ [0.299, 0.587, 0.114] for picture in (first, second)]
    return float(np.abs(greys[0] - greys[1]).mean())


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """A fifth of a walk round the box, with a rest and with blurred frames."""
    cameras = [camera.resized(*SIZE) for camera in ring(5 * COUNT)[:COUNT]]
    found = []
    for number, camera in enumerate(cameras):
        pixels = photo(cameras[STILL[0]] if number in STILL else camera, oversample=1)
        found.append(cv2.blur(pixels, (7, 3)) if number in SHAKEN else pixels)
    return found


@pytest.fixture(scope="module")
def video(pictures, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("video") / "walk.mp4"
    writer = imageio_ffmpeg.write_frames(str(path), SIZE, fps=FPS, quality=9, macro_block_size=1)
    writer.send(None)
    for picture in pictures:
        writer.send(np.ascontiguousarray(picture))
    writer.close()
    return path


def test_blurred_frames_are_not_chosen_and_a_rest_counts_once(video, pictures):
    frames = analysed(video, silent)
    assert len(frames.seconds) == COUNT
    assert frames.seconds == pytest.approx(np.arange(COUNT) / FPS, abs=0.01)
    assert (np.diff(frames.path) >= 0.0).all()
    numbers = chosen(frames, 12)
    assert 8 <= len(numbers) <= 14
    assert not {*numbers} & {*SHAKEN}
    assert len({*numbers} & {*STILL}) <= 1
    read = list(read_frames(video, numbers, 320))
    assert len(read) == len(numbers)
    for number, found in zip(numbers, read, strict=True):
        assert _differing(found, pictures[number]) < LOSS


def test_steps_are_equal_in_motion_and_not_in_time():
    # Twice as fast in the second half, with a rest in between.
    speed = np.concatenate([np.full(100, 0.005), np.zeros(100), np.full(100, 0.01)])
    path = np.concatenate([[0.0], np.cumsum(speed)])
    frames = Frames(np.arange(301) / 30.0, np.ones(301), path)
    numbers = chosen(frames, 30)
    ways = np.diff(path[numbers])
    assert ways == pytest.approx(np.full(len(ways), 0.05), abs=0.011)


def test_there_are_more_frames_where_steps_would_be_too_wide_and_fewer_without_motion():
    fast = Frames(np.arange(1000) / 30.0, np.ones(1000), np.linspace(0, 40, 1000))
    assert np.diff(fast.path[chosen(fast, 50)]).max() < 0.25
    slow = Frames(np.arange(1000) / 30.0, np.ones(1000), np.linspace(0, 0.2, 1000))
    assert len(chosen(slow, 120)) <= 21
    still = Frames(np.arange(100) / 30.0, np.ones(100), np.zeros(100))
    assert len(chosen(still, 120)) == FEWEST


def test_frames_of_a_turned_video_are_upright(video, pictures, tmp_path):
    turned = tmp_path / "turned.mp4"
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    command = [ffmpeg, "-v", "error", "-display_rotation", "90", "-i", video, "-c", "copy", turned]
    subprocess.run(command, check=True)
    (found,) = read_frames(turned, [0], 320)
    assert found.shape == (160, 120, 3)
    assert _differing(np.rot90(pictures[0]), found) < LOSS
    assert _differing(pictures[0], np.rot90(found)) > 3 * LOSS


def test_a_folder_with_a_video_alone_is_that_video(video, tmp_path):
    (tmp_path / "film").mkdir()
    (tmp_path / "film" / "a.mov").write_bytes(video.read_bytes())
    (tmp_path / "work").mkdir()
    intake = take_in(
        given_files([tmp_path / "film"]), tmp_path / "work", CaptureOptions(frames=10), silent
    )
    assert len(intake.groups) == 1
    assert 8 <= len(intake.photos) <= 12
    assert intake.photos[0].source.startswith("a.mov at ")
    seconds = [photo.seconds for photo in intake.photos]
    assert seconds == sorted(seconds)
    assert all((tmp_path / "work" / photo.name).is_file() for photo in intake.photos)
    # Beside photos the same file is part of a Live Photo.
    (tmp_path / "film" / "a.jpg").touch()
    assert [file.source for file in given_files([tmp_path / "film"])] == ["a.jpg"]


def test_photos_are_in_the_order_of_their_numbers(tmp_path):
    ours = ("a.run/photos/0/0001.png", "scene/images/0001.jpg", "scene/capture.json")
    others = ("IMG_10.jpg", "IMG_9.jpg", "b/IMG_1.png", ".hidden.jpg", "masks/IMG_9.png")
    for name in (*others, *ours):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    sources = [file.source for file in given_files([tmp_path])]
    assert sources == ["b/IMG_1.png", "IMG_9.jpg", "IMG_10.jpg"]


def test_what_other_apps_share_is_known(tmp_path):
    for name in ("images/1.jpg", "images/2.jpg", "corrected_images/1.jpg", "depth/1.png"):
        path = tmp_path / "room" / "keyframes" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.touch()
    assert [file.source for file in given_files([tmp_path / "room"])] == ["1.jpg", "2.jpg"]
    (tmp_path / "mug.spz").touch()
    with pytest.raises(InputError, match=r"splats or a mesh and no photos.*take a video"):
        given_files([tmp_path / "mug.spz"])
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "scan.ply").write_bytes(b"ply")
    with pytest.raises(InputError, match=r"scan\.ply: holds splats or a mesh and no photos"):
        given_files([tmp_path / "shared"])


def test_blur_is_judged_by_neighbours():
    # The second drop is that of what is shown: the neighbours have it too.
    values = [100.0] * 8 + [20.0] + [100.0] * 8 + [10.0] * 12
    assert [index for index, flag in enumerate(blurred(values)) if flag] == [8]
    grey = photo(ring(4)[0])[..., 0]
    soft = cv2.GaussianBlur(grey, (0, 0), 2.0)
    assert look_of(soft).sharpness < 0.1 * look_of(grey).sharpness
    assert look_of(soft).brightness == pytest.approx(look_of(grey).brightness, abs=1.0)
