"""Exports of a teacher to files of other programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_nelf.atomic import written_beside
from mobile_nelf.cameras import FloatArray
from mobile_nelf.compute import compute_device
from mobile_nelf.errors import InputError
from mobile_nelf.outputs import check_output
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.progress import Progress, silent
from mobile_nelf.surfaces.frames import Y_UP
from mobile_nelf.surfaces.glb import write_glb
from mobile_nelf.surfaces.ply import write_ply
from mobile_nelf.surfaces.sampling import even_points
from mobile_nelf.surfaces.skin import look_at_surface
from mobile_nelf.surfaces.splat_files import write_splats
from mobile_nelf.surfaces.splats import surface_splats
from mobile_nelf.surfaces.surface import Surface, find_surface, simplified
from mobile_nelf.teachers.files import TrainedTeacher, load_teacher
from mobile_nelf.vocabulary import DeviceName, SurfaceKind

__all__ = ["COUNTS", "MAX_COUNT", "ExportedSurface", "export_teacher", "surface_kind"]

#: Triangles, points or splats, unless told.
COUNTS: dict[SurfaceKind, int] = {"mesh": 20_000, "points": 100_000, "splat": 40_000}
#: What the samples of the density can tell apart, and more.
MAX_COUNT = 2_000_000
#: As of a lens in the room.
MAX_SIZE_CM = 10_000.0

#: Endings of files, and what each can hold.
SUFFIXES: dict[str, tuple[SurfaceKind, ...]] = {
    ".glb": ("mesh",),
    ".ply": ("points", "splat"),
    ".spz": ("splat",),
}


@dataclass(frozen=True)
class ExportedSurface:
    """A file for other programs.

    Attributes:
        path: of it.
        kind: what it holds.
        count: triangles, points or splats.
        bytes: its length.
        size: width, height and depth of the object, in the unit of the file.
        in_metres: whether that unit is the metre; the unit of the scene's world otherwise.
        dropped: small parts of the surface that were left out.
    """

    path: Path
    kind: SurfaceKind
    count: int
    bytes: int
    size: tuple[float, float, float]
    in_metres: bool
    dropped: int


def surface_kind(path: Path, kind: SurfaceKind | None) -> SurfaceKind:
    """Returns what a file of this name is to hold.

    Args:
        path: its ending tells, and where that leaves a choice a word in its name.
        kind: what the caller wants; None to go by the name.

    Raises:
        InputError: no such file can be written, or the name does not tell.
    """
    kinds = SUFFIXES.get(path.suffix.lower())
    if kinds is None:
        endings = "; ".join(f"{end} for {' or '.join(held)}" for end, held in SUFFIXES.items())
        raise InputError(
            f"{path}: its ending tells the format; expected {endings}", arguments=["output"]
        )
    if kind is None:
        named = [held for held in kinds if held in path.stem.lower()]
        candidates = kinds if len(kinds) == 1 else tuple(named)
        if len(candidates) != 1:
            raise InputError(
                f"{path}: a file {path.suffix} holds {' or '.join(kinds)}; put one of these words "
                "into its name, or set kind",
                arguments=["kind"],
            )
        return candidates[0]
    if kind not in kinds:
        ends = " or ".join(end for end, held in SUFFIXES.items() if kind in held)
        raise InputError(f"{path}: kind {kind} is written as {ends}", arguments=["output", "kind"])
    return kind


def export_teacher(
    teacher: TrainedTeacher | AnyPath,
    output: AnyPath,
    *,
    kind: SurfaceKind | None = None,
    count: int | None = None,
    size_cm: float | None = None,
    force: bool = False,
    device: DeviceName = "auto",
    on_progress: Progress = silent,
) -> ExportedSurface:
    """Writes the surface of a teacher as a mesh, as points or as splats.

    Files are y up, those of splats as their formats want it; colours are those of the photos, with
    their light, as a mean over directions. Splats are placed in closed form and not trained.

    Args:
        teacher: a trained teacher, or its file.
        output: `.glb` for a mesh, `.ply` for points or splats, `.spz` for splats.
        kind: what to write, where the name of the file does not tell.
        count: triangles to simplify to, or points or splats at most; `COUNTS` if None.
        size_cm: height of the object in centimetres; lengths are then metres. None for the true
            size where the scene told it, and for world units elsewhere.
        force: replace an existing file.
        device: where a teacher of a file computes.
        on_progress: called with a stage's name, steps done and steps in all.

    Raises:
        InputError: an argument is out of range, the name tells no format, or the teacher shows no
            surface.
        CheckpointError: the file is not a teacher.
        OutputError: the output exists or cannot be written.
        MissingExtraError: scikit-image or fast-simplification is not installed.
    """
    path = as_path(output)
    given = [] if isinstance(teacher, TrainedTeacher) else [as_path(teacher)]
    check_output(path, force, given)
    kind = surface_kind(path, kind)
    count = COUNTS[kind] if count is None else count
    if not 1 <= count <= MAX_COUNT:
        raise InputError(f"count is {count}, expected 1 to {MAX_COUNT}", arguments=["count"])
    if size_cm is not None and not 0.0 < size_cm <= MAX_SIZE_CM:
        raise InputError(
            f"size_cm is {size_cm:g}, expected up to {MAX_SIZE_CM:g} centimetres",
            arguments=["size_cm"],
        )
    if not isinstance(teacher, TrainedTeacher):
        teacher = load_teacher(teacher, compute_device(device))
    surface = find_surface(teacher.teacher, on_progress)
    extent = np.ptp(surface.vertices @ Y_UP.T, 0)
    metres = teacher.metres_per_unit if size_cm is None else size_cm / 100.0 / float(extent[1])
    scale, in_metres = metres or 1.0, metres is not None
    job = _Job(path, teacher, surface, count, scale, in_metres, on_progress)
    written = _WRITERS[kind](job)
    return ExportedSurface(
        path=path,
        kind=kind,
        count=written,
        bytes=path.stat().st_size,
        size=(float(extent[0]) * scale, float(extent[1]) * scale, float(extent[2]) * scale),
        in_metres=in_metres,
        dropped=surface.dropped,
    )


@dataclass(frozen=True, eq=False)
class _Job:
    """What a writer needs."""

    path: Path
    teacher: TrainedTeacher
    surface: Surface
    count: int
    scale: float
    in_metres: bool
    on_progress: Progress

    def placed(self, points_world: FloatArray) -> FloatArray:
        """Points [N, 3] as the file has them."""
        return np.asarray(self.scale * points_world @ Y_UP.T, np.float64)

    @property
    def unit(self) -> str:
        """What a length of 1 is."""
        return "metres" if self.in_metres else "units of the scene's world"


def _write_mesh(job: _Job) -> int:
    surface = simplified(job.surface, job.count)
    normals = surface.normals()
    skin = look_at_surface(job.teacher.teacher, surface.vertices, normals, job.on_progress)
    with written_beside(job.path) as partial:
        write_glb(
            partial,
            job.placed(surface.vertices),
            normals @ Y_UP.T,
            skin.colours,
            surface.faces,
            in_metres=job.in_metres,
        )
    return len(surface.faces)


def _write_points(job: _Job) -> int:
    points, normals, _ = even_points(job.surface, job.count)
    skin = look_at_surface(job.teacher.teacher, points, normals, job.on_progress)
    kinds = [*((name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz"))]
    kinds += [(name, "u1") for name in ("red", "green", "blue")]
    rows = np.empty(len(points), kinds)
    columns = np.concatenate(
        [job.placed(points), normals @ Y_UP.T, np.round(255.0 * skin.colours.clip(0.0, 1.0))], 1
    )
    for (name, _), column in zip(kinds, columns.T, strict=True):
        rows[name] = column
    with written_beside(job.path) as partial:
        write_ply(partial, rows, [f"y up, lengths in {job.unit}, colours sRGB"])
    return len(points)


def _write_splats(job: _Job) -> int:
    points, normals, area = even_points(job.surface, job.count)
    skin = look_at_surface(job.teacher.teacher, points, normals, job.on_progress)
    splats = surface_splats(points, normals, skin, area)
    with written_beside(job.path) as partial:
        write_splats(partial, splats, job.scale, f"lengths in {job.unit}")
    return len(points)


_WRITERS: dict[SurfaceKind, Callable[[_Job], int]] = {
    "mesh": _write_mesh,
    "points": _write_points,
    "splat": _write_splats,
}
