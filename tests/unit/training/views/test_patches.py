from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mobile_nelf.cameras import Camera, Intrinsics
from mobile_nelf.encoding import encode
from mobile_nelf.progress import silent
from mobile_nelf.rays import ray_grid, sample_depths, sample_points
from mobile_nelf.scenes import View
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.ranks import Ranks
from mobile_nelf.training.views import cache as cache_module
from mobile_nelf.training.views.cache import ViewCache
from mobile_nelf.training.views.patches import Patches, draw_patches
from mobile_nelf.training.views.sources import PhotoViews, ViewSource
from tests.helpers.sphere import FIT, ORBIT, STUDENT, sphere_views

#: Four pixels a ray.
COARSE = replace(STUDENT, sr_widths=(4, 4))


def make_photos(folder: Path, pictures: list[np.ndarray], lenses: list[Intrinsics]) -> PhotoViews:
    views = []
    for index, (picture, lens) in enumerate(zip(pictures, lenses, strict=True)):
        Image.fromarray(picture, "RGBA").save(folder / f"{index}.png")
        camera = Camera(ORBIT.pose(30.0 + 80.0 * index, 20.0, 4.0), lens)
        views.append(View(folder / f"{index}.png", camera))
    return PhotoViews(views)


def draw(
    source: ViewSource, folder: Path, student=STUDENT, config: FitConfig = FIT, seed: int = 0
) -> Patches:
    ranks = Ranks(torch.device("cpu"))
    cache = ViewCache(source, source.identity(), student, config, folder / "ring", ranks)
    window = cache.advance(0, silent)
    return draw_patches(cache, window, student, config, np.random.default_rng(seed))


def test_a_patch_shows_the_pixels_that_its_rays_go_through(tmp_path: Path) -> None:
    """Photos whose colours are their own pixel numbers say where a patch was taken."""
    lenses = [Intrinsics(24, 24, 30.0, 28.0, 11.0, 9.5), Intrinsics(24, 24, 50.0, 51.0, 12.0, 13.0)]
    rows, columns = np.mgrid[0:24, 0:24]
    pictures = [
        np.stack([columns, rows, 0 * rows + view, 0 * rows + 255], axis=-1).astype(np.uint8)
        for view in (0, 1)
    ]
    source = make_photos(tmp_path, pictures, lenses)
    patches = draw(source, tmp_path, COARSE, replace(FIT, patch_rays=3, patches=60))
    encoded, target = patches.encoded(COARSE.encoder), patches.targets(3)
    assert encoded.is_contiguous(memory_format=torch.channels_last)
    starts, views = set(), set()
    for patch, pixels in zip(encoded, target, strict=True):
        view = int(255.0 * pixels[2, 0, 0] + 0.5)
        lens, pose = lenses[view], source.view(view)[0].cam_to_world
        # The pixel centres of the block that belongs to each ray, averaged.
        centres = 255.0 * pixels[:2].reshape(2, 3, 4, 3, 4).mean(dim=(2, 4)).numpy() + 0.5
        points = patch[4::5].reshape(3, 3, 3, 3).numpy()  # the coordinates, [K, xyz, h, w]
        local = np.einsum("xc,kxhw->kchw", pose[:, :3], points - pose[:, 3][None, :, None, None])
        # Each sample lies in its own interval: around 2, 4 and 6, halves of 2 apart.
        depths = -local[:, 2].reshape(3, -1)
        assert (depths >= np.array([[2], [3], [5]]) - 1e-5).all()
        assert (depths <= np.array([[3], [5], [6]]) + 1e-5).all()
        assert depths.std(axis=1).min() > 0.05, "the depths of neighbouring rays differ"
        local /= -local[:, 2:]
        wanted = (centres[0] - lens.cx) / lens.fx, -(centres[1] - lens.cy) / lens.fy
        for axis in (0, 1):
            np.testing.assert_allclose(
                local[:, axis], np.broadcast_to(wanted[axis], (3, 3, 3)), atol=1e-5
            )
        starts.add((int(255.0 * pixels[0, 0, 0] + 0.5), int(255.0 * pixels[1, 0, 0] + 0.5)))
        views.add(view)
    assert views == {0, 1}
    assert {x % 4 for x, _ in starts} == {y % 4 for _, y in starts} == {0, 1, 2, 3}, (
        "patches begin at any pixel, not only at those of the ray grid"
    )


