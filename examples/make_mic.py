"""Makes `examples/mic` from the mic scene of the NeRF synthetic data set.

python examples/make_mic.py nerf_synthetic/mic examples/mic
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

SHRINK = 4


def main() -> None:
    """Shrinks every image of both splits and keeps the cameras of those that exist."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    for split in ("train", "test"):
        name = f"transforms_{split}.json"
        data = json.loads((options.source / name).read_text())
        frames = []
        for frame in data["frames"]:
            source = options.source / f"{frame['file_path']}.png"
            if not source.exists():
                continue
            target = options.target / f"{frame['file_path']}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(source) as image:
                shrunk = shrink(np.asarray(image.convert("RGBA"), np.float64))
            Image.fromarray(shrunk).save(target, optimize=True)
            frames.append({key: frame[key] for key in ("file_path", "transform_matrix")})
        cameras = {"camera_angle_x": data["camera_angle_x"], "frames": frames}
        (options.target / name).write_text(json.dumps(cameras, indent=1))


def shrink(rgba: np.ndarray) -> np.ndarray:
    """Averages blocks of pixels with premultiplied alpha, so that edges keep their colour."""
    height, width = rgba.shape[0] // SHRINK, rgba.shape[1] // SHRINK
    alpha = rgba[..., 3:] / 255.0
    blocks = np.concatenate([rgba[..., :3] * alpha, 255.0 * alpha], axis=-1)
    mean = blocks.reshape(height, SHRINK, width, SHRINK, 4).mean(axis=(1, 3))
    opacity = mean[..., 3:] / 255.0
    colour = np.where(opacity > 0.0, mean[..., :3] / np.maximum(opacity, 1e-9), 0.0)
    return np.rint(np.concatenate([colour, mean[..., 3:]], axis=-1)).clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
