"""Is a training step right on this GPU, and how fast is it? A table of D60-SR3 steps.

    python -m benchmarks.gpu.check SCENE [--toy] [--lengths 0.005,0.01,0.02]

Throughput is the median of five rounds, in images of the scene's size a second, and as a share of
what an 8192×8192×8192 bfloat16 product reaches on the same machine in the same run.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from benchmarks.gpu.shapes import FULL, TOY, Shape
from mobile_nelf.rays import ray_map
from mobile_nelf.scenes import Scene, read_scene
from mobile_nelf.students import StudentConfig, build_student
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.ranks import Ranks, launched
from mobile_nelf.training.student.fit import fit_stage
from mobile_nelf.training.student.learner import Learner
from mobile_nelf.training.student.stage import Run, Stage
from mobile_nelf.training.views.patches import Patches
from mobile_nelf.training.views.sources import PhotoViews

ROUNDS, STEPS = 5, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("--toy", action="store_true")
    parser.add_argument("--lengths", default="", help="step lengths of Muon to try on the photos")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batchnorm", action="store_true", help="time steps with it as well")
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    shape = TOY if arguments.toy else FULL
    with launched("auto") as ranks:
        began = time.monotonic()
        scene = read_scene(arguments.scene).cropped(2 ** len(shape.sr_widths))
        print(f"scene read in {time.monotonic() - began:.1f} s", flush=True)
        if ranks.device.type == "cuda":
            print(torch.cuda.get_device_name(), torch.__version__, flush=True)
            attempt("against the CPU", lambda: agreement(shape, scene, ranks))
        peak = matrix_rate(ranks.device)
        print(f"8192³ bf16 product: {peak / 1e12:.0f} TFLOP/s", flush=True)
        for batchnorm in (False, True) if arguments.batchnorm else (False,):
            for deterministic in (True, False):
                name = f"batchnorm {batchnorm}, deterministic {deterministic}"
                attempt(
                    name,
                    lambda b=batchnorm, d=deterministic: throughput(
                        shape, scene, ranks, peak, b, d
                    ),
                )
        if arguments.profile:
            attempt("profile", lambda: profile(shape, scene, ranks))
        for length in filter(None, arguments.lengths.split(",")):
            attempt(
                f"matrix_step {length}",
                lambda s=float(length): trial(shape, scene, ranks, s, arguments.steps),
            )


def attempt(name: str, check: Callable[[], str]) -> None:
    """Runs a check and prints its line; a failure does not cost the others."""
    began = time.monotonic()
    try:
        line = check()
    except Exception as error:  # a report of what failed is the point
        line = f"FAILED {type(error).__name__}: {str(error)[:600]}"
    print(f"{name}: {line} [{time.monotonic() - began:.1f} s]", flush=True)


def random_patches(student: StudentConfig, config: FitConfig, scene: Scene) -> Patches:
    """A batch of noise seen along the rays of the first photo."""
    rng = torch.Generator().manual_seed(0)
    side = min(config.patch_rays, student.ray_width, student.ray_height)
    camera = scene.train[0].camera.resized(student.ray_width, student.ray_height)
    count, pixels = config.patches, side * student.scale
    return Patches(
        torch.from_numpy(ray_map(camera).flat()).expand(count, 12).contiguous(),
        torch.rand(count, 2, generator=rng, dtype=torch.float64) * (student.ray_height - side),
        torch.rand(count, student.encoder.samples, side, side, generator=rng),
        torch.randint(256, (count, pixels, pixels, 4), generator=rng, dtype=torch.uint8),
    )


def agreement(shape: Shape, scene: Scene, ranks: Ranks) -> str:
    """Two steps in float32 on the CPU and on this GPU: how far the changes of weights differ."""
    student = shape.student(scene)
    config = replace(shape.fit, precision="fp32", patches=2, patch_rays=4, warmup_steps=0)
    patches = random_patches(student, config, scene)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        begin = build_student(student).state_dict()
    changes = []
    for place in (Ranks(torch.device("cpu")), ranks):
        learner = Learner(student, config, place)
        errors = [float(learner.step(step, patches)[0]) for step in range(2)]
        weights = learner.network.state_dict()
        changes.append((errors, {n: weights[n].cpu() - begin[n] for n in begin}))
    (cpu_errors, cpu), (gpu_errors, gpu) = changes
    worst = max(float((cpu[n] - gpu[n]).norm() / (cpu[n].norm() + 1e-12)) for n in cpu)
    whole = (
        torch.cat([(cpu[n] - gpu[n]).flatten() for n in cpu]).norm()
        / torch.cat([cpu[n].flatten() for n in cpu]).norm()
    )
    return (
        f"errors {cpu_errors} and {gpu_errors}; change of all weights differs by {whole:.2e}, "
        f"worst tensor {worst:.2e}"
    )


def matrix_rate(device: torch.device) -> float:
    """Multiplications and additions a second of a large bfloat16 product."""
    side = 8192 if device.type == "cuda" else 512
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    seconds = timed(lambda: a @ b, device)
    return 2.0 * side**3 / seconds


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Median seconds of one call."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    work()
    wait()
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(STEPS):
            work()
        wait()
        seconds.append((time.perf_counter() - began) / STEPS)
    return statistics.median(seconds)


def operations(student: StudentConfig) -> float:
    """Multiplications and additions of one image, forward; three times that with backward."""
    network, total = build_student(student), 0.0

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        weight = module.weight
        places = inputs[0] if isinstance(module, nn.ConvTranspose2d) else output
        total += 2.0 * weight.numel() * places[0, 0].numel()

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(torch.zeros(1, student.encoder.channels, 4, 4))
    return total * student.ray_width * student.ray_height / 16


def throughput(
    shape: Shape, scene: Scene, ranks: Ranks, peak: float, batchnorm: bool, deterministic: bool
) -> str:
    student = shape.student(scene, batchnorm=batchnorm)
    patches = random_patches(student, shape.fit, scene).to(ranks.device)
    learner = Learner(student, shape.fit, ranks)
    began = time.monotonic()
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=deterministic):
        learner.step(0, patches)
        ready = time.monotonic() - began
        seconds = timed(lambda: learner.step(1, patches), ranks.device)
    side = patches.jitter.shape[-1]
    images = shape.fit.patches * side**2 / (student.ray_width * student.ray_height)
    share = 3.0 * operations(student) * images / seconds / peak
    return (
        f"{1e3 * seconds:.2f} ms a step, {images / seconds:.0f} images/s, {100 * share:.1f} % of "
        f"the product's rate; first step {ready:.1f} s"
    )


def profile(shape: Shape, scene: Scene, ranks: Ranks) -> str:
    student = shape.student(scene)
    patches = random_patches(student, shape.fit, scene).to(ranks.device)
    learner = Learner(student, shape.fit, ranks)
    learner.step(0, patches)
    with torch.profiler.profile() as record:
        for step in range(STEPS):
            learner.step(step, patches)
        if ranks.device.type == "cuda":
            torch.cuda.synchronize()
    key = "self_cuda_time_total" if ranks.device.type == "cuda" else "self_cpu_time_total"
    table = record.key_averages().table(sort_by=key, row_limit=22, max_name_column_width=70)
    kept = [line for line in table.splitlines() if "---" not in line]
    return "\n".join(line[:72] + line[-75:] for line in kept)


def trial(shape: Shape, scene: Scene, ranks: Ranks, length: float, steps: int) -> str:
    """A short run on the photos alone, to see which step length learns fastest."""
    student = shape.student(scene)
    config = replace(shape.fit, matrix_step=length, steps=steps, ema_decay=0.99, check_every=steps)
    stage = Stage("train", PhotoViews(scene.train), config, scene.test[:3])
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        errors: list[float] = []
        run = Run(Path(folder), ranks, scene.test[0].camera, lambda p: errors.append(p.psnr_db))
        result = fit_stage(student, stage, run)
    return (
        f"test {result.photo_psnr_db:.2f} dB, training {statistics.mean(errors[-100:]):.2f} dB "
        f"after {steps} steps, {1e3 * (time.monotonic() - began) / steps:.2f} ms each in all"
    )


if __name__ == "__main__":
    main()