def test_the_middle_of_its_interval_is_the_encoding_of_a_rendered_frame(tmp_path: Path) -> None:
    """Without jitter, apart from the halved first and last interval, a whole view is a frame."""
    source = sphere_views()
    patches = draw(source, tmp_path, config=replace(FIT, patch_rays=6, patches=1, first_views=1))
    place = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 3, 1, 1)
    encoded = patches._replace(jitter=place.expand(1, 3, 6, 6)).encoded(STUDENT.encoder)
    rays = ray_grid(source.view(0)[0].resized(6, 6))
    points = torch.from_numpy(sample_points(rays, sample_depths(2.0, 6.0, 3)))[None]
    torch.testing.assert_close(encoded, encode(points, 2).float(), atol=2e-6, rtol=0.0)


def test_a_patch_as_large_as_the_view_is_the_view(tmp_path: Path) -> None:
    config = replace(FIT, patch_rays=99, patches=6, foreground=1.0)
    patches = draw(sphere_views(), tmp_path, config=config)
    assert (patches.corners == 0.0).all()
    assert patches.pixels.shape == (6, 12, 12, 4)


def corners_in_pixels(patches: Patches, scale: int) -> np.ndarray:
    return np.rint(patches.corners.numpy() * scale).astype(int)


def test_foreground_patches_lie_around_pixels_of_the_object(tmp_path: Path) -> None:
    """The object is one blob in a corner; patches there are clamped to the photo."""
    picture = np.zeros((24, 24, 4), np.uint8)
    picture[0:4, 17:22] = (9, 9, 9, 1)  # hardly opaque, but there
    source = make_photos(tmp_path, [picture], [Intrinsics.centred(24, 24, 30.0)])
    config = replace(FIT, patch_rays=3, patches=400, foreground=1.0)
    corners = corners_in_pixels(draw(source, tmp_path, COARSE, config), 4)
    # Random pixels find a blob of 20 among 576 with 64 tries in nine of ten patches.
    around = {(min(max(x - 6, 0), 12), 0) for x in range(17, 22)}
    inside = [tuple(corner) in around for corner in corners]
    assert 0.8 < np.mean(inside) < 0.97
    half = corners_in_pixels(draw(source, tmp_path, COARSE, replace(config, foreground=0.5)), 4)
    assert np.mean([tuple(corner) in around for corner in half]) == pytest.approx(0.46, abs=0.08)
    uniform = corners_in_pixels(draw(source, tmp_path, COARSE, replace(config, foreground=0.0)), 4)
    assert {x for x, _ in uniform} == {y for _, y in uniform} == set(range(13))
    assert np.mean([tuple(corner) in around for corner in uniform]) < 0.05


def test_foreground_patches_are_uniform_where_nothing_is(tmp_path: Path) -> None:
    source = make_photos(
        tmp_path, [np.zeros((24, 24, 4), np.uint8)], [Intrinsics.centred(24, 24, 30.0)]
    )
    config = replace(FIT, patch_rays=3, patches=400, foreground=1.0)
    corners = corners_in_pixels(draw(source, tmp_path, COARSE, config), 4)
    assert {x for x, _ in corners} == {y for _, y in corners} == set(range(13))


def test_targets_are_on_white_and_alpha_is_the_fourth_channel(tmp_path: Path) -> None:
    picture = np.zeros((12, 12, 4), np.uint8)
    picture[...] = (51, 102, 255, 51)
    source = make_photos(tmp_path, [picture], [Intrinsics.centred(12, 12, 30.0)])
    patches = draw(source, tmp_path)
    expected = torch.tensor([0.2 * 0.2 + 0.8, 0.4 * 0.2 + 0.8, 1.0, 0.2])
    for channels in (3, 4):
        target = patches.targets(channels)
        assert target.shape == (2, channels, 8, 8)
        colours = target.movedim(1, -1).reshape(-1, channels)
        torch.testing.assert_close(colours, expected[:channels].expand(128, -1))


def test_every_step_draws_its_own_batch_and_the_same_one_again(tmp_path: Path) -> None:
    one, same, other = (draw(sphere_views(), tmp_path, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(*parts) for parts in zip(one, same, strict=True))
    assert not torch.equal(one.jitter, other.jitter)
    assert not torch.equal(one.pixels, other.pixels)


@pytest.mark.parametrize("foreground", [0.0, 0.7])
def test_a_ring_in_the_memory_of_a_gpu_gives_the_same_patches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreground: float
) -> None:
    """The same code as beside a GPU, with the ring as a tensor of the CPU."""
    config = replace(FIT, patch_rays=3, patches=40, foreground=foreground)
    on_disk = draw(sphere_views(), tmp_path, STUDENT, config)
    monkeypatch.setattr(cache_module, "_has_memory_of_its_own", lambda device: True)
    on_device = draw(sphere_views(), tmp_path / "none", STUDENT, config)
    assert not (tmp_path / "none").exists()
    for wanted, found in zip(on_disk, on_device, strict=True):
        assert torch.equal(wanted, found)
