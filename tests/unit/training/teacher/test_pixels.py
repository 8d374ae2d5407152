from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mobile_nelf.cameras import Camera, Intrinsics, OrbitLimits, look_at
from mobile_nelf.errors import SceneError
from mobile_nelf.rays import ray_grid, ray_map
from mobile_nelf.scenes import Scene
from mobile_nelf.teachers.marching import CELLS
from mobile_nelf.teachers.silhouettes import silhouette
from mobile_nelf.teachers.spaces import scene_space
from mobile_nelf.training.teacher.pixels import PhotoPixels, seen_cells
from tests.helpers.ball import (
    BOX,
    DISTANCE,
    LENS,
    RADIUS,
    TANGENT,
    around,
    ball,
    grey_picture,
    in_front,
    scene_of,
)

CPU = torch.device("cpu")
ODD = Intrinsics(9, 5, 20.0, 17.0, 3.7, 3.1)
#: Directions of a length about 1 in float32.
ROUNDING = 1e-6


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def encoded(tmp_path: Path) -> Scene:
    """Photos whose pixels say in red, green, blue and alpha: row, column, view and their sum."""
    cameras = [
        replace(camera, intrinsics=replace(ODD, fx=20.0 + index))
        for index, camera in enumerate(around(4))
    ]

    def picture(camera: Camera) -> np.ndarray:
        view = round(camera.intrinsics.fx - 20.0)
        rows, columns = np.indices((5, 9))
        views = np.full_like(rows, view)
        return np.stack([rows, columns, views, rows + columns + views], -1).astype(np.uint8)

    return scene_of(tmp_path, cameras, picture=picture)


def test_a_drawn_pixel_comes_with_its_own_ray(encoded: Scene) -> None:
    batch = PhotoPixels(encoded, CPU).draw(4000, seeded(0))
    rows, columns, views, alpha = torch.round(255.0 * batch.rgba).long().unbind(1)
    assert torch.equal(alpha, rows + columns + views), "colours are straight, not premultiplied"
    grids = torch.from_numpy(np.stack([ray_grid(view.camera) for view in encoded.train]))
    wanted = grids[views, :, rows, columns]
    torch.testing.assert_close(batch.origins.double(), wanted[:, :3], atol=4e-6, rtol=0.0)
    torch.testing.assert_close(batch.directions.double(), wanted[:, 3:], atol=ROUNDING, rtol=0.0)
    # Each of the 4·5·9 pixels is as likely: 22 times on average, with a deviation of 4.7.
    counts = torch.bincount((views * 5 + rows) * 9 + columns, minlength=180)
    assert len(counts) == 180
    assert int(counts.min()) >= 3
    assert int(counts.max()) <= 50


