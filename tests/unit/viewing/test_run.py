"""What a browser sees of a training in another process: what that saved, and its log."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mobile_nelf.cameras import Camera
from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.errors import InputError
from mobile_nelf.pictures import to_uint8
from mobile_nelf.rendering import student_frame_function
from mobile_nelf.training.student.make import StudentPlan, train_student
from mobile_nelf.training.teacher.fit import train_teacher
from mobile_nelf.viewing import run, shown_path
from mobile_nelf.viewing.shown import NotReadyError
from tests.helpers.sphere import (
    FIT,
    LENS,
    ORBIT,
    PHOTO_STAGE,
    PRESET,
    STUDENT,
    sphere_scene,
    sphere_views,
)

POSE = ORBIT.pose(20, 30, 4)
CAMERA = Camera(POSE, LENS)


class StoppedError(Exception):
    pass


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return sphere_scene(tmp_path_factory.mktemp("scenes") / "ball")


def _shown(path, scene):
    return shown_path(path, scene=scene.path, device="cpu")


def _picture(shown):
    return shown.frame(POSE, LENS.width, LENS.height)


def _student(scene, output, on_fit):
    plan = StudentPlan(STUDENT, FIT, PHOTO_STAGE)
    train_student(scene, plan, output, source=sphere_views(), device="cpu", on_fit=on_fit)


def test_a_student_is_seen_as_it_was_saved_and_to_its_end(scene, tmp_path):
    output, told, pictures = tmp_path / "ball.pt", [], {}

    def look(progress):
        pictures[progress.step] = to_uint8(progress.render(CAMERA)[..., :3])
        if progress.step == 5:  # the run itself holds its folder, and has saved step 4
            shown = _shown(output, scene)
            told.append(shown.status())
            told.append(_picture(shown))
        if progress.step == 6:
            raise StoppedError

    with pytest.raises(StoppedError):
        _student(scene, output, look)
    status, picture = told
    assert [status[name] for name in ("stage", "step", "steps", "runs")] == ["student", 4, 10, True]
    assert len(status["psnr_db"]) == 1
    np.testing.assert_array_equal(picture, pictures[4])
    assert np.abs(pictures[5].astype(int) - pictures[4]).max() > 0

    shown = _shown(tmp_path / "ball.pt.run", scene)
    assert shown.name == "ball"
    assert shown.status()["runs"] is False
    np.testing.assert_array_equal(_picture(shown), pictures[4])
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    _picture(shown)
    assert files == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    _student(scene, output, lambda progress: None)
    render = student_frame_function(load_checkpoint(output))
    wanted = to_uint8(render(CAMERA.resized(STUDENT.ray_width, STUDENT.ray_height))[..., :3])
    np.testing.assert_array_equal(_picture(shown), wanted)
    assert shown.status()["stage"] == "student on the photos"


def test_a_teacher_is_seen_as_it_was_saved(scene, tmp_path):
    folder = tmp_path / "ball.pt.run"
    folder.mkdir()
    pictures = {}

    def look(progress):
        pictures[progress.step] = to_uint8(progress.render(CAMERA))
        if progress.step == 5:
            raise StoppedError

    with pytest.raises(StoppedError):
        train_teacher(scene, PRESET.teacher, folder / "teacher.state", torch.device("cpu"), look)
    # The last step saves as well, before it is told.
    shown = _shown(folder, scene)
    status = shown.status()
    assert [status[name] for name in ("stage", "step", "steps")] == ["teacher", 5, 5]
    np.testing.assert_array_equal(_picture(shown), pictures[5])


def test_before_the_first_save_there_is_no_picture(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "PAUSE", 0.0)
    folder = tmp_path / "ball.pt.run"
    folder.mkdir()
    (folder / "log.jsonl").write_text('{"stage": "train", "step"', encoding="utf-8")
    shown = _shown(folder, scene)
    assert shown.status()["stage"] == ""
    (folder / "train.state").write_bytes(b"half a file")
    with pytest.raises(NotReadyError):
        _picture(shown)


def test_a_training_needs_its_scene(scene, tmp_path):
    folder = tmp_path / "ball.pt.run"
    folder.mkdir()
    (folder / "log.jsonl").touch()
    with pytest.raises(InputError, match="give the scene that it is trained on") as caught:
        shown_path(tmp_path / "ball.pt")
    assert list(caught.value.arguments) == ["scene"]
    (folder / "log.jsonl").unlink()
    with pytest.raises(InputError, match="no such file"):
        shown_path(tmp_path / "ball.pt")
