"""A synthetic phone: photos of a textured box on a textured ground, with known cameras."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image

from mobile_nelf.cameras import Camera, Intrinsics, look_at
from mobile_nelf.capturing.board import COLUMNS, ROWS, board_picture

__all__ = [
    "BOARD_SQUARE",
    "FOCAL_35MM",
    "LENS",
    "LOWER",
    "PHOTO_COUNT",
    "UPPER",
    "box_mask",
    "exif",
    "photo",
    "red_box_photo",
    "right_poses",
    "ring",
    "save_turned",
]

LENS = Intrinsics.centred(320, 240, 288.0)
#: A ring of so many photos, 30° apart: hard for structure from motion, and quick.
PHOTO_COUNT = 13
#: What EXIF of a picture with this focal length says.
FOCAL_35MM = LENS.fx * 43.27 / math.hypot(LENS.width, LENS.height)
#: The box, in world units; the ground is z = 0.
LOWER, UPPER = np.array([-0.5, -0.35, 0.0]), np.array([0.5, 0.35, 0.8])
GROUND = 4.0
#: Side of a square of the printed board, and how finely it is drawn.
BOARD_SQUARE, BOARD_PIXELS = 0.3, 48
#: Pixels of a texture a world unit.
DENSITY = 160


@cache
def _texture(seed: int) -> np.ndarray:
    """[1280, 1280, 3] noise of many sizes, with edges."""
    rng = np.random.default_rng(seed)
    total = np.zeros((1280, 1280, 3), np.float32)
    for cells, weight in ((10, 0.5), (40, 0.7), (160, 1.0), (320, 0.6)):
        noise = rng.uniform(-1, 1, (cells, cells, 3)).astype(np.float32)
        total += weight * cv2.resize(noise, (1280, 1280), interpolation=cv2.INTER_LINEAR)
    return (127 + 90 * np.tanh(1.5 * total)).clip(0, 255)


def ring(count: int, elevation: float = 35.0, radius: float = 2.6, start: float = 0.0) -> list:
    """Cameras all round the box, a little uneven, as a hand holds them."""
    rng = np.random.default_rng(count)
    cameras = []
    for index in range(count):
        azimuth = math.radians(start + 360.0 * index / count + rng.uniform(-2, 2))
        up = math.radians(elevation + 8.0 * math.sin(3 * azimuth))
        place = radius * np.array(
            [math.cos(azimuth) * math.cos(up), math.sin(azimuth) * math.cos(up), math.sin(up)]
        )
        target = np.array([0.0, 0.0, 0.3]) + rng.uniform(-0.05, 0.05, 3)
        cameras.append(Camera(look_at(place, target), LENS))
    return cameras


def _rays(camera: Camera, oversample: int) -> tuple[np.ndarray, np.ndarray]:
    lens = camera.intrinsics
    columns = (np.arange(lens.width * oversample) + 0.5) / oversample
    rows = (np.arange(lens.height * oversample) + 0.5) / oversample
    x, y = np.meshgrid((columns - lens.cx) / lens.fx, (lens.cy - rows) / lens.fy)
    local = np.stack([x, y, -np.ones_like(x)], -1)
    return camera.position, local @ camera.cam_to_world[:, :3].T


def _box(origin: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth at which each ray enters the box (inf if it does not), axis and side of the face."""
    with np.errstate(divide="ignore"):
        low, high = (LOWER - origin) / rays, (UPPER - origin) / rays
    enter, leave = np.minimum(low, high), np.maximum(low, high)
    axis = enter.argmax(-1)
    first, last = enter.max(-1), leave.min(-1)
    depth = np.where((first < last) & (first > 0), first, np.inf)
    side = np.take_along_axis(rays, axis[..., None], -1)[..., 0] > 0
    return depth, axis, side


def box_mask(camera: Camera) -> np.ndarray:
    """Where a photo shows the box, [H, W] bool."""
    return np.isfinite(_box(*_rays(camera, 1))[0])


