"""What a browser sees of a training that runs in this process."""

from __future__ import annotations

import http.client
import io
import json
import threading

import numpy as np
import pytest
from PIL import Image

from mobile_nelf.errors import CheckpointError
from mobile_nelf.training.student.stage import FitProgress
from mobile_nelf.training.teacher.fit import TeacherProgress
from mobile_nelf.viewing import Server, TrainingView, training
from tests.helpers.sphere import sphere_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return sphere_scene(tmp_path_factory.mktemp("scenes") / "ball")


@pytest.fixture
def told():
    return []


@pytest.fixture
def view(scene, told):
    return TrainingView(scene, "ball", on_step=told.append, on_fit=told.append)


def _status(view):
    return view.shown.status()


def test_pictures_are_rendered_by_the_thread_that_trains(view, scene, told):
    threads = []

    def render(camera):
        threads.append(threading.current_thread())
        lens = camera.intrinsics
        return np.full((lens.height, lens.width, 3), 0.2 * len(threads), np.float32)

    pose = scene.train[0].camera.cam_to_world
    query = ",".join(map(str, pose.ravel()))
    answers = []

    def ask(server):
        connection = http.client.HTTPConnection("127.0.0.1", int(server.url.split(":")[2][:-1]))
        connection.request("GET", f"/frame.jpg?width=8&height=6&pose={query}")
        answer = connection.getresponse()
        answers.append((answer.status, answer.read()))

    with Server(view.shown) as server:
        server.start()
        for step in (1, 2):
            browser = threading.Thread(target=ask, args=(server,))
            browser.start()
            while browser.is_alive():
                view.on_step(TeacherProgress(step, 9, 20.0 + step, render))
            browser.join()
    assert set(threads) == {threading.current_thread()}
    assert len(threads) == 2
    for index, (status, content) in enumerate(answers, start=1):
        picture = np.asarray(Image.open(io.BytesIO(content)))
        assert (status, picture.shape) == (200, (6, 8, 3))
        assert np.abs(picture - 51.0 * index).max() <= 2
    assert told[-1].step == 2


def test_the_curve_grows_and_begins_anew_with_each_stage(view):
    assert _status(view)["stage"] == ""
    for step in range(1, 1001):
        view.on_step(TeacherProgress(step, 1000, step / 100, lambda camera: None))
    status = _status(view)
    assert (status["stage"], status["step"], status["steps"]) == ("teacher", 1000, 1000)
    curve = status["psnr_db"]
    assert training.MAX_POINTS / 2 <= len(curve) <= training.MAX_POINTS + 1
    assert curve == sorted(curve)
    assert curve[0] == pytest.approx(0.03, abs=0.03)
    assert curve[-1] == pytest.approx(10, abs=0.05)
    view.on_fit(FitProgress(1, 5, 9.0, "train"))
    status = _status(view)
    assert (status["stage"], status["psnr_db"]) == ("student", [9.0])
    json.dumps(status)


def test_a_network_that_cannot_be_rendered_does_not_stop_the_training(view, told, monkeypatch):
    monkeypatch.setattr(training, "PATIENCE", 0.01)

    def render(camera):
        raise CheckpointError("NaN")

    pose = np.eye(4)[:3]
    with pytest.raises(training.NotReadyError):
        view.shown.frame(pose, 4, 4)
    view.on_step(TeacherProgress(1, 5, 9.0, render))
    monkeypatch.setattr(training, "PATIENCE", 60.0)

    def ask():
        with pytest.raises(training.NotReadyError):
            view.shown.frame(pose, 4, 4)
        told.append("no picture")

    asking = threading.Thread(target=ask)
    asking.start()
    step = 1
    while asking.is_alive():
        step += 1
        view.on_step(TeacherProgress(step, 5, 9.0, render))
    assert "no picture" in told
