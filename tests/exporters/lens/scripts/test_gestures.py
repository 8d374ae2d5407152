"""Fingers on a lens: drags, inertia, the turntable, pinches, and when the model runs."""

from __future__ import annotations

import numpy as np
import pytest

from mobile_nelf.cameras import OrbitLimits
from mobile_nelf_exporters.lens.player.session import LensSession
from tests.helpers.lens.lenses import make_lens
from tests.helpers.lens.sessions import FRAME, expected_map, limited, open_session, telling, view_of
from tests.helpers.node import needs_node

pytestmark = needs_node


def test_it_starts_in_the_middle_of_the_photos():
    lens = make_lens("camera")
    azimuth, elevation, distance, _ = view_of(open_session(telling(lens)))
    orbit: OrbitLimits = lens.contract.orbit
    assert (azimuth, elevation) == (sum(orbit.azimuth) / 2, sum(orbit.elevation) / 2)
    assert distance == sum(orbit.radius) / 2


def test_the_object_follows_the_finger():
    session = open_session(telling(make_lens("camera")))
    session.touch("start", 3, 0.5, 0.5)
    session.touch("move", 3, 0.6, 0.55)
    session.update(FRAME)
    azimuth, elevation, *_ = view_of(session)
    # A screen is 180 degrees: to the right and down by a tenth and a twentieth.
    assert (azimuth, elevation) == pytest.approx((-18.0, 45.0 + 9.0))


@pytest.mark.parametrize(("way", "azimuth", "elevation"), [(-9.0, 75.0, 10.0), (9.0, -40.0, 80.0)])
def test_a_drag_stops_at_the_limits_of_the_photos(way, azimuth, elevation):
    session = open_session(telling(limited(make_lens("camera"))))
    session.touch("start", 0, 0.5, 0.5)
    session.touch("move", 0, 0.5 + way, 0.5 + way)
    session.update(FRAME)
    assert view_of(session)[:2] == [azimuth, elevation]


def test_a_full_turn_wraps_around():
    session = open_session(telling(make_lens("camera")))
    session.touch("start", 0, 0.0, 0.5)
    session.touch("move", 0, 2.5, 0.5)  # 450 degrees back
    session.update(FRAME)
    assert view_of(session)[0] == pytest.approx(-90.0)


def test_a_finger_that_is_not_down_does_nothing():
    session = open_session(make_lens("camera"))
    session.touch("move", 5, 0.9, 0.9)
    session.touch("end", 5, 0.9, 0.9)
    session.update(FRAME)
    assert session.cost.runs == 0


def _swipe(session: LensSession, hold: int) -> None:
    session.touch("start", 0, 0.2, 0.5)
    for step in range(1, 7):
        session.touch("move", 0, 0.2 + 0.02 * step, 0.5)
        session.update(FRAME)
    for _ in range(hold):
        session.update(FRAME)
    session.touch("end", 0, 0.32, 0.5)


def test_inertia_dies_away_exponentially():
    session = open_session(telling(make_lens("camera")))
    _swipe(session, hold=0)
    angles = []
    for _ in range(12):
        session.update(FRAME)
        angles.append(view_of(session)[0])
    steps = np.diff(angles)
    assert np.all(steps < 0), "the camera keeps turning the way it went"
    np.testing.assert_allclose(steps[1:] / steps[:-1], np.exp(-FRAME / 0.35), rtol=1e-6)
    for _ in range(60):
        session.update(FRAME)
    assert session.cost.runs == 0, "it comes to rest"


def test_a_finger_that_rests_before_it_leaves_gives_no_inertia():
    session = open_session(telling(make_lens("camera")))
    _swipe(session, hold=3)  # a tenth of a second
    session.update(FRAME)
    assert session.cost.runs == 0


def test_left_alone_it_turns_by_itself_until_it_is_touched():
    session = open_session(telling(make_lens("camera")))
    for _ in range(118):
        session.update(FRAME)
    assert len(session.printed) == 2, "nothing moves for four seconds"
    for _ in range(32):
        session.update(FRAME)
    azimuth = view_of(session)[0]
    assert azimuth == pytest.approx(15.0, abs=15.0 * 4 * FRAME)
    session.touch("start", 0, 0.5, 0.5)
    session.update(FRAME)
    assert session.cost.runs == 0


