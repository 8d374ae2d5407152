"""An object in the room at many distances: on a surface, and by a mask.

Lenses of one student run in Node.js, in the stand-in for Lens Studio, in front of the same room:
with a material and without one. What they show is compared with the ideal: the student's own
picture from the distance of the photos, enlarged or shrunk to its size there, in front of that
room. Where the student has no alpha, it is the matte of its colours. The figure for
combs is the amplitude of the difference at the frequency of the ray grid, in 255ths. Another bundle
of the same student, say of an earlier version, can run beside them.

    python benchmarks/lens_room.py examples/mic-alpha.pt --output out/room.png
    python benchmarks/lens_room.py examples/mic.pt --beside out/mic-room
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.console import Console
from rich.table import Table

from mobile_nelf.cameras import look_at
from mobile_nelf.checkpoints import Checkpoint, load_checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.export.parity import IDENTICAL_DB
from mobile_nelf.metrics import psnr_db
from mobile_nelf.pictures import from_uint8
from mobile_nelf.rendering import student_frame_function
from mobile_nelf_exporters.lens.constants import room_constants
from mobile_nelf_exporters.lens.exporter import LensStudioExporter
from mobile_nelf_exporters.lens.options import Options
from mobile_nelf_exporters.lens.paths import project_files
from mobile_nelf_exporters.lens.player.draw import Surface, View, draw_surface
from mobile_nelf_exporters.lens.player.drive import SETTLED_FRAMES
from mobile_nelf_exporters.lens.player.material import with_material
from mobile_nelf_exporters.lens.player.room import room_picture
from mobile_nelf_exporters.lens.player.session import LensSession
from mobile_nelf_exporters.lens.view import PHONE_FOV_DEG
from mobile_nelf_exporters.onnx.picture import MATTE_FLOOR, MATTE_SLOPE

BESIDE = "beside"
DISTANCES_CM = (30, 40, 55, 80, 100, 150, 300)
SCREEN = (540, 960)
#: Where the phone goes, degrees from where it began: aside, and up.
AZIMUTH, ELEVATION = 25.0, 20.0

Floats = npt.NDArray[np.float64]
Screen = npt.NDArray[np.uint8]


def files_below(bundle: Path) -> dict[str, bytes]:
    """The project in a bundle."""
    return project_files(
        {
            path.relative_to(bundle).as_posix(): path.read_bytes()
            for path in sorted(bundle.rglob("*"))
            if path.is_file()
        }
    )


def phone_at(distance: float, start_cm: float) -> Floats:
    """The pose of a phone that looks at the object from a distance."""
    a, e = math.radians(AZIMUTH), math.radians(ELEVATION)
    target = np.array([0.0, 0.0, -start_cm])
    away = np.array([math.cos(e) * math.sin(a), math.sin(e), math.cos(e) * math.cos(a)])
    return look_at(target + distance * away, target, up=(0.0, 1.0, 0.0))


def ideal(
    checkpoint: Checkpoint, contract: Contract, units: float, distance: float, room: Screen
) -> tuple[Screen, npt.NDArray[np.bool_], float]:
    """The picture of the student from its own distance, on the screen; its pixels; pixels a ray."""
    orbit, lens = contract.orbit, contract.intrinsics
    radius = float(np.clip(distance * units, *orbit.radius))
    middle = sum(orbit.azimuth) / 2
    pose = orbit.pose(middle + AZIMUTH, ELEVATION, radius)
    picture = student_frame_function(checkpoint)(checkpoint.ray_camera(pose)).astype(float)
    alpha = picture[..., 3:]
    if contract.student.out_channels == 3:
        distance_from = np.abs(picture - np.array(contract.background)).sum(axis=2, keepdims=True)
        alpha = np.clip(MATTE_SLOPE * (distance_from - MATTE_FLOOR), 0.0, 1.0)
    cut = np.concatenate(
        [picture[..., :3] - (1 - alpha) * np.array(contract.background), alpha], axis=2
    )
    # A plane across the line of sight, drawn from straight ahead.
    left, right = -lens.cx / lens.fx, (lens.width - lens.cx) / lens.fx
    top, bottom = lens.cy / lens.fy, -(lens.height - lens.cy) / lens.fy
    scale = radius / units
    corners = [(left, bottom, 0, 0), (right, bottom, 1, 0), (right, top, 1, 1), (left, top, 0, 1)]
    vertices = tuple((x * scale, y * scale, -distance, u, v) for x, y, u, v in corners)
    surface = Surface(0, 0, "PremultipliedAlpha", (1, 1, 1, 1), vertices, (0, 1, 2, 0, 2, 3))
    view = View((0, 0, 0), (1, 0, 0, 0), math.radians(PHONE_FOV_DEG), False, 20.0)
    shown = draw_surface(room, surface, cut, view)
    # What 8 bits hold of it.
    seen = np.rint(np.clip(cut, 0, 1) * 255).any(axis=2, keepdims=True)
    covered = np.repeat(seen.astype(float), 4, axis=2)
    every = replace(surface, tint=(255, 255, 255, 255))
    mask = draw_surface(np.zeros_like(room), every, covered, view)[..., 0] > 0
    tall = SCREEN[1] / (2 * math.tan(math.radians(PHONE_FOV_DEG) / 2))
    return shown, mask, contract.student.scale / lens.fx * scale / distance * tall


def combs(difference: Floats, mask: npt.NDArray[np.bool_], period: float) -> float:
    """Amplitude at the frequency of the ray grid, of the object's rectangle, in 255ths."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    part = (difference.mean(axis=2) * mask)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    total = 0.0
    for axis in (0, 1):
        size = part.shape[axis]
        phase = np.exp(-2j * math.pi * np.arange(size) / period)
        lines = np.tensordot(phase, part, axes=(0, axis)) / size
        total += float((np.abs(lines) ** 2).mean())
    return 2.0 * 255.0 * math.sqrt(total)


