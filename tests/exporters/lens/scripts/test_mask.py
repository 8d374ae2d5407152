"""Without a material: the object is cut out of what a second camera draws, by a mask."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mobile_nelf.metrics import psnr_db
from mobile_nelf_exporters.lens.player.material import with_material
from mobile_nelf_exporters.lens.player.room import room_picture
from mobile_nelf_exporters.lens.player.session import LensSession
from tests.helpers.lens.lenses import Lens, make_lens
from tests.helpers.lens.sessions import FRAME, settle
from tests.helpers.node import needs_node

pytestmark = needs_node

SCREEN = (90, 160)
FOV = 63.5
HERE = np.hstack([np.eye(3), np.zeros((3, 1))])
#: Of half the screen's height, a centimetre ahead.
HIGH = math.tan(math.radians(FOV) / 2)
#: Against the same picture on a surface: the mask ends at an alpha of 0.02, and its colours are
#: divided by alpha in three steps; a random student is half clear everywhere.
MASKED_DB = 38.0


def _opened(files, **phone) -> LensSession:
    session = LensSession(files, screen=SCREEN, **phone)
    session.set_device(HERE, FOV)
    settle(session)
    return session


def _ahead(distance: float, yaw: float = 0.0) -> np.ndarray:
    """A phone so far from the object, which is a metre before the origin."""
    turn = math.radians(yaw)
    axes = [[math.cos(turn), 0, math.sin(turn)], [0, 1, 0], [-math.sin(turn), 0, math.cos(turn)]]
    return np.column_stack([axes, [0.0, 0.0, distance - 100.0]])


@pytest.fixture(scope="module")
def lens() -> Lens:
    return make_lens("rays", "world", 4)


def test_the_object_is_where_and_as_large_as_on_a_surface(lens):
    with _opened(with_material(lens.files)) as surface, _opened(lens.files) as mask:
        assert (len(surface.surfaces), len(surface.masked)) == (1, 0)
        assert (len(mask.surfaces), len(mask.masked)) == (0, 1)
        for distance in (30, 55, 100, 150, 300):
            pose = _ahead(distance)
            room = room_picture(pose, FOV, SCREEN)
            screens = []
            for session in (surface, mask):
                session.see(room)
                session.set_device(pose, FOV)
                session.update(FRAME)
                screens.append(session.screen())
                assert session.cost.runs == 1
            seen = (screens[0] != room).any(axis=2)
            assert seen.sum() > 100
            inner = _middle(seen)
            found = psnr_db(screens[1][inner] / 255.0, screens[0][inner] / 255.0)
            assert found > MASKED_DB, distance
            # The mask's clear border lets the square end half a texel further out.
            outside = ~_grown(seen, math.ceil(300.0 / distance))
            np.testing.assert_array_equal(screens[1][outside], room[outside])


def _middle(mask: np.ndarray) -> tuple[slice, slice]:
    """The rectangle of a mask without its outer quarter."""
    spans = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    rows, columns = (
        slice(span[0] + len(span) // 4, span[-1] - len(span) // 4 + 1) for span in spans
    )
    return rows, columns


def _grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """A mask and what is so near to it."""
    side = 2 * pixels + 1
    padded = np.pad(mask, pixels)
    rows, columns = mask.shape
    return np.any(
        [padded[y : y + rows, x : x + columns] for y in range(side) for x in range(side)], axis=0
    )


def test_it_goes_with_the_object(lens):
    ball = lens.contract.ball_radius / (sum(lens.contract.orbit.radius) / 2) * 100.0
    with _opened(lens.files) as session:
        for pose, seen in (
            (_ahead(100.0), True),
            (_ahead(100.0, 180.0), False),
            (_ahead(100.0, 90.0), False),
            (_ahead(ball / (0.031 * HIGH)), True),
            (_ahead(ball / (0.029 * HIGH)), False),
            (_ahead(5.0), False),
            (_ahead(100.0, 10.0), True),
        ):
            session.set_device(pose, FOV)
            session.update(FRAME)
            assert (len(session.masked), session.cost.runs) == (int(seen), int(seen))
        session.flip_camera(is_front=True)
        session.update(FRAME)
        assert (session.masked, session.cost.runs) == ((), 0)


def test_a_late_end_of_a_run_shows_nothing_that_has_gone(lens):
    with _opened(lens.files, is_late=True) as session:
        assert len(session.masked) == 1
        session.set_device(_ahead(100.0, 180.0), FOV)
        for _ in range(3):
            session.update(FRAME)
            assert session.masked == ()
            np.testing.assert_array_equal(session.screen(), 128)


def test_flip_y_turns_colours_and_mask(lens):
    turned = lens.edited("Assets/Scene.scene", "flipY: false", "flipY: true")
    with _opened(lens.files) as session:
        upright = session.screen()
    with _opened(turned.files) as session:
        screen = session.screen()
    turned_over, as_it_was = (
        psnr_db(rows / 255.0, upright / 255.0) for rows in (screen[::-1], screen)
    )
    assert turned_over > as_it_was + 10.0
