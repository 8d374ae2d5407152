"""Bytes on disk of pseudo views: the research code's `.npy` set against this project's two ways.

`.npy` set        one file, measured, times the number of views
`mnelf distill`   the mean of a few views that this command wrote from a teacher, with their part of
                  the cameras, times the number of views
streamed          the whole cache of a run, measured while its schedule goes by; it is deleted when
                  the run ends. Its pixels are not compressed, so what they show does not matter.

Sizes are those of the files, without what a file system rounds up.

    python benchmarks/distillation_disk.py TEACHER SCENE --size 800
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich import box
from rich.console import Console
from rich.table import Table

from mobile_nelf.cameras import Camera
from mobile_nelf.pictures import on_white
from mobile_nelf.progress import silent
from mobile_nelf.scenes import Scene, View, read_scene
from mobile_nelf.students import StudentConfig
from mobile_nelf.teachers.files import TrainedTeacher, load_teacher
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.presets import PRESETS, Preset, find_preset
from mobile_nelf.training.ranks import Ranks, launched
from mobile_nelf.training.views.cache import ViewCache, views_seen
from mobile_nelf.training.views.pseudo_set import PseudoSetConfig, read_pseudo_set, write_pseudo_set

#: Moments of a run at which its cache is measured.
LOOKS = 3


class PlainViews:
    """Views without end of one colour."""

    count = None

    def __init__(self, camera: Camera) -> None:
        """Takes the camera of all views."""
        self._camera = camera
        self.size = (camera.intrinsics.width, camera.intrinsics.height)

    def view(self, index: int) -> tuple[Camera, npt.NDArray[np.uint8]]:
        """Returns view `index`."""
        width, height = self.size
        return self._camera, np.full((height, width, 4), index % 256, np.uint8)

    def identity(self) -> str:
        """Returns what tells these views from others."""
        return "plain"


def at_size(scene: Scene, width: int, multiple: int) -> Scene:
    """Returns the scene with photos `width` wide and sides that a student renders."""
    lens = scene.train[0].camera.intrinsics
    height = round(width * lens.height / lens.width)
    train = tuple(view.resized(width, height) for view in scene.train)
    return replace(scene, train=train).cropped(multiple)


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def npy_bytes(view: View, folder: Path) -> int:
    """Bytes of a view and its position as the research code's teacher writes them."""
    folder.mkdir()
    np.save(
        folder / "rendered_rgb_00000.npy", on_white(view.rgba()).reshape(-1, 3).astype(np.float32)
    )
    np.save(folder / "c2w_00000.npy", view.camera.position.astype(np.float32))
    return folder_bytes(folder)


def distilled(
    teacher: TrainedTeacher, scene: Scene, config: PseudoSetConfig, folder: Path
) -> tuple[float, View]:
    """Returns the mean bytes a view of a set that is written into `folder`, and its first view."""
    write_pseudo_set(teacher, scene, config, folder)
    return folder_bytes(folder) / config.views, read_pseudo_set(folder)[0]


def streamed_bytes(student: StudentConfig, fit: FitConfig, camera: Camera, folder: Path) -> int:
    """Returns the most bytes that a run's cache has at its begin, in its middle and at its end."""
    folder.mkdir()
    source = PlainViews(camera)
    ranks = Ranks(torch.device("cpu"))
    path = folder / "train.views.0"
    cache = ViewCache(source, source.identity(), student, fit, path, ranks)
    most = 0
    for step in np.linspace(0, fit.steps - 1, LOOKS).astype(int):
        cache.advance(int(step), silent)
        most = max(most, folder_bytes(folder))
    return most


def measure(
    teacher: TrainedTeacher, scene: Scene, views: int, sample: PseudoSetConfig, preset: Preset
) -> dict[str, dict[str, float | str]]:
    student, fit = preset.student(scene), preset.fit
    camera = scene.train[0].camera
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mean, view = distilled(teacher, scene, sample, folder / "distilled")
        npy = npy_bytes(view, folder / "npy")
        stream = streamed_bytes(student, fit, camera, folder / "run")
    seen = views_seen(PlainViews(camera), fit, Ranks(torch.device("cpu")), fit.steps - 1)
    how = {
        ".npy set": (f"{views:,} × one view", views * npy),
        "mnelf distill": (f"{views:,} × mean of {sample.views} views", round(views * mean)),
        "streamed": (f"whole cache, {seen:,} views go through it", stream),
    }
    base = views * npy
    return {
        name: {"measured": text, "bytes": size, "times_smaller": base / size, "share": size / base}
        for name, (text, size) in how.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("teacher", type=Path, help="a file that `mnelf teacher` wrote")
    parser.add_argument("scene", type=Path, help="that it was trained on")
    parser.add_argument("--views", type=int, default=5000)
    parser.add_argument("--size", type=int, default=800, help="width of a view in pixels")
    parser.add_argument("--samples", type=int, default=8, help="views to render")
    parser.add_argument("--preset", choices=tuple(PRESETS), default="base", help="of the run")
    parser.add_argument("--steps", type=int, help="of the run; default: the preset's")
    parser.add_argument("--cache-mb", type=int, help="of the run; default: the preset's")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    preset = find_preset(options.preset)
    fit = replace(
        preset.fit,
        steps=options.steps or preset.fit.steps,
        cache_mb=options.cache_mb or preset.fit.cache_mb,
    )
    preset = replace(preset, fit=fit)
    with launched("auto") as ranks:
        teacher = load_teacher(options.teacher, ranks.device)
    photos = read_scene(options.scene)
    scene = at_size(photos, options.size, preset.scale)
    sample = PseudoSetConfig(options.samples)
    rows = measure(teacher, scene, options.views, sample, preset)
    lens, own = (s.train[0].camera.intrinsics for s in (scene, photos))
    conditions = (
        f"{options.views:,} views of {lens.width}×{lens.height}; teacher of "
        f"{photos.path.resolve().name}, trained on {own.width}×{own.height}; WebP quality "
        f"{sample.quality}; run of {options.preset}: {fit.steps:,} steps of {fit.patches} patches, "
        f"{fit.view_uses} from a view, cache of at most {fit.cache_mb:,} MB"
    )
    if options.json:
        print(json.dumps({"conditions": conditions, "rows": rows}, indent=1))
        return
    table = Table(box=box.MARKDOWN)
    for column in ("", "measured", "bytes", "× smaller", "share"):
        table.add_column(column, justify="left" if column in ("", "measured") else "right")
    for name, row in rows.items():
        table.add_row(
            name,
            str(row["measured"]),
            f"{row['bytes']:,}",
            f"{row['times_smaller']:,.3g}",
            f"{100.0 * float(row['share']):.3g} %",
        )
    Console(width=None if sys.stdout.isatty() else 100).print(conditions, table, highlight=False)


if __name__ == "__main__":
    main()
