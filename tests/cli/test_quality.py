"""Eval and render: what they write, and the numbers behind what they print."""

from __future__ import annotations

import shutil
from dataclasses import replace

import imageio.v2 as imageio
import numpy as np
import pytest
from PIL import Image

from mobile_nelf.cameras import OrbitLimits, OrbitPosition
from mobile_nelf.checkpoints import save_checkpoint
from mobile_nelf.errors import InputError, SceneError
from mobile_nelf.evaluation import PROTOCOL, evaluate
from mobile_nelf.metrics import psnr_db
from mobile_nelf.rendering import student_frame_function
from mobile_nelf.scenes import read_scene
from mobile_nelf.teachers.files import TrainedTeacher, save_teacher
from mobile_nelf.training.presets import PRESETS
from tests.helpers.cli import fits, read_json
from tests.helpers.students import random_checkpoint
from tests.helpers.teachers import teacher_of

#: MP4 loses detail; these frames are noise, its worst case. It tells a picture from another.
MP4_MIN_PSNR_DB = 12.0


def test_eval_follows_the_protocol(mnelf, student, scene, checkpoint):
    report = read_json(mnelf("eval", student, scene, "--json"))
    assert report["protocol"] == PROTOCOL == "mnelf-white-v1"
    assert report["not_measured"] == ["LPIPS: weights not available"]
    frame = student_frame_function(checkpoint)
    by_hand = {}
    for view in read_scene(scene).test:
        photo = view.rgba().astype(np.float64) / 255.0
        alpha = photo[..., 3:]
        white = photo[..., :3] * alpha + 1.0 * (1.0 - alpha)
        image = np.clip(frame(view.camera.resized(2, 2)), 0.0, 1.0)
        by_hand[view.path.name] = psnr_db(image, white.astype(np.float32))
    measured = {name: score["psnr_db"] for name, score in report["views"].items()}
    assert measured == pytest.approx(by_hand, abs=1e-3)
    subsets = report["subsets"]
    assert subsets["all"]["views"] == 3
    assert subsets["all"]["mean"]["psnr_db"] == pytest.approx(np.mean(list(by_hand.values())))
    eighth = [by_hand["r_0.png"], by_hand["r_8.png"]]
    assert subsets["every_eighth"]["views"] == 2
    assert subsets["every_eighth"]["mean"]["psnr_db"] == pytest.approx(np.mean(eighth))
    out = fits(mnelf("eval", student, scene))
    assert "every_eighth" in out
    assert f"{subsets['all']['mean']['ssim']:.4f}" in out
    assert f"{subsets['all']['mean']['object_psnr_db']:.2f}" in out
    assert report["object_protocol"] == "mnelf-object-v1"
    assert report["worst"] == [min(by_hand, key=lambda name: by_hand[name])]


def test_eval_lists_and_draws_the_worst_views(mnelf, student, scene, tmp_path):
    line = ("eval", student, scene, "--worst", "2", "--picture", "worst.png")
    out = fits(mnelf(*line))
    assert "worst views" in out
    assert "worst.png" in out
    with Image.open(tmp_path / "worst.png") as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
    before = (tmp_path / "worst.png").read_bytes()
    assert mnelf(*line).exit_code == 2
    report = read_json(mnelf(*line, "--force", "--json"))
    assert (tmp_path / "worst.png").read_bytes() == before
    assert report["picture"] == "worst.png"
    assert len(report["worst"]) == 2
    scores = [report["views"][name]["psnr_db"] for name in report["worst"]]
    assert scores == sorted(view["psnr_db"] for view in report["views"].values())[:2]
    assert mnelf("eval", student, scene, "--picture", scene / "new.png").exit_code == 0
    (scene / "new.png").unlink()


def test_eval_compares_the_steadiness_with_a_teachers(mnelf, student, scene, tmp_path):
    save_teacher(TrainedTeacher(teacher_of()), tmp_path / "teacher.pt")
    line = ("eval", student, scene, "--teacher", "teacher.pt")
    steady = read_json(mnelf(*line, "--json"))["steadiness"]
    assert steady["frames"] == 60
    assert steady["difference"] > 0.0
    assert steady["teacher_difference"] > 0.0
    assert "thousandths from frame to frame" in fits(mnelf(*line))


@pytest.mark.parametrize(
    ("names", "subsets", "note"),
    [
        (("r_0.png", "r_8.png", "r_16.png"), {"all"}, "is every_eighth"),
        (("r_1.png", "r_2.png", "r_3.png"), {"all"}, "no number is a multiple of 8"),
        (("a.png", "b.png", "c.png"), {"all"}, "carry no numbers"),
        (("r_4.png", "r_8.png", "r_12.png"), {"all", "every_eighth"}, "number is a multiple of 8"),
    ],
)
def test_eval_names_its_subsets_honestly(checkpoint, scene, tmp_path, names, subsets, note):
    copy = tmp_path / "copy"
    shutil.copytree(scene, copy)
    photos = read_scene(copy)
    for view, name in zip(photos.test, names, strict=True):
        view.path.rename(copy / name)
    test = tuple(
        replace(view, path=copy / name) for view, name in zip(photos.test, names, strict=True)
    )
    result = evaluate(checkpoint, replace(photos, test=test))
    assert set(result.subsets) == subsets
    assert result.subsets["all"].views == 3
    if "every_eighth" in subsets:
        assert result.subsets["every_eighth"].mean == result.views["r_8.png"]
    assert note in result.note


