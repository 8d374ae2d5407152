"""The world of a reconstruction: its true size and upright axis by the printed board."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf.cameras import FloatArray
from mobile_nelf.capturing.board import Corners, corner_places, seen_corners
from mobile_nelf.capturing.finding import Finding
from mobile_nelf.capturing.intake import Intake
from mobile_nelf.capturing.model import Model, PosedPhoto
from mobile_nelf.progress import Progress, counted

__all__ = [
    "Aligned",
    "Board",
    "World",
    "aligned",
    "board_findings",
    "find_board",
    "in_world",
    "located_board",
]

#: A corner is placed by at least so many photos, from directions that differ by so many degrees.
FEWEST_PHOTOS = 3
LEAST_ANGLE_DEG = 4.0
#: Rays of a corner that miss it by more than this many pixels are left out.
LARGEST_MISS = 3.0
#: Corners that tell a scale; more would be better.
FEWEST_CORNERS = 6
#: Alignments, each without the points that were so many times the median off.
ALIGN_ROUNDS, OUTLIER_TIMES = 3, 3.0
#: Corners farther from a flat board than this share of a square make the scale doubtful.
LARGEST_BEND = 0.03


@dataclass(frozen=True, eq=False)
class World:
    """Another world than that of a reconstruction, reached by x ↦ scale · rotation · x + shift.

    Attributes:
        rotation: [3, 3].
        shift: [3], in the new world.
        scale: new units an old unit.
        metres_per_unit: true length of a new unit; None if unknown.
        up: upright axis of the new world; None if unknown.
    """

    rotation: FloatArray
    shift: FloatArray
    scale: float
    metres_per_unit: float | None = None
    up: tuple[float, float, float] | None = None


class Aligned(NamedTuple):
    """Points that were aligned to others.

    Attributes:
        world: that takes them there.
        off: [N] how far each is off then.
        kept: [N] which of them agree, and count.
    """

    world: World
    off: FloatArray
    kept: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Board:
    """The printed board in a reconstruction.

    Attributes:
        photos: that show it and have a pose.
        corners: that were placed.
        rms_mm: how far those lie from where the print has them.
        square_mm: side of a square.
        world: in metres, with its origin in the middle of the board and z up.
    """

    photos: int
    corners: int
    rms_mm: float
    square_mm: float
    world: World

    @property
    def fits(self) -> bool:
        """Whether the corners lie as they were printed, so that the scale is right."""
        return self.rms_mm <= LARGEST_BEND * self.square_mm


def find_board(
    intake: Intake, photos: Path, model: Model, square_mm: float, on_progress: Progress
) -> Board | None:
    """Looks for the board in all photos that have a pose.

    Args:
        intake: the photos.
        photos: their folder.
        model: their poses.
        square_mm: side of a square of the board.
        on_progress: called with a stage, photos done and photos in all.

    Returns:
        The board; None if photos do not show enough of it.
    """
    posed = [photo.name for photo in intake.photos if photo.name in model.photos]
    seen = {}
    for name in counted("board", posed, on_progress):
        with Image.open(photos / name) as image:
            corners = seen_corners(np.asarray(image.convert("L")))
        if corners is not None:
            seen[name] = corners
    return located_board(model, seen, square_mm)


def located_board(model: Model, seen: Mapping[str, Corners], square_mm: float) -> Board | None:
    """Places the corners that photos show, and fits the board to them."""
    sights: dict[int, list[tuple[FloatArray, FloatArray, float]]] = {}
    for name, corners in seen.items():
        photo = model.photos[name]
        ways = _directions(photo, corners.pixels)
        for number, way in zip(corners.numbers.tolist(), ways, strict=True):
            sight = (photo.cam_to_world[:, 3], way, photo.lens.params[0])
            sights.setdefault(number, []).append(sight)
    placed = {number: place for number, found in sights.items() for place in _placed(found)}
    if len(placed) < FEWEST_CORNERS:
        return None
    found = np.stack(list(placed.values()))
    true = corner_places()[list(placed)] * square_mm / 1000.0
    if np.linalg.matrix_rank(true[:, :2] - true[:, :2].mean(0)) < 2:  # all on one line
        return None
    fit = aligned(found, true)
    rms = 1000.0 * float(np.sqrt((fit.off[fit.kept] ** 2).mean()))
    world = replace(fit.world, metres_per_unit=1.0, up=(0.0, 0.0, 1.0))
    return Board(len(seen), int(fit.kept.sum()), rms, square_mm, world)


def aligned(found: FloatArray, true: FloatArray) -> Aligned:
    """Aligns points [N, 3] to others by a similarity; those far off do not count."""
    kept = np.ones(len(found), bool)
    for _ in range(ALIGN_ROUNDS):
        world = _fitted(found[kept], true[kept])
        off = np.linalg.norm(world.scale * found @ world.rotation.T + world.shift - true, axis=1)
        kept = off <= max(OUTLIER_TIMES * float(np.median(off)), 1e-9)
    return Aligned(world, off, kept)


def in_world(model: Model, to: World) -> Model:
    """Returns a reconstruction in another world."""

    def moved(photo: PosedPhoto) -> PosedPhoto:
        pose = photo.cam_to_world
        place = to.scale * to.rotation @ pose[:, 3] + to.shift
        turned = np.concatenate([to.rotation @ pose[:, :3], place[:, None]], 1)
        return replace(photo, cam_to_world=turned)

    return replace(
        model,
        photos={name: moved(photo) for name, photo in model.photos.items()},
        points=to.scale * model.points @ to.rotation.T + to.shift,
    )


def board_findings(board: Board | None) -> Iterator[Finding]:
    """Says that the board was seen, and whether it fits."""
    if board is None:
        return
    if not board.fits:
        yield Finding(
            "board",
            "warning",
            f"the corners of the printed board are {board.rms_mm:.1f} mm off in {board.photos} "
            "photos, so the true size is not taken from it",
            "lay the board flat where it does not move against the object, and look at the cameras "
            "in capture.html",
        )
        return
    yield Finding(
        "board",
        "note",
        f"the printed board gives the true size: seen in {board.photos} photos, its corners are "
        f"{board.rms_mm:.2f} mm off",
        f"measure a square of it; if it is not {board.square_mm:g} mm, say so with the option for "
        "that",
    )


def _directions(photo: PosedPhoto, pixels: FloatArray) -> FloatArray:
    """Returns unit vectors [N, 3] in the world along which a photo sees pixels."""
    rays = photo.lens.rays(pixels)
    local = np.stack([rays[:, 0], -rays[:, 1], -np.ones(len(rays))], 1)
    ways = local @ photo.cam_to_world[:, :3].T
    return np.asarray(ways / np.linalg.norm(ways, axis=1, keepdims=True), np.float64)


def _placed(sights: list[tuple[FloatArray, FloatArray, float]]) -> Iterator[FloatArray]:
    """Yields the point nearest to all rays, if they tell it."""
    while len(sights) >= FEWEST_PHOTOS:
        origins, ways, focals = (np.array(part) for part in zip(*sights, strict=True))
        if np.degrees(np.arccos(np.clip(ways @ ways.T, -1, 1))).max() < LEAST_ANGLE_DEG:
            return
        across = np.eye(3) - ways[:, :, None] * ways[:, None, :]
        place = np.linalg.solve(across.sum(0), (across @ origins[:, :, None]).sum(0)[:, 0])
        off = np.linalg.norm((across @ (place - origins)[:, :, None])[:, :, 0], axis=1)
        missed = off / np.linalg.norm(place - origins, axis=1) * focals
        worst = int(missed.argmax())
        if missed[worst] <= LARGEST_MISS:
            yield place
            return
        sights = [sight for index, sight in enumerate(sights) if index != worst]


def _fitted(found: FloatArray, true: FloatArray) -> World:
    """Returns the similarity that takes points [N, 3] to others (Umeyama 1991)."""
    f, t = found - found.mean(0), true - true.mean(0)
    u, values, v = np.linalg.svd(t.T @ f)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
    rotation = u * sign @ v
    scale = float((values * sign).sum() / (f**2).sum())
    return World(rotation, true.mean(0) - scale * rotation @ found.mean(0), scale)
