"""Object masks of photos: alpha, files of other tools, what moves, or what stands in the middle.

Masks are grey pictures of the photos, white where the object is. The scene's images get them as
alpha, and dilated they tell structure from motion where to look for details.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf.capturing.intake import Intake, Photo
from mobile_nelf.capturing.model import Model
from mobile_nelf.capturing.object_masks import object_masks
from mobile_nelf.capturing.options import CaptureOptions
from mobile_nelf.capturing.shot import read_shot
from mobile_nelf.errors import InputError
from mobile_nelf.extras import import_extra
from mobile_nelf.outputs import names_text
from mobile_nelf.progress import Progress, counted
from mobile_nelf.scenes.photos import decoded_mask

__all__ = [
    "feature_masks",
    "found_masks",
    "has_mask",
    "is_turntable",
    "made_masks",
    "moving_masks",
    "read_mask",
]

Mask: TypeAlias = npt.NDArray[np.uint8]

#: Longer side at which what moves is told from what stands still.
STILL_SIDE = 600
#: Differences below so many grey levels, or this many times the noise, are none.
LEAST_DIFFERENCE = 10.0
NOISE_TIMES = 4.0
#: Sizes of the clean-up, as shares of the longer side: blur, specks, holes.
BLUR, SPECK, HOLE = 0.0025, 0.005, 0.022
#: Features keep this distance from the outline, as a share of the longer side.
MARGIN = 0.01
#: Share of the border, and how still it must be against the middle, to look like a turntable.
BORDER = 0.08
STILL_LEVELS = 4.0
MOVING_TIMES = 4.0
#: Photos of which that is judged, and their longer side, where noise counts little.
JUDGED_PAIRS, JUDGED_SIDE = 12, 120


def made_masks(
    intake: Intake,
    photos: Path,
    folder: Path,
    options: CaptureOptions,
    on_progress: Progress,
) -> bool:
    """Writes the mask of each photo as `folder/NAME.png`, if it has one before its pose is known.

    Returns:
        Whether all photos have masks. Where the object is to be found by poses, `found_masks` makes
        those that are not given.

    Raises:
        InputError: the folder of masks has none for a photo, or the background does not fit.
        SceneError: a mask cannot be read or has another aspect than its photo.
    """
    if options.masks is not None:
        _take_files(intake, Path(options.masks), folder, all_photos=not options.object)
    if options.object:
        return False
    if options.masks is not None:
        return True
    if options.turntable:
        plate = None if options.background is None else Path(options.background)
        moving_masks(intake.photos, photos, folder, plate, on_progress)
    elif all(_has_alpha(photos / photo.name) for photo in intake.photos):
        for photo in intake.photos:
            with Image.open(photos / photo.name) as image:
                _save(np.asarray(image)[..., 3], folder, photo)
    else:
        return False
    return True


def found_masks(
    intake: Intake, photos: Path, folder: Path, model: Model, seed: int, on_progress: Progress
) -> None:
    """Writes masks of the object in the middle of all photos that have a pose.

    Those that are there already are given ones, and stay.

    Raises:
        CaptureError: no object can be told from what is around it.
    """
    posed = {photo.name: photo for photo in intake.photos if photo.name in model.photos}
    given = {n: read_mask(folder, photo) for n, photo in posed.items() if has_mask(folder, photo)}
    for name, mask in object_masks(model, photos, given, on_progress, seed):
        _save(mask, folder, posed[name])


def has_mask(folder: Path, photo: Photo) -> bool:
    """Whether there is a mask of a photo; photos without a pose may have none."""
    return (folder / f"{photo.name}.png").exists()


def read_mask(folder: Path, photo: Photo) -> Mask:
    """Returns the mask of a photo, [H, W]."""
    with Image.open(folder / f"{photo.name}.png") as image:
        return np.asarray(image.convert("L"))


def _has_alpha(path: Path) -> bool:
    with Image.open(path) as image:
        return image.mode == "RGBA"


def _save(mask: Mask, folder: Path, photo: Photo) -> None:
    path = folder / f"{photo.name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path, "PNG", compress_level=1)


def _take_files(intake: Intake, given: Path, folder: Path, *, all_photos: bool) -> None:
    """Takes masks called like the photos, `IMG_1.png` or `IMG_1.jpg.png`, or like the images.

    Raises:
        InputError: there is none for a photo; if not `all_photos`, for any photo.
    """
    if not given.is_dir():
        raise InputError(f"{given}: no such folder, expected masks", arguments=["masks"])
    files = {path.name.casefold(): path for path in given.rglob("*") if path.is_file()}
    missing = []
    for photo in intake.photos:
        source, group = Path(photo.source), intake.groups[photo.group]
        names = [f"{name}.png" for name in (source.stem, source.name, Path(photo.name).stem)]
        found = [files[n.casefold()] for n in names if n.casefold() in files]
        if found:
            _save(decoded_mask(found[0], (group.width, group.height)), folder, photo)
        else:
            missing.append(photo.source)
    if missing and (all_photos or len(missing) == len(intake.photos)):
        raise InputError(
            f"{given}: has no mask for {len(missing)} photos: {names_text(missing)}; expected "
            f"{Path(missing[0]).stem}.png or {missing[0]}.png, white where the object is",
            arguments=["masks"],
        )


def feature_masks(intake: Intake, masks: Path, folder: Path) -> Path:
    """Writes masks that leave a margin around the object; returns the folder of these masks.

    Its name tells their content, so that features of other masks are not used again.
    """
    cv2 = import_extra("cv2", "capture")
    digest = hashlib.sha256()
    wide = []
    for photo in intake.photos:
        mask = read_mask(masks, photo)
        side = 2 * round(MARGIN * max(mask.shape)) + 3
        wide.append(cv2.dilate((mask > 127).astype(np.uint8) * 255, np.ones((side, side))))
        digest.update(wide[-1].tobytes())
    place = folder / digest.hexdigest()[:16]
    for photo, mask in zip(intake.photos, wide, strict=True):
        _save(mask, place, photo)
    return place


def moving_masks(
    photos: Sequence[Photo],
    folder: Path,
    masks: Path,
    plate: Path | None,
    on_progress: Progress,
) -> None:
    """Writes masks of what differs from the background that all photos share.

    The background is the median of the photos of a lens, which is wrong where the object always
    covers it, or a photo of it alone.

    Raises:
        InputError: the photo of the background has another aspect.
    """
    for group in sorted({photo.group for photo in photos}):
        own = [photo for photo in photos if photo.group == group]
        pictures = [_small(folder / photo.name) for photo in own]
        still = np.median(np.stack(pictures), axis=0).astype(np.float32)
        if plate is not None:
            still = _plate(plate, still, pictures)
        noise = float(np.median([np.abs(picture - still).max(-1) for picture in pictures]))
        for photo, picture in zip(counted("masks", own, on_progress), pictures, strict=False):
            mask = _moving(picture, still, noise)
            with Image.open(folder / photo.name) as image:
                size = image.size
            large = Image.fromarray(mask).resize(size, Image.Resampling.BILINEAR)
            _save(np.asarray(large), masks, photo)


def _small(path: Path, side: int = STILL_SIDE) -> npt.NDArray[np.float32]:
    with Image.open(path) as image:
        small = image.convert("RGB")
        small.thumbnail((side, side), Image.Resampling.BOX)
        return np.asarray(small, np.float32)


def _plate(
    path: Path, still: npt.NDArray[np.float32], pictures: Sequence[npt.NDArray[np.float32]]
) -> npt.NDArray[np.float32]:
    """Reads the photo of the background, at the brightness that the other photos have of it."""
    pixels = Image.fromarray(np.ascontiguousarray(read_shot(path).pixels[..., :3]))
    height, width = still.shape[:2]
    if abs(pixels.width * height / (pixels.height * width) - 1.0) > 0.01:
        raise InputError(
            f"{path}: is {pixels.width}×{pixels.height}, which is another aspect than that of the "
            "photos; take it with the same camera at the same place",
            arguments=["background"],
        )
    plate = np.asarray(pixels.resize((width, height), Image.Resampling.BOX), np.float32)
    border = _border(still)
    gain = np.median(still[border] / np.maximum(plate[border], 1.0), axis=0)
    return np.asarray(plate * gain.clip(0.7, 1.4), np.float32)


def _moving(picture: npt.NDArray[np.float32], still: npt.NDArray[np.float32], noise: float) -> Mask:
    cv2 = import_extra("cv2", "capture")
    side = max(picture.shape)
    difference = cv2.GaussianBlur(np.abs(picture - still).max(-1), (0, 0), max(0.8, BLUR * side))
    mask = (difference > max(LEAST_DIFFERENCE, NOISE_TIMES * noise)).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _disc(SPECK * side))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _disc(HOLE * side))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count > 1:
        mask = (labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()).astype(np.uint8)
    # Holes that reach no border are inside of the object.
    outside = np.pad(1 - mask, 1, constant_values=1)
    cv2.floodFill(outside, None, (0, 0), 2)
    return np.where(outside[1:-1, 1:-1] == 2, np.uint8(0), np.uint8(255))


def _disc(size: float) -> npt.NDArray[np.uint8]:
    half = max(1, round(size / 2))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    disc: npt.NDArray[np.uint8] = (x * x + y * y <= half * half + 1).astype(np.uint8)
    return disc


def _border(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    height, width = picture.shape[:2]
    rim = round(BORDER * min(height, width))
    border = np.ones((height, width), bool)
    border[rim : height - rim, rim : width - rim] = False
    return border


def is_turntable(photos: Sequence[Photo], folder: Path) -> bool:
    """Whether the border of the photos stands still while their middle moves."""
    pairs = [(a, b) for a, b in pairwise(photos) if a.group == b.group]
    step = max(1, len(pairs) // JUDGED_PAIRS)
    judged = [_moves(folder / a.name, folder / b.name) for a, b in pairs[::step]]
    if len(judged) < 3:
        return False
    border, middle = np.median(judged, axis=0)
    return bool(border < STILL_LEVELS and middle > MOVING_TIMES * max(border, 1.0))


def _moves(first: Path, second: Path) -> tuple[float, float]:
    """How many grey levels change at the border of two photos, and in their middle."""
    change = np.abs(_small(first, JUDGED_SIDE) - _small(second, JUDGED_SIDE)).max(-1)
    height, width = change.shape
    middle = change[height // 4 : -(height // 4), width // 4 : -(width // 4)]
    return float(np.median(change[_border(change)])), float(middle.mean())