def test_eval_refuses_another_background(checkpoint, scene):
    dark = replace(checkpoint, background=(0.0, 0.0, 0.0))
    with pytest.raises(InputError, match="compares on white"):
        evaluate(dark, read_scene(scene))


def test_eval_refuses_a_scene_without_test_views(checkpoint, scene):
    with pytest.raises(SceneError, match="has no test views"):
        evaluate(checkpoint, replace(read_scene(scene), test=()))


def test_render_writes_what_the_student_sees(mnelf, student, checkpoint, tmp_path):
    position = ("--azimuth", "30", "--elevation", "20", "--radius", "4.1")
    result = mnelf("render", student, *position)
    assert result.stdout == "thing.png: 1 frame of 16×16\n"
    pose = checkpoint.orbit.pose(30.0, 20.0, 4.1)
    expected = student_frame_function(checkpoint)(checkpoint.ray_camera(pose))
    with Image.open(tmp_path / "thing.png") as image:
        assert (np.asarray(image) == np.rint(expected * 255.0)).all()

    assert read_json(mnelf("render", student, "--frames", "5", "--json")) == {
        "schema": 1,
        "path": "thing.gif",
        "frames": 5,
        "width": 16,
        "height": 16,
    }
    with Image.open(tmp_path / "thing.gif") as gif:
        assert (gif.n_frames, gif.size, gif.info["duration"]) == (5, (16, 16), 800)

    assert mnelf("render", student, "--frames", "3", "-o", "frames").exit_code == 0
    frames = sorted((tmp_path / "frames").iterdir())
    assert [path.name for path in frames] == ["frame_000.png", "frame_001.png", "frame_002.png"]

    assert mnelf("render", student, "--frames", "3", "-o", "thing.mp4").exit_code == 0
    video = imageio.mimread(tmp_path / "thing.mp4")
    assert len(video) == 3
    for shown, path in zip(video, frames, strict=True):
        with Image.open(path) as image:
            still = np.asarray(image, np.float32) / 255.0
        assert psnr_db(shown.astype(np.float32) / 255.0, still) > MP4_MIN_PSNR_DB
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "frames",
        "thing.gif",
        "thing.mp4",
        "thing.png",
    ]


def test_render_keeps_alpha_in_png_and_odd_sizes_in_mp4(mnelf, tmp_path):
    odd = random_checkpoint(architecture="r2l", sr_widths=(), out_channels=4, ray_height=5)
    save_checkpoint(odd, tmp_path / "odd.pt")
    assert mnelf("render", "odd.pt", "-o", "odd.png").exit_code == 0
    with Image.open(tmp_path / "odd.png") as image:
        assert (image.mode, image.size) == ("RGBA", (7, 5))
    assert mnelf("render", "odd.pt", "-o", "odd.mp4", "--frames", "2").exit_code == 0
    assert imageio.mimread(tmp_path / "odd.mp4")[0].shape == (6, 8, 3)


def test_render_replaces_only_frames(mnelf, student, tmp_path):
    line = ("render", student, "-o", "frames", "--frames")
    mnelf(*line, "3")
    assert mnelf(*line, "2").exit_code == 2
    assert len(list((tmp_path / "frames").iterdir())) == 3
    assert mnelf(*line, "2", "--force").exit_code == 0
    assert len(list((tmp_path / "frames").iterdir())) == 2
    (tmp_path / "frames" / "cat.png").write_text("cat")
    assert mnelf(*line, "2", "--force").exit_code == 2
    assert (tmp_path / "frames" / "cat.png").read_text() == "cat"
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


def test_positions_stay_on_the_orbit():
    orbit = OrbitLimits((0, 0, 0), (0, 0, 1), (100.0, 220.0), (10.0, 80.0), (3.96, 4.04))
    same = OrbitPosition(azimuth=-150.0).pose(orbit)
    assert same == pytest.approx(orbit.pose(210.0, 45.0, 4.0))
    assert OrbitPosition().pose(orbit) == pytest.approx(orbit.pose(160.0, 45.0, 4.0))
    # Limits as a person reads and types them.
    assert OrbitPosition(radius=4.05).pose(orbit) == pytest.approx(orbit.pose(160.0, 45.0, 4.05))
    with pytest.raises(InputError, match="azimuth 90 lies outside of 100 to 220"):
        OrbitPosition(azimuth=90.0).pose(orbit)
    with pytest.raises(InputError, match="elevation 85 lies outside of 10 to 80"):
        OrbitPosition(elevation=85.0).pose(orbit)
    around = replace(orbit, azimuth=(-180.0, 180.0))
    assert OrbitPosition(azimuth=190.0).pose(around) == pytest.approx(
        around.pose(-170.0, 45.0, 4.0)
    )


def test_presets_fit_the_scene(scene):
    photos = read_scene(scene)
    for preset in PRESETS.values():
        shape = preset.student(photos)
        assert (shape.image_width, shape.image_height) == (16, 16)
        assert (shape.encoder.near, shape.encoder.far) == (photos.near, photos.far)
    assert PRESETS["base"].student(photos).name == "D60-SR3"
