"""Reader of Blender scenes: `transforms_train.json`, `transforms_test.json` and RGBA images."""

from __future__ import annotations

from pathlib import Path

from mobile_nelf.scenes.assembly import scene_as_given
from mobile_nelf.scenes.readers.transforms import json_frames
from mobile_nelf.scenes.scene import Scene

__all__ = ["CAMERAS", "read_blender"]

CAMERAS = "transforms_train.json"
TEST_CAMERAS = "transforms_test.json"


def read_blender(path: Path) -> Scene:
    """Reads a scene of the NeRF synthetic data set, or a pseudo set.

    The world stays as it is, since published students rely on it. Frames whose image is missing are
    left out and listed in `Scene.missing`, so a copy with only some of the test views still works.

    Raises:
        InputError: `transforms_train.json` is missing.
        SceneError: a camera file is malformed, an image cannot be read, no training image exists,
            or the training cameras span no orbit.
    """
    test_file = path / TEST_CAMERAS
    train = json_frames(path / CAMERAS)
    test = json_frames(test_file) if test_file.exists() else []
    return scene_as_given(path, path / CAMERAS, train, test)
