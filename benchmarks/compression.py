"""What smaller students cost: size, work, time and quality, beside what the paper printed.

Every row starts from the same student. Times are of one processor in ONNX Runtime, all rows
in turns in one process, and the medians count; seconds are processor time of the compression. The
students stay in a folder: the same command resumes, and one with more rows
makes only those.

    python benchmarks/compression.py CHECKPOINT SCENE FOLDER [--rows ours-30 ours-50 …]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from rich.console import Console
from rich.table import Table

import mobile_nelf as mn
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.comparison.paper import PAPER_ROWS
from mobile_nelf.export.speed import run_here
from mobile_nelf.pruning.layers import anatomy, folded, working_network
from mobile_nelf.pruning.widths import macs, parameters
from mobile_nelf.runs import run_folder
from mobile_nelf.scenes import read_scene

#: The rows, and what `compress` is asked for.
ROWS: dict[str, dict[str, Any]] = {
    "magnitude-30": {"keep": 0.7, "method": "magnitude"},
    "magnitude-50": {"keep": 0.5, "method": "magnitude"},
    "ours-30": {"keep": 0.7},
    "ours-50": {"keep": 0.5},
    "ours-30-tail": {"keep": 0.7, "train_only": "tail"},
    "ours-fast": {"speed": 2.0},
    "bits-6": {"bits": "6"},
    "bits-4": {"bits": "4"},
    "bits-mixed": {"bits": "mixed"},
    "ours-30-mixed": {"keep": 0.7, "bits": "mixed"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("scene", type=Path)
    parser.add_argument("folder", type=Path, help="for the students")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    scene = read_scene(options.scene)
    whole = folded(mn.load(options.checkpoint))
    students: dict[str, tuple[Checkpoint, float | None]] = {"unpruned": (whole, 0.0)}
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.rows:
        print(name, file=sys.stderr)
        students[name] = _student(options, name, scene)
    runs = run_here(*(student for student, _ in students.values()))
    rows = [
        {
            "row": name,
            "ms": run.ms,
            "peak_mb": run.peak_bytes / 1e6,
            "cpu_s": seconds,
            **_figures(student, scene),
        }
        for (name, (student, seconds)), run in zip(students.items(), runs, strict=True)
    ]
    conditions = (
        f"{options.checkpoint.name}: {whole.student.name} of width {whole.student.width}; "
        f"{len(scene.test)} test views; onnxruntime {onnxruntime.__version__}, one thread; "
        f"{options.steps} steps"
    )
    if options.json:
        print(json.dumps({"conditions": conditions, "rows": rows}, indent=1))
        return
    table = Table(title=conditions, title_justify="left")
    columns = ("", "nonzero", "MB", "MMAC", "ms", "times", "peak MB", "PSNR dB", "SSIM", "CPU s")
    for column in columns:
        table.add_column(column, justify="left" if not column else "right")
    for row in rows:
        table.add_row(
            row["row"],
            f"{row['nonzero']:,}",
            f"{row['mb']:.2f}",
            f"{row['mmac']:.0f}",
            f"{row['ms']:.1f}",
            f"{rows[0]['ms'] / row['ms']:.2f}",
            f"{row['peak_mb']:.1f}",
            f"{row['psnr_db']:.2f}",
            f"{row['ssim']:.4f}",
            "" if row["cpu_s"] is None else f"{row['cpu_s']:.0f}",
        )
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table)
    for paper in PAPER_ROWS:
        figures = paper.figures
        fps = "" if figures is None or figures.fps is None else f", {figures.fps:g} FPS on an iPad"
        console.print(f"paper, {paper.name}: {paper.size_bytes / 1e6:.0f} MB{fps}; {paper.note}")


def _student(
    options: argparse.Namespace, name: str, scene: mn.Scene
) -> tuple[Checkpoint, float | None]:
    """Returns the student of a row and the seconds it took; None for a run of several processes."""
    path, record = options.folder / f"{name}.pt", options.folder / f"{name}.seconds.json"
    wanted = {
        "initial": mn.load(options.checkpoint).weights_sha256(),
        "steps": options.steps,
        **ROWS[name],
    }
    if path.exists() and record.exists():
        found = json.loads(record.read_text())
        if found["wanted"] != wanted:
            raise SystemExit(f"{path}: is of another checkpoint or another length; delete it")
        return mn.load(path), found["seconds"]
    resumed = run_folder(path).exists()
    began = time.process_time()
    done = mn.compress(
        options.checkpoint,
        path,
        scene=scene,
        steps=options.steps,
        device="cpu",
        force=True,
        **ROWS[name],
    )
    assert done.checkpoint is not None
    seconds = None if resumed else time.process_time() - began
    record.write_text(json.dumps({"wanted": wanted, "seconds": seconds}))
    return done.checkpoint, seconds


def _figures(student: Checkpoint, scene: mn.Scene) -> dict[str, Any]:
    score = mn.evaluate(student, scene).subsets["all"].mean
    return {
        "parameters": parameters(student.student),
        "nonzero": sum(int((value != 0).sum()) for value in student.weights.values()),
        "mb": _megabytes(student),
        "mmac": macs(student.student) / 1e6,
        "psnr_db": score.psnr_db,
        "ssim": score.ssim,
    }


def _megabytes(student: Checkpoint) -> float:
    """Tables and indices where a layer has few values, masks where it has zeros, else fp16."""
    layers = anatomy(working_network(student), student.student).layers()
    stored = 2 * sum(value.numel() for value in student.weights.values())
    for layer in layers:
        weight = student.weights[f"{layer.name}.weight"]
        values, count = len(torch.unique(weight)), weight.numel()
        nonzero = int((weight != 0).sum())
        forms = [2.0 * count, 2.0 * nonzero + count / 8]
        for bits in (4, 6, 8):
            if values <= 1 << bits:
                forms.append(count * bits / 8 + (2 << bits))
        stored += min(forms) - 2 * count
    return stored / 1e6


if __name__ == "__main__":
    main()
