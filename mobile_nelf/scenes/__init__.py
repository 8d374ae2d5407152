"""Scenes: posed images from the formats that people have."""

from __future__ import annotations

from pathlib import Path

from mobile_nelf.errors import SceneError
from mobile_nelf.scenes.blender import CAMERAS as BLENDER
from mobile_nelf.scenes.blender import read_blender
from mobile_nelf.scenes.colmap import find_colmap, read_colmap
from mobile_nelf.scenes.llff import CAMERAS as LLFF
from mobile_nelf.scenes.llff import read_llff
from mobile_nelf.scenes.pseudo_npy import INFO as PSEUDO_NPY
from mobile_nelf.scenes.pseudo_npy import read_pseudo_npy
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.transforms import CAMERAS as TRANSFORMS
from mobile_nelf.scenes.transforms import read_transforms
from mobile_nelf.scenes.view import Box, Extent, View

__all__ = ["Box", "Extent", "Scene", "View", "read_scene"]


def read_scene(path: Path) -> Scene:
    """Reads a scene folder of any known format.

    Raises:
        SceneError: the folder does not exist or holds no known camera file.
        MissingExtraError: lenses of the scene need pycolmap, which is not installed.
    """
    if not path.is_dir():
        raise SceneError(f"{path}: no such folder, expected a scene")
    if (path / BLENDER).exists():
        return read_blender(path)
    if (path / TRANSFORMS).exists():
        return read_transforms(path)
    if (path / LLFF).exists():
        return read_llff(path)
    if (path / PSEUDO_NPY).exists():
        return read_pseudo_npy(path)
    model = find_colmap(path)
    if model is not None:
        return read_colmap(path, model)
    raise SceneError(
        f"{path}: holds no camera file that is known here; expected {BLENDER} of a Blender scene, "
        f"{TRANSFORMS} of instant-ngp or nerfstudio, {LLFF} of LLFF, a COLMAP model in sparse/0, "
        f"or {PSEUDO_NPY} of a MobileR2L pseudo set"
    )
