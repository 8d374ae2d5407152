"""Images a second in training: the research code's way against this project's, the same network.

research code      whole images and positions from `.npy` files, float32 (on a GPU: AMP, which is
                   float16 with loss scaling), PyTorch's plain AdamW, MSE. Its input is a permuted
                   view of [B, h, w, C], which makes its activations channels last.
…, contiguous      the same with the input copied to [B, C, h, w]
ours               random patches of 8-bit views in the bounded cache, bfloat16 autocast, channels
                   last, the moving average of the weights; with either optimizer

An image is a share of pixels: a step of ours takes the patches whose pixels are nearest in number
to those of the images of a step of theirs, and both are counted by the pixel. All ways take their
steps in turn; the first is not counted. The files have just been written, so they are read from
memory and not from the disk, and every way reads its next batch before it waits for a GPU. What a
teacher costs is on neither side: views are noise of the true size.

    python benchmarks/training_throughput.py
    python benchmarks/training_throughput.py --depth 30 --width 128 --rays 25
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor

from mobile_nelf.cameras import Camera, Intrinsics, look_at
from mobile_nelf.progress import silent
from mobile_nelf.rays import ray_map, sample_depths
from mobile_nelf.students import EncoderConfig, StudentConfig, build_student
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.presets import find_preset
from mobile_nelf.training.ranks import Ranks, launched
from mobile_nelf.training.student.learner import Learner
from mobile_nelf.training.views.cache import ViewCache
from mobile_nelf.training.views.patches import Patches, draw_patches

BASE = "research code"
OPTIMIZERS: tuple[Literal["muon", "adamw"], ...] = ("muon", "adamw")
RADIUS = 4.0
#: Of the research code, at the peak of its schedule.
LEARNING_RATE = 5e-4


class Way(Protocol):
    """One way to train the network."""

    images: float

    def step(self) -> float:
        """Takes a step and returns its mean squared error, so that it is done."""
        ...


class ResearchWay:
    """Steps on whole images that are read as float32."""

    def __init__(
        self,
        student: StudentConfig,
        folder: Path,
        batch: int,
        device: torch.device,
        *,
        contiguous: bool,
    ) -> None:
        """Reads the first batch of the set in `folder`."""
        self.images = float(batch)
        self.network = build_student(student).to(device).train()
        self._student, self._batch_size, self._device = student, batch, device
        self._contiguous = contiguous
        self._optimizer = torch.optim.AdamW(self.network.parameters(), lr=LEARNING_RATE)
        self._amp = device.type == "cuda"
        self._scaler = torch.amp.GradScaler(device.type, enabled=self._amp)
        self._files = itertools.cycle(sorted((folder / "rgb").glob("*.npy")))
        self._next = self._read()

    def step(self) -> float:
        """Takes a step and returns its mean squared error."""
        rays, colours = (part.to(self._device) for part in self._next)
        encoded = self._encoded(rays)
        with torch.backends.cudnn.flags(enabled=True, benchmark=True):
            with torch.autocast(self._device.type, torch.float16, enabled=self._amp):
                image = self.network(encoded)
                loss = F.mse_loss(image.permute(0, 2, 3, 1).reshape(colours.shape), colours)
            torch.autograd.backward(self._scaler.scale(loss))
        self._next = self._read()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad()
        return float(loss.detach())

    def _read(self) -> tuple[Tensor, Tensor]:
        """Returns flat ray maps [B, 12] and colours [B, h·w, 3] of the next images."""
        rays, colours = [], []
        for file in itertools.islice(self._files, self._batch_size):
            colours.append(np.load(file))
            position = np.load(file.parents[1] / "poses" / file.name.replace("rendered_rgb", "c2w"))
            rays.append(student_rays(position, self._student))
        return torch.from_numpy(np.stack(rays)).float(), torch.from_numpy(np.stack(colours))

    def _encoded(self, rays: Tensor) -> Tensor:
        """Returns the network's input [B, C, h, w] of jittered samples."""
        student, encoder = self._student, self._student.encoder
        origin, d0, du, dv = rays.reshape(-1, 4, 1, 1, 3).unbind(1)
        u = torch.arange(student.ray_width, device=rays.device)[:, None]
        v = torch.arange(student.ray_height, device=rays.device)[:, None, None]
        directions = d0 + u * du + v * dv  # [B, h, w, 3]
        depths = torch.from_numpy(sample_depths(encoder.near, encoder.far, encoder.samples))
        depths = depths.to(rays)
        interval = (encoder.far - encoder.near) / (encoder.samples - 1)
        jitter = torch.rand(*directions.shape[:3], encoder.samples, device=rays.device) - 0.5
        sampled = (depths + interval * jitter).clamp(encoder.near, encoder.far)
        points = origin[..., None, :] + sampled[..., None] * directions[..., None, :]
        encoded = pixelwise_encoding(points.flatten(3), encoder.frequencies).permute(0, 3, 1, 2)
        return encoded.contiguous() if self._contiguous else encoded


