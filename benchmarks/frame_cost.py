"""Cost of a frame: the research code's chain of three graphs against this project's layouts.

One run, one machine, the same trained weights, the same ONNX Runtime settings on all sides. Times
are taken in turn, one frame of each arrangement after the other, so that a drift of the machine
meets all alike; they include what the host computes and copies. Peak memory is that of a process of
its own for each arrangement, above what it held before it loaded a model.

    python benchmarks/frame_cost.py examples/mic.pt
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from official_chain import copied_bytes, copy_encoding, copy_points, official_chain, pose_inputs
from rich.console import Console
from rich.table import Table

from mobile_nelf.cameras import Camera
from mobile_nelf.checkpoints import Checkpoint, load_checkpoint
from mobile_nelf.deploy.form import ACTIVATION_FORMS
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.metrics import psnr_db
from mobile_nelf.rendering import student_frame_function
from mobile_nelf.students import StudentConfig
from mobile_nelf.students.r2l import R2L
from mobile_nelf.students.rewrite import fold_batchnorm
from mobile_nelf_exporters.onnx.build import build_onnx

Image = npt.NDArray[np.float32]
Frame = Callable[[Camera], Image]

CHAIN = "official chain"
#: Name in the table: layout, and whether in the form that SnapML takes.
OURS = {
    "embedded": ("embedded", False),
    "rays": ("rays", False),
    "camera": ("camera", False),
    "factored": ("factored", False),
    "factored, SnapML form": ("factored", True),
}
ARRANGEMENTS = (CHAIN, *OURS)
WARM_UP = 2
MEMORY_FRAMES = 3
COPY_REPEATS = 21


def write_models(checkpoint: Checkpoint, folder: Path) -> None:
    """Writes the graphs of every arrangement."""
    student, network = checkpoint.student, checkpoint.network()
    lens = checkpoint.intrinsics.resized(student.ray_width, student.ray_height)
    folded = fold_batchnorm(network.as_conv() if isinstance(network, R2L) else network)
    models = {(CHAIN, i): m for i, m in enumerate(official_chain(folded, student, lens))}
    exact = ACTIVATION_FORMS[student.activation][0]
    for name, (layout, expand) in OURS.items():
        models[name, 0], _ = build_onnx(checkpoint, find_layout(layout), exact, expand=expand)
    for (name, index), model in models.items():
        model_path(folder, name, index).write_bytes(model.SerializeToString())


def model_path(folder: Path, name: str, index: int = 0) -> Path:
    return folder / f"{name}-{index}.onnx"


def open_session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # Threads of an idle session would keep spinning and slow down whichever comes next.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # the chain's exporter leaves unused initializers behind
    return onnxruntime.InferenceSession(path, options)


def open_frame(folder: Path, name: str, student: StudentConfig) -> Frame:
    return open_chain(folder, student) if name == CHAIN else open_ours(folder, name, student)


def open_chain(folder: Path, student: StudentConfig) -> Frame:
    """The three official graphs, with the copies that a host makes between them."""
    sampler, embedder, network = (
        open_session(model_path(folder, CHAIN, index)) for index in range(3)
    )
    encoder, height, width = student.encoder, student.ray_height, student.ray_width
    rays = np.empty((1, 1, height * width, encoder.coords), np.float32)
    encoded = np.empty((1, encoder.channels, height, width), np.float32)

    def frame(camera: Camera) -> Image:
        (points,) = sampler.run(None, pose_inputs(camera.cam_to_world))
        copy_points(points, rays)
        (embedded,) = embedder.run(None, {"rays": rays})
        copy_encoding(embedded, encoded)
        return network.run(None, {"input": encoded})[0][0].transpose(1, 2, 0)

    return frame


def open_ours(folder: Path, name: str, student: StudentConfig) -> Frame:
    layout = find_layout(OURS[name][0])
    session = open_session(model_path(folder, name))

    def frame(camera: Camera) -> Image:
        uploads = {
            key: np.ascontiguousarray(value, dtype=np.float32)
            for key, value in layout.host(camera, student.encoder).items()
        }
        return session.run(None, uploads)[0][0].transpose(1, 2, 0)

    return frame


def peak_memory(checkpoint: Path, folder: Path, name: str) -> int:
    """Bytes at the peak of a process that renders a few frames, above its imports."""
    command = [sys.executable, __file__, str(checkpoint), "--memory-of", name, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout)


def print_peak_memory(checkpoint: Checkpoint, name: str, folder: Path) -> None:
    poses = checkpoint.orbit.sweep(MEMORY_FRAMES)
    # Linux: 5 sets the peak back to what is resident now, so that loading torch does not count.
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_resident()
    frame = open_frame(folder, name, checkpoint.student)
    for pose in poses:
        frame(checkpoint.ray_camera(pose))
    print(peak_resident() - before)


def peak_resident() -> int:
    """Bytes of this process that were resident at its peak."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def measure(checkpoint_path: Path, frames: int) -> dict[str, dict[str, float]]:
    checkpoint = load_checkpoint(checkpoint_path)
    student = checkpoint.student
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_models(checkpoint, folder)
        runs = {name: open_frame(folder, name, student) for name in ARRANGEMENTS}
        cameras = [checkpoint.ray_camera(pose) for pose in checkpoint.orbit.sweep(frames + WARM_UP)]
        wanted = student_frame_function(checkpoint)(cameras[-1])
        seconds: dict[str, list[float]] = {name: [] for name in ARRANGEMENTS}
        images: dict[str, Image] = {}
        for camera in cameras:
            for arrangement, run in runs.items():
                start = time.perf_counter()
                images[arrangement] = run(camera)
                seconds[arrangement].append(time.perf_counter() - start)
        del runs
        rows = {}
        for arrangement in ARRANGEMENTS:
            if arrangement == CHAIN:
                copied = copied_bytes(student)
            else:
                inputs = find_layout(OURS[arrangement][0]).inputs(student)
                copied = sum(spec.bytes for spec in inputs)
            rows[arrangement] = {
                "milliseconds": 1e3 * statistics.median(seconds[arrangement][WARM_UP:]),
                "copied_bytes": copied,
                "peak_memory_bytes": peak_memory(checkpoint_path, folder, arrangement),
                "psnr_db": psnr_db(images[arrangement], wanted),
            }
        return rows


