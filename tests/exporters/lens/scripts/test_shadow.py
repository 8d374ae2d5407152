"""The soft shadow below an object that was put on something."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from mobile_nelf.deploy.room import object_span
from mobile_nelf_exporters.lens.player.draw import View, draw_surface
from mobile_nelf_exporters.lens.player.film import film_lens
from mobile_nelf_exporters.lens.player.material import with_material
from mobile_nelf_exporters.lens.player.room import room_picture
from mobile_nelf_exporters.lens.player.session import LensSession
from tests.helpers.lens.host_projects import HOSTS, dragged, make_package
from tests.helpers.lens.lenses import Lens, make_lens
from tests.helpers.lens.sessions import FRAME, SCENE, settle
from tests.helpers.node import needs_node

pytestmark = needs_node

SCREEN = (90, 160)
FOV = 63.5
HIGH = math.tan(math.radians(FOV) / 2)
FLOOR = -80.0
#: As the script has them: pixels a side, darkness in the middle, width by the object's, cm of lift.
SIDE, DARKEST, WIDER, LIFT = 32, 0.45, 1.25, 0.2


@pytest.fixture(scope="module")
def lens() -> Lens:
    return make_lens("rays", "world", 4)


def _pose(place, pitch: float = 0.0) -> np.ndarray:
    """A phone that looks down by so many degrees."""
    turn = math.radians(-pitch)
    axes = [[1, 0, 0], [0, math.cos(turn), -math.sin(turn)], [0, math.sin(turn), math.cos(turn)]]
    return np.column_stack([axes, place])


HERE = _pose([0.0, 0.0, 0.0])
#: From here the disc on the floor and the object are seen at once.
ABOVE = _pose([5.0, 20.0, -60.0], 45.0)


def _opened(files) -> LensSession:
    session = LensSession(with_material(files), screen=SCREEN, floor_cm=FLOOR)
    session.set_device(HERE, FOV)
    settle(session)
    return session


def _tap(session: LensSession, x: float, y: float) -> None:
    session.touch("start", 0, x, y)
    session.touch("end", 0, x, y)
    session.update(FRAME)


def _on_the_floor(files, pose=ABOVE) -> LensSession:
    """A lens whose object stands on the floor, seen from somewhere."""
    session = _opened(files)
    _tap(session, 0.5, 0.9)
    session.see(room_picture(pose, FOV, SCREEN))
    session.set_device(pose, FOV)
    session.update(FRAME)
    return session


def _disc() -> np.ndarray:
    """[rows, columns, 4] black, clear towards the border: (1 - r^2)^2."""
    x, y = np.meshgrid(*[(np.arange(SIDE) + 0.5) / SIDE * 2 - 1] * 2)
    texture = np.zeros((SIDE, SIDE, 4))
    texture[..., 3] = DARKEST * np.maximum(1 - x**2 - y**2, 0.0) ** 2
    return texture


def _view(pose) -> View:
    half = math.acos(np.clip(pose[1, 1], -1, 1)) / 2
    return View(
        tuple(pose[:, 3]), (math.cos(half), -math.sin(half), 0.0, 0.0), math.radians(FOV), False, 20
    )


def test_it_lies_on_the_floor_as_wide_as_the_object(lens):
    with _on_the_floor(lens.files) as session:
        (shadow,) = session.shadows
        foot = np.mean(session.surfaces[0].vertices, axis=0)[:3]
    corners = np.array(shadow.vertices)[:, :3]
    cm = sum(lens.contract.orbit.radius) / 2 / 100.0
    span = object_span(lens.checkpoint)
    ahead = -FLOOR / (0.8 * HIGH)
    np.testing.assert_allclose(corners.mean(axis=0), [0.0, FLOOR + LIFT, -ahead], atol=1e-2)
    np.testing.assert_allclose(corners[:, 1], FLOOR + LIFT, atol=1e-6)
    side = np.linalg.norm(corners[1] - corners[0])
    assert side == pytest.approx(2 * WIDER * span.reach / cm, rel=1e-6)
    assert foot[1] == pytest.approx(FLOOR + span.foot / cm, abs=1e-2)


def test_it_is_drawn_below_the_picture_and_changes_nothing_else(lens):
    with _on_the_floor(lens.files) as session:
        room, screen = room_picture(ABOVE, FOV, SCREEN), session.screen()
        (shadow,), (picture,) = session.shadows, session.surfaces
        drawn = session.drawn().astype(float)
    view = _view(ABOVE)
    shaded = draw_surface(room, shadow, _disc(), view)
    np.testing.assert_array_equal(screen, draw_surface(shaded, picture, drawn, view))
    other_way = draw_surface(draw_surface(room, picture, drawn, view), shadow, _disc(), view)
    assert (screen != other_way).any()
    # Outside of the disc and of the object's square the room is as it was.
    white, black = np.full_like(room, 255), np.zeros_like(room)
    disc = (draw_surface(white, shadow, np.ones((1, 1, 4)) * [0, 0, 0, 1], view) == 0).all(axis=2)
    square = draw_surface(black, picture, np.ones((1, 1, 4)), view).any(axis=2)
    assert 50 < (disc & ~square).sum() < room[..., 0].size / 2
    assert (screen[~disc & ~square] == room[~disc & ~square]).all()
    assert (screen[disc & ~square] <= room[disc & ~square]).all()
    assert screen[disc & ~square].mean() < 0.97 * room[disc & ~square].mean()
    assert (shaded >= (1 - DARKEST) * room.astype(float) - 1).all()


def test_in_the_air_there_is_none(lens):
    with _opened(lens.files) as session:
        assert session.shadows == ()
        _tap(session, 0.5, 0.9)
        assert len(session.shadows) == 1
        _tap(session, 0.5, 0.1)
        assert len(session.surfaces) == 1
        assert session.shadows == ()


def test_it_goes_with_the_object(lens):
    with _on_the_floor(lens.files) as session:
        assert len(session.shadows) == 1
        session.set_device(_pose([0.0, 20.0, -60.0], -60.0), FOV)
        session.update(FRAME)
        assert (session.surfaces, session.shadows) == ((), ())
        session.set_device(ABOVE, FOV)
        session.update(FRAME)
        assert len(session.shadows) == 1
        session.flip_camera(is_front=True)
        session.update(FRAME)
        assert session.shadows == ()


def test_who_is_below_the_floor_does_not_see_it(lens):
    with _on_the_floor(lens.files, _pose([0.0, FLOOR - 5.0, -60.0])) as session:
        assert len(session.surfaces) == 1
        assert session.shadows == ()


def test_far_away_it_fades_with_the_object(lens):
    ball = lens.contract.ball_radius / (sum(lens.contract.orbit.radius) / 2) * 100.0
    ahead = -FLOOR / (0.8 * HIGH)
    with _on_the_floor(lens.files, _pose([0.0, 0.0, ball / (0.045 * HIGH) - ahead])) as session:
        (shadow,), (picture,) = session.shadows, session.surfaces
    assert 0.3 < picture.tint[0] < 0.7
    assert shadow.tint == picture.tint


def _switched_off(lens: Lens) -> dict[str, bytes]:
    off = re.sub(rb"(\n      shadow): true", rb"\1: false", lens.files[SCENE])
    assert off.count(b"shadow: false") == 1
    return {**lens.files, SCENE: off}


def test_it_can_be_switched_off(lens):
    with _on_the_floor(_switched_off(lens)) as session:
        assert len(session.surfaces) == 1
        assert session.shadows == ()


def test_films_show_it(lens):
    shaded, plain = (
        np.array(list(film_lens(files, lens.contract, 2, SCREEN)), int)
        for files in (lens.files, _switched_off(lens))
    )
    assert (shaded <= plain).all()
    assert all((plain[k] - shaded[k]).max() > 20 for k in range(2))


def test_the_shadow_of_a_package_lies_at_the_foot_of_its_scene_object():
    package = make_package()
    files = dragged(HOSTS["empty"](), package, (0.0, -20.0, -100.0))
    with LensSession(files, screen=SCREEN) as session:
        session.start()
        for _ in range(3):
            session.update(FRAME)
        (shadow,) = session.shadows
        assert len(session.surfaces) == 1
    centre = np.mean(shadow.vertices, axis=0)[:3]
    np.testing.assert_allclose(centre, [0.0, -20.0 + LIFT, -100.0], atol=1e-4)
