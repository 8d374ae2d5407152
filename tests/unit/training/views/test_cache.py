from __future__ import annotations

import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mobile_nelf.cameras import Camera
from mobile_nelf.errors import OutputError, SceneError
from mobile_nelf.pictures import ByteImage
from mobile_nelf.progress import silent
from mobile_nelf.rays import ray_map
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.ranks import Ranks
from mobile_nelf.training.views.cache import Schedule, ViewCache, remove_cache, views_seen
from mobile_nelf.training.views.patches import draw_patches
from mobile_nelf.training.views.sources import MixedViews, PhotoViews, ViewSource
from tests.helpers.sphere import (
    FIT,
    STUDENT,
    NotedViews,
    rendered,
    sphere_scene,
    sphere_views,
    start,
)

CPU = torch.device("cpu")
ONE = Ranks(CPU)


def open_cache(
    source: ViewSource, path: Path, config: FitConfig = FIT, ranks: Ranks = ONE
) -> ViewCache:
    return ViewCache(source, source.identity(), STUDENT, config, path, ranks)


def assert_holds(cache: ViewCache, index: int, source: ViewSource, number: int) -> None:
    camera, pixels = source.view(number)
    assert (whole_view(cache, index) == pixels).all()
    slots = cache.slots(np.array([index]))
    assert (cache.rays(slots)[0] == ray_map(camera.resized(6, 6)).flat()).all()


def whole_view(cache: ViewCache, index: int) -> np.ndarray:
    corner = np.array([0])
    return cache.crops(cache.slots(np.array([index])), corner, corner, 12, 12)[0].numpy()


@pytest.mark.parametrize("slots", [5, 40])
def test_views_come_one_after_the_other_and_the_oldest_goes(slots: int) -> None:
    schedule = Schedule(slots, first=3, patches=4, uses=7)
    seen = set(schedule.window(0, None))
    assert seen == {0, 1, 2}
    for step in range(1, 60):
        window = schedule.window(step, None)
        assert window.stop == 3 + 4 * step // 7
        assert len(window) == min(slots, window.stop)
        assert seen | set(window) == seen | set(range(max(seen) + 1, window.stop))
        seen |= set(window)


def test_each_view_is_used_the_set_number_of_times_on_average(tmp_path: Path) -> None:
    config = replace(FIT, steps=400, patches=3, view_uses=12, first_views=8, patch_rays=6)
    # A bare ring of 8 views of 12×12 pixels, far less than the smallest size that can be asked for.
    cache = open_cache(sphere_views(), tmp_path / "ring", config)
    cache.schedule = replace(cache.schedule, slots=8)
    uses: Counter[int] = Counter()
    for step in range(config.steps):
        window = cache.schedule.window(step, None)
        uses.update(int(i) for i in np.random.default_rng(step).integers(*_ends(window), size=3))
    settled = [uses[index] for index in range(8, 90)]
    # 12 on average; of 82 views the mean strays by 12^0.5 / 82^0.5 = 0.4.
    assert np.mean(settled) == pytest.approx(12.0, abs=1.2)


def _ends(window: range) -> tuple[int, int]:
    return window.start, window.stop


def test_the_ring_holds_what_the_schedule_says_and_renders_nothing_twice(tmp_path: Path) -> None:
    note = tmp_path / "note"
    source = NotedViews(note)
    cache = open_cache(source, tmp_path / "ring", replace(FIT, steps=20))
    assert cache.schedule.slots == 23
    for step in (0, 1, 5, 19):
        for index in cache.advance(step, silent):
            assert_holds(cache, index, sphere_views(), index)
    assert rendered(note) == list(range(22))


def test_a_small_ring_takes_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Schedule, "of", staticmethod(lambda *_: Schedule(4, 3, 2, 2)))
    note = tmp_path / "note"
    cache = open_cache(NotedViews(note), tmp_path / "ring")
    for step in range(12):
        window = cache.advance(step, silent)
        for index in window:
            assert_holds(cache, index, sphere_views(), index)
    assert list(window) == [10, 11, 12, 13]
    assert rendered(note) == list(range(14))
    # A process that resumes from step 10 finds two of its views; the others were replaced.
    again = open_cache(NotedViews(note), tmp_path / "ring")
    assert list(again.advance(10, silent)) == [9, 10, 11, 12]
    assert rendered(note)[14:] == [9]
    for index in range(9, 13):
        assert_holds(again, index, sphere_views(), index)


def fill(path: Path, note: Path, kill_at: int | None) -> None:
    open_cache(NotedViews(note, kill_at=kill_at), path).advance(8, silent)


