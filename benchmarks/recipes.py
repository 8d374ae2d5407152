"""Recipes of small students at equal CPU time: test dB of shapes and ways of training.

All rows train at once, a step of the one that has had the least time after the other, so that
whatever else the machine does slows all of them alike. Time is that of this thread, views are at
hand, and the schedule follows the clock.

    mnelf teacher examples/mic -o mic.teacher.pt
    mnelf distill mic.teacher.pt examples/mic -o mic.views --views 400
    python benchmarks/recipes.py examples/mic mic.views --seconds 200 --seeds 0 1
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from rich import box
from rich.console import Console
from rich.table import Table

from mobile_nelf.evaluation import photo_psnr_db
from mobile_nelf.progress import silent
from mobile_nelf.scenes import Scene, View, read_scene
from mobile_nelf.students import StudentConfig
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.presets import find_preset
from mobile_nelf.training.ranks import Ranks
from mobile_nelf.training.student.learner import Learner
from mobile_nelf.training.views.cache import ViewCache
from mobile_nelf.training.views.patches import draw_patches
from mobile_nelf.training.views.pseudo_set import read_pseudo_set
from mobile_nelf.training.views.sources import PhotoViews

#: Steps into which the schedule divides the time, whatever is done in them.
CLOCK = 10_000


def cosine(done: float) -> float:
    """The SDK's schedule."""
    return done


def hold(done: float) -> float:
    """Holds the peak and cools over the last third, along the same cosine."""
    warm = 0.02
    return done if done < warm else max(warm, (done - 2 / 3) * 3)


@dataclass(frozen=True)
class Recipe:
    """A row: what differs from the preset.

    Attributes:
        student: fields of its shape.
        fit: fields of its training.
        clock: from the fraction of the time to that of the schedule.
        photos: whether a tenth of the views are photos.
    """

    student: Mapping[str, object] = field(default_factory=dict)
    fit: Mapping[str, object] = field(default_factory=dict)
    clock: Callable[[float], float] = cosine
    photos: bool = False


RECIPES: dict[str, Recipe] = {
    "small": Recipe(),
    "products 4": Recipe({"products": 4}),
    "products 8": Recipe({"products": 8}),
    "products 16": Recipe({"products": 16}),
    "hold then cool": Recipe(clock=hold),
    "a tenth photos": Recipe(photos=True),
    "patches 16": Recipe(fit={"patches": 16}),
    "matrix step 0.02": Recipe(fit={"matrix_step": 0.02}),
}


class Row:
    """A recipe under way."""

    def __init__(self, name: str, scene: Scene, views: tuple[View, ...], seed: int) -> None:
        """Builds the student with the weights of `seed`."""
        self.name, self.seed = name, seed
        self.recipe = RECIPES[name]
        preset = find_preset("small")
        self.student: StudentConfig = replace(preset.student(scene), **self.recipe.student)
        fit = replace(preset.fit_of(CLOCK, None), steps=CLOCK, ema_decay=0.99, seed=seed)
        self.fit: FitConfig = replace(fit, **self.recipe.fit)
        if self.recipe.photos:
            photos = [scene.train[i % len(scene.train)] for i in range(len(views) // 9)]
            views = (*views, *photos)
        ranks = Ranks(torch.device("cpu"))
        source = PhotoViews(views)
        folder = Path(tempfile.gettempdir())
        self.cache = ViewCache(source, name, self.student, self.fit, folder / "recipes", ranks)
        self.window = self.cache.advance(0, silent)
        self.learner = Learner(self.student, self.fit, ranks)
        self.steps, self.seconds = 0, 0.0

    def step(self, budget: float) -> None:
        """Takes a step and counts its time."""
        began = time.thread_time()
        rng = np.random.default_rng((self.seed, self.steps))
        patches = draw_patches(self.cache, self.window, self.student, self.fit, rng)
        clock = self.recipe.clock(min(self.seconds / budget, 1.0))
        self.learner.step(int(clock * (CLOCK - 1)), patches)
        self.steps += 1
        self.seconds += time.thread_time() - began

    def result(self, scene: Scene) -> str:
        """Returns the steps and the dB of the test views with the averaged weights."""
        decibels = photo_psnr_db(self.learner.average, self.student, scene.test)
        return f"{self.steps:,}, {decibels:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("views", type=Path, help="a set of `mnelf distill`")
    parser.add_argument("--seconds", type=float, default=200.0, help="of CPU time for each row")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--rows", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    scene = read_scene(options.scene).cropped(find_preset("small").scale)
    views = read_pseudo_set(options.views)
    rows = [Row(name, scene, views, seed) for seed in options.seeds for name in options.rows]
    while (row := min(rows, key=lambda row: row.seconds)).seconds < options.seconds:
        row.step(options.seconds)
    table = Table(box=box.MARKDOWN)
    for heading in ("recipe", *(f"seed {seed}: steps, dB" for seed in options.seeds)):
        table.add_column(heading)
    for name in options.rows:
        table.add_row(name, *(row.result(scene) for row in rows if row.name == name))
    Console(width=None if sys.stdout.isatty() else 100).print(table, highlight=False)


if __name__ == "__main__":
    main()
