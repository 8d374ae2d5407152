"""The surface of a teacher: where it lies, what is left out, how it is thinned and coloured."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from mobile_nelf.errors import InputError, MissingExtraError
from mobile_nelf.surfaces import surface as surfaces
from mobile_nelf.surfaces.sampling import even_points
from mobile_nelf.surfaces.skin import look_at_surface
from mobile_nelf.surfaces.surface import Surface, find_surface, simplified
from mobile_nelf.teachers.marching import CELLS, OccupancyGrid
from tests.helpers.ball import RADIUS, SPACES
from tests.helpers.surfaces import CENTRE, ball_teacher, hollow, solid_teacher, speck

#: Samples along an axis of the cube here; the longest side of its box has 2.35 world units.
COARSE = 64
#: A surface between two samples is known to one of them.
VOXEL = 2.35 / COARSE


@pytest.fixture(autouse=True, scope="module")
def coarse():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surfaces, "RESOLUTION", COARSE)
        yield


@pytest.fixture(scope="module")
def found() -> Surface:
    return find_surface(ball_teacher())


def off_the_ball(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points - CENTRE, axis=1) - RADIUS


def volume(surface: Surface) -> float:
    corners = surface.vertices[surface.faces]
    return float(np.linalg.det(corners).sum()) / 6.0


def test_it_lies_where_light_ends(found):
    assert np.abs(off_the_ball(found.vertices)).max() < VOXEL
    assert volume(found) == pytest.approx(4.0 / 3.0 * np.pi * RADIUS**3, rel=0.1)
    outwards = (found.vertices - CENTRE) / RADIUS
    assert (found.normals() * outwards).sum(1).min() > 0.8
    assert found.dropped == 0


def test_what_is_closed_has_no_walls_inside(found):
    assert volume(find_surface(solid_teacher(hollow))) == pytest.approx(volume(found), rel=1e-6)


def test_specks_are_left_out(found):
    with_speck = find_surface(solid_teacher(speck))
    assert with_speck.dropped == 1
    assert len(with_speck.faces) == len(found.faces)


def test_what_rays_do_not_see_is_not_there():
    teacher = ball_teacher()
    lower = torch.arange(CELLS**3) // CELLS**2 < CELLS // 2  # half of the cube along z
    teacher.grid = OccupancyGrid(lower)
    low, high = SPACES["box"].lower[2], SPACES["box"].upper[2]
    assert find_surface(teacher).vertices[:, 2].max() < (low + high) / 2 + VOXEL


def test_of_an_unbounded_scene_the_middle_is_taken():
    space = SPACES["contracted"]
    teacher = solid_teacher(
        lambda points: (points - points.new_tensor(space.centre)).norm(dim=1) < 1.2, space
    )
    vertices = find_surface(teacher).vertices - space.centre
    assert np.linalg.norm(vertices, axis=1) == pytest.approx(1.2, abs=4 * space.half / COARSE)
    everywhere = solid_teacher(lambda points: points[:, 0] > -1e9, space)
    assert np.abs(find_surface(everywhere).vertices - space.centre).max() < 1.05 * space.half


def test_the_depth_is_the_least_of_26_ways():
    thickness = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32) / 4
    found = surfaces._least_depth(thickness, lambda *_: None)

    def depth(place: tuple[int, ...], way: tuple[int, ...]) -> float:
        total, length = 0.5 * thickness[place], np.sqrt(sum(map(abs, way)))
        while True:
            place = tuple(index - step for index, step in zip(place, way, strict=True))
            if not all(0 <= i < side for i, side in zip(place, thickness.shape, strict=True)):
                return total * length
            total += thickness[place]

    ways = [way for way in product((-1, 0, 1), repeat=3) if any(way)]
    for place in np.ndindex(thickness.shape):
        assert found[place] == pytest.approx(min(depth(place, way) for way in ways), rel=1e-5)


def test_fewer_triangles_are_as_near_as_they_allow(found):
    small = simplified(found, 400)
    assert len(small.faces) <= 400
    assert np.abs(off_the_ball(small.vertices)).max() < 2 * VOXEL
    assert volume(small) == pytest.approx(volume(found), rel=0.02)
    assert simplified(found, len(found.faces)) is found


def test_points_are_spread_evenly(found):
    points, normals, area = even_points(found, 500)
    assert 450 <= len(points) <= 500
    assert np.abs(off_the_ball(points)).max() < VOXEL
    assert ((points - CENTRE) * normals).sum(1).min() > 0.8 * RADIUS
    assert area * len(points) == pytest.approx(4.0 * np.pi * RADIUS**2, rel=0.1)
    distances = np.linalg.norm(points[:, None] - points, axis=2) + 9.0 * np.eye(len(points))
    # Of random points every second has another one within half of the spacing.
    assert (distances.min(1) > 0.5 * np.sqrt(area)).mean() > 0.7


def test_points_have_the_colours_and_the_opacity_of_the_teacher(found):
    points, normals, _ = even_points(found, 200)
    skin = look_at_surface(ball_teacher(), points, normals)
    assert skin.colours == pytest.approx(0.5 + 0.4 * (points - CENTRE) / RADIUS, abs=0.02)
    assert skin.opacity == pytest.approx(1.0, abs=1e-3)
    away = look_at_surface(ball_teacher(), points + 0.3 * normals, normals)
    assert away.opacity == pytest.approx(0.0, abs=1e-3)
    assert np.isfinite(away.colours).all()


def test_colours_are_means_over_directions_from_outside(found):
    teacher = ball_teacher()
    seen = []

    def colour(features, directions):
        seen.append(directions)
        return (directions + 1.0) / 2.0

    teacher.field.colour = colour
    points, normals, _ = even_points(found, 50)
    skin = look_at_surface(teacher, points, normals)
    assert all(((direction * torch.from_numpy(normals)).sum(1) < 0.0).all() for direction in seen)
    lean = (1.0 + 6.0 * np.cos(np.radians(45.0))) / 7.0
    assert skin.colours == pytest.approx((1.0 - lean * normals) / 2.0, abs=1e-5)


def test_a_teacher_without_a_surface_is_refused():
    with pytest.raises(InputError, match="forward-facing"):
        find_surface(ball_teacher(SPACES["ndc"]))
    with pytest.raises(InputError, match="dense enough"):
        find_surface(solid_teacher(lambda points: points[:, 0] > 1e9))
    empty = ball_teacher()
    empty.grid = OccupancyGrid(torch.zeros(CELLS**3, dtype=torch.bool))
    with pytest.raises(InputError, match="no cell"):
        find_surface(empty)


def test_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skimage.measure", None)
    with pytest.raises(MissingExtraError, match=r"mobile-nelf\[export\]"):
        find_surface(ball_teacher())
