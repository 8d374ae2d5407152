"""Scenes: posed images from the formats that people have."""

from __future__ import annotations

from pathlib import Path

from mobile_nelf.errors import SceneError
from mobile_nelf.scenes.blender import read_blender
from mobile_nelf.scenes.scene import Scene, View

__all__ = ["Scene", "View", "read_scene"]


def read_scene(path: Path) -> Scene:
    """Reads a scene folder of any known format.

    Raises:
        SceneError: the folder does not exist or holds no known camera file.
    """
    if not path.is_dir():
        raise SceneError(f"{path}: no such folder, expected a scene")
    if (path / "transforms_train.json").exists():
        return read_blender(path)
    raise SceneError(
        f"{path}: holds no camera file that is known here; expected a Blender scene with "
        "transforms_train.json"
    )
