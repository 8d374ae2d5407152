"""Poses that came with photos: what other apps write, and how much better they are afterwards."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from mobile_nelf.capturing.given import drift_findings, photo_poses, posed_input, with_focals
from mobile_nelf.capturing.intake import given_files, take_in
from mobile_nelf.capturing.measure import aligned
from mobile_nelf.capturing.model import Model, PosedPhoto
from mobile_nelf.capturing.options import CaptureOptions
from mobile_nelf.capturing.recording import chosen_frames, read_recording
from mobile_nelf.capturing.run import capture
from mobile_nelf.errors import InputError, SceneError
from mobile_nelf.lenses import DistortedLens
from mobile_nelf.progress import silent
from mobile_nelf.scenes import read_scene
from tests.helpers.phone import LENS, photo, right_poses, ring
from tests.helpers.recordings import write_polycam, write_record3d

COUNT = 14
#: Our world has z up, ARKit's y.
TO_ARKIT = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
#: How far a phone's own poses are off: units of the box's world, and radians.
DRIFT, TURN = 0.03, 0.01


def _arkit(cameras, drift: float = DRIFT, turn: float = TURN) -> list[np.ndarray]:
    """Poses [3, 4] as a phone records them."""
    rng = np.random.default_rng(5)
    poses = []
    for camera in cameras:
        pose = camera.cam_to_world.copy()
        pose[:, :3] = cv2.Rodrigues(rng.normal(0, turn, 3))[0] @ pose[:, :3]
        pose[:, 3] += rng.normal(0, drift, 3)
        poses.append(TO_ARKIT @ pose)
    return poses


@pytest.fixture(scope="module")
def grey():
    """Pictures in which nothing is to be seen, where poses alone matter."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (LENS.height, LENS.width, 3), np.uint8) for _ in range(4)]


def test_all_apps_tell_the_same_poses(tmp_path, grey):
    poses = _arkit(ring(4))
    polycam = write_polycam(tmp_path / "polycam", poses, grey)
    record3d = write_record3d(tmp_path / "walk.r3d", poses, grey)
    (tmp_path / "nerf" / "images").mkdir(parents=True)
    frames = []
    for number, (pose, picture) in enumerate(zip(poses, grey, strict=True)):
        Image.fromarray(picture).save(tmp_path / "nerf" / "images" / f"{number}.png")
        matrix = [*pose.tolist(), [0, 0, 0, 1]]
        frames.append({"file_path": f"images/{number}.png", "transform_matrix": matrix})
    lens = {"fl_x": LENS.fx, "fl_y": LENS.fy, "cx": LENS.cx, "cy": LENS.cy, "w": 320, "h": 240}
    file = tmp_path / "nerf" / "transforms.json"
    file.write_text(json.dumps({**lens, "frames": frames, "metres_per_unit": 1, "up": [0, 1, 0]}))
    for place, given in enumerate((polycam, record3d, tmp_path / "nerf", file)):
        files, found = posed_input([given])
        (tmp_path / f"work{place}").mkdir()
        intake = take_in(files, tmp_path / f"work{place}", CaptureOptions(size=160), silent)
        assert len(intake.photos) == 4
        named = photo_poses(intake, found)
        for photo_taken, pose in zip(intake.photos, poses, strict=True):
            assert np.array(named[photo_taken.name]) == pytest.approx(pose, abs=1e-9)
        # At half the size.
        assert with_focals(intake, found).groups[0].focal == pytest.approx(LENS.fx / 2)
        assert found.metres_per_unit == 1.0
        assert found.up == (0.0, 1.0, 0.0)


def test_frames_of_a_recording_are_sharp_ones_at_steps_of_equal_motion(tmp_path, grey):
    # The phone rests for half of the frames, and walks on.
    cameras = ring(24)
    poses = _arkit([*([cameras[0]] * 24), *cameras[:12]], drift=0.0, turn=0.0)
    pictures = [grey[0]] * 36
    qualities = [30] * 36
    qualities[27] = 95
    file = write_record3d(tmp_path / "walk.r3d", poses, pictures, qualities)
    chosen = chosen_frames(read_recording(file), 4)
    assert len(chosen) == 4
    assert sum(number < 24 for number in chosen) <= 1
    assert 27 in chosen
    # Without poses, steps are of equal time.
    still = read_recording(write_record3d(tmp_path / "front.r3d", [poses[0]] * 36, pictures))
    assert still.poses is None
    assert len(chosen_frames(still, 4)) == 4
    assert [given.source for given in given_files([tmp_path / "walk.r3d"])] == ["walk.r3d"]