def measure(
    checkpoint: Checkpoint, beside: Path | None = None
) -> tuple[list[dict[str, float]], list[list[Image.Image]]]:
    """Returns figures and pictures by distance: ideal, surface, mask, bundle beside them."""
    exported = LensStudioExporter().export(checkpoint, "Room", Options(experience="world"))
    files = project_files(exported.files)
    units, start = room_constants(files)
    here = np.hstack([np.eye(3), np.zeros((3, 1))])
    lenses = {
        "surface": LensSession(with_material(files), screen=SCREEN),
        "mask": LensSession(files, screen=SCREEN),
    }
    if beside is not None:
        lenses[BESIDE] = LensSession(files_below(beside), screen=SCREEN)
    for lens in lenses.values():
        lens.set_device(here, PHONE_FOV_DEG)
        lens.start()
        for _ in range(SETTLED_FRAMES):
            lens.update()
    figures, pictures = [], []
    for distance in DISTANCES_CM:
        pose = phone_at(distance, start)
        room = room_picture(pose, PHONE_FOV_DEG, SCREEN)
        wanted, mask, period = ideal(checkpoint, exported.contract, units, distance, room)
        row: dict[str, float] = {"distance_cm": distance, "object_pixels": int(mask.sum())}
        shown = [Image.fromarray(wanted)]
        for name, lens in lenses.items():
            lens.see(room)
            lens.set_device(pose, PHONE_FOV_DEG)
            lens.update()
            found = lens.screen()
            if lens.status:
                raise SystemExit(f"{name}: {lens.status}")
            object_found, object_wanted = from_uint8(found[mask]), from_uint8(wanted[mask])
            row[f"{name}_db"] = min(psnr_db(object_found, object_wanted), IDENTICAL_DB)
            difference = (found.astype(float) - wanted) / 255.0
            row[f"{name}_combs"] = combs(difference, mask, period)
            row[f"{name}_room_changed"] = int((found != room).any(axis=2)[~mask].sum())
            shown.append(Image.fromarray(found))
        figures.append(row)
        pictures.append(shown)
    for lens in lenses.values():
        lens.close()
    return figures, pictures


def write_sheet(pictures: list[list[Image.Image]], path: Path) -> None:
    """Writes screens at half of their size, one inner list a column."""
    width, height = SCREEN[0] // 2, SCREEN[1] // 2
    sheet = Image.new("RGB", (width * len(pictures), height * len(pictures[0])))
    for column, shown in enumerate(pictures):
        for line, picture in enumerate(shown):
            small = picture.resize((width, height), Image.Resampling.LANCZOS)
            sheet.paste(small, (column * width, line * height))
    sheet.save(path, optimize=True)


def main() -> None:
    """Prints the table, and writes the pictures: a column a distance, the ideal on top."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--beside", type=Path, help="another bundle of the same student")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures, pictures = measure(load_checkpoint(options.checkpoint), options.beside)
    if options.output:
        write_sheet(pictures, options.output)
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    table = Table(title=f"{options.checkpoint.name}, screen of {SCREEN[0]}×{SCREEN[1]} pixels")
    table.add_column("cm", justify="right")
    sides = ("surface", "mask", *([BESIDE] if options.beside else []))
    for title in ("dB", "combs", "room changed"):
        for side in sides:
            table.add_column(f"{title}, {side}", justify="right")
    for row in figures:
        table.add_row(
            f"{row['distance_cm']:g}",
            *(f"{row[f'{name}_db']:.1f}" for name in sides),
            *(f"{row[f'{name}_combs']:.2f}" for name in sides),
            *(f"{row[f'{name}_room_changed']:,}" for name in sides),
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
