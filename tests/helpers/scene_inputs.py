"""Builders of scenes as people bring them, each into an empty folder."""

from __future__ import annotations

import json
import struct
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pycolmap
from PIL import Image

from mobile_nelf.cameras import look_at
from tests.helpers.scenes import (
    LENS,
    Elsewhere,
    arc,
    edit,
    name,
    pixels,
    save_photo,
    save_photos,
    write_colmap,
    write_llff,
    write_transforms,
)

Build = Callable[[Path], None]

ROUND = arc(range(-170, 190, 20))
FORWARD = arc((-9, -6, -3, 3, 6, 9), (-4, 4))
POINTS = np.random.default_rng(4).uniform(-1.2, 1.2, (40, 3))
ORIENTATION = 274


def plain(root: Path) -> None:
    write_transforms(root, arc())


def top(**values: Any) -> Build:
    """Values at the top of `transforms.json`; those that are None are left out."""

    def build(root: Path) -> None:
        write_transforms(root, arc(), **values)
        gone = [key for key, value in values.items() if value is None]
        edit(root / "transforms.json", lambda data: [data.pop(key) for key in gone])

    return build


def frames(change: Callable[[dict[str, Any], int], Any], base: Build = plain) -> Build:
    """Changes each frame."""

    def build(root: Path) -> None:
        base(root)
        edit(
            root / "transforms.json",
            lambda data: [change(frame, index) for index, frame in enumerate(data["frames"])],
        )

    return build


def named(change: Callable[[str], str]) -> Build:
    """The file has other names of the photos."""
    return frames(lambda frame, _: frame.update(file_path=change(frame["file_path"])))


def moved(place: str) -> Build:
    """The photos lie elsewhere."""

    def build(root: Path) -> None:
        plain(root)
        (root / "images").rename(root / "moved")
        (root / place).mkdir(parents=True, exist_ok=True)
        for index in range(12):
            (root / "moved" / name(index)).rename(root / place / name(index))
        (root / "moved").rmdir()

    return build


def nfc(on_disk: Literal["NFC", "NFD"], in_file: Literal["NFC", "NFD"]) -> Build:
    def build(root: Path) -> None:
        named(lambda n: unicodedata.normalize(in_file, n.replace("photo", "Küche")))(root)
        for index in range(12):
            new = unicodedata.normalize(on_disk, name(index).replace("photo", "Küche"))
            (root / "images" / name(index)).rename(root / "images" / new)

    return build


def saved(save: Callable[[Path, np.ndarray], None], suffix: str = ".png") -> Build:
    """The photos are saved in another way."""

    def build(root: Path) -> None:
        named(lambda n: n.replace(".png", suffix))(root)
        for index in range(12):
            file = root / "images" / name(index)
            file.unlink()
            save(file.with_suffix(suffix), pixels(index))

    return build


def converted(mode: str, suffix: str = ".png") -> Build:
    return saved(lambda file, p: Image.fromarray(p).convert(mode).save(file), suffix)


def grey(depth: Any, suffix: str = ".png") -> Build:
    scale = 257 if depth is np.uint16 else 1
    return saved(
        lambda file, p: Image.fromarray(p[..., 0].astype(depth) * scale).save(file), suffix
    )


def content(data: bytes, suffix: str = ".png") -> Build:
    """The fourth photo is something else."""

    def build(root: Path) -> None:
        plain(root)
        (root / "images" / name(3)).unlink()
        (root / "images" / name(3)).with_suffix(suffix).write_bytes(data)

    return build


