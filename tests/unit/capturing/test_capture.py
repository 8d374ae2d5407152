"""A capture of synthetic photos, from files as a phone writes them to a scene, and how it ends."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from mobile_nelf.capturing import child, run
from mobile_nelf.capturing.beside import captured_beside, needs_capture, scene_folder
from mobile_nelf.capturing.checks import find, reasons
from mobile_nelf.capturing.intake import Intake
from mobile_nelf.capturing.masks import read_mask
from mobile_nelf.capturing.model import read_model
from mobile_nelf.capturing.photo_checks import exposures
from mobile_nelf.capturing.run import INTAKE, PHOTOS, TRIES, capture
from mobile_nelf.capturing.scene_files import write_scene
from mobile_nelf.capturing.silhouettes import agreement, silhouette
from mobile_nelf.capturing.structure import Matched, Structure
from mobile_nelf.errors import (
    CaptureError,
    InputError,
    MissingExtraError,
    OutputError,
    SceneError,
)
from mobile_nelf.plain import from_dict
from mobile_nelf.progress import silent
from mobile_nelf.runs import run_folder
from mobile_nelf.scenes import read_scene
from tests.helpers.phone import LENS, box_mask, exif, photo, right_poses, ring, save_turned

#: A ring of so many photos, 30° apart: hard for structure from motion, and quick.
PHOTO_COUNT = 13
#: Centres within a share of the path, rotations in degrees: of 13 small photos, see the assertion.
PLACE_SHARE, TURN_DEG = 0.006, 0.6


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JPEG, PNG and HEIC of one phone, held in four ways, and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for number, camera in enumerate(ring(PHOTO_COUNT)):
        pixels = photo(camera)
        if number == 3:
            # Turned by its container, and with a tag in EXIF that must not turn it once more.
            lying = Image.fromarray(np.ascontiguousarray(np.rot90(pixels)))
            heic = pillow_heif.from_pillow(lying)
            heic.save(folder / "IMG_3.HEIC", quality=95, exif=exif(orientation=6).tobytes())
        elif number == 5:  # a messenger renamed it
            heic = pillow_heif.from_pillow(Image.fromarray(pixels))
            heic.save(folder / "IMG_5.heic", quality=95, exif=exif().tobytes())
            (folder / "IMG_5.heic").rename(folder / "IMG_5.jpg")
        else:
            save_turned(pixels, folder / f"IMG_{number}.jpg", (1, 6, 3, 8)[number % 4])
    (folder / "IMG_99.jpg").write_bytes(b"<html>not found</html>")
    return folder


@pytest.fixture(scope="module")
def captured(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A capture that was interrupted when poses were about to be found, and then made no scene."""
    output = tmp_path_factory.mktemp("captured") / "scene"
    stages: list[list[str]] = [[], [], []]
    kept: dict[str, object] = {}

    def interrupting(stage: str, done: int, total: int) -> None:
        stages[0].append(stage)
        if stage == "poses":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        capture(photos, output, threads=1, on_progress=interrupting)
    left = sorted(path.name for path in output.parent.iterdir())

    def refused(folder: Path) -> None:
        raise SceneError(f"{folder}: the training cameras span no orbit")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "read_scene", refused)
        with pytest.raises(CaptureError) as no_scene:
            capture(
                photos, output, threads=1, on_progress=lambda stage, *_: stages[1].append(stage)
            )
    report = json.loads((output / "capture.json").read_text())
    page = (output / "capture.html").read_text()

    def keeping(stage: str, done: int, total: int) -> None:
        stages[2].append(stage)
        if stage == "images" and not kept:
            work = run_folder(output)
            intake = from_dict(Intake, json.loads((work / INTAKE).read_text())["intake"])
            first = work / TRIES / "first"
            kept.update(
                intake=intake,
                pixels={
                    p.name: np.asarray(Image.open(work / PHOTOS / p.name)) for p in intake.photos
                },
                model=read_model(first / "model"),
                matches=json.loads((first / "result.json").read_text()),
                colmap=shutil.copytree(first / "model", output.parent.parent / "model-copy"),
            )

    result = capture(photos, output, threads=1, on_progress=keeping, force=True)
    without = SimpleNamespace(message=str(no_scene.value), report=report, page=page)
    return SimpleNamespace(
        result=result, path=output, left=left, stages=stages, without=without, **kept
    )


