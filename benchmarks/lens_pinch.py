"""An object on the screen while two fingers pinch it, with and without a material.

A lens of a student runs in Node.js, in the stand-in for Lens Studio. What it shows is compared with
the ideal: the student's own picture from the nearest distance that was photographed, enlarged or
shrunk to the size that was asked for. See `lens_room.py` for the figure for combs.

    python benchmarks/lens_pinch.py examples/mic.pt --output out/pinch.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from lens_room import SCREEN, combs, write_sheet
from PIL import Image
from rich.console import Console
from rich.table import Table

from mobile_nelf.checkpoints import Checkpoint, load_checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.export.parity import IDENTICAL_DB
from mobile_nelf.metrics import psnr_db
from mobile_nelf.pictures import from_uint8
from mobile_nelf.rendering import student_frame_function
from mobile_nelf_exporters.lens.exporter import LensStudioExporter
from mobile_nelf_exporters.lens.options import Options
from mobile_nelf_exporters.lens.paths import project_files
from mobile_nelf_exporters.lens.player.draw import Surface, View, draw_surface
from mobile_nelf_exporters.lens.player.material import with_material
from mobile_nelf_exporters.lens.player.session import LensSession

#: How much larger two fingers make the object.
PINCHES = (0.5, 0.67, 0.8, 1.0, 1.25, 1.6, 2.0)
#: Between the fingers, in heights of the screen, and where the first one is.
SPAN, FINGER = 0.2, (0.5, 0.3)
#: Of a colour, that tells the object from the background.
VISIBLE = 8

Screen = npt.NDArray[np.uint8]


def ideal(checkpoint: Checkpoint, contract: Contract, pinch: float) -> tuple[Screen, float]:
    """What the screen should show, and how many of its pixels a ray has."""
    orbit, lens = contract.orbit, contract.intrinsics
    distance = sum(orbit.radius) / 2 / pinch
    radius = float(np.clip(distance, *orbit.radius))
    pose = orbit.pose(sum(orbit.azimuth) / 2, sum(orbit.elevation) / 2, radius)
    picture = student_frame_function(checkpoint)(checkpoint.ray_camera(pose)).astype(float)
    # The whole picture fits on the screen at the distances of the photos.
    wide, high = lens.width / lens.fx, lens.height / lens.fy
    scale = min(SCREEN[0] / wide, SCREEN[1] / high) * radius / distance
    x, y = wide * scale / 2, high * scale / 2
    corners = [(-x, -y, 0, 0), (x, -y, 1, 0), (x, y, 1, 1), (-x, y, 0, 1)]
    vertices = tuple((left, up, -10.0, u, v) for left, up, u, v in corners)
    surface = Surface(0, 0, "Disabled", (1, 1, 1, 1), vertices, (0, 1, 2, 0, 2, 3))
    view = View((0, 0, 0), (1, 0, 0, 0), 1.0, True, float(SCREEN[1]))
    behind = np.rint(255 * np.array(contract.background)).astype(np.uint8)
    shown = draw_surface(np.tile(behind, (SCREEN[1], SCREEN[0], 1)), surface, picture, view)
    return shown, contract.student.scale / lens.fx * scale


def pinched(files: dict[str, bytes], pinch: float) -> Screen:
    """The screen after a pinch, fingers still down."""
    x, y = FINGER
    with LensSession(files, screen=SCREEN) as lens:
        lens.start()
        lens.update()
        lens.touch("start", 0, x, y)
        lens.touch("start", 1, x, y + SPAN)
        lens.touch("move", 1, x, y + SPAN * pinch)
        lens.update()
        if lens.status:
            raise SystemExit(lens.status)
        return lens.screen()


def measure(
    checkpoint: Checkpoint,
) -> tuple[list[dict[str, float]], list[list[Image.Image]]]:
    """Returns figures and pictures by pinch: ideal, with a material, without."""
    exported = LensStudioExporter().export(checkpoint, "Pinch", Options(experience="orbit"))
    files = project_files(exported.files)
    figures, pictures = [], []
    for pinch in PINCHES:
        wanted, period = ideal(checkpoint, exported.contract, pinch)
        behind = np.rint(255 * np.array(exported.contract.background))
        mask = (np.abs(wanted - behind) > VISIBLE).any(axis=2)
        row: dict[str, float] = {"pinch": pinch, "object_pixels": int(mask.sum())}
        shown = [Image.fromarray(wanted)]
        for name, lens in (("surface", with_material(files)), ("screen", files)):
            found = pinched(lens, pinch)
            shown.append(Image.fromarray(found))
            db = psnr_db(from_uint8(found[mask]), from_uint8(wanted[mask]))
            row[f"{name}_db"] = min(db, IDENTICAL_DB)
            row[f"{name}_combs"] = combs((found.astype(float) - wanted) / 255.0, mask, period)
        figures.append(row)
        pictures.append(shown)
    return figures, pictures


def main() -> None:
    """Prints the table, and writes the pictures: a column a pinch, the ideal on top."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures, pictures = measure(load_checkpoint(options.checkpoint))
    if options.output:
        write_sheet(pictures, options.output)
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    table = Table(title=f"{options.checkpoint.name}, screen of {SCREEN[0]}×{SCREEN[1]} pixels")
    table.add_column("pinch", justify="right")
    for title in ("dB", "combs"):
        for side in ("material", "none"):
            table.add_column(f"{title}, {side}", justify="right")
    for row in figures:
        cells = [
            row[f"{side}_{part}"] for part in ("db", "combs") for side in ("surface", "screen")
        ]
        table.add_row(
            f"{row['pinch']:g}",
            *(f"{cell:.{digits}f}" for cell, digits in zip(cells, (1, 1, 2, 2), strict=True)),
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
