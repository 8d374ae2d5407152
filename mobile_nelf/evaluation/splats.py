"""Files of splats as something that can be judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from mobile_nelf.cameras import Camera
from mobile_nelf.errors import InputError
from mobile_nelf.pictures import FloatImage
from mobile_nelf.scenes import Scene
from mobile_nelf.surfaces.splat_files import read_splats
from mobile_nelf.surfaces.splats import Splats
from mobile_nelf.surfaces.splatting import draw_splats

__all__ = ["FrameFunction", "splat_frames"]

#: Takes the camera of a photo, on the photo's pixel grid, and returns its picture on white,
#: [height, width, 3].
FrameFunction = Callable[[Camera], FloatImage]

#: Longest side of the splats in that of the object's box, which is the hull with a margin.
LIKELY = (0.4, 1.6)
#: Splats beyond these shares of all are strays.
MOST = (0.01, 0.99)


def splat_frames(path: Path, scene: Scene) -> FrameFunction:
    """Returns what draws the splats of a file in the world of a scene.

    Their lengths are those that `export_teacher` writes: metres where the scene knows its true
    size, else units of its world.

    Raises:
        InputError: the file is not one of splats, or its size is not that of the scene's object.
    """
    splats = read_splats(path)
    unit = scene.metres_per_unit or 1.0
    splats = replace(splats, centres=splats.centres / unit, scales=splats.scales / unit)
    if scene.extent == "bounded":
        _check_size(path, splats, scene)
    return lambda camera: draw_splats(splats, camera)


def _check_size(path: Path, splats: Splats, scene: Scene) -> None:
    low, high = np.quantile(splats.centres, MOST, axis=0)
    box = np.asarray([scene.box.lower, scene.box.upper])
    own, expected = float((high - low).max()), float((box[1] - box[0]).max())
    apart = bool((high < box[0]).any() or (low > box[1]).any())
    if apart or not LIKELY[0] <= own / expected <= LIKELY[1]:
        where = ", beside it" if apart else ""
        raise InputError(
            f"{path}: its splats span {own:.3g} units{where}, the object of {scene.path} "
            f"{expected:.3g}; export them from a teacher of this scene, without size_cm"
        )
