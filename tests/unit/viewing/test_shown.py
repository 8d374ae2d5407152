"""What is shown of a checkpoint, of a teacher and of a bundle."""

from __future__ import annotations

import numpy as np
import pytest

from mobile_nelf.bundles import create_bundle
from mobile_nelf.checkpoints import save_checkpoint
from mobile_nelf.errors import BundleError, InputError
from mobile_nelf.scenes import read_scene
from mobile_nelf.teachers.files import TrainedTeacher, save_teacher
from mobile_nelf.viewing import shown_path
from tests.helpers import ROOT
from tests.helpers.students import random_checkpoint
from tests.helpers.teachers import teacher_of


def test_a_student_is_a_page(tmp_path):
    path = tmp_path / "thing one.pt"
    save_checkpoint(random_checkpoint(sr_widths=(8,)), path)
    shown = shown_path(path)
    assert list(shown.files) == ["index.html"]
    assert shown.frame is None
    assert b"thing one" in shown.files["index.html"]


def test_a_bundle_is_its_page_or_its_report(tmp_path):
    path = tmp_path / "thing"
    create_bundle(random_checkpoint(sr_widths=(8,)), target="onnx", output=path)
    shown = shown_path(path)
    assert shown.files["index.html"] == (path / "report.html").read_bytes()
    (path / "README.md").write_text("changed", encoding="utf-8")
    with pytest.raises(BundleError, match="was changed"):
        shown_path(path)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(BundleError, match=r"manifest\.json: no such file"):
        shown_path(tmp_path)


@pytest.fixture
def teacher(tmp_path):
    path = tmp_path / "ball.pt"
    save_teacher(TrainedTeacher(teacher_of()), path)
    return path


def test_a_teacher_renders_what_the_page_asks_for(teacher):
    scene = ROOT / "examples" / "mic"
    shown = shown_path(teacher, scene=scene, device="cpu")
    assert b"connect-src 'self'" in shown.files["index.html"]
    camera = read_scene(scene).train[0].camera
    picture = shown.frame(camera.cam_to_world, 20, 20)
    wanted = teacher_of().render(camera.resized(20, 20)).on_white()
    assert picture.shape == (20, 20, 3)
    assert np.abs(picture / 255.0 - wanted).max() <= 0.51 / 255.0


def test_a_teacher_needs_its_scene(teacher):
    with pytest.raises(InputError, match="give the scene") as caught:
        shown_path(teacher)
    assert caught.value.arguments == ("scene",) or caught.value.arguments == ["scene"]