def png_of(width: int, height: int) -> bytes:
    """The head of a PNG file."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    idat = struct.pack(">I", 0) + b"IDAT"
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    ) + idat


def with_exif(folder: Path, orientation: int = 6) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    for file in folder.iterdir():
        Image.open(file).save(file, exif=exif)


def then(base: Build, *more: Callable[[Path], Any]) -> Build:
    def build(root: Path) -> None:
        for step in (base, *more):
            step(root)

    return build


def white(index: int) -> np.ndarray:
    """A mask: a block in the middle."""
    mask = np.zeros((LENS.height, LENS.width), np.uint8)
    mask[4:8, 6 : 11 - index % 2] = 255
    return mask


def masks(folder: str, ending: str = ".png", count: int = 12) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        for index in range(count):
            save_photo(root / folder / f"{name(index)[:-4]}{ending}", white(index))

    return build


def with_alpha(opaque: tuple[int, ...] = ()) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        for index in range(12):
            alpha = np.full_like(white(index), 255) if index in opaque else white(index)
            save_photo(root / "images" / name(index), np.dstack([pixels(index), alpha]))

    return build


def colmap(model: str = "sparse/0", photos: str = "images", *, text: bool = False) -> Build:
    def build(root: Path) -> None:
        write_colmap(root / model, arc(), POINTS, text=text)
        save_photos(root / photos, 12)

    return build


def lens_of_colmap(model: str, params: list[float]) -> Build:
    camera = pycolmap.Camera(model=model, width=LENS.width, height=LENS.height, params=params)

    def build(root: Path) -> None:
        write_colmap(root / "sparse/0", arc(), POINTS, camera=camera)
        save_photos(root / "images", 12)

    return build


def llff(root: Path) -> None:
    write_llff(root, FORWARD, (2.0, 9.0))


def nex(root: Path) -> None:
    llff(root)
    rows = np.load(root / "poses_bounds.npy")
    tables = rows[:, :15].reshape(-1, 3, 5)[:, :, :4].reshape(-1, 12)
    np.save(root / "poses_bounds.npy", np.concatenate([tables, rows[:, 15:]], 1))
    np.save(root / "hwf_cxcy.npy", np.array([12.0, 16.0, 20.0, 21.0, 8.5, 5.5]))


def blender(root: Path, poses: list[np.ndarray] = ROUND) -> None:
    write_transforms(root, poses)
    (root / "transforms.json").rename(root / "transforms_train.json")


def split_files(first: str, other: str) -> Build:
    """The last three frames are those of another file."""

    def build(root: Path) -> None:
        plain(root)
        data = json.loads((root / "transforms.json").read_text())
        (root / "transforms.json").unlink()
        listed = data.pop("frames")
        (root / first).write_text(json.dumps({**data, "frames": listed[:9]}))
        (root / other).write_text(json.dumps({**data, "frames": listed[9:]}))

    return build


def matrices(change: Callable[[np.ndarray], np.ndarray]) -> Build:
    """Cameras all round, in a world of any place, with changed poses."""

    def build(root: Path) -> None:
        world = Elsewhere.random(3)
        write_transforms(root, [world.pose(pose) for pose in ROUND])
        edit(
            root / "transforms.json",
            lambda data: [
                frame.update(transform_matrix=change(np.array(frame["transform_matrix"])).tolist())
                for frame in data["frames"]
            ],
        )

    return build


FLIP = np.diag([1.0, -1.0, -1.0, 1.0])


def rotation_transposed(matrix: np.ndarray) -> np.ndarray:
    changed = matrix.copy()
    changed[:3, :3] = matrix[:3, :3].T
    return changed


def outward(root: Path) -> None:
    places = [pose[:, 3] for pose in ROUND]
    write_transforms(root, [look_at(0.08 * place, place) for place in places])


def some_away(root: Path) -> None:
    write_transforms(root, ROUND)

    def turn(data: dict[str, Any]) -> None:
        for frame in data["frames"][:14]:
            matrix = np.array(frame["transform_matrix"]) @ np.diag([-1.0, 1.0, -1.0, 1.0])
            frame["transform_matrix"] = matrix.tolist()

    edit(root / "transforms.json", turn)


def turned_at_random(root: Path) -> None:
    turns = [
        np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        for c, s in ((np.cos(a), np.sin(a)) for a in np.radians([-60.0, 0.0, 60.0]))
    ]
    poses = [np.c_[pose[:, :3] @ turns[i % 3], pose[:, 3]] for i, pose in enumerate(ROUND)]
    write_transforms(root, poses)


def text_file(encoding: str) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        file = root / "transforms.json"
        file.write_text(file.read_text(), encoding=encoding)

    return build
