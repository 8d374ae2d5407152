"""What each way to store the weights of a Core ML package costs in test PSNR.

Every package is run here, exactly, on test views of the scene and judged against the photos by the
project's protocol; the first row is the trained network itself.

    python benchmarks/coreml_weights.py CHECKPOINT SCENE
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mobile_nelf.cameras import Camera
from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.compression.palettes import rounded_for
from mobile_nelf.deploy.contract import default_activation, make_contract
from mobile_nelf.deploy.eight_bits import INT8
from mobile_nelf.deploy.form import deploy_form
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.metrics import psnr_db
from mobile_nelf.pictures import on_white
from mobile_nelf.rendering import student_frame_function
from mobile_nelf.scenes import View, read_scene
from mobile_nelf.vocabulary import WeightForm
from mobile_nelf_exporters.coreml.activations import activations_in_8_bits
from mobile_nelf_exporters.coreml.compress import compress
from mobile_nelf_exporters.coreml.convert import convert, package_files
from mobile_nelf_exporters.coreml.package.package import read_package
from mobile_nelf_exporters.coreml.runtimes import frame_function

#: The oldest in which all forms can be stored.
IOS = 17
LAYOUT = "factored"

FrameFunction = Callable[[Camera], npt.NDArray[np.float32]]


def test_psnr_db(frame: FrameFunction, views: tuple[View, ...], rays: tuple[int, int]) -> float:
    """Returns the mean over views, as `mnelf eval` computes it."""
    return statistics.mean(
        psnr_db(np.clip(frame(view.camera.resized(*rays)), 0.0, 1.0), on_white(view.rgba()))
        for view in views
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("scene", type=Path)
    parser.add_argument("--forms", nargs="+", choices=get_args(WeightForm), help="default: all")
    parser.add_argument("--views", type=int, help="test views to judge; default: all")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    checkpoint = load_checkpoint(options.checkpoint)
    student = checkpoint.student
    rays = (student.ray_width, student.ray_height)
    views = read_scene(options.scene).cropped(student.scale).views("test")
    views = views[:: max(len(views) // (options.views or len(views)), 1)]
    layout, activation = find_layout(LAYOUT), default_activation(checkpoint, "erf")
    contract = make_contract(checkpoint, layout, activation)
    trained = test_psnr_db(student_frame_function(checkpoint), views, rays)
    rows: list[dict[str, Any]] = [{"weights": "trained, fp32", "bytes": None, "psnr_db": trained}]
    rounded = rounded_for(checkpoint, options.forms or get_args(WeightForm))
    for weights in track(rounded, "forms", console=Console(stderr=True)):
        form = deploy_form(rounded[weights], layout, activation, expand=False)
        model = convert(form, contract, IOS)
        if weights == INT8:
            model = activations_in_8_bits(model, checkpoint, contract)
        else:
            model = compress(model, weights)
        files = package_files(model, "model.mlpackage", contract, weights)
        package = read_package(files, "model.mlpackage")
        frame, _ = frame_function(package, contract, emulate_fp16=False)
        rows.append(
            {
                "weights": weights,
                "bytes": sum(map(len, files.values())),
                "psnr_db": test_psnr_db(frame, views, rays),
            }
        )
    conditions = (
        f"{options.checkpoint.name}: {student.name} of width {student.width}, "
        f"{student.image_width}×{student.image_height}; mean of {len(views)} test views of "
        f"{options.scene.resolve().name}; coremltools {version('coremltools')}, iOS {IOS}"
    )
    if options.json:
        print(json.dumps({"conditions": conditions, "rows": rows}, indent=1))
        return
    table = Table(box=box.MARKDOWN)
    for column in ("weights", "package", "of fp16", "test PSNR", "lost"):
        table.add_column(column, justify="left" if column == "weights" else "right")
    full = rows[1]["bytes"]
    for row in rows:
        stored = row["bytes"]
        table.add_row(
            row["weights"],
            "" if stored is None else f"{stored / 1e6:.2f} MB",
            "" if stored is None else f"{100 * stored / full:.0f} %",
            f"{row['psnr_db']:.2f} dB",
            # Plus 0, or a loss of nothing would have a sign.
            "" if stored is None else f"{round(trained - row['psnr_db'], 2) + 0.0:.2f} dB",
        )
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table)
    console.print(conditions)


if __name__ == "__main__":
    main()