def test_a_fill_that_was_killed_goes_on(tmp_path: Path) -> None:
    note = tmp_path / "note"
    for kill_at in (4, 7):
        process = start(fill, tmp_path / "ring", note, kill_at)
        process.join()
        assert process.exitcode == -signal.SIGKILL
    fill(tmp_path / "ring", note, None)
    assert rendered(note) == list(range(11))


def test_a_view_half_written_is_made_again(tmp_path: Path) -> None:
    path, note = tmp_path / "ring", tmp_path / "note"
    open_cache(NotedViews(note), path).advance(3, silent)
    view = 12 * 12 * 4
    with path.open("r+b") as file:
        file.seek(2 * view + view // 2)
        file.write(bytes(view // 2))
    cache = open_cache(NotedViews(note), path)
    cache.advance(3, silent)
    assert rendered(note) == [0, 1, 2, 3, 4, 5, 2]
    assert_holds(cache, 2, sphere_views(), 2)


@pytest.mark.parametrize("damage", ["missing", "short", "records", "identity", "seed", "rank"])
def test_a_foreign_cache_is_never_read(tmp_path: Path, damage: str) -> None:
    path, note = tmp_path / "ring", tmp_path / "note"
    open_cache(NotedViews(note), path).advance(0, silent)
    source, config, ranks = NotedViews(note), FIT, ONE
    if damage == "missing":
        path.unlink()
    elif damage == "short":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "records":
        (tmp_path / "ring.records").unlink()
    elif damage == "identity":
        source = NotedViews(note, seed=1)
    elif damage == "seed":
        config = replace(FIT, seed=6)
    else:
        ranks = Ranks(CPU, 1, 2)
    cache = open_cache(source, path, config, ranks)
    for index in cache.advance(0, silent):
        number = 2 * index + 1 if damage == "rank" else index
        assert_holds(cache, index, sphere_views(1 if damage == "identity" else 0), number)
    assert len(rendered(note)) == 6


def test_photos_are_read_once_and_kept_in_memory(tmp_path: Path) -> None:
    scene = sphere_scene(tmp_path / "scene", photos=5)
    source = PhotoViews(scene.train)
    cache = open_cache(source, tmp_path / "ring")
    for step in (0, 7):
        assert list(cache.advance(step, silent)) == [0, 1, 2, 3, 4]
    for index in range(5):
        assert_holds(cache, index, source, index)
    assert not (tmp_path / "ring").exists()
    assert views_seen(source, FIT, ONE, 7) == 5


def test_photos_that_do_not_fit_come_round_in_a_mixed_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Schedule, "of", staticmethod(lambda *_: Schedule(3, 2, 1, 1)))
    source = PhotoViews(sphere_scene(tmp_path / "scene", photos=8).train)
    cache = open_cache(source, tmp_path / "ring", replace(FIT, seed=3))
    pictures = {source.view(number)[1].tobytes(): number for number in range(8)}
    order = []
    for step in range(16):
        newest = cache.advance(step, silent)[-1]
        order.append(pictures[whole_view(cache, newest).tobytes()])
    assert sorted(order[:8]) == list(range(8))
    assert order[8:] == order[:8]
    assert order[:8] != sorted(order[:8])


@pytest.mark.parametrize(("world", "photos"), [(2, 5), (3, 2)])
def test_processes_share_the_views_out(tmp_path: Path, world: int, photos: int) -> None:
    source = PhotoViews(sphere_scene(tmp_path / "scene", photos=photos).train)
    shares = []
    for rank in range(world):
        cache = open_cache(source, tmp_path / "ring", ranks=Ranks(CPU, rank, world))
        share = [rank] if photos > world else [rank % photos]
        share = list(range(share[0], photos, world)) if photos > world else share
        for index, number in zip(cache.advance(0, silent), share, strict=True):
            assert_holds(cache, index, source, number)
        shares += share
    assert set(shares) == set(range(photos))
    assert views_seen(source, FIT, Ranks(CPU, 0, world), 5) == photos


def test_a_stream_counts_the_views_of_all_processes() -> None:
    # 3 before the first step, then one a step.
    assert views_seen(sphere_views(), FIT, ONE, 9) == 12
    assert views_seen(sphere_views(), FIT, Ranks(CPU, 1, 2), 9) == 24


def test_the_size_of_the_cache_is_kept(tmp_path: Path) -> None:
    config = replace(FIT, steps=100_000, cache_mb=1)
    schedule = Schedule.of(sphere_views(), config, ONE)
    assert schedule.slots == 1_000_000 // (12 * 12 * 4)
    open_cache(sphere_views(), tmp_path / "ring", config)
    blocks = (tmp_path / "ring").stat().st_blocks * 512
    assert 990_000 < blocks < 1_010_000, "all blocks are there before the first view"


class Uneven:
    """A source that breaks its word."""

    count = None
    size = (12, 12)

    def view(self, index: int) -> tuple[Camera, ByteImage]:
        camera, pixels = sphere_views().view(index)
        return camera, pixels[: 12 - index]

    def identity(self) -> str:
        return "uneven"


def test_views_of_another_size_are_refused(tmp_path: Path) -> None:
    cache = open_cache(Uneven(), tmp_path / "ring")
    with pytest.raises(SceneError, match="view 1 is 12×11 pixels, expected 12×12"):
        cache.advance(0, silent)


def test_a_cache_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="ring: cannot be written"):
        open_cache(sphere_views(), tmp_path / "nowhere" / "ring")


def test_a_cache_can_be_removed(tmp_path: Path) -> None:
    open_cache(sphere_views(), tmp_path / "ring")
    assert len(list(tmp_path.iterdir())) == 2
    remove_cache(tmp_path / "ring")
    remove_cache(tmp_path / "ring")
    assert list(tmp_path.iterdir()) == []


def test_patches_are_drawn_from_the_views_at_hand_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Schedule, "of", staticmethod(lambda *_: Schedule(8, 2, 2, 2)))
    cache = open_cache(sphere_views(), tmp_path / "ring")
    config = replace(FIT, patches=40, patch_rays=6)
    window = cache.advance(1, silent)
    patches = draw_patches(cache, window, STUDENT, config, np.random.default_rng(0))
    whole = {sphere_views().view(index)[1].tobytes() for index in range(3)}
    assert {pixels.numpy().tobytes() for pixels in patches.pixels} == whole


