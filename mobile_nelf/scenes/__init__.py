"""Scenes: posed images from the formats that people have."""

from __future__ import annotations

from pathlib import Path

from mobile_nelf.errors import SceneError
from mobile_nelf.scenes.blender import read_blender
from mobile_nelf.scenes.llff import POSES, read_llff
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.transforms import TRANSFORMS, read_transforms
from mobile_nelf.scenes.view import Box, Extent, View

__all__ = ["Box", "Extent", "Scene", "View", "read_scene"]


def read_scene(path: Path) -> Scene:
    """Reads a scene folder of any known format.

    Raises:
        SceneError: the folder does not exist or holds no known camera file.
    """
    if not path.is_dir():
        raise SceneError(f"{path}: no such folder, expected a scene")
    if (path / "transforms_train.json").exists():
        return read_blender(path)
    if (path / TRANSFORMS).exists():
        return read_transforms(path)
    if (path / POSES).exists():
        return read_llff(path)
    raise SceneError(
        f"{path}: holds no camera file that is known here; expected a Blender scene with "
        f"transforms_train.json, {TRANSFORMS} of instant-ngp or nerfstudio, or an LLFF scene with "
        f"{POSES}"
    )
