"""The views at hand: a ring of 8-bit images of bounded size that a kill cannot tear.

Slot j holds views j, j + slots, j + 2·slots and so on, one after the other. Which views are there
at a step depends on the step alone, so a resumed run draws from the views that an unbroken one had;
those that are still in the file are not made again. Beside a GPU the ring lies in its memory, and
all views at hand are made again.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mobile_nelf.disk import io_reason
from mobile_nelf.errors import OutputError, SceneError
from mobile_nelf.pictures import ByteImage
from mobile_nelf.progress import Progress, counted
from mobile_nelf.rays import ray_map
from mobile_nelf.students import StudentConfig
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.ranks import Ranks
from mobile_nelf.training.views.sources import ViewSource

__all__ = ["Schedule", "ViewCache", "remove_cache", "views_seen"]

IntArray = npt.NDArray[np.int64]

#: Photos that fit into this are kept in memory; reading them again costs little.
MEMORY_BYTES = 1_000_000_000

#: What is known of a slot: its view, the flat ray map of its camera on the student's ray grid, and
#: a checksum of both and the pixels. Whatever a kill or a power failure left half written, in
#: whatever order it reached the disk, has another checksum.
RECORD = np.dtype([("index", "<i8"), ("rays", "<f8", (12,)), ("crc", "<u4")])


@dataclass(frozen=True)
class Schedule:
    """Which views are at hand at each step.

    Attributes:
        slots: the most views at hand.
        first: views at hand before the first step.
        patches: drawn a step.
        uses: patches drawn from a view, on average, before another takes its place.
    """

    slots: int
    first: int
    patches: int
    uses: int

    @staticmethod
    def of(source: ViewSource, config: FitConfig, ranks: Ranks) -> Schedule:
        """Returns the schedule of this process's share of `source`."""
        width, height = source.size
        space = max(config.cache_mb * 1_000_000 // (4 * width * height), 1)
        share = None if source.count is None else len(_share(source.count, ranks))
        if share is not None and share <= space:
            return Schedule(share, share, config.patches, config.view_uses)
        first = min(config.first_views, space)
        arriving = first + config.steps * config.patches // config.view_uses
        return Schedule(min(space, arriving), first, config.patches, config.view_uses)

    def window(self, step: int, count: int | None) -> range:
        """Returns the views at hand at `step`; `count` is the number of views in the share."""
        if count is not None and count <= self.slots:
            return range(count)
        arrived = self.first + step * self.patches // self.uses
        return range(max(arrived - self.slots, 0), arrived)


def _share(count: int, ranks: Ranks) -> range:
    """The views of this process among `count`; with too few to go round, some are shared."""
    return range(ranks.rank % count, count, ranks.world)


class ViewCache:
    """The views of this process, in the order of its share of the source."""

    def __init__(
        self,
        source: ViewSource,
        identity: str,
        student: StudentConfig,
        config: FitConfig,
        path: Path,
        ranks: Ranks,
    ) -> None:
        """Opens the cache at `path`, or begins one.

        Args:
            source: makes the views.
            identity: of the source, already computed.
            student: its ray grid.
            config: the run.
            path: where the pixels lie if they are not kept in memory, and beside it their records.
            ranks: this process.

        Raises:
            OutputError: the file cannot be written.
        """
        self._source = source
        self._student = student
        self._ranks = ranks
        self._count = None if source.count is None else len(_share(source.count, ranks))
        self.schedule = Schedule.of(source, config, ranks)
        #: Photos that do not fit come in an order of their own, so that those at hand differ.
        self._order = (
            np.random.default_rng(config.seed).permutation(self._count)
            if self._count is not None and self._count > self.schedule.slots
            else None
        )
        width, height = source.size
        shape = (self.schedule.slots, height, width, 4)
        self._held = np.full(self.schedule.slots, -1, np.int64)
        self._on_gpu: Tensor | None = None
        self._pixels: ByteImage
        if _has_memory_of_its_own(ranks.device):
            self._on_gpu = torch.zeros(shape, dtype=torch.uint8, device=ranks.device)
            self._records = _empty_records(self.schedule.slots)
            return
        if self._count is not None and np.prod(shape) <= MEMORY_BYTES:
            self._pixels = np.zeros(shape, np.uint8)
            self._records = _empty_records(self.schedule.slots)
            return
        grid = f"{student.ray_width}×{student.ray_height}"
        key = f"{identity}; {shape}; {grid}; {config.seed}; {ranks.rank} of {ranks.world}"
        self._open(path, hashlib.sha256(key.encode()).digest(), shape)

    def _open(self, path: Path, key: bytes, shape: tuple[int, int, int, int]) -> None:
        records_path = _records_path(path)
        sizes = {path: int(np.prod(shape)), records_path: len(key) + shape[0] * RECORD.itemsize}
        try:
            known = all(p.exists() and p.stat().st_size == size for p, size in sizes.items())
            if not known or records_path.read_bytes()[: len(key)] != key:
                records_path.unlink(missing_ok=True)
                _allocate(path, sizes[path])
                records_path.write_bytes(key + _empty_records(shape[0]).tobytes())
            self._pixels = np.memmap(path, np.uint8, "r+", 0, shape)
            self._records = np.memmap(records_path, RECORD, "r+", len(key), shape[:1])
        except OSError as error:
            raise OutputError(
                f"{path}: cannot be written ({io_reason(error)}); its size is "
                f"{sizes[path] / 1e6:.0f} MB, and a smaller cache will do"
            ) from error

    def advance(self, step: int, on_progress: Progress) -> range:
        """Makes the views of `step` present and returns their numbers.

        Raises:
            SceneError: a view has another size than the others.
        """
        window = self.schedule.window(step, self._count)
        wanted = np.arange(window.start, window.stop)
        missing = wanted[self._held[wanted % self.schedule.slots] != wanted]
        lacking = [int(index) for index in missing if not self._found(int(index))]
        for index in counted("views", lacking, on_progress) if lacking else ():
            self._make(index)
        return window

    def slots(self, indices: IntArray) -> IntArray:
        """Returns where views lie while they are at hand."""
        return indices % self.schedule.slots

    def rays(self, slots: IntArray) -> npt.NDArray[np.float64]:
        """Returns the flat ray maps [B, 12] of the views in `slots`, on the student's ray grid."""
        rays: npt.NDArray[np.float64] = self._records["rays"][slots]
        return rays

    def crops(
        self, slots: IntArray, tops: IntArray, lefts: IntArray, height: int, width: int
    ) -> Tensor:
        """Returns windows [B, height, width, 4] of views, uint8 with straight alpha.

        They are on the GPU if the views are.
        """
        if self._on_gpu is None:
            windows = (
                self._pixels[slot, top : top + height, left : left + width]
                for slot, top, left in zip(slots, tops, lefts, strict=True)
            )
            return torch.from_numpy(np.stack(list(windows)))
        rows = tops[:, None] + np.arange(height)
        columns = lefts[:, None] + np.arange(width)
        places = (slots[:, None, None], rows[:, :, None], columns[:, None, :])
        on_gpu = (torch.from_numpy(place).to(self._on_gpu.device) for place in places)
        # A pixel is one integer, so that it is moved at once.
        return self._on_gpu.view(torch.int32)[..., 0][tuple(on_gpu)][..., None].view(torch.uint8)

    def shows_object(
        self, slots: IntArray, rows: IntArray, columns: IntArray
    ) -> npt.NDArray[np.bool_]:
        """Returns whether pixels [B, N] of the views in `slots` [B] have alpha above 0."""
        if self._on_gpu is None:
            hits: npt.NDArray[np.bool_] = self._pixels[slots[:, None], rows, columns, 3] > 0
            return hits
        places = (torch.from_numpy(part).to(self._on_gpu.device) for part in (slots, rows, columns))
        slot, row, column = places
        on_host: npt.NDArray[np.bool_] = (
            self._on_gpu[slot[:, None], row, column, 3].gt(0).cpu().numpy()
        )
        return on_host

    def _found(self, index: int) -> bool:
        """Whether an earlier process left view `index` whole."""
        slot = index % self.schedule.slots
        if self._on_gpu is not None:
            return False
        if self._records["index"][slot] != index or self._records["crc"][slot] != self._crc(slot):
            return False
        self._held[slot] = index
        return True

    def _make(self, index: int) -> None:
        slot = index % self.schedule.slots
        camera, pixels = self._source.view(self._number(index))
        width, height = self._source.size
        if pixels.shape != (height, width, 4):
            raise SceneError(
                f"view {index} is {pixels.shape[1]}×{pixels.shape[0]} pixels, expected "
                f"{width}×{height} as of the first; all views must have one size"
            )
        grid = (self._student.ray_width, self._student.ray_height)
        self._records["index"][slot] = -1
        self._records["rays"][slot] = ray_map(camera.resized(*grid)).flat()
        if self._on_gpu is None:
            self._pixels[slot] = pixels
            self._records["crc"][slot] = self._crc(slot)
        else:
            self._on_gpu[slot] = torch.tensor(pixels)
        self._records["index"][slot] = index
        self._held[slot] = index

    def _number(self, index: int) -> int:
        """Returns which view of the whole source is number `index` of this process's share."""
        if self._count is None or self._source.count is None:
            return index * self._ranks.world + self._ranks.rank
        index %= self._count
        if self._order is not None:
            index = int(self._order[index])
        return _share(self._source.count, self._ranks)[index]

    def _crc(self, slot: int) -> int:
        rays = zlib.crc32(np.ascontiguousarray(self._records["rays"][slot]).tobytes())
        return zlib.crc32(self._pixels[slot].data, rays)


def _has_memory_of_its_own(device: torch.device) -> bool:
    return device.type == "cuda"


def _empty_records(slots: int) -> npt.NDArray[Any]:
    records = np.zeros(slots, RECORD)
    records["index"] = -1
    return records


def _allocate(path: Path, size: int) -> None:
    """Makes a file with all its blocks: writing into a mapped hole on a full disk kills."""
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
            return
        block = bytes(1 << 20)
        for start in range(0, size, len(block)):
            file.write(block[: size - start])


def _records_path(path: Path) -> Path:
    return path.with_name(path.name + ".records")


def remove_cache(path: Path) -> None:
    """Deletes the files of the cache at `path`, if there are any."""
    path.unlink(missing_ok=True)
    _records_path(path).unlink(missing_ok=True)


def views_seen(source: ViewSource, config: FitConfig, ranks: Ranks, step: int) -> int:
    """Returns how many different views all processes had at hand up to `step`."""
    count = None if source.count is None else len(_share(source.count, ranks))
    own = Schedule.of(source, config, ranks).window(max(step, 0), count).stop
    return own * ranks.world if source.count is None else min(own * ranks.world, source.count)
