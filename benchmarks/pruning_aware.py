"""Half of a student at equal CPU time: trained small, pruned while it trains, compressed after it.

All three train on the same views with the preset's recipe and are judged on the test views.
Everything counts, finding out which channels matter too: processor time of this thread, one row
after the other. A schedule follows the clock, so that whatever else the machine does costs a row
nothing but time.

    mnelf teacher examples/mic -o mic.teacher.pt
    mnelf distill mic.teacher.pt examples/mic -o mic.views --views 400
    python benchmarks/pruning_aware.py examples/mic mic.views --seconds 300
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich import box
from rich.console import Console
from rich.table import Table

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.compression.goals import Goals
from mobile_nelf.compression.run import CompressionRun
from mobile_nelf.evaluation import photo_psnr_db
from mobile_nelf.progress import silent
from mobile_nelf.pruning.shrink import Pruning, first_step, marks, pruned
from mobile_nelf.pruning.widths import macs, parameters
from mobile_nelf.scenes import Scene, View, read_scene
from mobile_nelf.students import StudentConfig
from mobile_nelf.training.presets import find_preset
from mobile_nelf.training.ranks import Ranks
from mobile_nelf.training.student.learner import Learner
from mobile_nelf.training.views.cache import ViewCache
from mobile_nelf.training.views.patches import draw_patches
from mobile_nelf.training.views.pseudo_set import read_pseudo_set
from mobile_nelf.training.views.sources import PhotoViews

#: Steps into which the schedule divides the time, whatever is done in them.
CLOCK = 10_000

#: Share of the time that `compressed after it` trains the whole student, and seconds that it takes
#: for all but the long fine-tuning, a step of which takes STEP_SECONDS.
TRAINED, PLANNING, STEP_SECONDS = 0.5, 90.0, 0.12


class Bench:
    """What the rows share."""

    def __init__(self, scene: Scene, views: tuple[View, ...], keep: float, seed: int) -> None:
        """Takes the views that all learn from."""
        self.scene, self.views, self.keep, self.seed = scene, views, keep, seed
        preset = find_preset("small")
        self.whole = preset.student(scene)
        self.fit = replace(preset.fit_of(CLOCK, None), steps=CLOCK, ema_decay=0.99, seed=seed)
        self.steps = 0

    def pruning(self) -> Pruning:
        """Returns the goal, with the place of the scene."""
        return Pruning(self.keep, self.scene.train[0].camera.intrinsics, self.scene.orbit)

    def train(self, student: StudentConfig, seconds: float, *, prune: bool = False) -> Checkpoint:
        """Trains for a time, the last look at channels and the cut included."""
        ranks = Ranks(torch.device("cpu"))
        source = PhotoViews(self.views)
        with tempfile.TemporaryDirectory() as folder:
            cache = ViewCache(source, "bench", student, self.fit, Path(folder) / "views", ranks)
            window = cache.advance(0, silent)
            began = time.thread_time()
            learner = Learner(student, self.fit, ranks)
            widths, self.steps, step = None, 0, 0
            # What the cut takes was measured when the channels were marked.
            reserve = 0.0
            while (spent := time.thread_time() - began + reserve) < seconds:
                step = min(max(step, int(spent / seconds * CLOCK)), CLOCK - 1)
                if prune and widths is None and step >= first_step(CLOCK):
                    looking = time.thread_time()
                    here = self.pruning().checkpoint(student, learner.averaged_weights())
                    widths, found = marks(here, self.keep)
                    learner.mark(found)
                    reserve = 0.5 * (time.thread_time() - looking)
                    continue
                rng = np.random.default_rng((self.seed, self.steps))
                learner.step(step, draw_patches(cache, window, student, self.fit, rng))
                self.steps += 1
            done = self.pruning().checkpoint(student, learner.averaged_weights())
            return done if widths is None else pruned(done, widths)

    def small(self, seconds: float) -> Checkpoint:
        """The preset with a body as narrow as the goal asks for."""
        wanted = self.keep * parameters(self.whole)
        widths = range(self.whole.width, 0, -8)
        shapes = (replace(self.whole, width=width) for width in widths)
        return self.train(next(s for s in shapes if parameters(s) <= wanted), seconds)

    def shrunk(self, seconds: float) -> Checkpoint:
        """`mnelf train --prune-to`, without its photo stage."""
        return self.train(self.whole, seconds, prune=True)

    def compressed(self, seconds: float) -> Checkpoint:
        """`mnelf compress` with what is left of the time, on the student's own pictures alone."""
        began = time.thread_time()
        whole = self.train(self.whole, TRAINED * seconds)
        left = seconds - (time.thread_time() - began) - PLANNING
        steps = max(int(left / STEP_SECONDS), 1)
        with tempfile.TemporaryDirectory() as folder:
            run = CompressionRun(whole, None, Path(folder), self.seed, "cpu", "all", 0, silent)
            _, small = run.narrower(Goals(keep=self.keep), None, "none", steps, 8)
        assert small is not None
        return small


ROWS: dict[str, Callable[[Bench, float], Checkpoint]] = {
    "whole, not pruned": lambda bench, seconds: bench.train(bench.whole, seconds),
    "small from the start": Bench.small,
    "pruned while it trains": Bench.shrunk,
    "compressed after it": Bench.compressed,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("views", type=Path, nargs="?", help="of `mnelf distill`; default: photos")
    parser.add_argument("--seconds", type=float, default=300.0, help="of CPU time for each row")
    parser.add_argument("--keep", type=float, default=0.5, help="share of the parameters")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    scene = read_scene(options.scene).cropped(find_preset("small").scale)
    views = read_pseudo_set(options.views) if options.views else scene.train
    bench = Bench(scene, views, options.keep, options.seed)
    table = Table(box=box.MARKDOWN)
    for heading in ("half of a student", "parameters", "MMAC", "steps", "CPU s", "test PSNR"):
        table.add_column(heading)
    for name in options.rows:
        print(name, file=sys.stderr)
        began = time.thread_time()
        student = ROWS[name](bench, options.seconds)
        seconds = time.thread_time() - began
        decibels = photo_psnr_db(student.network(), student.student, scene.test)
        table.add_row(
            name,
            f"{parameters(student.student):,}",
            f"{macs(student.student) / 1e6:.0f}",
            f"{bench.steps:,}",
            f"{seconds:.0f}",
            f"{decibels:.2f} dB",
        )
    Console(width=None if sys.stdout.isatty() else 100).print(table, highlight=False)


if __name__ == "__main__":
    main()