def photo(camera: Camera, *, oversample: int = 2, board: bool = False) -> np.ndarray:
    """What a camera sees, [H, W, 3] uint8; with the printed board under the box if asked for."""
    origin, rays = _rays(camera, oversample)
    depth, axis, side = _box(origin, rays)
    with np.errstate(divide="ignore", invalid="ignore"):
        ground = np.where(rays[..., 2] < 0, -origin[2] / rays[..., 2], np.inf)
        points = origin + np.minimum(depth, ground)[..., None] * rays
    picture = np.full((*depth.shape, 3), 205.0, np.float32)
    floor = (ground < depth) & (np.abs(points[..., :2]) < GROUND).all(-1)
    picture[floor] = _sampled(_texture(9), points[..., :2])[floor]
    if board:
        # Down the page is towards −y, as `board.corner_places` has it.
        columns, rows = BOARD_SQUARE * COLUMNS / 2, BOARD_SQUARE * ROWS / 2
        paper = floor & (np.abs(points[..., :2]) < (columns, rows)).all(-1)
        places = (points[paper][:, :2] * (1, -1) + (columns, rows)) / BOARD_SQUARE * BOARD_PIXELS
        printed = 20.0 + 0.85 * board_picture(BOARD_PIXELS)
        column, row = places.astype(int).T
        picture[paper] = printed[row, column][:, None]
    for face in range(3):
        others = [index for index in range(3) if index != face]
        for end in (False, True):
            here = (depth < ground) & (axis == face) & (side == end)
            picture[here] = _sampled(_texture(2 * face + end), points[..., others] * 1.7)[here]
    height, width = camera.intrinsics.height, camera.intrinsics.width
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return small.round().clip(0, 255).astype(np.uint8)


def red_box_photo(camera: Camera) -> np.ndarray:
    """The same in grey with a red box, so that colours tell it from the ground."""
    grey = photo(camera).mean(-1, keepdims=True)
    coloured = np.where(box_mask(camera)[..., None], grey * (1.0, 0.35, 0.3), grey)
    return coloured.round().astype(np.uint8)


def _sampled(texture: np.ndarray, places: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        pixels = np.nan_to_num(places * DENSITY + 640, posinf=0, neginf=0).astype(np.float32)
    return cv2.remap(texture, pixels, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def exif(orientation: int = 1, focal_35mm: float = FOCAL_35MM) -> Image.Exif:
    """What a phone writes, the place included."""
    found = Image.Exif()
    found[ExifTags.Base.Make] = "Fable"
    found[ExifTags.Base.Model] = "Phone 3"
    found[ExifTags.Base.Orientation] = orientation
    detail = found.get_ifd(ExifTags.IFD.Exif)
    detail[ExifTags.Base.FocalLengthIn35mmFilm] = round(focal_35mm)
    detail[ExifTags.Base.LensModel] = "main camera"
    place = found.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef] = "N"
    place[ExifTags.GPS.GPSLatitude] = (48.0, 51.0, 29.6123)
    place[ExifTags.GPS.GPSAreaInformation] = "Home of somebody"
    return found


def save_turned(pixels: np.ndarray, path: Path, orientation: int = 1) -> None:
    """Saves a photo as a phone does that was turned: pixels as the sensor has them, and a tag."""
    turns = {1: 0, 6: 1, 3: 2, 8: 3}  # by so many quarters against the clock, which viewers undo
    stored = np.rot90(pixels, turns[orientation])
    Image.fromarray(np.ascontiguousarray(stored)).save(
        path, quality=97, subsampling=0, exif=exif(orientation).tobytes()
    )


def right_poses(found: Sequence[np.ndarray], true: Sequence[np.ndarray], share: float = 0.02):
    """Aligns poses robustly and counts.

    Returns which of them are within a share of the path's extent of the truth, the RMS of those as
    a share of it, and the median angle of those in degrees.
    """
    f, t = np.stack(found), np.stack(true)
    extent = np.linalg.norm(np.ptp(t[:, :3, 3], axis=0))
    rng = np.random.default_rng(0)
    best = np.zeros(len(f), bool)
    for _ in range(300):
        chosen = rng.choice(len(f), min(4, len(f)), replace=False)
        best = max(best, _near(f, t, chosen, 2 * share * extent)[0], key=np.sum)
    for _ in range(3):
        best, error, angle = _near(f, t, np.flatnonzero(best), share * extent)
    rms = float(np.sqrt((error[best] ** 2).mean())) / extent
    return best, rms, float(np.median(angle[best]))


def _near(found: np.ndarray, true: np.ndarray, chosen: np.ndarray, limit: float):
    x, y = found[chosen, :3, 3], true[chosen, :3, 3]
    u, s, v = np.linalg.svd((y - y.mean(0)).T @ (x - x.mean(0)))
    sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
    turn = u @ sign @ v
    scale = np.trace(np.diag(s) @ sign) / ((x - x.mean(0)) ** 2).sum()
    places = scale * (found[:, :3, 3] - x.mean(0)) @ turn.T + y.mean(0)
    error = np.linalg.norm(places - true[:, :3, 3], axis=1)
    differing = np.einsum("nji,njk->nik", true[:, :3, :3], turn @ found[:, :3, :3])
    cosine = (np.trace(differing, axis1=1, axis2=2) - 1.0) / 2.0
    return error < limit, error, np.degrees(np.arccos(cosine.clip(-1, 1)))
