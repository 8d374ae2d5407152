"""Scenes: posed images from the formats that people have."""

from __future__ import annotations

from mobile_nelf.errors import SceneError
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.scenes.readers import READERS
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.view import Box, View

__all__ = ["Box", "Scene", "View", "read_scene"]


def read_scene(path: AnyPath) -> Scene:
    """Reads a scene folder of any known format.

    Raises:
        SceneError: the folder does not exist or holds no known camera file.
        MissingExtraError: lenses of the scene need pycolmap, which is not installed.
    """
    path = as_path(path)
    if not path.is_dir():
        raise SceneError(f"{path}: no such folder, expected a scene")
    for reader in READERS:
        if reader.find(path):
            return reader.read(path)
    *others, last = (reader.marker for reader in READERS)
    raise SceneError(
        f"{path}: holds no camera file that is known here; expected {', '.join(others)}, or {last}"
    )
