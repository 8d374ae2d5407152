"""What the exports of a teacher cost, and how near they come to it.

Meshes of several sizes: bytes, CPU seconds, and the distance from where the teacher's rays end on
the test views to the mesh, in pixels of the photos. Points, and splats in both formats with their
quality on the test views.

    python benchmarks/teacher_exports.py mic-teacher.pt examples/mic
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mobile_nelf as mn
from mobile_nelf.cameras import FloatArray
from mobile_nelf.rays import ray_grid
from mobile_nelf.surfaces.export import ExportedSurface
from mobile_nelf.surfaces.frames import Y_UP
from mobile_nelf.teachers.files import TrainedTeacher, load_teacher

#: Rays that lose less light than this pass by the rim of something.
OPAQUE = 0.95
#: Points on a mesh, as near to each other as a tenth of a pixel of the example.
SPREAD = 1_000_000
MESHES = (2_000, 5_000, 20_000)
SPLATS = (("splat.ply", 40_000), ("splat.spz", 40_000), ("splat.spz", 10_000))


def ends(trained: TrainedTeacher, scene: mn.Scene) -> tuple[FloatArray, FloatArray]:
    """Where rays of the test views end [N, 3], and the width of a pixel there [N]."""
    points, widths = [], []
    for view in scene.views("test"):
        seen = trained.teacher.render(view.camera)
        rays = ray_grid(view.camera).reshape(6, -1).T
        solid, depth = seen.alpha.reshape(-1) > OPAQUE, seen.depth.reshape(-1, 1)
        points.append((rays[:, :3] + depth * rays[:, 3:])[solid])
        widths.append((depth[:, 0] / view.camera.intrinsics.fx)[solid])
    return np.concatenate(points), np.concatenate(widths)


def distances(path: Path, points: FloatArray) -> FloatArray:
    """From points [N, 3] of the world to the mesh in a file."""
    import trimesh
    from scipy.spatial import cKDTree

    (mesh,) = trimesh.load(path, process=False).geometry.values()
    spread, _ = trimesh.sample.sample_surface(mesh, SPREAD, seed=0)
    found, _ = cKDTree(spread @ Y_UP).query(points)
    return np.asarray(found, np.float64)


def timed(run: Callable[[], ExportedSurface]) -> tuple[ExportedSurface, float]:
    """What a run returns, and its seconds of CPU."""
    start = time.process_time()
    return run(), time.process_time() - start


def measure(teacher: Path, scene: mn.Scene, folder: Path) -> list[dict[str, Any]]:
    trained = load_teacher(teacher, torch.device("cpu"))
    points, widths = ends(trained, scene)
    rows = []
    for count in MESHES:
        done, seconds = timed(
            lambda: mn.export_teacher(trained, folder / "a.glb", count=count, force=True)  # noqa: B023
        )
        away = distances(done.path, points) / widths
        median, most = np.quantile(away, (0.5, 0.9)).tolist()
        rows.append(row(done, seconds) | {"median_pixels": median, "nine_of_ten_pixels": most})
    done, seconds = timed(lambda: mn.export_teacher(trained, folder / "points.ply"))
    rows.append(row(done, seconds))
    for name, count in SPLATS:
        done, seconds = timed(
            lambda: mn.export_teacher(trained, folder / name, count=count, force=True)  # noqa: B023
        )
        mean = mn.evaluate(done.path, scene).subsets["all"].mean
        rows.append(row(done, seconds) | {"psnr_db": mean.psnr_db, "ssim": mean.ssim})
    return rows


def row(done: ExportedSurface, seconds: float) -> dict[str, Any]:
    return {
        "file": done.path.name,
        "kind": done.kind,
        "count": done.count,
        "bytes": done.bytes,
        "cpu_seconds": seconds,
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("teacher", type=Path)
    parser.add_argument("scene", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(options.teacher, mn.read_scene(options.scene), Path(folder))
    if options.json:
        print(json.dumps({"rows": rows}))
        return
    print("| file | holds | bytes | CPU s | nearness (pixels), or quality |")
    print("|---|---|---|---|---|")
    for found in rows:
        noun = {"mesh": "triangles", "points": "points", "splat": "splats"}[found["kind"]]
        print(
            f"| {found['file']} | {found['count']:,} {noun} | {found['bytes']:,} "
            f"| {found['cpu_seconds']:.0f} | {judged(found)} |"
        )


def judged(found: dict[str, Any]) -> str:
    if found["kind"] == "mesh":
        return f"{found['median_pixels']:.2f}, {found['nine_of_ten_pixels']:.2f}"
    if found["kind"] == "splat":
        return f"{found['psnr_db']:.2f} dB, SSIM {found['ssim']:.4f}"
    return ""


if __name__ == "__main__":
    main()
