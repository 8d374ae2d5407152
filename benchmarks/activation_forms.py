"""What each way to compute the trained activation does to the picture.

For every form that stands for the student's activation: the worst of eight reference frames against
the trained network, and the SnapML back-ends that run the network in that form.

    python benchmarks/activation_forms.py CHECKPOINT
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import onnxruntime
from rich.console import Console
from rich.table import Table

from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.deploy.form import ACTIVATION_FORMS
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.export.parity import compare_frames
from mobile_nelf.rendering import student_frame_function
from mobile_nelf_exporters.onnx.build import build_onnx
from mobile_nelf_exporters.onnx.runtime import frame_function
from mobile_nelf_exporters.snapml.check import check_snapml
from mobile_nelf_exporters.snapml.schema import BACKEND_TITLES

ASSUMED = {"gelusnap": "as erf, which Snap does not document"}


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    checkpoint = load_checkpoint(options.checkpoint)
    cameras = [checkpoint.ray_camera(pose) for pose in checkpoint.orbit.sweep(options.frames)]
    student_frame = student_frame_function(checkpoint)
    wanted = [student_frame(camera) for camera in cameras]
    rows = []
    for form in ACTIVATION_FORMS[checkpoint.student.activation]:
        model, contract = build_onnx(checkpoint, find_layout("embedded"), form, expand=True)
        frame = frame_function(model, contract)
        leg = compare_frames(form, [frame(camera) for camera in cameras], wanted)
        backends = [BACKEND_TITLES[b] for b in check_snapml(model).complete_backends]
        rows.append(
            {
                "form": form,
                "executed": ASSUMED.get(form, "as written"),
                "psnr_db": leg.psnr_db,
                "max_error": leg.max_error,
                "backends": backends,
            }
        )
    conditions = (
        f"{options.checkpoint.name}: {checkpoint.student.name}, trained with "
        f"{checkpoint.student.activation}; {options.frames} frames; "
        f"onnxruntime {onnxruntime.__version__}"
    )
    if options.json:
        print(json.dumps({"conditions": conditions, "rows": rows}, indent=1))
        return
    table = Table(title=conditions, title_justify="left")
    for column in ("form", "executed", "worst dB", "largest error", "SnapML back-ends"):
        table.add_column(column)
    for row in rows:
        table.add_row(
            row["form"],
            row["executed"],
            f"{row['psnr_db']:.1f}",
            f"{row['max_error']:.1g}",
            ", ".join(row["backends"]) or "none",
        )
    Console(width=None if sys.stdout.isatty() else 100).print(table)


if __name__ == "__main__":
    main()
