"""Masks of `capture --object` against true ones, and of GrabCut alone beside them.

Renderings with alpha, such as those of NeRF-synthetic, are laid over a newspaper on a wooden table
in a room, as a phone would have seen them on two walks around; poses are found anew.

    python benchmarks/object_masks.py lego --table -0.36
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mobile_nelf.capturing.run import capture
from mobile_nelf.scenes import Scene, View, read_scene

#: Degrees of elevation from which a person takes photos.
ELEVATIONS = (8.0, 62.0)
#: Side of a square texture in pixels, and half its side in units of the object's reach.
TEXTURE, GROUND, NEWSPAPER = 2048, 5.0, 1.7
#: Noise of the sensor in grey levels.
NOISE = 2.0
#: GrabCut alone: the longer side, the frame's share of a side, rounds.
ALONE_SIDE, ALONE_FRAME, ALONE_ROUNDS = 320, 0.1, 3


def noise(rng: np.random.Generator, cells: tuple[int, int], side: tuple[int, int]) -> np.ndarray:
    """Smooth noise [side] in −1 to 1."""
    values = rng.uniform(-1, 1, cells).astype(np.float32)
    return cv2.resize(values, side[::-1], interpolation=cv2.INTER_CUBIC)


def ground_texture(rng: np.random.Generator) -> np.ndarray:
    """A newspaper on a table, with the soft shadow of what stands on it, [H, W, 3] in 0 to 255."""
    side = (TEXTURE, TEXTURE)
    grain = noise(rng, (24, 400), side) + 0.6 * noise(rng, (90, 1500), side)
    wood = np.array([150, 105, 66]) * (1.0 + 0.22 * grain[..., None])
    print_ = noise(rng, (700, 500), side) + 0.8 * noise(rng, (200, 120), side)
    paper = np.where(print_ > 0.35, 62.0, 214.0) + 12.0 * noise(rng, (6, 6), side)
    place = (np.arange(TEXTURE) + 0.5) / TEXTURE * 2 * GROUND - GROUND
    x, y = np.meshgrid(place, place)
    turned = np.abs(0.9 * x + 0.43 * y), np.abs(-0.43 * x + 0.9 * y)
    sheet = (turned[0] < 1.2 * NEWSPAPER) & (turned[1] < 0.85 * NEWSPAPER)
    ground = np.where(sheet[..., None], paper[..., None] * [1.0, 0.98, 0.93], wood)
    return ground * (1.0 - 0.45 * np.exp(-(x * x + y * y) / 0.7))[..., None]


def room_texture(rng: np.random.Generator) -> np.ndarray:
    """What stands around, by azimuth and elevation, [H, W, 3] in 0 to 255."""
    side = (TEXTURE // 2, TEXTURE)
    large = np.stack([noise(rng, (8, 24), side) for _ in range(3)], -1)
    small = noise(rng, (120, 260), side)[..., None]
    return (128 + 70 * np.tanh(1.4 * large) + 26 * small).clip(0, 255)


def behind(view: View, bottom: float, reach: float, ground, room) -> np.ndarray:
    """What a camera sees where the object is not, [H, W, 3]."""
    lens, pose = view.camera.intrinsics, view.camera.cam_to_world
    columns, rows = np.meshgrid(np.arange(lens.width) + 0.5, np.arange(lens.height) + 0.5)
    local = np.stack(
        [(columns - lens.cx) / lens.fx, (lens.cy - rows) / lens.fy, -np.ones_like(rows)], -1
    )
    rays = local @ pose[:, :3].T
    with np.errstate(divide="ignore"):
        depth = np.where(rays[..., 2] < 0, (bottom - pose[2, 3]) / rays[..., 2], np.inf)
    with np.errstate(invalid="ignore"):
        spot = (pose[:2, 3] + depth[..., None] * rays[..., :2]) / reach
    on_table = np.isfinite(depth) & (np.abs(spot) < GROUND).all(-1)
    at = (np.where(on_table[..., None], spot, 0.0) + GROUND) / (2 * GROUND) * TEXTURE - 0.5
    below = cv2.remap(ground.astype(np.float32), at.astype(np.float32), None, cv2.INTER_LINEAR)
    azimuth = np.arctan2(rays[..., 1], rays[..., 0]) / (2 * np.pi) + 0.5
    up = np.arctan2(rays[..., 2], np.hypot(rays[..., 0], rays[..., 1])) / np.pi + 0.5
    at = np.stack([azimuth * room.shape[1], up * room.shape[0]], -1).astype(np.float32)
    around = cv2.remap(
        room.astype(np.float32), at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    return np.where(on_table[..., None], below, around)


def walk(scene: Scene, count: int) -> list[View]:
    """Views from where a person would hold a phone, in two rings by azimuth."""
    found = []
    for view in scene.train:
        place = view.camera.position - scene.orbit.target
        up = np.degrees(np.arcsin(place[2] / np.linalg.norm(place)))
        if ELEVATIONS[0] <= up <= ELEVATIONS[1]:
            found.append((up > np.mean(ELEVATIONS), np.arctan2(place[1], place[0]), view))
    chosen = [found[i] for i in np.linspace(0, len(found) - 1, min(count, len(found))).astype(int)]
    return [view for _, _, view in sorted(chosen, key=lambda item: item[:2])]


def compose(
    scene: Scene, count: int, size: int, folder: Path, table: float | None = None
) -> dict[str, np.ndarray]:
    """Writes photos; returns the true masks by their names."""
    rng = np.random.default_rng(0)
    ground, room = ground_texture(rng), room_texture(rng)
    lower, upper = np.array(scene.box.lower), np.array(scene.box.upper)
    reach = float((upper - lower)[:2].max()) / 2
    bottom = float(lower[2]) if table is None else table
    masks = {}
    for number, view in enumerate(walk(scene, count)):
        rgba = view.rgba().astype(np.float32)
        alpha = rgba[..., 3:] / 255.0
        photo = rgba[..., :3] * alpha + behind(view, bottom, reach, ground, room) * (1 - alpha)
        scale = size / max(photo.shape)
        extent = round(photo.shape[1] * scale), round(photo.shape[0] * scale)
        photo = cv2.resize(photo, extent, interpolation=cv2.INTER_AREA)
        photo += rng.normal(0, NOISE, photo.shape)
        name = f"IMG_{number:03d}"
        Image.fromarray(photo.clip(0, 255).astype(np.uint8)).save(
            folder / f"{name}.jpg", quality=95, subsampling=0
        )
        masks[name] = cv2.resize(alpha[..., 0], extent, interpolation=cv2.INTER_AREA) > 0.5
    return masks


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union."""
    return float((first & second).sum()) / float((first | second).sum())


