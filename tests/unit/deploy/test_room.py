"""How far an object reaches, measured in pictures of a box."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mobile_nelf.deploy import room
from mobile_nelf.deploy.contract import shown_ball_radius
from mobile_nelf.deploy.room import ObjectSpan, object_span
from tests.helpers.students import random_checkpoint


@pytest.fixture
def checkpoint():
    return random_checkpoint(sr_widths=(8,), out_channels=4, activation="relu")


def _seen(checkpoint, monkeypatch, rows: slice, columns: slice) -> ObjectSpan:
    """The span of an object that covers these pixels from everywhere."""
    student = checkpoint.student
    picture = np.zeros((student.image_height, student.image_width, 4))
    picture[rows, columns] = 1.0
    monkeypatch.setattr(room, "student_frame_function", lambda _: lambda camera: picture)
    return object_span(checkpoint)


def test_the_edges_of_what_is_seen_are_those_of_the_object(checkpoint, monkeypatch):
    lens, orbit = checkpoint.intrinsics, checkpoint.orbit
    width, height = checkpoint.student.image_width, checkpoint.student.image_height
    first, last = width // 2 - 1, width // 2 + 2
    span = _seen(checkpoint, monkeypatch, slice(height // 2, height // 2 + 1), slice(first, last))
    distance = sum(orbit.radius) / 2
    elevation = min(max(0.0, orbit.elevation[0]), orbit.elevation[1])
    upright = distance / lens.fy / math.cos(math.radians(elevation))
    assert span.foot == pytest.approx((height // 2 + 1 - lens.cy) * upright)
    assert span.head == pytest.approx((lens.cy - height // 2) * upright)
    further = max(last - lens.cx, lens.cx - first)
    assert span.reach == pytest.approx(further * distance / lens.fx)


def test_nothing_and_everything_are_as_large_as_the_ball(checkpoint, monkeypatch):
    ball = shown_ball_radius(checkpoint)
    assert _seen(checkpoint, monkeypatch, slice(0, 0), slice(0, 0)) == ObjectSpan(ball, ball, ball)
    whole = _seen(checkpoint, monkeypatch, slice(None), slice(None))
    assert max(whole.foot, whole.head, whole.reach) <= ball


def test_the_foot_is_where_it_looks_highest(checkpoint, monkeypatch):
    """Legs that come towards the viewer look lower."""
    student, lens = checkpoint.student, checkpoint.intrinsics
    lowest = iter([3, 5, 4, 3])
    middle = student.image_height // 2

    def frame(_):
        picture = np.zeros((student.image_height, student.image_width, 4))
        picture[: middle + next(lowest), middle] = 1.0
        return picture

    monkeypatch.setattr(room, "student_frame_function", lambda _: frame)
    distance = sum(checkpoint.orbit.radius) / 2
    elevation = min(max(0.0, checkpoint.orbit.elevation[0]), checkpoint.orbit.elevation[1])
    upright = distance / lens.fy / math.cos(math.radians(elevation))
    assert object_span(checkpoint).foot == pytest.approx((middle + 3 - lens.cy) * upright)
