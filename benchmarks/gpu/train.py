"""Teacher and D60-SR3 within a number of seconds: dB on the test views, checkpoint, log.

    python -m benchmarks.gpu.train SCENE OUT SECONDS [--toy] [--teacher-seconds 80]

Leaves `student.pt` (float16), `log.jsonl` and `result.json` in OUT.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.gpu.check import operations, random_patches, timed
from benchmarks.gpu.shapes import FULL, TOY, Shape
from mobile_nelf.checkpoints import save_checkpoint
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.evaluation import on_white, photo_psnr_db
from mobile_nelf.metrics import psnr_db
from mobile_nelf.scenes import Scene, read_scene
from mobile_nelf.students import build_student
from mobile_nelf.teachers.files import TrainedTeacher
from mobile_nelf.training.ranks import Ranks, launched
from mobile_nelf.training.student.fit import fit_stage
from mobile_nelf.training.student.learner import Learner
from mobile_nelf.training.student.stage import FitProgress, Run, Stage
from mobile_nelf.training.teacher.fit import TeacherProgress, train_teacher
from mobile_nelf.training.views.pseudo_cameras import PseudoCameras
from mobile_nelf.training.views.sources import MixedViews, PhotoViews, TeacherViews

#: Seconds for judging and writing at the end, and test views that are measured on the way.
AFTER, WATCHED = 30.0, 5


class Clock:
    """Seconds since the start, in front of every line."""

    def __init__(self, seconds: float) -> None:
        self.began, self.seconds = time.monotonic(), seconds

    def left(self) -> float:
        return self.seconds - (time.monotonic() - self.began)

    def say(self, text: str) -> None:
        print(f"[{time.monotonic() - self.began:6.1f} s] {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--toy", action="store_true")
    parser.add_argument("--teacher-steps", type=int)
    parser.add_argument("--matrix-step", type=float)
    parser.add_argument("--first-views", type=int)
    parser.add_argument("--only-teacher", action="store_true")
    parser.add_argument("--backend", choices=("torch", "tinycudann"), default="torch")
    arguments = parser.parse_args()
    clock = Clock(arguments.seconds)
    shape = TOY if arguments.toy else FULL
    shape = replace(shape, teacher=replace(shape.teacher, backend=arguments.backend))
    if arguments.teacher_steps:
        shape = replace(shape, teacher=replace(shape.teacher, steps=arguments.teacher_steps))
    if arguments.matrix_step:
        shape = replace(shape, fit=replace(shape.fit, matrix_step=arguments.matrix_step))
    if arguments.first_views:
        shape = replace(shape, fit=replace(shape.fit, first_views=arguments.first_views))
    with launched("auto") as ranks, tempfile.TemporaryDirectory() as folder:
        scene = read_scene(arguments.scene).cropped(2 ** len(shape.sr_widths))
        clock.say(f"scene read, {len(scene.train)} photos, {len(scene.test)} test views")
        teacher, facts = make_teacher(shape, scene, ranks, Path(folder), clock)
        if arguments.only_teacher:
            return
        facts |= make_student(shape, scene, teacher, ranks, Path(folder), clock, arguments.out)
        (arguments.out / "result.json").write_text(json.dumps(facts, indent=1) + "\n")


def make_teacher(
    shape: Shape, scene: Scene, ranks: Ranks, folder: Path, clock: Clock
) -> tuple[TrainedTeacher, dict[str, float]]:
    began = time.monotonic()
    seen: list[float] = []

    def on_step(progress: TeacherProgress) -> None:
        seen.append(progress.psnr_db)
        if progress.step % max(progress.steps // 10, 1) == 0:
            clock.say(
                f"teacher {progress.step}/{progress.steps}: training "
                f"{statistics.mean(seen[-50:]):.2f} dB"
            )

    teacher = train_teacher(scene, shape.teacher, folder / "teacher.state", ranks.device, on_step)
    seconds = time.monotonic() - began
    scores = [
        psnr_db(teacher.render(view.camera).on_white(), on_white(view))
        for view in scene.test[:WATCHED]
    ]
    began = time.monotonic()
    for view in scene.test[:WATCHED]:
        teacher.rgba8(view.camera)
    view_seconds = (time.monotonic() - began) / WATCHED
    clock.say(
        f"teacher: {np.mean(scores):.2f} dB on {len(scores)} test views after {seconds:.0f} s; "
        f"{1e3 * view_seconds:.0f} ms a view"
    )
    facts = {
        "teacher_seconds": seconds,
        "teacher_psnr_db": float(np.mean(scores)),
        "teacher_view_seconds": view_seconds,
    }
    return TrainedTeacher(teacher, {}, {}), facts


def make_student(
    shape: Shape,
    scene: Scene,
    trained: TrainedTeacher,
    ranks: Ranks,
    folder: Path,
    clock: Clock,
    out: Path,
) -> dict[str, object]:
    student = shape.student(scene)
    pseudo = TeacherViews(trained.teacher, PseudoCameras(scene), "the teacher of this run")
    source = MixedViews(PhotoViews(scene.train), pseudo, shape.photos_every)
    patches = random_patches(student, shape.fit, scene).to(ranks.device)
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        step = partial(Learner(student, shape.fit, ranks).step, 0, patches)
        step_seconds = timed(step, ranks.device)
    del step
    began = time.monotonic()
    for index in range(1, 4):
        source.view(index)
    view_seconds = (time.monotonic() - began) / 3
    fit = shape.fit
    first = fit.first_views * view_seconds
    each = 1.04 * step_seconds + 3e-4 + view_seconds * fit.patches / fit.view_uses
    steps = max(int((clock.left() - first - AFTER) / each), 100)
    config = replace(fit, steps=steps, check_every=max(steps // 10, 1))
    clock.say(
        f"{1e3 * step_seconds:.2f} ms a step, {1e3 * view_seconds:.0f} ms a view: {steps} steps, "
        f"{fit.first_views} views before and {steps * fit.patches // fit.view_uses} on the way"
    )
    errors: list[float] = []

    def on_fit(progress: FitProgress) -> None:
        errors.append(progress.psnr_db)
        if progress.step % max(steps // 20, 1) == 0:
            clock.say(f"student {progress.step}/{steps}: {statistics.mean(errors[-200:]):.2f} dB")

    began = time.monotonic()
    stage = Stage("train", source, config, scene.test[:WATCHED])
    run = Run(folder, ranks, scene.test[0].camera, on_fit)
    result = fit_stage(student, stage, run)
    seconds = time.monotonic() - began
    clock.say(
        f"student done after {seconds:.0f} s: {result.photo_psnr_db:.2f} dB on {WATCHED} views"
    )
    shutil.copy(folder / "log.jsonl", out / "log.jsonl")
    halved = {
        name: value.half().float() if value.is_floating_point() else value
        for name, value in result.weights.items()
    }
    network = build_student(student)
    network.load_state_dict(halved)
    network.to(ranks.device).eval()
    scores = [photo_psnr_db(network, student, [view]) for view in scene.test]
    facts: dict[str, object] = {
        "student_seconds": seconds,
        "steps": steps,
        "step_seconds": step_seconds,
        "views": result.views,
        "test_psnr_db": float(np.mean(scores)),
        "test_views": dict(zip((v.path.name for v in scene.test), scores, strict=True)),
        "operations_per_image": operations(student),
        "device": torch.cuda.get_device_name() if ranks.device.type == "cuda" else "cpu",
        "torch": torch.__version__,
    }
    checkpoint = Checkpoint(
        student=student,
        intrinsics=scene.train[0].camera.intrinsics,
        orbit=scene.orbit,
        weights=halved,
        metrics={"test_psnr_db": float(np.mean(scores))},
        provenance={"source": "benchmarks/gpu/run.sh", "scene": scene.path.name},
    )
    save_checkpoint(checkpoint, out / "student.pt", half=True)
    clock.say(f"{np.mean(scores):.2f} dB on all {len(scores)} test views; written")
    return facts


if __name__ == "__main__":
    main()