def axis_move_ms(student: StudentConfig) -> float:
    """Milliseconds that moving an axis adds to the chain's second copy."""
    pixels = student.ray_width * student.ray_height
    encoder = student.encoder
    source = np.ones((1, 2 * encoder.frequencies + 1, pixels, encoder.coords), np.float32)
    target = np.empty((1, encoder.channels, student.ray_height, student.ray_width), np.float32)
    moved, flat = [], []
    for _ in range(COPY_REPEATS):
        start = time.perf_counter()
        copy_encoding(source, target)
        middle = time.perf_counter()
        np.copyto(target.reshape(-1), source.reshape(-1))
        moved.append(middle - start)
        flat.append(time.perf_counter() - middle)
    return 1e3 * (statistics.median(moved) - statistics.median(flat))


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--frames", type=int, default=9, help="timed frames of each arrangement")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory-of", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        name, folder = options.memory_of
        print_peak_memory(load_checkpoint(options.checkpoint), name, Path(folder))
        return
    rows = measure(options.checkpoint, options.frames)
    student = load_checkpoint(options.checkpoint).student
    conditions = (
        f"{options.checkpoint.name}: {student.name}, {student.ray_width}×{student.ray_height} → "
        f"{student.image_width}×{student.image_height}; medians of {options.frames} frames; "
        f"onnxruntime {onnxruntime.__version__}, {os.cpu_count()} cores, {platform.machine()}"
    )
    if options.json:
        print(json.dumps({"conditions": conditions, "rows": rows}, indent=1))
        return
    caption = (
        "per frame; × is the chain's figure over ours, dB against the trained network. "
        f"{axis_move_ms(student):.1f} ms of the chain's time move an axis for ONNX Runtime, which "
        "a host with NHWC tensors need not do."
    )
    table = Table(title=conditions, caption=caption, title_justify="left", caption_justify="left")
    for column in ("", "ms", "×", "copied kB", "×", "peak MB", "×", "dB"):
        table.add_column(column, justify="left" if not column else "right")
    base = rows[CHAIN]
    for name, row in rows.items():
        cells = [name]
        for key, unit in (
            ("milliseconds", 1.0),
            ("copied_bytes", 1e3),
            ("peak_memory_bytes", 1e6),
        ):
            cells += [f"{row[key] / unit:,.3g}", f"{base[key] / row[key]:,.2f}"]
        table.add_row(*cells, f"{row['psnr_db']:.1f}")
    Console(width=None if sys.stdout.isatty() else 100).print(table)


if __name__ == "__main__":
    main()