def test_poses_are_those_of_the_cameras(captured):
    frames = json.loads((captured.path / "transforms.json").read_text())["frames"]
    assert len(frames) == PHOTO_COUNT
    cameras = ring(PHOTO_COUNT)
    found, true = [], []
    for frame in frames:
        found.append(np.array(frame["transform_matrix"]))
        number = int(frame["source"].removeprefix("IMG_").partition(".")[0])
        true.append(cameras[number].cam_to_world)
        assert frame["fl_x"] == pytest.approx(LENS.fx, rel=0.03)
    right, rms, angle = right_poses(found, true)
    # Twice what was measured when this was written; a doubled turn or a mixed-up order is 100 %.
    assert right.all()
    assert rms < PLACE_SHARE
    assert angle < TURN_DEG


def test_the_scene_is_read_back_and_holds_images_of_one_size(captured):
    scene = read_scene(captured.path)
    assert len(scene.train) + len(scene.test) == PHOTO_COUNT
    assert {view.size for view in (*scene.train, *scene.test)} == {(320, 240)}
    assert scene.missing == ()
    # Image and camera belong together: seen from above, the ground's colours are not upside down.
    assert captured.result.scene.orbit.full_turn
    assert scene.orbit.elevation[0] > 10.0


def test_the_colmap_model_is_that_of_the_images(captured, tmp_path):
    (tmp_path / "sparse").symlink_to(captured.path / "sparse")
    (tmp_path / "images").symlink_to(captured.path / "images")
    by_colmap = {view.path.name: view for view in read_scene(tmp_path).train}
    for view in read_scene(captured.path).train:
        if view.path.name in by_colmap:
            other = by_colmap[view.path.name].camera
            assert other.intrinsics.fx == pytest.approx(view.camera.intrinsics.fx)
            angle = other.cam_to_world[:, :3].T @ view.camera.cam_to_world[:, :3]
            assert np.allclose(angle, np.eye(3), atol=1e-3)


def test_photos_of_one_lens_are_one_group_whatever_their_format(captured):
    (group,) = captured.intake.groups
    assert (group.camera, group.lens) == ("Fable Phone 3", "main camera")
    assert (group.width, group.height) == (320, 240)
    assert group.focal == pytest.approx(LENS.fx, rel=0.02)
    assert [left.source for left in captured.intake.left_out] == ["IMG_99.jpg"]
    assert "a web page" in captured.intake.left_out[0].reason


def test_the_place_where_photos_were_taken_is_written_nowhere(photos, captured):
    assert b"Home of somebody" in (photos / "IMG_0.jpg").read_bytes()
    for path in captured.path.rglob("*"):
        if path.is_file():
            assert b"Home of somebody" not in path.read_bytes(), path
    for path in (captured.path / "images").iterdir():
        assert not Image.open(path).getexif()


def test_an_interrupted_capture_leaves_its_work_alone_and_resumes(captured):
    assert captured.left == ["scene.run"]
    assert captured.stages[0][0] == "photos"
    # Photos were read, features and matches found: they are in the work folder already.
    assert "photos" not in captured.stages[1]
    assert "poses" in captured.stages[1]
    assert "poses" not in captured.stages[2]
    assert sorted(path.name for path in captured.path.parent.iterdir()) == ["scene"]


def test_the_report_says_what_was_found(captured):
    report = json.loads((captured.path / "capture.json").read_text())
    assert report["passed"] is captured.result.passed is True
    assert (report["registered"], report["given"]) == (PHOTO_COUNT, PHOTO_COUNT)
    checks = [finding["check"] for finding in report["findings"]]
    assert "unreadable" in checks
    assert "few photos" in checks
    assert not {"registered", "focal length", "jump", "exposure", "reprojection"} & {*checks}
    assert len(report["photos"]) == PHOTO_COUNT


def test_poses_that_make_no_scene_leave_a_report(captured):
    without = captured.without
    told = "the poses that were found make no scene: the training cameras span no orbit"
    assert told in without.message
    assert "look at" in without.message
    assert without.report["passed"] is False
    assert without.report["findings"][0]["text"] == told
    assert without.page.count("<figure") == PHOTO_COUNT
    assert told in without.page


@pytest.fixture
def found(captured, tmp_path):
    """Returns the checks' names for a capture that was changed."""
    for name, pixels in captured.pixels.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / name)
    photos = {name: Matched(**values) for name, values in captured.matches["photos"].items()}
    names = tuple(captured.model.photos)
    pairs = tuple((a, b) for place, a in enumerate(names) for b in names[place + 1 :])
    whole = Structure(tmp_path, names, (), photos, captured.result.tries, pairs)

    def checks(
        intake=captured.intake,
        structure=whole,
        model=captured.model,
        scene=None,
        overlaps=None,
        turntable=False,
    ):
        scene = scene or captured.result.scene
        found = find(intake, tmp_path, structure, model, scene, overlaps, turntable)
        return {f.check: f for f in found}

    return SimpleNamespace(checks=checks, structure=whole, folder=tmp_path)