def test_kept_pixels_are_drawn_alike_and_no_others(encoded: Scene) -> None:
    photos, space = PhotoPixels(encoded, CPU), scene_space(encoded)
    cells = torch.zeros(CELLS**3, dtype=torch.bool)
    cells[CELLS**3 // 2 + CELLS**2 // 2 + CELLS // 2] = True  # in the middle, a small part
    share = photos.keep(space, cells)
    masks = torch.stack([silhouette(view.camera, space, cells) for view in encoded.train])
    assert 0 < int(masks.sum()) < 50
    assert share == int(masks.sum()) / 180
    batch = photos.draw(2000, seeded(0))
    rows, columns, views, alpha = torch.round(255.0 * batch.rgba).long().unbind(1)
    assert torch.equal(alpha, rows + columns + views)
    counts = torch.bincount((views * 5 + rows) * 9 + columns, minlength=180).view(4, 5, 9)
    assert torch.equal(counts > 0, masks)
    assert int(counts[masks].min()) > 0.5 * 2000 / int(masks.sum())
    grids = torch.from_numpy(np.stack([ray_grid(view.camera) for view in encoded.train]))
    wanted = grids[views, :, rows, columns]
    torch.testing.assert_close(batch.directions.double(), wanted[:, 3:], atol=ROUNDING, rtol=0.0)


def test_where_nothing_can_be_shown_all_pixels_are_drawn(encoded: Scene) -> None:
    photos = PhotoPixels(encoded, CPU)
    assert photos.keep(scene_space(encoded), torch.zeros(CELLS**3, dtype=torch.bool)) == 1.0
    assert len(torch.unique(photos.draw(4000, seeded(0)).rgba, dim=0)) > 100


def test_draws_depend_on_their_generator_alone(encoded: Scene) -> None:
    photos = PhotoPixels(encoded, CPU)
    first = photos.draw(50, seeded(7))
    photos.draw(50, seeded(8))
    again = PhotoPixels(encoded, CPU).draw(50, seeded(7))
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    other = photos.draw(50, seeded(8))
    assert not torch.equal(first.rgba, other.rgba)


def test_the_hash_tells_photos_and_cameras_apart(encoded: Scene) -> None:
    known = PhotoPixels(encoded, CPU).sha256
    assert PhotoPixels(encoded, CPU).sha256 == known
    views = encoded.train
    swapped = replace(encoded, train=(views[1], views[0], *views[2:]))
    pose = views[0].camera.cam_to_world + np.float64(1e-9)
    moved = replace(views[0], camera=Camera(pose, views[0].camera.intrinsics))
    for other in (
        swapped,
        replace(encoded, train=views[:3]),
        replace(encoded, train=(moved, *views[1:])),
    ):
        assert PhotoPixels(other, CPU).sha256 != known
    pixels = np.array(Image.open(views[2].path))
    pixels[4, 8, 1] += 1
    Image.fromarray(pixels).save(views[2].path)
    assert PhotoPixels(encoded, CPU).sha256 != known


def test_a_broken_photo_is_named(encoded: Scene) -> None:
    encoded.train[1].path.write_bytes(b"no picture")
    with pytest.raises(SceneError, match=r"photo_1\.png"):
        PhotoPixels(encoded, CPU)


def test_photos_of_mixed_sizes_are_refused(encoded: Scene, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    larger = scene_of(tmp_path / "other", around(1), picture=grey_picture).train
    with pytest.raises(SceneError, match=r"photo_0\.png: is 24×24.*9×5"):
        PhotoPixels(replace(encoded, train=(*encoded.train, *larger)), CPU)


# The visual hull


def centres(scene: Scene) -> Tensor:
    """World points [CELLS³, 3] in the middle of each cell, x fastest."""
    axis = (np.arange(CELLS) + 0.5) / CELLS
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    unit = torch.from_numpy(np.stack([x, y, z], -1).reshape(-1, 3))
    return scene_space(scene).to_world(unit)


SHARP = Intrinsics.centred(96, 96, 137.0)


@pytest.mark.parametrize("lens", [LENS, SHARP], ids=["24", "96"])
def test_the_visual_hull_of_a_ball(tmp_path: Path, lens: Intrinsics) -> None:
    cameras = [*around(14, lens), Camera(look_at((0.0, 0.1, 4.0), (0.0, 0.0, 0.0)), lens)]
    scene = scene_of(tmp_path, cameras)
    kept = seen_cells(scene, scene_space(scene), CPU)
    cells = centres(scene)
    assert bool(kept[cells.norm(dim=1) < RADIUS].all()), "every cell of the ball is kept"
    half_cell = 0.5 * (np.subtract(BOX.upper, BOX.lower) / CELLS)
    # What a camera sees beside the ball by more than a cell and a few pixels is cut out.
    outside = torch.zeros(len(cells), dtype=torch.bool)
    for camera in cameras:
        position, back = (
            torch.from_numpy(camera.position),
            torch.from_numpy(camera.cam_to_world)[:, 2],
        )
        towards = cells - position
        depth = -towards @ back
        nearest = position - towards * (towards @ position / towards.square().sum(1))[:, None]
        beside = 2.5 * DISTANCE / lens.fx + 2.0 * float(np.linalg.norm(half_cell))
        in_photo = (towards + depth[:, None] * back).norm(dim=1) < 0.97 * TANGENT * depth
        outside |= in_photo & (nearest.norm(dim=1) > RADIUS + beside)
    assert not bool(kept[outside].any())
    if lens is SHARP:
        assert int(outside.sum()) > 0.03 * len(cells)


STEEP = Intrinsics(48, 320, 68.0, 460.0, 21.0, 168.0)
CLOSE = Intrinsics.centred(120, 120, 70.0)


@pytest.mark.parametrize(
    ("lens", "distance"), [(LENS, 4.0), (STEEP, 4.0), (CLOSE, 2.0)], ids=["24", "steep", "close"]
)
def test_no_photo_cuts_out_what_it_shows(tmp_path: Path, lens: Intrinsics, distance: float) -> None:
    """Whatever a ray of an opaque pixel passes is kept, all over the pixel."""
    orbit = OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (0, 90), (distance, distance))
    camera = Camera(orbit.pose(37.0, 21.0, distance), lens)
    scene = scene_of(tmp_path, [camera])
    space = scene_space(scene)
    kept = seen_cells(scene, space, CPU).view(CELLS, CELLS, CELLS)
    opaque = np.pad(ball(camera).alpha > 0.0, 1)
    inner = opaque[:-2, 1:-1] & opaque[2:, 1:-1] & opaque[1:-1, :-2] & opaque[1:-1, 2:]
    rows, columns = (torch.from_numpy(n) for n in np.nonzero(opaque[1:-1, 1:-1] & ~inner))
    rng = seeded(0)
    chosen = torch.randint(len(rows), (6000,), generator=rng)  # of the pixels at the rim
    shift = torch.rand(6000, 2, generator=rng, dtype=torch.float64) - 0.5
    origin, first, across, down = (torch.from_numpy(part) for part in ray_map(camera))
    directions = (
        first
        + (columns[chosen] + shift[:, 0])[:, None] * across
        + (rows[chosen] + shift[:, 1])[:, None] * down
    )
    depths = torch.linspace(0.5, 6.0, 400, dtype=torch.float64)
    points = space.to_unit(origin + depths[:, None, None] * directions)
    x, y, z = (points * CELLS).floor().long()[((points >= 0.0) & (points < 1.0)).all(-1)].unbind(1)
    assert bool(kept[z, y, x].all())


@pytest.mark.parametrize("extent", ["bounded", "unbounded", "forward"])
def test_everything_that_is_seen_is_kept_when_photos_are_opaque(
    tmp_path: Path, extent: str
) -> None:
    cameras = in_front(ODD) if extent == "forward" else around(3, ODD)
    scene = scene_of(tmp_path, cameras, picture=grey_picture)
    scene = replace(scene, extent=extent)  # type: ignore[arg-type]
    kept = seen_cells(scene, scene_space(scene), CPU)
    rng = seeded(1)
    some = torch.randint(CELLS**3, (5000,), generator=rng)
    cells = centres(scene)
    shown = torch.zeros(len(some), dtype=torch.bool)
    for camera in cameras:
        origin, *axes = (torch.from_numpy(part) for part in ray_map(camera))
        # A point is origin + depth·(d0 + column·du + row·dv): three equations, three unknowns.
        solved = torch.linalg.solve(torch.stack(axes, 1), (cells[some] - origin).T)
        depth, column, row = solved[0], solved[1] / solved[0], solved[2] / solved[0]
        inside = (depth > 0.0) & (column >= -0.5) & (column < 8.5) & (row >= -0.5) & (row < 4.5)
        shown |= inside
    assert torch.equal(kept[some], shown)
    assert 0 < int(shown.sum()) <= len(some)
    if extent != "forward":
        assert not bool(shown.all())


def test_transparent_photos_cut_nothing_out_of_unbounded_scenes(tmp_path: Path) -> None:
    def nothing(camera: Camera) -> np.ndarray:
        return np.zeros_like(grey_picture(camera))

    scene = scene_of(tmp_path, around(3), picture=nothing)
    assert not bool(seen_cells(scene, scene_space(scene), CPU).any())
    unbounded = replace(scene, extent="unbounded")
    space = scene_space(unbounded)
    seen = seen_cells(unbounded, space, CPU)
    assert bool(seen.any())
    opaque = replace(scene_of(tmp_path, around(3), picture=grey_picture), extent="unbounded")
    assert torch.equal(seen, seen_cells(opaque, space, CPU))
