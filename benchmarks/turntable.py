"""A turntable whose poses come out wrong: do the checks of a capture say so.

Renderings with alpha, such as those of NeRF-synthetic, are laid over a photo that stands still. The
masks are those of the median, which are wrong where the object never leaves, and are given as masks
of another tool would be, so that nothing leaves out what stands still. The capture must fail. The
same with `--turntable` can stand beside it.

    python benchmarks/turntable.py lego background.jpg
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from capture import compare
from PIL import Image

from mobile_nelf.capturing.intake import Photo
from mobile_nelf.capturing.masks import moving_masks
from mobile_nelf.capturing.run import capture
from mobile_nelf.progress import silent
from mobile_nelf.scenes import Scene, read_scene

#: Noise of the sensor in grey levels.
NOISE = 2.0


def compose(scene: Scene, count: int, size: int, background: Path, folder: Path) -> np.ndarray:
    """Writes photos `0001.png` and so on; returns the true poses [N, 3, 4]."""
    rng = np.random.default_rng(0)
    still = np.asarray(Image.open(background).convert("RGB").resize((size, size)), np.float32)
    views = scene.train[:count]
    for number, view in enumerate(views, start=1):
        rgba = cv2.resize(
            view.rgba().astype(np.float32), (size, size), interpolation=cv2.INTER_AREA
        )
        alpha = rgba[..., 3:] / 255.0
        photo = rgba[..., :3] * alpha + still * (1.0 - alpha) + rng.normal(0, NOISE, still.shape)
        Image.fromarray(photo.clip(0, 255).astype(np.uint8)).save(folder / f"{number:04d}.png")
    return np.stack([view.camera.cam_to_world for view in views])


def judged(photos: Path, true: np.ndarray, scene: Path, **options: Any) -> dict[str, Any]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    captured = capture(photos, scene, threads=1, **options)
    frames = json.loads((scene / "transforms.json").read_text())["frames"]
    found = np.array([frame["transform_matrix"] for frame in frames])[:, :3]
    own = np.stack([true[int(Path(frame["source"]).stem) - 1] for frame in frames])
    return {
        "registered": captured.registered,
        **compare(found, own),
        "reprojection_pixels": captured.reprojection,
        "passed": captured.passed,
        "cpu_seconds": resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before,
        "findings": [f"{f.level}, {f.check}: {f.text}" for f in captured.findings],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene", type=Path, help="renderings with alpha")
    parser.add_argument("background", type=Path, help="a photo with texture")
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--size", type=int, default=600)
    parser.add_argument("--keep", type=Path, help="keep the failed scene here, to look at")
    parser.add_argument("--with-turntable", action="store_true", help="also with --turntable")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        true = compose(
            read_scene(given.scene), given.photos, given.size, given.background, folder / "photos"
        )
        named = [f"{number:04d}.png" for number in range(1, len(true) + 1)]
        listed = [Photo(each, each, 0, 1.0, 1.0) for each in named]
        moving_masks(listed, folder / "photos", folder / "masks", None, silent)
        wrong = given.keep or folder / "wrong"
        result = {"median masks": judged(folder / "photos", true, wrong, masks=folder / "masks")}
        if given.with_turntable:
            result["turntable"] = judged(folder / "photos", true, folder / "right", turntable=True)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
