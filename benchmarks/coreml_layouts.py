"""What each input layout keeps of the picture in a Core ML package.

Every layout is converted with fp16 weights and run here on reference poses: exactly, and with every
result rounded to fp16, as a Neural Engine may. The last row is the usual export, a pose in and
everything in fp16, which takes sines of rounded phases.

    python benchmarks/coreml_layouts.py CHECKPOINT
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.deploy.contract import default_activation, make_contract
from mobile_nelf.deploy.form import deploy_form
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.export.parity import compare_frames
from mobile_nelf.rendering import student_frame_function
from mobile_nelf.vocabulary import LayoutName
from mobile_nelf_exporters.coreml.checks import program_facts
from mobile_nelf_exporters.coreml.convert import convert, package_files
from mobile_nelf_exporters.coreml.layouts import in_layout
from mobile_nelf_exporters.coreml.package.package import read_package
from mobile_nelf_exporters.coreml.placement import place
from mobile_nelf_exporters.coreml.runtimes import frame_function

IOS = 17
#: Layout, whether its encoder is computed in fp32 (None: where it has trigonometry), and a name.
WAYS: tuple[tuple[LayoutName, bool | None, str], ...] = (
    ("factored", None, "factored (the default)"),
    ("embedded", None, "embedded"),
    ("rays", None, "rays, encoder in fp32"),
    ("camera", None, "camera, encoder in fp32"),
    ("camera", False, "camera, all in fp16"),
)


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
    activation = default_activation(checkpoint, "erf")
    rows: list[dict[str, Any]] = []
    main_contract = make_contract(checkpoint, find_layout("factored"), activation)
    main_contract = replace(
        main_contract,
        inputs=tuple(replace(spec, dtype="fp16") for spec in main_contract.inputs),
        output=replace(main_contract.output, dtype="fp16"),
    )
    for name, encoder_in_fp32, title in track(WAYS, "layouts", console=Console(stderr=True)):
        layout = find_layout(name)
        contract = in_layout(main_contract, name)
        form = deploy_form(checkpoint, layout, activation, expand=False)
        model = convert(form, contract, IOS, encoder_in_fp32=encoder_in_fp32)
        files = package_files(model, "model.mlpackage", contract, "fp16")
        package = read_package(files, "model.mlpackage")
        placement = place(program_facts(package))
        row: dict[str, Any] = {
            "layout": title,
            "package_bytes": sum(map(len, files.values())),
            "upload_bytes": contract.upload_bytes,
            "operations_off_neural_engine": placement.count("gpu_or_cpu"),
            "convs_off_neural_engine": placement.count("gpu_or_cpu", ("conv", "conv_transpose")),
        }
        for mode, emulated in (("exact", False), ("fp16", True)):
            frame, _ = frame_function(package, contract, emulate_fp16=emulated)
            leg = compare_frames(title, [frame(camera) for camera in cameras], wanted)
            row |= {f"{mode}_db": leg.psnr_db, f"{mode}_max_error": leg.max_error}
        rows.append(row)
    conditions = (
        f"{options.checkpoint.name}: {checkpoint.student.name} of width "
        f"{checkpoint.student.width}, {checkpoint.student.activation}; worst of {options.frames} "
        f"poses against the trained network; coremltools {version('coremltools')}, iOS {IOS}"
    )
    if options.json:
        print(json.dumps({"conditions": conditions, "rows": rows}, indent=1))
        return
    table = Table(box=box.MARKDOWN)
    for column in ("layout", "upload", "exact dB", "fp16 dB", "largest error", "off the ANE"):
        table.add_column(column, justify="left" if column == "layout" else "right")
    for row in rows:
        table.add_row(
            row["layout"],
            f"{row['upload_bytes']:,} B",
            f"{row['exact_db']:.1f}",
            f"{row['fp16_db']:.1f}",
            f"{row['fp16_max_error']:.1g}",
            f"{row['operations_off_neural_engine']} ({row['convs_off_neural_engine']} convs)",
        )
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table)
    console.print(conditions)


if __name__ == "__main__":
    main()