def test_the_identity_of_photos_follows_pixels_cameras_and_order(tmp_path: Path) -> None:
    train = sphere_scene(tmp_path / "scene").train
    own = PhotoViews(train).identity()
    moved = [replace(view, path=tmp_path / "copy" / view.path.name) for view in train]
    (tmp_path / "copy").mkdir()
    for view, copy in zip(train, moved, strict=True):
        copy.path.write_bytes(view.path.read_bytes())
    assert PhotoViews(moved).identity() == own
    pose = train[0].camera.cam_to_world.copy()
    pose[0, 3] += 1e-12
    turned = replace(train[0], camera=replace(train[0].camera, cam_to_world=pose))
    others = [
        PhotoViews(train[::-1]).identity(),
        PhotoViews(train[1:]).identity(),
        PhotoViews([turned, *train[1:]]).identity(),
    ]
    Image.new("RGBA", (12, 12)).save(moved[0].path)
    others.append(PhotoViews(moved).identity())
    assert len({own, *others}) == 5


def test_photos_must_exist_and_have_one_size(tmp_path: Path) -> None:
    train = sphere_scene(tmp_path / "scene").train
    with pytest.raises(SceneError, match="there are no photos to train on"):
        PhotoViews([])
    wide = replace(train[1], camera=train[1].camera.resized(14, 12))
    with pytest.raises(SceneError, match=r"r_1\.png: is 14×12, but r_0\.png is 12×12"):
        PhotoViews([train[0], wide])
    train[0].path.unlink()
    with pytest.raises(SceneError, match=r"r_0\.png: cannot be read"):
        PhotoViews(train).identity()


def test_every_so_many_views_of_a_mixture_is_a_photo(tmp_path: Path) -> None:
    photos = PhotoViews(sphere_scene(tmp_path / "scene", photos=3).train)
    mixed = MixedViews(photos, sphere_views(), every=4)
    assert (mixed.count, mixed.size) == (None, photos.size)
    for index in range(20):
        turn, place = divmod(index, 4)
        wanted = photos.view(turn % 3) if place == 0 else sphere_views().view(index)
        camera, pixels = mixed.view(index)
        assert (pixels == wanted[1]).all()
        assert (camera.cam_to_world == wanted[0].cam_to_world).all()
    others = {
        MixedViews(photos, sphere_views(seed), every).identity()
        for seed, every in ((0, 4), (0, 5), (1, 4))
    }
    assert len(others) == 3
    odd = PhotoViews(sphere_scene(tmp_path / "odd", photos=3).cropped(5).train)
    with pytest.raises(SceneError, match="both must have one size"):
        MixedViews(odd, sphere_views(), every=4)
