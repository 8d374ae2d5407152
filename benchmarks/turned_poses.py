"""Which wrong poses masks contradict: true masks, and true poses of which some are turned.

python benchmarks/turned_poses.py lego
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from mobile_nelf.capturing.model import PosedPhoto
from mobile_nelf.capturing.silhouettes import Silhouette, agreement, contradicting, silhouette
from mobile_nelf.lenses import DistortedLens
from mobile_nelf.scenes import View, read_scene


def seen(view: View) -> Silhouette:
    lens = view.camera.intrinsics
    true = DistortedLens("SIMPLE_PINHOLE", lens.width, lens.height, (lens.fx, lens.cx, lens.cy))
    posed = PosedPhoto(view.camera.cam_to_world, true, np.zeros(0, np.int64), np.zeros((0, 2)))
    return silhouette(posed, (view.rgba()[..., 3] > 127).astype(np.uint8) * 255)


def turned(view: Silhouette, degrees: float) -> Silhouette:
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    pose = turn @ view.photo.cam_to_world
    return view._replace(photo=replace(view.photo, cam_to_world=pose))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene", type=Path, help="renderings with alpha, upright along z")
    parser.add_argument("--photos", type=int, default=60)
    given = parser.parse_args()
    views = [seen(view) for view in read_scene(given.scene).train[: given.photos]]
    places = np.stack([view.photo.cam_to_world[:, 3] for view in views])
    by_azimuth = np.argsort(np.arctan2(places[:, 1], places[:, 0]))
    rng = np.random.default_rng(0)
    some = 2 * len(views) // 5
    scattered = rng.choice(len(views), some, replace=False)
    cases = {
        "none": {},
        "two fifths in a row, by 180°": dict.fromkeys(by_azimuth[:some].tolist(), 180.0),
        "two fifths in a row, by 90°": dict.fromkeys(by_azimuth[:some].tolist(), 90.0),
        "two fifths anywhere, by 180°": dict.fromkeys(scattered.tolist(), 180.0),
        "two fifths anywhere, by 3° to 174°": {
            number: rng.uniform(3.0, 174.0) for number in scattered.tolist()
        },
    }
    for what, turns in cases.items():
        placed = {f"{n}": turned(view, turns.get(n, 0.0)) for n, view in enumerate(views)}
        overlap = np.array(list(agreement(placed).values()))
        named = set(np.flatnonzero(contradicting(overlap)).tolist())
        print(
            f"{what}: {len(named & turns.keys())} of {len(turns)} wrong ones contradict, "
            f"{len(named - turns.keys())} right ones; usual overlap {np.median(overlap):.2f}"
        )


if __name__ == "__main__":
    main()