class OurWay:
    """Steps of the learner on patches from the cache, in the order of a run's loop."""

    def __init__(
        self, student: StudentConfig, folder: Path, config: FitConfig, ranks: Ranks
    ) -> None:
        """Fills the cache, whose file is in `folder`, and draws the first patches."""
        side = min(config.patch_rays, student.ray_width, student.ray_height)
        self.images = config.patches * side**2 / (student.ray_width * student.ray_height)
        self.learner = Learner(student, config, ranks)
        self._student, self._config = student, config
        source = NoiseViews(student)
        path = folder / f"{config.optimizer}.views"
        self._cache = ViewCache(source, source.identity(), student, config, path, ranks)
        self._done = 0
        self._next = self._patches()

    def step(self) -> float:
        """Takes a step and returns its mean squared error."""
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            seen = self.learner.step(self._done, self._next)
        self._done += 1
        self._next = self._patches()
        error, *_ = seen.tolist()
        return float(error)

    def _patches(self) -> Patches:
        window = self._cache.advance(self._done, silent)
        rng = np.random.default_rng((self._config.seed, self._done))
        return draw_patches(self._cache, window, self._student, self._config, rng)


class NoiseViews:
    """Views without end that cost little to make."""

    count = None

    def __init__(self, student: StudentConfig) -> None:
        """Takes the student, whose images the views have the size of."""
        self._student = student
        self.size = (student.image_width, student.image_height)

    def view(self, index: int) -> tuple[Camera, npt.NDArray[np.uint8]]:
        """Returns view `index`."""
        width, height = self.size
        pixels = np.random.default_rng(index).integers(0, 256, (height, width, 4), np.uint8)
        return view_camera(camera_position(index), width, height), pixels

    def identity(self) -> str:
        """Returns what tells these views from others."""
        return "noise"


def pixelwise_encoding(points: Tensor, frequencies: int) -> Tensor:
    """Returns [B, h, w, C·(2L+1)] of [B, h, w, C] points, in the official order of channels."""
    phases = points[..., None] * 2.0 ** torch.arange(frequencies, device=points.device)
    return torch.cat([phases.sin(), phases.cos(), points[..., None]], dim=-1).flatten(3)


def camera_position(index: int) -> npt.NDArray[np.float64]:
    offset = np.random.default_rng(index).standard_normal(3)
    return RADIUS * offset / np.linalg.norm(offset)


def view_camera(position: npt.NDArray[np.float64], width: int, height: int) -> Camera:
    return Camera(look_at(position, np.zeros(3)), Intrinsics.centred(width, height, 1.4 * width))


def student_rays(
    position: npt.NDArray[np.float64], student: StudentConfig
) -> npt.NDArray[np.float64]:
    """Returns the flat ray map [12] on the student's ray grid."""
    return ray_map(view_camera(position, student.ray_width, student.ray_height)).flat()


def write_npy_set(student: StudentConfig, folder: Path, views: int) -> None:
    """Writes images and positions as the research code's teacher leaves them."""
    (folder / "rgb").mkdir(parents=True)
    (folder / "poses").mkdir()
    pixels = student.image_width * student.image_height
    for index in range(views):
        colours = np.random.default_rng(index).random((pixels, 3), np.float32)
        np.save(folder / "rgb" / f"rendered_rgb_{index:05d}.npy", colours)
        np.save(folder / "poses" / f"c2w_{index:05d}.npy", camera_position(index))


