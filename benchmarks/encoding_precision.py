"""Error of the positional encoding by input layout, in float32 and in float16, against float64.

The setting is that of D60-SR3 on a Blender scene: 100×100 rays of focal 138.9, eight samples from 2
to 6, six octaves, poses at radius 4.03. What the host computes is rounded once when it is uploaded;
then three arithmetics:

    fp32            uploads and graph in float32
    fp16            uploads, weights and every operator's result rounded to float16 (a 1×1 conv sums
                    in float32 and rounds its result)
    fp16 storage    uploads rounded to float16, the graph in float64: what is lost before it starts

    python benchmarks/encoding_precision.py
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from mobile_nelf.cameras import Camera, Intrinsics, OrbitLimits
from mobile_nelf.deploy.layouts import Layout, find_layout
from mobile_nelf.encoding import encode, official_to_grouped
from mobile_nelf.rays import ray_grid, sample_depths, sample_points
from mobile_nelf.students import EncoderConfig, StudentConfig

FloatArray = npt.NDArray[np.float64]

STUDENT = StudentConfig(EncoderConfig(near=2.0, far=6.0))
LENS = Intrinsics.centred(STUDENT.ray_width, STUDENT.ray_height, 138.9)
ORBIT = OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (0, 90), (4.03, 4.03))

#: Name in the tables: layout, and whether in the form that broadcasts nothing.
FORMS = {
    "embedded": ("embedded", False),
    "rays": ("rays", False),
    "camera": ("camera", False),
    "factored": ("factored", False),
    "factored, SnapML form": ("factored", True),
}
BY_OCTAVE = ("rays", "camera", "factored")
ARITHMETICS = ("fp32", "fp16", "fp16 storage")


@dataclass(frozen=True)
class Errors:
    """Errors over all poses, pixels and samples.

    Attributes:
        octaves: largest error of the sines and cosines of each octave.
        coordinate: largest error of the coordinates themselves, world units.
        rms: of all channels.
    """

    octaves: list[float]
    coordinate: float
    rms: float

    @property
    def trig(self) -> float:
        """Largest error of any sine or cosine."""
        return max(self.octaves)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--poses", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.poses < 1:
        parser.error("--poses must be positive")
    cameras = [Camera(pose, LENS) for pose in ORBIT.sweep(options.poses)]
    references = [grouped_reference(camera) for camera in cameras]
    errors = {
        name: {
            arithmetic: measure(find_layout(layout), expand, arithmetic, cameras, references)
            for arithmetic in ARITHMETICS
        }
        for name, (layout, expand) in FORMS.items()
    }
    conditions = (
        f"{options.poses} poses at radius {ORBIT.radius[0]:g}, {LENS.width}×{LENS.height} rays of "
        f"focal {LENS.fx:g}, {STUDENT.encoder.samples} samples from {STUDENT.encoder.near:g} to "
        f"{STUDENT.encoder.far:g}, {STUDENT.encoder.frequencies} octaves; torch "
        f"{torch.__version__}, numpy {np.__version__}, {platform.machine()} CPU"
    )
    if options.json:
        print(json.dumps({"conditions": conditions, "layouts": as_json(errors)}, indent=1))
        return
    console = Console(width=100 if not sys.stdout.isatty() else None)
    console.print(layout_table(errors, conditions))
    console.print(octave_table(errors))


def grouped_reference(camera: Camera) -> FloatArray:
    """Returns the float64 encoding [2L+1, C, h, w]: L sines, L cosines, the coordinate."""
    encoder = STUDENT.encoder
    depths = sample_depths(encoder.near, encoder.far, encoder.samples)
    points = torch.from_numpy(sample_points(ray_grid(camera), depths))[None]
    official = encode(points, encoder.frequencies)[0].numpy()
    return by_group(official[official_to_grouped(encoder.coords, encoder.frequencies)])


def by_group(encoded: FloatArray) -> FloatArray:
    return encoded.reshape(-1, STUDENT.encoder.coords, STUDENT.ray_height, STUDENT.ray_width)


def measure(
    layout: Layout,
    expand: bool,
    arithmetic: str,
    cameras: list[Camera],
    references: list[FloatArray],
) -> Errors:
    encoder = STUDENT.encoder
    stored = torch.float32 if arithmetic == "fp32" else torch.float16
    computed = torch.float64 if arithmetic == "fp16 storage" else stored
    module: nn.Module = layout.encoder(STUDENT, expand).to(computed)
    order = official_to_grouped(encoder.coords, encoder.frequencies)
    groups = 2 * encoder.frequencies + 1
    largest = np.zeros(groups)
    squares = 0.0
    for camera, reference in zip(cameras, references, strict=True):
        uploads = layout.host(camera, encoder)
        arguments = [
            torch.from_numpy(uploads[spec.name]).to(stored).to(computed)
            for spec in layout.inputs(STUDENT)
        ]
        with torch.inference_mode():
            encoded = module(*arguments)[0].double().numpy()
        error = np.abs(by_group(encoded if layout.grouped else encoded[order]) - reference)
        largest = np.maximum(largest, error.reshape(groups, -1).max(axis=1))
        squares += float(np.mean(error**2))
    octaves = largest[:-1].reshape(2, encoder.frequencies).max(axis=0)
    return Errors(octaves.tolist(), float(largest[-1]), math.sqrt(squares / len(cameras)))


def upload_bytes(name: str) -> int:
    layout, _ = FORMS[name]
    return sum(spec.bytes for spec in find_layout(layout).inputs(STUDENT))


def as_json(errors: dict[str, dict[str, Errors]]) -> list[dict[str, Any]]:
    return [
        {
            "layout": name,
            "upload_bytes": upload_bytes(name),
            **{
                arithmetic.replace(" ", "_"): {
                    "trig_max": error.trig,
                    "trig_max_by_octave": error.octaves,
                    "coordinate_max": error.coordinate,
                    "rms": error.rms,
                }
                for arithmetic, error in by_arithmetic.items()
            },
        }
        for name, by_arithmetic in errors.items()
    ]


def layout_table(errors: dict[str, dict[str, Errors]], conditions: str) -> Table:
    table = Table(
        title=f"Encoding against float64. {conditions}",
        title_justify="left",
        caption="largest error of a sine or cosine, of a coordinate, and rms of all channels",
    )
    table.add_column("layout")
    for column in ("upload bytes", "arithmetic", "sin, cos", "coordinate", "rms"):
        table.add_column(column, justify="left" if column == "arithmetic" else "right")
    for name, by_arithmetic in errors.items():
        for arithmetic, error in by_arithmetic.items():
            first = arithmetic == ARITHMETICS[0]
            table.add_row(
                name if first else "",
                f"{upload_bytes(name):,}" if first else "",
                arithmetic,
                *(f"{value:.1e}" for value in (error.trig, error.coordinate, error.rms)),
                end_section=arithmetic == ARITHMETICS[-1],
            )
    return table


def octave_table(errors: dict[str, dict[str, Errors]]) -> Table:
    table = Table(title="Largest error of a sine or cosine by octave", title_justify="left")
    table.add_column("argument")
    columns = [(name, arithmetic) for name in BY_OCTAVE for arithmetic in ("fp32", "fp16")]
    for name, arithmetic in columns:
        table.add_column(f"{name} {arithmetic}", justify="right")
    for level in range(STUDENT.encoder.frequencies):
        numbers = [f"{errors[name][arithmetic].octaves[level]:.1e}" for name, arithmetic in columns]
        table.add_row(f"{2**level}·x", *numbers)
    return table


if __name__ == "__main__":
    main()