def test_too_few_photos_with_a_pose_fail_and_name_the_cause(captured, found):
    names = found.structure.registered
    some = replace(found.structure, registered=names[:9])
    finding = found.checks(structure=some)["registered"]
    assert finding.level == "error"
    assert f"9 of {PHOTO_COUNT} photos have a pose" in finding.text
    most = replace(found.structure, registered=names[:12])
    assert found.checks(structure=most)["registered"].level == "warning"
    told = reasons(captured.intake, replace(some, others=((names[9], names[10]),)))
    assert "second model" in told[names[9]]
    lonely = {**some.matched, names[12]: Matched(900, 0, 0)}
    assert "shares no details" in reasons(captured.intake, replace(some, matched=lonely))[names[12]]
    plain = {**some.matched, names[12]: Matched(20, 0, 0)}
    assert "only 20 features" in reasons(captured.intake, replace(some, matched=plain))[names[12]]


def test_a_second_model_is_named(found):
    names = found.structure.registered
    split = replace(found.structure, registered=names[:8], others=(names[8:],))
    assert (
        "5 photos fit each other but not the rest"
        in found.checks(structure=split)["second model"].text
    )


def test_blurred_photos_are_named(captured, found):
    photos = list(captured.intake.photos)
    photos[4] = replace(photos[4], sharpness=0.1 * photos[4].sharpness)
    finding = found.checks(intake=replace(captured.intake, photos=tuple(photos)))["blur"]
    assert photos[4].source in finding.text


def test_a_jump_of_the_exposure_is_found_by_the_points_that_photos_share(captured, found):
    name = captured.intake.photos[6].name
    dark = np.asarray(Image.open(found.folder / name)).astype(float)
    Image.fromarray((dark * 2 ** (-1 / 2.2)).round().astype(np.uint8)).save(found.folder / name)
    stops = exposures(captured.intake, found.folder, captured.model)
    assert stops[name] == pytest.approx(-1.0, abs=0.15)
    assert "exposure changes" in found.checks()["exposure"].text


def test_a_focal_length_unlike_exif_is_named(captured, found):
    groups = tuple(replace(group, focal=1.4 * group.focal) for group in captured.intake.groups)
    finding = found.checks(intake=replace(captured.intake, groups=groups))["focal length"]
    assert "but EXIF of IMG_" in finding.text


def test_a_pose_far_from_its_neighbours_is_named(captured, found):
    posed = dict(captured.model.photos)
    name = captured.intake.photos[4].name
    moved = posed[name].cam_to_world.copy()
    moved[:, 3] *= -12.0
    posed[name] = replace(posed[name], cam_to_world=moved)
    finding = found.checks(model=replace(captured.model, photos=posed))["jump"]
    assert captured.intake.photos[4].source in finding.text


def test_bad_points_are_named(captured, found):
    bad = replace(captured.model, reprojection=2.4, track_length=2.1)
    assert {"reprojection", "tracks"} <= found.checks(model=bad).keys()


def test_a_lens_that_was_simplified_is_named(captured, found):
    simplified = replace(found.structure, simplified=(captured.intake.photos[2].name,))
    finding = found.checks(structure=simplified)["distortion"]
    assert captured.intake.photos[2].source in finding.text
    assert finding.level == "warning"


def test_gaps_and_a_single_height_are_named(captured, found):
    scene = captured.result.scene
    ring_of = [v for v in scene.train if v.camera.position[0] > 0]
    half = replace(scene, train=tuple(ring_of), test=())
    assert "around the object" in found.checks(scene=half)["gap"].text
    views = (*scene.train, *scene.test)
    low = replace(
        scene, train=tuple(sorted(views, key=lambda v: v.camera.position[2])[:5]), test=()
    )
    assert "one height" in found.checks(scene=low)["elevation"].text


def test_masks_that_contradict_the_shape_fail_the_capture(captured, found):
    names = list(captured.model.photos)
    overlaps = dict.fromkeys(names, 0.86)
    assert "silhouettes" not in found.checks(overlaps=overlaps)
    wrong = {**overlaps, names[2]: 0.41, names[7]: 0.6}
    finding = found.checks(overlaps=wrong)["silhouettes"]
    assert finding.level == "error"
    assert "2 masks contradict the shape" in finding.text
    assert "down to an overlap of 41% where 86% is usual" in finding.text
    poor = found.checks(overlaps=dict.fromkeys(names, 0.5))["silhouettes"]
    assert poor.level == "warning"


def test_what_looks_like_a_turntable_is_proposed(found):
    assert "repeat it as a turntable" in found.checks(turntable=True)["turntable"].advice


