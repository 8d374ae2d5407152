"""Pixels that a teacher leaves out are those whose rays meet nothing, by marching along all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from mobile_nelf.cameras import Camera, Intrinsics, look_at
from mobile_nelf.teachers.marching import CELLS, OccupancyGrid, march
from mobile_nelf.teachers.silhouettes import silhouette
from tests.helpers.ball import SPACES, around, random_mask, rays_of

BOX = SPACES["box"]
#: Odd in everything: sizes, focal lengths and centre.
LENS = Intrinsics(41, 30, 60.0, 52.0, 17.3, 18.1)
#: A step is a quarter of a cell, so that hardly a ray meets a cell between two steps.
FINE = 4 * CELLS
#: Of a picture, for a few cells: a rectangle is larger than what it holds, by a pixel all round.
LARGER = 4.0


def met(camera: Camera, cells: Tensor) -> Tensor:
    """For which pixels [H, W] a sample of the ray lies in a cell."""
    samples = march(BOX, OccupancyGrid(cells), *rays_of(camera), FINE)
    hit = torch.zeros(camera.intrinsics.width * camera.intrinsics.height, dtype=torch.bool)
    hit[samples.ray] = True
    return hit.view(camera.intrinsics.height, camera.intrinsics.width)


CAMERAS = {
    "around": around(3, LENS)[1],
    "window": Camera(around(3)[2].cam_to_world, replace(LENS, width=20, cx=-3.0)),
    "close": Camera(look_at((0.0, -1.6, 0.2), (0.0, 0.0, 0.1)), LENS),
    "inside": Camera(look_at((0.0, 0.0, 0.2), (1.0, 0.0, 0.1)), LENS),
}


@pytest.mark.parametrize("share", [0.0, 1e-4, 1e-3, 0.1, 1.0])
@pytest.mark.parametrize("name", list(CAMERAS))
def test_no_ray_that_meets_a_cell_is_left_out(name: str, share: float) -> None:
    camera, cells = CAMERAS[name], random_mask(share)
    shown, hit = silhouette(camera, BOX, cells), met(camera, cells)
    assert shown.shape == hit.shape
    assert shown.dtype == torch.bool
    assert not bool((hit & ~shown).any())
    assert bool(shown.any()) == bool(hit.any() or (name == "inside" and share > 0.0))


def test_what_shows_nothing_is_left_out() -> None:
    cells = random_mask(1e-4)
    shown, hit = silhouette(CAMERAS["around"], BOX, cells), met(CAMERAS["around"], cells)
    assert 0 < int(hit.sum()) <= int(shown.sum()) < LARGER * int(hit.sum())
    assert int(shown.sum()) < shown.numel() / 2


def test_a_cell_is_drawn_where_it_is() -> None:
    """By a pinhole projection in double precision of one cell."""
    cells = torch.zeros(CELLS**3, dtype=torch.bool)
    cells[(40 * CELLS + 20) * CELLS + 50] = True
    camera = Camera(around(5)[3].cam_to_world, Intrinsics(400, 300, 700.0, 690.0, 210.0, 140.0))
    unit = np.array([[50 + a, 20 + b, 40 + c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    world = np.array(BOX.lower) + unit / CELLS * (np.array(BOX.upper) - np.array(BOX.lower))
    x, y, z = ((world - camera.position) @ camera.cam_to_world[:, :3]).T
    columns, rows = 210.0 - 700.0 * x / z, 140.0 + 690.0 * y / z
    found = silhouette(camera, BOX, cells).numpy()
    for places, axis in ((columns, 0), (rows, 1)):
        drawn = np.flatnonzero(found.any(axis)) + 0.5
        assert abs(drawn[0] - places.min()) < 1.1
        assert abs(drawn[-1] - places.max()) < 1.1


@pytest.mark.parametrize("name", ["contracted", "ndc"])
def test_other_spaces_show_everything(name: str) -> None:
    shown = silhouette(CAMERAS["around"], SPACES[name], random_mask(1e-4))
    assert bool(shown.all())
