"""Time and memory of a capture of photos as large as a phone's are taken: 60 of 1,600 pixels.

The photos are synthetic: a box with texture on a ground with texture, from two rings. They are
rendered in a process that has ended before the capture begins. Memory is the largest sum over both
processes of the capture, where shared pages are shared out (PSS of Linux); a tenth of a second may
hide a short peak. On an idle machine its wall time counts:

    python benchmarks/capture_time.py --threads 2
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from capture import compare
from PIL import Image

from mobile_nelf.cameras import look_at
from mobile_nelf.capturing.run import capture

WIDTH, HEIGHT, FOCAL = 1600, 1200, 1290.0
#: Half sides of the box and of the ground, and pixels of their textures along a side.
BOX, BOX_TEXTURE = np.array([0.5, 0.35, 0.4]), 600
GROUND, GROUND_TEXTURE = 4.0, 3072
#: Rings by their elevation in degrees: no photo shows the horizon.
RINGS, DISTANCE, NOISE = (34.0, 50.0), 2.9, 2.0
#: Between two looks at the memory, which take some milliseconds of processor time each.
SAMPLE_SECONDS = 0.1
WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def texture(seed: int, side: int) -> np.ndarray:
    """Noise of many sizes, with edges, [side, side, 3]."""
    rng = np.random.default_rng(seed)
    total = np.zeros((side, side, 3), np.float32)
    for pixels, weight in ((340, 0.5), (64, 0.8), (14, 1.0), (4, 0.7)):
        cells = max(2, side // pixels)
        noise = rng.uniform(-1, 1, (cells, cells, 3)).astype(np.float32)
        total += weight * cv2.resize(noise, (side, side), interpolation=cv2.INTER_LINEAR)
    return (127 + 90 * np.tanh(1.6 * total)).astype(np.uint8)


def planes() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Corner, the two sides and the normal of the ground and of each face of the box."""
    x, y, z = np.eye(3)
    found = [(-GROUND * (x + y), 2 * GROUND * x, 2 * GROUND * y, z)]
    middle = BOX[2] * z
    for axis, first, second in ((x, y, z), (y, x, z), (z, x, y)):
        for sign in (1.0, -1.0):
            sides = 2 * (BOX @ first) * first, 2 * (BOX @ second) * second
            corner = middle + sign * (BOX @ axis) * axis - (sides[0] + sides[1]) / 2
            found.append((corner, *sides, sign * axis))
    return found


def photo(pose: np.ndarray, faces, textures, rng: np.random.Generator) -> np.ndarray:
    """What a camera sees, [H, W, 3]."""
    picture = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    lens = np.array([[FOCAL, 0, WIDTH / 2 - 0.5], [0, FOCAL, HEIGHT / 2 - 0.5], [0, 0, 1]])
    to_camera = np.diag([1.0, -1.0, -1.0]) @ pose[:, :3].T
    for (corner, first, second, normal), pattern in zip(faces, textures, strict=True):
        if (pose[:, 3] - corner) @ normal <= 0:  # its back
            continue
        plane = np.stack([first, second, corner - pose[:, 3]], 1) @ np.diag(
            [1 / len(pattern)] * 2 + [1]
        )
        into = lens @ to_camera @ plane
        drawn = cv2.warpPerspective(pattern, into, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
        inside = np.full(pattern.shape[:2], 255, np.uint8)
        where = cv2.warpPerspective(inside, into, (WIDTH, HEIGHT)) > 127
        picture[where] = drawn[where]
    noisy = picture + rng.normal(0, NOISE, picture.shape).astype(np.float32)
    return noisy.clip(0, 255).astype(np.uint8)


def render(folder: Path, count: int) -> np.ndarray:
    """Writes photos `0.jpg` and so on; returns their poses [N, 3, 4]."""
    rng = np.random.default_rng(0)
    faces = planes()
    textures = [
        texture(seed, BOX_TEXTURE if seed else GROUND_TEXTURE) for seed in range(len(faces))
    ]
    poses = []
    half = -(-count // len(RINGS))
    for number in range(count):
        azimuth = 2 * math.pi * (number % half) / half + rng.uniform(-0.03, 0.03)
        up = math.radians(RINGS[number // half] + rng.uniform(-2, 2))
        way = [math.cos(azimuth) * math.cos(up), math.sin(azimuth) * math.cos(up), math.sin(up)]
        poses.append(look_at(DISTANCE * np.array(way), (0.0, 0.0, 0.3)))
        Image.fromarray(photo(poses[-1], faces, textures, rng)).save(
            folder / f"{number}.jpg", quality=93
        )
    return np.stack(poses)


@contextmanager
def sampled_memory() -> Iterator[list[float]]:
    """Yields the memory of this process and its children in MB, as a thread sees it grow."""
    seen, ended = [0.0], threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            own = Path("/proc/self")
            children = [
                Path("/proc") / number
                for tasks in own.glob("task/*/children")
                for number in tasks.read_text().split()
            ]
            seen.append(sum(map(pss_mb, (own, *children))))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def pss_mb(process: Path) -> float:
    """Memory of a process; pages that several processes share count in part."""
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            poses = pool.apply(render, (folder / "photos", given.photos))
            pool.close()
            pool.join()
        before = [resource.getrusage(who) for who in WHO]
        began = time.monotonic()
        with sampled_memory() as memory:
            captured = capture(folder / "photos", folder / "scene", threads=given.threads)
        seconds = time.monotonic() - began
        frames = json.loads((folder / "scene" / "transforms.json").read_text())["frames"]
    after = [resource.getrusage(who) for who in WHO]
    spent = [
        end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime
        for start, end in zip(before, after, strict=True)
    ]
    found = np.array([frame["transform_matrix"] for frame in frames])[:, :3]
    true = np.stack([poses[int(Path(frame["source"]).stem)] for frame in frames])
    result = {
        "registered": captured.registered,
        "given": captured.given,
        **compare(found, true[:, :3]),
        "threads": given.threads,
        "wall_seconds": seconds,
        "cpu_seconds": sum(spent),
        "cpu_seconds_of_structure_from_motion": spent[1],
        "peak_mb_of_both_processes": max(memory),
        "peak_mb_of_the_parent": after[0].ru_maxrss / 1024,
        "findings": [f"{finding.check}: {finding.text}" for finding in captured.findings],
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