def test_what_has_no_poses_is_refused_and_says_what_to_do(tmp_path, grey):
    with pytest.raises(
        InputError, match=r"gone\.r3d: no such file or folder, expected a recording"
    ):
        posed_input([tmp_path / "gone.r3d"])
    front = write_record3d(tmp_path / "front.r3d", [np.eye(4)[:3]] * 4, grey)
    with pytest.raises(InputError, match=r"LiDAR sensor alone.*capture it without refine"):
        posed_input([front])
    (tmp_path / "broken.r3d").write_bytes(b"no zip")
    with pytest.raises(InputError, match="is not a recording of Record3D"):
        posed_input([tmp_path / "broken.r3d"])
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError, match=r"holds no poses to refine; expected Polycam's raw"):
        posed_input([tmp_path / "photos"])
    with pytest.raises(InputError, match="takes one recording with poses, found 2"):
        posed_input([front, front])
    polycam = write_polycam(tmp_path / "polycam", _arkit(ring(4)), grey)
    files, given = posed_input([polycam])
    (tmp_path / "work").mkdir()
    intake = take_in(files, tmp_path / "work", CaptureOptions(), silent)
    tall = {name: camera._replace(width=240, height=320) for name, camera in given.cameras.items()}
    given.cameras.update(tall)
    with pytest.raises(InputError, match=r"9000\.jpg: is 320×240, its camera is for 240×320"):
        with_focals(intake, given)
    camera = polycam / "keyframes" / "cameras" / "9001.json"
    camera.write_text('{"fx": 1}')
    with pytest.raises(SceneError, match=r"9001\.json: is not a camera of Polycam"):
        posed_input([polycam])
    for file in camera.parent.iterdir():
        file.unlink()
    with pytest.raises(InputError, match="with developer mode on"):
        posed_input([polycam])


def test_how_far_poses_were_moved_is_said(tmp_path, grey):
    poses = _arkit(ring(4))
    files, given = posed_input([write_polycam(tmp_path / "polycam", poses, grey)])
    (tmp_path / "work").mkdir()
    intake = take_in(files, tmp_path / "work", CaptureOptions(), silent)
    lens = DistortedLens("SIMPLE_PINHOLE", LENS.width, LENS.height, (LENS.fx, LENS.cx, LENS.cy))
    for far, level in ((0.02, "note"), (0.9, "warning")):
        moved = {}
        for one, pose in zip(intake.photos, poses, strict=True):
            there = pose.copy()
            there[0, 3] += far
            moved[one.name] = PosedPhoto(there, lens, np.zeros(0, np.int64), np.zeros((0, 2)))
        (finding,) = drift_findings(intake, Model(moved, np.zeros((1, 3)), 0.5, 4.0), given)
        assert finding.level == level
        assert f"moved by {100 * far:.1f} cm" in finding.text
    assert list(drift_findings(intake, Model({}, np.zeros((0, 3)), 0.5, 4.0), given)) == []


def test_points_far_off_do_not_spoil_an_alignment():
    rng = np.random.default_rng(2)
    points = rng.normal(size=(20, 3))
    turn = cv2.Rodrigues(np.array([0.3, -1.0, 0.4]))[0]
    true = 2.5 * points @ turn.T + [1.0, 2.0, 3.0] + rng.normal(0, 1e-3, (20, 3))
    true[[4, 11]] += 3.0
    fit = aligned(points, true)
    assert fit.world.scale == pytest.approx(2.5, rel=1e-3)
    assert set(np.flatnonzero(~fit.kept)) >= {4, 11}


@pytest.mark.slow
@pytest.mark.parametrize("app", ["polycam", "record3d"])
def test_given_poses_are_refined_and_stay_in_metres(tmp_path, app):
    cameras = ring(COUNT)
    poses, pictures = _arkit(cameras), [photo(camera) for camera in cameras]
    given = (
        write_polycam(tmp_path / "raw", poses, pictures)
        if app == "polycam"
        else write_record3d(tmp_path / "walk.r3d", poses, pictures)
    )
    captured = capture(given, tmp_path / "scene", threads=1, refine=True)
    assert captured.tries[0].what.endswith("poses as given")
    assert captured.registered == COUNT
    frames = json.loads((tmp_path / "scene" / "transforms.json").read_text())["frames"]
    found = [np.array(frame["transform_matrix"]) for frame in frames]
    true = [TO_ARKIT @ camera.cam_to_world for camera in cameras]
    before, after = right_poses(poses, true), right_poses(found, true)
    assert after[0].all()
    assert after[1] < before[1] / 5
    assert after[2] < before[2] / 2
    # In the world of the recording: no further off than that drifted.
    off = np.stack(found)[:, :3, 3] - np.stack(true)[:, :, 3]
    assert np.sqrt((off**2).sum(1).mean()) < 1.5 * DRIFT
    scene = read_scene(tmp_path / "scene")
    assert scene.metres_per_unit is not None
    assert scene.orbit.elevation[0] > 20.0
    said = next(f for f in captured.findings if f.check == "given poses")
    assert said.level == "note"
