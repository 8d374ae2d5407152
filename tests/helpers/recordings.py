"""What apps of other people write: Polycam's raw data and recordings of Record3D."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tests.helpers.phone import LENS

__all__ = ["write_polycam", "write_record3d"]

#: Poses [3, 4] of ARKit, and pictures [height, width, 3] of the phone's lens.
Poses = Sequence[np.ndarray]
Pictures = Sequence[np.ndarray]


def write_polycam(folder: Path, poses: Poses, pictures: Pictures) -> Path:
    """The raw data of a capture: a photo and a JSON file of each frame."""
    for part in ("images", "cameras", "depth"):
        (folder / "keyframes" / part).mkdir(parents=True)
    for number, (pose, picture) in enumerate(zip(poses, pictures, strict=True)):
        name = f"{9000 + number}"
        Image.fromarray(picture).save(folder / "keyframes" / "images" / f"{name}.jpg", quality=95)
        values = {f"t_{r}{c}": float(pose[r, c]) for r in range(3) for c in range(4)}
        lens = {"fx": LENS.fx, "fy": LENS.fy, "cx": LENS.cx, "cy": LENS.cy}
        size = {"width": LENS.width, "height": LENS.height}
        file = folder / "keyframes" / "cameras" / f"{name}.json"
        file.write_text(json.dumps({**values, **lens, **size, "blur_score": 90.0}))
    return folder


def _quaternion(turn: np.ndarray) -> list[float]:
    """x, y, z, w."""
    axis = cv2.Rodrigues(turn)[0].ravel()
    angle = float(np.linalg.norm(axis))
    return [*(axis / max(angle, 1e-12) * np.sin(angle / 2)), np.cos(angle / 2)]


def write_record3d(
    file: Path, poses: Poses, pictures: Pictures, qualities: Sequence[int] = ()
) -> Path:
    """A zip archive of pictures and one JSON text; depths are empty."""
    with zipfile.ZipFile(file, "w") as opened:
        lens = [LENS.fx, 0, 0, 0, LENS.fy, 0, LENS.cx, LENS.cy, 1]
        listed = [[*_quaternion(pose[:, :3]), *pose[:, 3]] for pose in poses]
        values = {"w": LENS.width, "h": LENS.height, "K": lens, "fps": 60, "poses": listed}
        opened.writestr("metadata", json.dumps(values))
        for number, picture in enumerate(pictures):
            buffer = io.BytesIO()
            quality = qualities[number] if qualities else 95
            Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
            opened.writestr(f"rgbd/{number}.jpg", buffer.getvalue())
            opened.writestr(f"rgbd/{number}.depth", b"")
    return file