def test_masks_become_alpha_of_the_undistorted_images(captured, found, tmp_path):
    cameras = {f"IMG_{number}": camera for number, camera in enumerate(ring(PHOTO_COUNT))}
    masks, scene = tmp_path / "masks", tmp_path / "scene"
    scene.mkdir()
    for one in captured.intake.photos:
        path = masks / f"{one.name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        mask = box_mask(cameras[Path(one.source).stem])
        Image.fromarray(mask.astype(np.uint8) * 255).save(path)
    write_scene(
        captured.intake, found.folder, masks, captured.model, captured.colmap, scene, silent
    )
    read = read_scene(scene)
    assert read.extent == "bounded"
    # The box of the hull around a box of 1.0 × 0.7 × 0.8 is that, whatever scale the world has.
    sides = np.sort(np.subtract(read.box.upper, read.box.lower))
    assert sides[2] / sides[0] < 2.2
    frames = json.loads((scene / "transforms.json").read_text())["frames"]
    assert {frame["file_path"][-4:] for frame in frames} == {".png"}
    assert len(list((scene / "source_masks").iterdir())) == PHOTO_COUNT
    overlaps = agreement(
        {
            one.name: silhouette(captured.model.photos[one.name], read_mask(masks, one))
            for one in captured.intake.photos
        }
    )
    assert min(overlaps.values()) > 0.8


def test_the_page_shows_each_photo_and_the_verdict(captured):
    page = (captured.path / "capture.html").read_text()
    assert page.count("<figure") == PHOTO_COUNT
    assert f"{PHOTO_COUNT} of {PHOTO_COUNT}" in page
    assert "few photos" in page
    assert "http" not in page


def test_a_training_of_photos_uses_their_scene_and_refuses_that_of_others(
    photos, captured, tmp_path
):
    assert needs_capture(photos)
    assert not needs_capture(captured.path)
    assert not needs_capture(tmp_path)
    output = tmp_path / "box.pt"
    shutil.copytree(captured.path, scene_folder(output))
    assert captured_beside(photos, output) == tmp_path / "box.pt.scene"
    report = scene_folder(output) / "capture.json"
    told = json.loads(report.read_text())
    report.write_text(json.dumps({**told, "passed": False}))
    with pytest.raises(CaptureError, match="train on it all the same: mnelf train"):
        captured_beside(photos, output)
    report.write_text(json.dumps({**told, "inputs": "other"}))
    with pytest.raises(OutputError, match="is the scene of other photos than"):
        captured_beside(photos, output)


def test_a_child_that_ends_by_itself_is_one_error_with_its_last_line(tmp_path, monkeypatch):
    (tmp_path / child.JOB).write_text("{}")
    with pytest.raises(CaptureError, match=r"ended with exit code 1 at its start.*KeyError"):
        child.run(tmp_path, lambda *_: None)
    code = "import os, sys; sys.stderr.write('F1 sift.cc: no features\\n'); "
    code += "sys.stderr.flush(); os.abort()"
    monkeypatch.setattr(child, "PROGRAM", ("-c", code))
    with pytest.raises(CaptureError, match=r"was ended by SIGABRT at its start.*no features"):
        child.run(tmp_path, lambda *_: None)


def test_a_scene_is_replaced_only_if_a_capture_wrote_all_of_it(photos, captured, tmp_path):
    with pytest.raises(OutputError, match="exists already"):
        capture(photos, captured.path)
    mine = captured.path / "notes.txt"
    mine.write_text("mine")
    with pytest.raises(OutputError, match=r"did not write.*notes\.txt"):
        capture(photos, captured.path, force=True)
    mine.unlink()
    (tmp_path / "other").mkdir()
    with pytest.raises(OutputError, match="was not written by a capture"):
        capture(photos, tmp_path / "other", force=True)


def test_inputs_that_make_no_scene_are_refused(tmp_path, photos):
    with pytest.raises(InputError, match="no such file or folder"):
        capture(tmp_path / "none", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no photo or video"):
        capture(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(InputError, match="2 photos can be used, expected at least 3"):
        capture([photos / "IMG_0.jpg", photos / "IMG_1.jpg"], tmp_path / "out")
    (tmp_path / "film.mp4").write_bytes(b"no film")
    with pytest.raises(InputError, match=r"film.mp4: is not a video"):
        capture(tmp_path / "film.mp4", tmp_path / "out")
    with pytest.raises(InputError, match="size must be"):
        capture(photos, tmp_path / "out", size=5)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.run").exists()


def test_a_missing_extra_is_named_before_any_work(photos, tmp_path, monkeypatch):
    import importlib

    whole = importlib.import_module

    def without(name, *rest):
        if name == "pi_heif":
            raise ModuleNotFoundError("No module named 'pi_heif'", name="pi_heif")
        return whole(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(MissingExtraError, match=r'pip install "mobile-nelf\[capture\]"'):
        capture(photos, tmp_path / "out")
