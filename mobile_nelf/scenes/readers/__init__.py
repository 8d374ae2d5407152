"""Readers of scenes: one module a format, one line each in `READERS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mobile_nelf.scenes.readers import blender, llff, pseudo_npy, transforms
from mobile_nelf.scenes.readers.colmap.reader import find_colmap, read_colmap
from mobile_nelf.scenes.scene import Scene

__all__ = ["READERS", "Reader"]


@dataclass(frozen=True)
class Reader:
    """One format of scenes.

    Attributes:
        marker: what a scene of this format is known by, as messages name it.
        find: tells whether a folder is such a scene.
        read: reads it; raises `SceneError` where it is broken.
    """

    marker: str
    find: Callable[[Path], bool]
    read: Callable[[Path], Scene]


def _by_file(name: str, whose: str, read: Callable[[Path], Scene]) -> Reader:
    return Reader(f"{name} of {whose}", lambda path: (path / name).exists(), read)


#: The first one that finds its files reads a folder.
READERS = (
    _by_file(blender.CAMERAS, "a Blender scene", blender.read_blender),
    _by_file(transforms.CAMERAS, "instant-ngp or nerfstudio", transforms.read_transforms),
    _by_file(llff.CAMERAS, "LLFF", llff.read_llff),
    _by_file(pseudo_npy.INFO, "a MobileR2L pseudo set", pseudo_npy.read_pseudo_npy),
    Reader("a COLMAP model in sparse/0", lambda path: find_colmap(path) is not None, read_colmap),
)
