"""Surfaces drawn on a screen, against another program's perspective."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mobile_nelf_exporters.lens.player.draw import Surface, View, draw_surface
from mobile_nelf_exporters.lens.player.room import room_picture

SCREEN = (90, 160)
FOV = math.radians(60.0)
SQUARE = (
    (-0.5, -0.5, 0.0, 0.0),
    (0.5, -0.5, 1.0, 0.0),
    (0.5, 0.5, 1.0, 1.0),
    (-0.5, 0.5, 0.0, 1.0),
)
VIEW = View((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), FOV, False, 20.0)
BLACK = np.zeros((160, 90, 3), np.uint8)


def _square(size: float, place: tuple[float, float, float], turn: float = 0.0) -> Surface:
    """A square that is turned about the vertical by so many degrees."""
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    vertices = tuple(
        (place[0] + size * x * cos, place[1] + size * y, place[2] - size * x * sin, u, v)
        for x, y, u, v in SQUARE
    )
    return Surface(0, 0, "Disabled", (1.0, 1.0, 1.0, 1.0), vertices, (0, 1, 2, 0, 2, 3))


@pytest.mark.parametrize("turn", [0.0, 35.0, -60.0])
def test_a_turned_square_is_what_pillow_makes_of_it(turn):
    noise = np.random.default_rng(0).integers(0, 256, (5, 5, 3), np.uint8)
    image = Image.fromarray(noise).resize((40, 40), Image.Resampling.BICUBIC)
    surface = _square(50.0, (4.0, -6.0, -80.0), turn)
    found = draw_surface(BLACK, surface, np.asarray(image) / 255.0, VIEW)
    scale = SCREEN[1] / 2 / math.tan(FOV / 2)
    places = [(45 + scale * x / -z, 80 - scale * y / -z) for x, y, z, _, _ in surface.vertices]
    texels = [(40 * u, 40 * (1 - v)) for *_, u, v in surface.vertices]
    rows = []
    for (x, y), (i, j) in zip(places, texels, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -i * x, -i * y])
        rows.append([0, 0, 0, x, y, 1, -j * x, -j * y])
    solved = np.linalg.solve(np.array(rows), np.array(texels).ravel())
    wanted = np.asarray(
        image.transform(SCREEN, Image.Transform.PERSPECTIVE, solved, Image.Resampling.BILINEAR)
    )
    both = found.any(axis=2) & wanted.any(axis=2)
    assert both.sum() > 500
    # Pillow leaves out the outermost half of a texel.
    assert (found.any(axis=2) != wanted.any(axis=2)).sum() < 0.15 * both.sum()
    assert np.abs(found[both].astype(int) - wanted[both]).max() <= 2


def test_colours_without_their_background_are_added_to_what_is_left_of_the_screen():
    screen = np.full((160, 90, 3), 100, np.uint8)
    texture = np.zeros((2, 2, 4))
    texture[..., 0], texture[..., 3] = 0.2, 0.4
    blended = replace(_square(60.0, (0.0, 0.0, -50.0)), blend="PremultipliedAlpha")
    assert draw_surface(screen, blended, texture, VIEW)[80, 45].tolist() == [111, 60, 60]
    faded = replace(blended, tint=(0.5, 0.5, 0.5, 0.5))
    assert draw_surface(screen, faded, texture, VIEW)[80, 45].tolist() == [106, 80, 80]


def test_a_clear_square_changes_nothing():
    room = room_picture(np.hstack([np.eye(3), np.zeros((3, 1))]), 60.0, SCREEN)
    clear = replace(_square(30.0, (0.0, 0.0, -90.0), 20.0), blend="PremultipliedAlpha")
    np.testing.assert_array_equal(draw_surface(room, clear, np.zeros((4, 4, 4)), VIEW), room)


def test_an_orthographic_camera_shows_its_size_from_top_to_bottom():
    view = replace(VIEW, is_orthographic=True)
    found = draw_surface(BLACK, _square(10.0, (0.0, 0.0, -50.0)), np.ones((2, 2, 3)), view)
    assert found.any(axis=2).sum() == 80 * 80
    assert found[40:120, 5:85].all()


def test_what_is_behind_the_camera_is_not_drawn():
    surface = _square(30.0, (0.0, 0.0, 50.0))
    assert not draw_surface(BLACK, surface, np.ones((2, 2, 3)), VIEW).any()


def test_the_room_has_detail_everywhere():
    room = room_picture(np.hstack([np.eye(3), np.zeros((3, 1))]), 63.5, (180, 320)).astype(float)
    steps = np.abs(np.diff(room, axis=1)).mean(axis=2)
    blocks = steps[:, :176].reshape(16, 20, 16, 11).mean(axis=(1, 3))
    assert (blocks > 1.0).mean() > 0.8


def test_the_edge_that_two_triangles_share_has_no_holes():
    for size in np.linspace(20.0, 90.0, 15):
        surface = _square(float(size), (0.0, 0.0, -40.0))
        found = draw_surface(BLACK, surface, np.ones((2, 2, 3)), VIEW).any(axis=2)
        rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
        assert found[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
