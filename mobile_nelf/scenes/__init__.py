"""Scenes: posed images from the formats that people have."""

from __future__ import annotations

from pathlib import Path

from mobile_nelf.errors import SceneError
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.scenes.readers import READERS
from mobile_nelf.scenes.readers.blender import CAMERAS
from mobile_nelf.scenes.readers.llff import CAMERAS as LLFF_CAMERAS
from mobile_nelf.scenes.readers.transforms import read_transforms
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.view import Box, View

__all__ = ["Box", "Scene", "View", "read_scene"]


def read_scene(path: AnyPath) -> Scene:
    """Reads a scene of any known format.

    Args:
        path: the folder of the scene, or its camera file as instant-ngp and nerfstudio take it.

    Raises:
        SceneError: there is no such folder, or it holds no known camera file.
        MissingExtraError: lenses of the scene need pycolmap, which is not installed.
    """
    path = as_path(path)
    if path.is_file():
        return _read_file(path)
    if not path.is_dir():
        raise SceneError(f"{path}: no such folder, expected a scene")
    for reader in READERS:
        if reader.find(path):
            try:
                return reader.read(path)
            # Numbers that pass one by one may still make a lens or an orbit that cannot be.
            except (ValueError, OverflowError) as error:
                raise SceneError(f"{path}: {error}") from error
    *others, last = (reader.marker for reader in READERS)
    raise SceneError(
        f"{path}: holds no camera file that is known here; expected {', '.join(others)}, or {last}"
    )


def _read_file(file: Path) -> Scene:
    folder = file.parent
    if file.suffix.lower() == ".json" and file.name != CAMERAS:
        return read_transforms(folder, file)
    if file.name in (CAMERAS, LLFF_CAMERAS):
        return read_scene(folder)
    raise SceneError(f"{file}: is a file, expected the folder of a scene or its transforms.json")