def test_the_turntable_turns_back_at_a_limit():
    session = open_session(telling(limited(make_lens("camera"))))
    angles = []
    for _ in range(200):  # 20 s
        session.update(0.1)
        angles.append(view_of(session)[0])
    assert max(angles) == 75.0
    assert angles[-1] < 75.0 - 15.0


@pytest.mark.parametrize("apart", [2.0, 0.5, 30.0, 0.01])
def test_pinching_moves_the_camera_along_its_line(apart):
    lens = make_lens("rays")
    session = open_session(telling(lens), (400, 400))
    session.touch("start", 0, 0.5, 0.4)
    session.touch("start", 1, 0.5, 0.6)
    session.touch("move", 1, 0.5, 0.4 + 0.2 * apart)
    session.update(FRAME)
    azimuth, elevation, distance, rays = view_of(session)
    low, high = lens.contract.orbit.radius
    span = max(0.2 * apart, 0.01)
    assert distance == pytest.approx(np.clip(4.1 * 0.2 / span, 0.5 * low, 2 * high))
    np.testing.assert_allclose(rays, expected_map(lens, azimuth, elevation, distance), atol=1e-12)


def test_one_of_two_fingers_leaves_and_the_other_turns():
    session = open_session(telling(make_lens("camera")))
    session.touch("start", 0, 0.5, 0.4)
    session.touch("start", 1, 0.5, 0.6)
    session.touch("end", 0, 0.5, 0.4)
    session.touch("move", 1, 0.6, 0.6)
    session.update(FRAME)
    azimuth, _, distance, _ = view_of(session)
    assert azimuth == pytest.approx(-18.0)
    assert distance == pytest.approx(4.1)


def test_the_model_runs_only_when_the_view_changes():
    session = open_session(make_lens("camera"))
    assert session.cost.runs == 1
    for _ in range(5):
        session.update(FRAME)
        assert session.cost.runs == 0


def test_a_drag_at_the_limits_does_not_run_the_model():
    session = open_session(limited(make_lens("camera")))
    session.touch("start", 0, 0.5, 0.5)
    for place, runs in ((-9.0, 1), (-9.5, 0)):
        session.touch("move", 0, place, 0.5)
        session.update(FRAME)
        assert session.cost.runs == runs


def test_a_pinch_at_the_limits_does_not_run_the_model():
    session = open_session(make_lens("camera"))
    session.touch("start", 0, 0.5, 0.4)
    session.touch("start", 1, 0.5, 0.5)
    for place, runs in ((5.0, 1), (6.0, 0)):
        session.touch("move", 1, 0.5, place)
        session.update(FRAME)
        assert session.cost.runs == runs


def test_a_pause_does_not_turn_the_object_by_a_jump():
    session = open_session(telling(make_lens("camera")))
    for _ in range(130):
        session.update(FRAME)
    before = view_of(session)[0]
    session.update(5.0)
    assert view_of(session)[0] - before == pytest.approx(1.5)


def test_a_finger_that_was_lost_does_not_make_the_next_one_a_pinch():
    session = open_session(telling(make_lens("rays")))
    session.touch("start", 0, 0.5, 0.5)  # and no end: a call came
    for _ in range(60):
        session.update(FRAME)
    session.touch("start", 1, 0.5, 0.5)
    session.touch("move", 1, 0.6, 0.5)
    session.update(FRAME)
    azimuth, _, distance, _ = view_of(session)
    assert azimuth == pytest.approx(-18.0)
    assert distance == pytest.approx(4.1)


@pytest.mark.parametrize("lost", [True, False])
def test_a_finger_that_was_lost_does_not_hold_the_object_for_good(lost):
    session = open_session(make_lens("camera"))
    session.touch("start", 0, 0.5, 0.5)
    if not lost:
        session.pause()
    runs = 0
    for _ in range(round((13.0 if lost else 4.5) / FRAME)):
        session.update(FRAME)
        runs += session.cost.runs
    assert runs > 0


def test_a_finger_that_was_taken_for_lost_goes_on():
    session = open_session(telling(make_lens("camera")))
    session.touch("start", 0, 0.5, 0.5)
    session.pause()
    session.touch("move", 0, 0.5, 0.5)
    session.touch("move", 0, 0.6, 0.5)
    session.update(FRAME)
    assert view_of(session)[0] == pytest.approx(-18.0)
