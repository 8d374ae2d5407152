"""The object's own area, steadiness and the picture of the worst views, on the analytic ball."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_nelf.errors import InputError, OutputError
from mobile_nelf.evaluation import OBJECT_PROTOCOL, Evaluation, Score, evaluate, evaluate_frames
from mobile_nelf.evaluation.worst import (
    RAMP,
    SHOWN_ERROR,
    SeenView,
    error_colours,
    worst_views_picture,
)
from mobile_nelf.pictures import on_white
from mobile_nelf.plain import from_dict, to_dict
from mobile_nelf.teachers.files import TrainedTeacher
from mobile_nelf.teachers.teacher import Rendering
from tests.helpers.ball import around, scene_of
from tests.helpers.ball import ball as seen_ball


@pytest.fixture(scope="module")
def ball(tmp_path_factory: pytest.TempPathFactory):
    return scene_of(tmp_path_factory.mktemp("ball"), around(3))


class BallTeacher:
    """Renders the ball, a little too dark."""

    def render(self, camera):
        seen = seen_ball(camera)
        rgb = 0.95 * seen.rgb * seen.alpha[..., None]
        parts = (rgb, seen.alpha, seen.depth)
        return Rendering(*(part.astype(np.float32) for part in parts))


def test_object_db_counts_the_objects_pixels_alone(ball):
    found = evaluate_frames(
        lambda camera: np.ones((camera.intrinsics.height, camera.intrinsics.width, 3), np.float32),
        ball,
    )
    assert found.object_protocol == OBJECT_PROTOCOL
    for view in ball.test:
        rgba = view.rgba()
        wrong = [
            (1.0 - value) ** 2
            for row, alphas in zip(on_white(rgba).tolist(), rgba[..., 3].tolist(), strict=True)
            for pixel, alpha in zip(row, alphas, strict=True)
            if alpha > 0
            for value in pixel
        ]
        score = found.views[view.path.name]
        by_hand = -10.0 * math.log10(sum(wrong) / len(wrong))
        assert score.object_psnr_db == pytest.approx(by_hand, abs=1e-4)
        assert score.object_psnr_db < score.psnr_db - 1.0  # white flatters
    mean = found.subsets["all"].mean
    assert found.as_metrics()["test_object_psnr_db"] == mean.object_psnr_db
    assert f"{mean.object_psnr_db:.2f}" in repr(found)
    assert from_dict(Evaluation, to_dict(found)) == found


def test_photos_without_alpha_have_no_object_db(ball, tmp_path):
    opaque = []
    for view in ball.test:
        path = tmp_path / view.path.name
        Image.fromarray(view.rgba()).convert("RGB").save(path)
        opaque.append(replace(view, path=path))
    found = evaluate(TrainedTeacher(BallTeacher()), replace(ball, test=tuple(opaque)))
    assert found.object_protocol is None
    assert {score.object_psnr_db for score in found.views.values()} == {None}
    assert found.not_measured[0] == "object dB: the photos have no alpha"
    assert "test_object_psnr_db" not in found.as_metrics()


def test_a_view_that_does_not_show_the_object_does_not_count(ball, tmp_path):
    first, *others = ball.test
    path = tmp_path / first.path.name
    Image.fromarray(np.zeros_like(first.rgba())).save(path)
    found = evaluate(
        TrainedTeacher(BallTeacher()), replace(ball, test=(replace(first, path=path), *others))
    )
    assert found.views[first.path.name].object_psnr_db is None
    shown = [found.views[view.path.name].object_psnr_db for view in others]
    assert found.subsets["all"].mean.object_psnr_db == pytest.approx(np.mean(shown))


def test_equal_pictures_have_a_finite_figure(ball):
    photos = {view.camera.cam_to_world.tobytes(): on_white(view.rgba()) for view in ball.test}
    found = evaluate_frames(lambda camera: photos[camera.cam_to_world.tobytes()], ball)
    assert {score.psnr_db for score in found.views.values()} == {100.0}
    assert {score.object_psnr_db for score in found.views.values()} == {100.0}


class Flickering(BallTeacher):
    """Every other frame is darker."""

    frames = 0

    def render(self, camera):
        self.frames += 1
        whole = super().render(camera)
        return replace(whole, rgb=whole.rgb * (0.5 if self.frames % 2 else 1.0))


def test_flicker_is_more_than_the_teachers_difference(ball):
    steady = evaluate(
        TrainedTeacher(BallTeacher()), ball, teacher=TrainedTeacher(BallTeacher())
    ).steadiness
    assert steady.difference == steady.teacher_difference > 0.0
    assert "1.000 times as much" in steady.text
    flicker = evaluate(
        TrainedTeacher(Flickering()), ball, teacher=TrainedTeacher(BallTeacher())
    ).steadiness
    assert flicker.teacher_difference == steady.teacher_difference
    assert flicker.difference > 2.0 * steady.difference
    assert evaluate(TrainedTeacher(BallTeacher()), ball).steadiness is None


def test_the_picture_shows_the_worst_first(ball, tmp_path):
    out = tmp_path / "worst.png"
    model = TrainedTeacher(Flickering())
    found = evaluate(model, ball, picture=out, worst=2)
    values = [found.views[name].psnr_db for name in found.worst(3)]
    assert values == sorted(score.psnr_db for score in found.views.values())
    with Image.open(out) as image:
        two = image.size
    with pytest.raises(OutputError, match="exists already"):
        evaluate(model, ball, picture=out)
    evaluate(model, ball, picture=out, worst=99, force=True)
    with Image.open(out) as image:
        assert image.size[0] == two[0]
        assert image.size[1] > two[1]
    assert [path.name for path in tmp_path.iterdir()] == ["worst.png"]
    with pytest.raises(InputError, match="worst must be positive"):
        evaluate(model, ball, worst=0)


def test_the_picture_refuses_an_input(ball, tmp_path):
    with pytest.raises(OutputError, match="is an input"):
        evaluate(tmp_path / "a.pt", ball, picture=tmp_path / "a.pt", force=True)


@pytest.mark.parametrize(("side", "shown"), [(24, 360), (200, 400), (500, 500), (1280, 640)])
def test_panels_are_legible_at_any_size(side, shown):
    """Photo, render and error stand side by side, and errors have the colours of the scale."""
    photo = np.ones((side, side, 3), np.float32)
    render = photo.copy()
    render[: side // 2] -= 2.0 * SHOWN_ERROR
    render[:, : side // 2] = photo[:, : side // 2]
    view = SeenView("a.png", Score(10.0, 0.5, 0.1), photo, render)
    image = np.asarray(worst_views_picture("title", [view]))
    panels = image[-24 - 12 - shown : -24 - 12]
    assert panels.shape[1] == 2 * 24 + 3 * shown + 2 * 12
    _, second, third = (panels[:, 24 + i * (shown + 12) :][:, :shown] for i in range(3))
    quarter = shown // 4
    assert second[quarter, 3 * quarter].tolist() == [128, 128, 128]
    assert third[quarter, 3 * quarter].tolist() == list(RAMP[-1])
    assert third[3 * quarter, quarter].tolist() == third[quarter, quarter].tolist() == [255] * 3


def test_colours_of_errors_go_from_white_to_the_last():
    errors = np.array([0.0, SHOWN_ERROR / 3, SHOWN_ERROR, 1.0])
    assert error_colours(errors).tolist() == [
        list(colour) for colour in (RAMP[0], RAMP[1], RAMP[-1], RAMP[-1])
    ]


def test_a_caption_says_what_was_measured():
    photo = np.ones((2, 2, 3), np.float32)
    without = SeenView("a.png", Score(20.0, 0.9, 0.1), photo, photo).caption()
    assert "object" not in without
    named = SeenView("a.png", Score(20.0, 0.9, 0.1, 15.5), photo, photo).caption()
    assert "object 15.50 dB" in named
    assert Path("a.png").name in named
