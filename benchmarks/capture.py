"""A capture of photos whose poses are known: how many are right, how far off, how long it takes.

Poses are aligned robustly by a similarity: a few wrong ones would spoil least squares for all. The
mean turn between the cameras is taken off and named by itself, since it is the principal point.

    python benchmarks/capture.py PHOTOS transforms.json SCENE
"""

from __future__ import annotations

import argparse
import json
import resource
from pathlib import Path

import numpy as np

from mobile_nelf.capturing.run import capture

#: A centre is right within this share of the path's extent.
RIGHT_SHARE = 0.015


def fit(found, true):
    """Returns scale, rotation and shift that take centres to the true ones."""
    mean_f, mean_t = found.mean(0), true.mean(0)
    u, s, v = np.linalg.svd((true - mean_t).T @ (found - mean_f))
    sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
    turn = u @ sign @ v
    scale = np.trace(np.diag(s) @ sign) / ((found - mean_f) ** 2).sum()
    return scale, turn, mean_t - scale * turn @ mean_f


def degrees(rotations):
    cosine = (np.trace(rotations, axis1=-2, axis2=-1) - 1.0) / 2.0
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))


def compare(found, true):
    """Returns what is right of poses [N, 3, 4]."""
    f, t = found[:, :, 3], true[:, :, 3]
    extent = np.linalg.norm(np.ptp(t, axis=0))
    rng = np.random.default_rng(0)
    best = np.zeros(len(f), bool)
    for _ in range(500):
        chosen = rng.choice(len(f), min(4, len(f)), replace=False)
        scale, turn, shift = fit(f[chosen], t[chosen])
        near = np.linalg.norm(scale * f @ turn.T + shift - t, axis=1) < 2 * RIGHT_SHARE * extent
        best = max(best, near, key=np.sum)
    for _ in range(3):
        scale, turn, shift = fit(f[best], t[best])
        error = np.linalg.norm(scale * f @ turn.T + shift - t, axis=1) / extent
        best = error < RIGHT_SHARE
    differing = np.einsum("nji,njk->nik", true[:, :, :3], turn @ found[:, :, :3])[best]
    u, _, v = np.linalg.svd(differing.mean(0))
    return {
        "right": int(best.sum()),
        "centres_rms_percent": 100 * float(np.sqrt((error[best] ** 2).mean())),
        "centres_largest_percent": 100 * float(error[best].max()),
        "constant_turn_degrees": float(degrees(u @ v)),
        "turn_besides_degrees": float(np.median(degrees((u @ v).T @ differing))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("transforms", type=Path, help="file with the true poses")
    parser.add_argument("scene", type=Path, help="folder to write")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    captured = capture(given.photos, given.scene, threads=given.threads)
    frames = json.loads(given.transforms.read_text())["frames"]
    poses = {Path(f["file_path"]).stem: np.array(f["transform_matrix"])[:3] for f in frames}
    made = json.loads((given.scene / "transforms.json").read_text())["frames"]
    found = np.array([frame["transform_matrix"] for frame in made])[:, :3]
    true = np.stack([poses[Path(frame["source"]).stem] for frame in made])
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    result = {
        "registered": captured.registered,
        "given": captured.given,
        "reprojection_pixels": captured.reprojection,
        **compare(found, true),
        "cpu_seconds": sum(u.ru_utime + u.ru_stime for u in usage),
        "peak_mb": max(u.ru_maxrss for u in usage) / 1024,
        "findings": [f"{finding.check}: {finding.text}" for finding in captured.findings],
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
