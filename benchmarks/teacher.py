"""What a teacher costs and how good it is: processor seconds of its steps and its views, test dB.

Processor time is what all threads of the process took, so that a busy machine changes little; the
photos are read and the run is judged outside of it. With one thread it is the time that the run
would take by itself on one core.

    python benchmarks/teacher.py examples/mic --threads 1 --steps 2000 6000
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from mobile_nelf.metrics import psnr_db
from mobile_nelf.pictures import on_white
from mobile_nelf.scenes import Scene, read_scene
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.teachers.ngp import NgpTeacher
from mobile_nelf.training.presets import find_preset
from mobile_nelf.training.teacher.fit import TeacherProgress, train_teacher


@dataclass(frozen=True)
class Row:
    """A finished run.

    Attributes:
        steps: that it took.
        seconds: processor time of these.
        test_db: PSNR of each test view.
        view_seconds: processor time to render one.
    """

    steps: int
    seconds: float
    test_db: tuple[float, ...]
    view_seconds: float


def measure(scene: Scene, config: TeacherConfig, folder: Path) -> Row:
    """Trains a teacher on the CPU and renders the test views; the run's log goes into `folder`."""
    times: list[float] = []

    def on_progress(progress: TeacherProgress) -> None:
        times.append(time.process_time())

    teacher = train_teacher(scene, config, folder / "state", torch.device("cpu"), on_progress)
    # The first step ends after the photos are read.
    seconds = (times[-1] - times[0]) * len(times) / max(len(times) - 1, 1)
    return Row(config.steps, seconds, *judge(teacher, scene))


def judge(teacher: NgpTeacher, scene: Scene) -> tuple[tuple[float, ...], float]:
    """Returns the PSNR of each test view on white, and processor seconds a view."""
    found, seconds = [], 0.0
    for view in scene.views("test"):
        began = time.process_time()
        frame = teacher.render(view.camera).on_white()
        seconds += time.process_time() - began
        found.append(psnr_db(frame, on_white(view.rgba())))
    return tuple(found), seconds / len(found)


def table(rows: Sequence[Row], threads: int) -> Table:
    """Returns the table of docs/benchmarks.md."""
    made = Table(box=box.MARKDOWN)
    for name in ("steps", "threads", "CPU s", "CPU ms a step", "test dB", "worst", "CPU s a view"):
        made.add_column(name, justify="right")
    for row in rows:
        made.add_row(
            f"{row.steps:,}",
            str(threads),
            f"{row.seconds:.0f}",
            f"{1e3 * row.seconds / row.steps:.1f}",
            f"{statistics.fmean(row.test_db):.2f}",
            f"{min(row.test_db):.2f}",
            f"{row.view_seconds:.3f}",
        )
    return made


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("--preset", default="small", help="whose teacher is trained")
    parser.add_argument("--steps", type=int, nargs="+", help="one run each; the preset's if absent")
    parser.add_argument("--samples", type=int, help="points a step; the preset's if absent")
    parser.add_argument("--march-steps", type=int, help="steps a ray; the preset's if absent")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = replace(find_preset(arguments.preset).teacher, save_every=0)
    for name in ("samples", "march_steps"):
        if getattr(arguments, name) is not None:
            config = replace(config, **{name: getattr(arguments, name)})
    scene = read_scene(arguments.scene)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for steps in arguments.steps or [config.steps]:
            rows.append(measure(scene, replace(config, steps=steps), Path(folder)))
            print(f"{steps} steps: {statistics.fmean(rows[-1].test_db):.2f} dB", file=sys.stderr)
    Console(width=120).print(table(rows, arguments.threads))


if __name__ == "__main__":
    main()
