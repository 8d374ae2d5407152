"""What a picture loses when rays are spaced otherwise than in training, to cancel a stretch.

Rows of rays are spaced wider, as a screen taller than the picture needs; the picture is stretched
by as much, as the screen does, and compared with the student's own. The last column stretches a
shrunken picture of the student's own: what is lost by having fewer rows, whatever draws them.

    python benchmarks/ray_spacing.py examples/mic.pt
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional

from mobile_nelf.cameras import Camera
from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.metrics import psnr_db
from mobile_nelf.pictures import FloatImage
from mobile_nelf.rendering import student_frame_function

#: Rows to columns of a screen for a square picture: an eighth taller than wide, 4:3 and 16:9.
STRETCHES = (8 / 7, 4 / 3, 16 / 9)


def resized(frame: FloatImage, rows: int) -> FloatImage:
    """A picture [rows, columns, channels] with another number of rows."""
    planes = torch.tensor(frame).permute(2, 0, 1)[None]
    size = (rows, frame.shape[1])
    changed = functional.interpolate(planes, size, mode="bicubic", antialias=True)
    return np.ascontiguousarray(changed[0].permute(1, 2, 0).clamp(0, 1).numpy())


def middle(frame: FloatImage, rows: int) -> FloatImage:
    """The middle rows of a picture."""
    first = (frame.shape[0] - rows) // 2
    return frame[first : first + rows]


def measure(path: Path, frames: int) -> dict[str, dict[str, float]]:
    checkpoint = load_checkpoint(path)
    render = student_frame_function(checkpoint)
    cameras = [checkpoint.ray_camera(pose) for pose in checkpoint.orbit.sweep(frames)]
    rows = {}
    for stretch in STRETCHES:
        spaced, shrunken = [], []
        for camera in cameras:
            own = render(camera)
            lens = camera.intrinsics
            wide = Camera(camera.cam_to_world, replace(lens, fy=lens.fy / stretch))
            height = own.shape[0]
            # Even differences, so that the middle stays where it is.
            tall = height + 2 * round(height * (stretch - 1) / 2)
            few = height - 2 * round(height * (1 - 1 / stretch) / 2)
            spaced.append(psnr_db(middle(resized(render(wide), tall), height), own))
            shrunken.append(psnr_db(resized(resized(own, few), height), own))
        rows[f"{stretch:.2f}"] = {
            "spaced_median_db": float(np.median(spaced)),
            "spaced_worst_db": min(spaced),
            "shrunken_median_db": float(np.median(shrunken)),
        }
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure(options.checkpoint, options.frames)
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    table = Table(title=f"{options.checkpoint.name}: dB against the student's own pictures")
    for title in ("rows spaced by", "median", "worst", "shrunken: median"):
        table.add_column(title, justify="right")
    for stretch, row in rows.items():
        table.add_row(stretch, *(f"{value:.1f}" for value in row.values()))
    Console(width=None if sys.stdout.isatty() else 100).print(table)


if __name__ == "__main__":
    main()