def grabcut_alone(path: Path) -> np.ndarray:
    """The mask of GrabCut from a rectangle in the middle."""
    photo = cv2.imread(str(path))
    scale = ALONE_SIDE / max(photo.shape)
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    left, top = round(ALONE_FRAME * width), round(ALONE_FRAME * height)
    labels = np.zeros((height, width), np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    frame = (left, top, width - 2 * left, height - 2 * top)
    cv2.grabCut(small, labels, frame, *models, ALONE_ROUNDS, cv2.GC_INIT_WITH_RECT)
    found = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    return cv2.resize(found, photo.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0


def told(overlaps: list[float], seconds: float) -> dict[str, float]:
    return {
        "iou_mean": round(float(np.mean(overlaps)), 3),
        "iou_least": round(min(overlaps), 3),
        "cpu_seconds_a_photo": round(seconds / len(overlaps), 2),
    }


def measure(
    scene: Scene, count: int, size: int, table: float | None, folder: Path
) -> dict[str, object]:
    (folder / "photos").mkdir()
    true = compose(scene, count, size, folder / "photos", table)
    spent = {}

    def on_progress(stage: str, done: int, total: int) -> None:
        spent.setdefault(stage, [time.process_time(), 0.0])[1] = time.process_time()

    cv2.setNumThreads(1)
    captured = capture(
        folder / "photos", folder / "scene", object=True, threads=1, on_progress=on_progress
    )
    overlaps, alone = [], []
    frames = json.loads((folder / "scene" / "transforms.json").read_text())["frames"]
    began = time.process_time()
    for frame in frames:
        name = Path(frame["source"]).stem
        alone.append(overlap(grabcut_alone(folder / "photos" / frame["source"]), true[name]))
    alone_seconds = time.process_time() - began
    for frame in frames:
        mask = folder / "scene" / "source_masks" / f"{Path(frame['file_path']).stem}.png"
        found = np.asarray(Image.open(mask)) > 127
        overlaps.append(overlap(found, true[Path(frame["source"]).stem]))
    first, last = spent["object"]
    return {
        "registered": captured.registered,
        "given": captured.given,
        "passed": captured.passed,
        "object": told(overlaps, last - first),
        "grabcut_alone": told(alone, alone_seconds),
        "findings": [f"{finding.check}: {finding.text}" for finding in captured.findings],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene", type=Path, help="renderings with alpha")
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--size", type=int, default=600, help="longer side in pixels")
    parser.add_argument("--table", type=float, help="its height in the world of the renderings")
    given = parser.parse_args()
    scene = read_scene(given.scene)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(scene, given.photos, given.size, given.table, Path(folder))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
