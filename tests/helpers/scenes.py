"""Scenes whose cameras are known, written in all the formats that are read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from PIL import Image

from mobile_nelf.cameras import Camera, Intrinsics, OrbitLimits
from mobile_nelf.scenes import Scene

LENS = Intrinsics(16, 12, 20.0, 21.0, 8.5, 5.5)

#: Poses go through a similarity and back in float64; coordinates are below 100.
ROUND_TRIP = 1e-9


def arc(
    azimuths: Sequence[float] = (-70, -40, -10, 10, 40, 70), elevations: Sequence[float] = (-20, 20)
) -> list[np.ndarray]:
    """Poses that are normalised already: they look at the origin from about 4 units away.

    Azimuths and elevations come in pairs of opposite signs, so the mean camera stands at azimuth 0
    and the mean up is +z; the distance depends on the size of the azimuth alone, its median is 4.
    """
    orbit = OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (-90, 90), (4, 4))
    sizes = sorted({abs(a) for a in azimuths})
    middle = len(sizes) // 2
    radius = {size: 4.0 + 0.4 * (i - middle) / max(middle, 1) for i, size in enumerate(sizes)}
    return [orbit.pose(a, e, radius[abs(a)]) for a in azimuths for e in elevations]


@dataclass(frozen=True)
class Elsewhere:
    """A world that is turned, moved and scaled against the normalised one."""

    rotation: np.ndarray
    scale: float
    origin: np.ndarray

    @staticmethod
    def random(seed: int = 0) -> Elsewhere:
        rng = np.random.default_rng(seed)
        rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        rotation *= np.linalg.det(rotation)
        return Elsewhere(rotation, rng.uniform(0.1, 5.0), rng.normal(size=3) * 3)

    def pose(self, cam_to_world: np.ndarray) -> np.ndarray:
        position = self.point(cam_to_world[:, 3])
        return np.concatenate([self.rotation @ cam_to_world[:, :3], position[:, None]], 1)

    def point(self, world: np.ndarray) -> np.ndarray:
        return self.scale * self.rotation @ world + self.origin


def pixels(index: int, width: int = LENS.width, height: int = LENS.height) -> np.ndarray:
    """RGB noise that is another for each index."""
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save_photo(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def name(index: int) -> str:
    return f"photo_{index:02d}.png"


def save_photos(folder: Path, count: int, **size: int) -> None:
    for index in range(count):
        save_photo(folder / name(index), pixels(index, **size))


def matrix(pose: np.ndarray) -> list[list[float]]:
    return np.vstack([pose, [0, 0, 0, 1]]).tolist()


def write_transforms(root: Path, poses: Sequence[np.ndarray], **top: Any) -> None:
    """A scene of instant-ngp; `top` replaces values at the top of the file."""
    save_photos(root / "images", len(poses))
    values = {"fl_x": LENS.fx, "fl_y": LENS.fy, "cx": LENS.cx, "cy": LENS.cy}
    frames = [
        {"file_path": f"images/{name(i)}", "transform_matrix": matrix(pose)}
        for i, pose in enumerate(poses)
    ]
    size = {"w": LENS.width, "h": LENS.height}
    data = {**values, **size, "frames": frames, **top}
    (root / "transforms.json").write_text(json.dumps(data))


def edit(file: Path, change: Any) -> None:
    """Changes a JSON file in place."""
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def write_llff(
    root: Path,
    poses: Sequence[np.ndarray],
    bounds: tuple[float, float],
    *,
    folder: str = "images",
    shrink: int = 1,
) -> None:
    """An LLFF scene; its photos are smaller than its poses say by `shrink`."""
    save_photos(root / folder, len(poses))
    hwf = np.array([LENS.height * shrink, LENS.width * shrink, 20.0 * shrink])
    rows = []
    for pose in poses:
        right, up, back, position = pose.T
        table = np.stack([-up, right, back, position, hwf], 1)  # [3, 5]
        rows.append([*table.ravel(), *bounds])
    np.save(root / "poses_bounds.npy", np.array(rows))


def write_colmap(
    model: Path,
    poses: Sequence[np.ndarray],
    points: np.ndarray,
    *,
    text: bool = False,
    camera: pycolmap.Camera | None = None,
) -> None:
    """A sparse model in which every camera sees every point; photos lie beside `sparse`."""
    camera = camera or pycolmap.Camera(
        model="PINHOLE", width=LENS.width, height=LENS.height,
        params=[LENS.fx, LENS.fy, LENS.cx, LENS.cy],
    )  # fmt: skip
    camera.camera_id = 1
    made = pycolmap.Reconstruction()
    made.add_camera_with_trivial_rig(camera)
    for index, pose in enumerate(poses):
        rotation = (pose[:, :3] @ np.diag([1.0, -1.0, -1.0])).T
        cam_from_world = np.concatenate([rotation, -rotation @ pose[:, 3:]], 1)
        corners = pycolmap.Point2DList([pycolmap.Point2D(np.zeros(2)) for _ in points])
        image = pycolmap.Image(name=name(index), camera_id=1, image_id=index + 1, points2D=corners)
        made.add_image_with_trivial_frame(image, pycolmap.Rigid3d(cam_from_world))
    for number, point in enumerate(points):
        track = [pycolmap.TrackElement(index + 1, number) for index in range(len(poses))]
        made.add_point3D(point, pycolmap.Track(track), np.zeros(3, np.uint8))
    model.mkdir(parents=True, exist_ok=True)
    if text:
        made.write_text(model)
    else:
        made.write_binary(model)


def cameras_by_name(scene: Scene) -> dict[str, Camera]:
    return {view.path.name: view.camera for view in (*scene.train, *scene.test)}


def assert_poses(scene: Scene, poses: Sequence[np.ndarray], atol: float = ROUND_TRIP) -> None:
    """The scene has exactly these poses, photo by photo."""
    found = cameras_by_name(scene)
    assert sorted(found) == [name(index) for index in range(len(poses))]
    for index, pose in enumerate(poses):
        np.testing.assert_allclose(found[name(index)].cam_to_world, pose, atol=atol, rtol=0)
