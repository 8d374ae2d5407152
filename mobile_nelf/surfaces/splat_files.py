"""Files of splats: `.ply` as 3D Gaussian Splatting writes it, and `.spz`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mobile_nelf.errors import InputError, require
from mobile_nelf.surfaces.frames import Y_DOWN, Y_UP
from mobile_nelf.surfaces.ply import read_ply, write_ply
from mobile_nelf.surfaces.splats import Splats, turned
from mobile_nelf.surfaces.spz import read_spz, write_spz

__all__ = ["SPLAT_SUFFIXES", "read_splats", "write_splats"]

SPLAT_SUFFIXES = (".ply", ".spz")

#: The spherical harmonic of degree 0, which is the same in all directions.
HARMONIC = 0.5 / np.sqrt(np.pi)

#: In the order of the reference code; its normals are zero.
FIELDS = (
    *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"),
    *("scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
)
#: Of colours that depend on the direction.
DIRECTIONAL = "f_rest_0"


def write_splats(path: Path, splats: Splats, scale: float, comment: str) -> None:
    """Writes splats of a scene's world into a new file; its ending tells the format.

    Args:
        path: `.ply`, y down, or `.spz`, y up.
        splats: in the world of the scene.
        scale: units of the file a unit of that world.
        comment: a line for people, where the format has room for one.
    """
    if path.suffix.lower() == ".spz":
        write_spz(path, turned(splats, Y_UP, scale))
        return
    splats = turned(splats, Y_DOWN, scale)
    rows = np.zeros(len(splats.centres), [(name, "<f4") for name in FIELDS])
    colours = (splats.colours - 0.5) / HARMONIC
    logits = np.log(splats.opacity) - np.log1p(-splats.opacity)
    parts = (splats.centres, colours, logits[:, None], np.log(splats.scales), splats.rotations)
    names = (name for name in FIELDS if not name.startswith("n"))
    for name, column in zip(names, np.concatenate(parts, 1).T, strict=True):
        rows[name] = column
    write_ply(path, rows, ["closed-form surface splats of mobile-nelf, not trained", comment])


def read_splats(path: Path) -> Splats:
    """Returns the splats in a file that `write_splats` or another program wrote.

    Args:
        path: `.ply`, taken as y down, or `.spz`, as y up.

    Returns:
        Splats z up, in the units of the file.

    Raises:
        InputError: there is no such file, it is damaged, or its colours depend on the direction.
    """
    require(path, "a file of splats")
    if path.suffix.lower() == ".spz":
        return turned(read_spz(path), Y_UP.T)
    rows = read_ply(path)
    names = rows.dtype.names or ()
    lacking = [name for name in FIELDS if name not in names and not name.startswith("n")]
    if lacking:
        raise InputError(
            f"{path}: is not a file of splats, it has no {', '.join(lacking)}; expected what "
            "3D Gaussian Splatting writes"
        )
    if DIRECTIONAL in names and any(
        np.any(rows[name]) for name in names if name.startswith("f_rest_")
    ):
        raise InputError(
            f"{path}: its colours depend on the direction; only splats of degree 0 are drawn here"
        )

    def columns(*wanted: str) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # judged below
            return np.stack([rows[name] for name in wanted], 1).astype(np.float64)

    values = {name: columns(*(f for f in FIELDS if f.startswith(name))) for name in ("f_dc", "rot")}
    with np.errstate(over="ignore"):
        scales = np.exp(columns("scale_0", "scale_1", "scale_2"))
        opacity = 1.0 / (1.0 + np.exp(-columns("opacity")[:, 0]))
    lengths = np.linalg.norm(values["rot"], axis=1, keepdims=True)
    splats = Splats(
        columns("x", "y", "z"),
        scales,
        values["rot"] / np.where(lengths > 0.0, lengths, 1.0),
        opacity.astype(np.float32),
        (0.5 + HARMONIC * values["f_dc"]).astype(np.float32),
    )
    parts = (splats.centres, splats.scales, splats.rotations, splats.colours)
    if not len(rows) or not all(np.isfinite(part).all() for part in parts):
        raise InputError(f"{path}: holds no splats, or numbers that are not finite")
    return turned(splats, Y_DOWN.T)