def our_config(
    student: StudentConfig, batch: int, views: int, optimizer: Literal["muon", "adamw"]
) -> FitConfig:
    """Returns the run of D60-SR3 with `batch` images' worth of patches a step."""
    fit = find_preset("base").fit
    rays = student.ray_width * student.ray_height
    side = min(fit.patch_rays, student.ray_width, student.ray_height)
    view_bytes = 4 * student.image_width * student.image_height
    return replace(
        fit,
        patches=max(round(batch * rays / side**2), 1),
        first_views=views,
        cache_mb=math.ceil(views * view_bytes / 1e6),
        optimizer=optimizer,
    )


def open_ways(
    student: StudentConfig, batch: int, views: int, ranks: Ranks, folder: Path
) -> dict[str, Way]:
    """Returns every way with its data written into `folder`; the base comes first."""
    write_npy_set(student, folder / "npy", views)
    ways: dict[str, Way] = {
        BASE + suffix: ResearchWay(
            student, folder / "npy", batch, ranks.device, contiguous=bool(suffix)
        )
        for suffix in ("", ", contiguous")
    }
    for optimizer in OPTIMIZERS:
        config = our_config(student, batch, views, optimizer)
        ways[f"ours, {optimizer}"] = OurWay(student, folder, config, ranks)
    return ways


def timed_steps(ways: dict[str, Way], steps: int, device: torch.device) -> dict[str, float]:
    """Returns the median seconds of a step of each way, taken in turn after a step to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(1 + steps):
        for name, way in ways.items():
            start = time.perf_counter()
            error = way.step()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds[name].append(time.perf_counter() - start)
            if not math.isfinite(error):
                raise SystemExit(f"{name}: the error is {error}, so the step did no honest work")
    return {name: statistics.median(times[1:]) for name, times in seconds.items()}


def measure(
    student: StudentConfig, batch: int, views: int, steps: int, ranks: Ranks
) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as name:
        ways = open_ways(student, batch, views, ranks, Path(name))
        seconds = timed_steps(ways, steps, ranks.device)
    rates = {name: way.images / seconds[name] for name, way in ways.items()}
    return {
        name: {
            "images_a_step": way.images,
            "seconds_a_step": seconds[name],
            "images_a_second": rates[name],
            "ratio": rates[name] / rates[BASE],
        }
        for name, way in ways.items()
    }


def device_text(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, research code in AMP"
    found = torch.cpu.get_capabilities()
    units = any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return (
        f"{torch.get_num_threads()} CPU threads, {platform.machine()} "
        f"{'with' if units else 'without'} bf16 units, research code in fp32"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--depth", type=int, default=60)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--rays", type=int, default=100, help="side of the ray grid; images ×8")
    parser.add_argument("--batch", type=int, default=1, help="images a step")
    parser.add_argument("--views", type=int, default=20, help="on disk and in the cache")
    parser.add_argument("--steps", type=int, default=3, help="timed steps of each way")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    student = StudentConfig(
        EncoderConfig(near=2.0, far=6.0),
        depth=options.depth,
        width=options.width,
        ray_width=options.rays,
        ray_height=options.rays,
    )
    with launched(options.device) as ranks:
        rows = measure(student, options.batch, options.views, options.steps, ranks)
        device = device_text(ranks.device)
    conditions = (
        f"{student.name} of width {student.width}, {student.ray_width}×{student.ray_height} → "
        f"{student.image_width}×{student.image_height}; medians of {options.steps} steps in turn; "
        f"PyTorch {torch.__version__}, {device}"
    )
    if options.json:
        print(json.dumps({"conditions": conditions, "rows": rows}, indent=1))
        return
    table = Table(box=box.MARKDOWN)
    for column in ("", "images a step", "s a step", "images/s", "×"):
        table.add_column(column, justify="left" if not column else "right")
    for name, row in rows.items():
        table.add_row(
            name,
            f"{row['images_a_step']:.3f}",
            f"{row['seconds_a_step']:.3g}",
            f"{row['images_a_second']:.3g}",
            f"{row['ratio']:.2f}",
        )
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(conditions, table, highlight=False)


if __name__ == "__main__":
    main()
