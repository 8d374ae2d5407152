"""Reader of Blender scenes: `transforms_train.json`, `transforms_test.json` and RGBA images."""

from __future__ import annotations

from pathlib import Path

from mobile_nelf.scenes.assembly import Frame, scene_as_given
from mobile_nelf.scenes.readers.transforms import json_frames
from mobile_nelf.scenes.scene import Scene

__all__ = ["CAMERAS", "read_blender"]

CAMERAS = "transforms_train.json"
#: Cameras to test with; the first one that is there counts.
TEST_CAMERAS = ("transforms_test.json", "transforms_val.json")


def read_blender(path: Path) -> Scene:
    """Reads a scene of the NeRF synthetic data set, or a pseudo set.

    The world stays as it is, since published students rely on it. Frames whose image is missing are
    left out and listed in `Scene.missing`, so a copy with only some of the test views still works.

    Raises:
        InputError: `transforms_train.json` is missing.
        SceneError: a camera file is malformed, an image cannot be read, no training image exists,
            or the training cameras span no orbit.
    """
    train, notices, _ = json_frames(path / CAMERAS)
    test: list[Frame] = []
    found = next((name for name in TEST_CAMERAS if (path / name).is_file()), None)
    if found is not None:
        test, more, _ = json_frames(path / found)
        notices += more
        if found != TEST_CAMERAS[0]:
            notices.append(
                f"the test split is that of {found}, since there is no {TEST_CAMERAS[0]}"
            )
    return scene_as_given(path, path / CAMERAS, train, test, notices)
