"""Reader of `transforms.json`, the format of instant-ngp and nerfstudio."""

from __future__ import annotations

from pathlib import Path

from mobile_nelf.scenes.frames import normalised_scene
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.transforms_json import json_frames

__all__ = ["CAMERAS", "read_transforms"]

CAMERAS = "transforms.json"


def read_transforms(path: Path) -> Scene:
    """Reads a scene; every eighth frame by name is for testing.

    Lens values stand in a frame or, for all frames, at the top. Distortion is undone when a photo
    is read. Frames whose photo is missing are listed in `Scene.missing`.

    Raises:
        InputError: there is no `transforms.json`.
        SceneError: it is malformed, a photo cannot be read, no photo exists, or the cameras look at
            nothing in common.
    """
    file = path / CAMERAS
    frames = sorted(json_frames(file), key=lambda frame: frame.name)
    return normalised_scene(path, file, frames)
