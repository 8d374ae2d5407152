"""Warnings about a scene's photos, found without training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from mobile_nelf.cameras import FloatArray
from mobile_nelf.scenes.scene import Scene
from mobile_nelf.scenes.view import View

__all__ = ["scene_warnings"]

#: With fewer photos, what lies between them is guessed.
FEW_VIEWS = {"bounded": 20, "unbounded": 20, "forward": 10}
#: Cameras this much farther away than others show the object at another sharpness.
UNEVEN_RADIUS = 1.5
#: Neighbouring azimuths farther apart than this leave a side unseen.
GAP_DEG = 45.0
#: Cameras this far up see all sides; their azimuth means little.
STEEP_DEG = 70.0
#: Sharpness below this share of that of the median photo is blur.
BLUR_FRACTION = 0.3
#: Photos are judged at this size, where noise and compression count little.
SHARPNESS_PIXELS = 512
#: Photos that a warning names.
NAMES_SHOWN = 5


def scene_warnings(scene: Scene) -> tuple[str, ...]:
    """Returns the warnings, a sentence each.

    Raises:
        SceneError: a photo cannot be read.
    """
    found = [
        _few(scene),
        _uneven(scene),
        *(() if scene.extent == "forward" else _gaps(scene)),
        _blurred(scene.train),
        _missing(scene),
    ]
    return tuple(sentence for sentence in found if sentence)


def _few(scene: Scene) -> str:
    count = len(scene.train)
    enough = FEW_VIEWS[scene.extent]
    return f"only {count} photos to train on; take {enough} or more" if count < enough else ""


def _uneven(scene: Scene) -> str:
    near, far = scene.orbit.radius
    if far <= UNEVEN_RADIUS * near:
        return ""
    return (
        f"the distance to the target varies {far / near:.1f} times, from {near:.3g} to {far:.3g}; "
        "photos from far away show less than the student should"
    )


def _gaps(scene: Scene) -> list[str]:
    """The sides from which there is no photo."""
    offsets = np.stack([view.camera.position for view in scene.train]) - scene.orbit.target
    local = offsets @ scene.orbit.basis().T
    elevation = np.degrees(np.arcsin(local[:, 2] / np.linalg.norm(local, axis=1)))
    low = local[np.abs(elevation) < STEEP_DEG]
    if not len(low):
        return [f"all photos are taken from straight above or below, beyond {STEEP_DEG:.0f}°"]
    ordered = np.sort(np.degrees(np.arctan2(low[:, 1], low[:, 0])))
    gaps = np.diff(np.append(ordered, ordered[0] + 360.0))
    return [
        f"no photo from azimuth {start:.0f}° to {_wrapped(start + gap):.0f}°, a gap of {gap:.0f}°; "
        "viewers cannot go there"
        for start, gap in zip(ordered, gaps, strict=True)
        if gap > GAP_DEG
    ]


def _wrapped(angle: float) -> float:
    return (angle + 180.0) % 360.0 - 180.0


def _blurred(views: Sequence[View]) -> str:
    sharpness = np.array([_sharpness(view) for view in views])
    limit = BLUR_FRACTION * float(np.median(sharpness))
    blurred = [
        view.path.name for view, value in zip(views, sharpness, strict=True) if value < limit
    ]
    if not blurred:
        return ""
    more = f" and {len(blurred) - NAMES_SHOWN} more" if len(blurred) > NAMES_SHOWN else ""
    return (
        f"{len(blurred)} photos look blurred against the others: "
        f"{', '.join(blurred[:NAMES_SHOWN])}{more}"
    )


def _sharpness(view: View) -> float:
    """Variance of the Laplacian where the photo is opaque, on luminance in [0, 1]."""
    pixels = view.rgba()
    shrink = max(1, max(view.size) // SHARPNESS_PIXELS)
    small = np.asarray(Image.fromarray(pixels).reduce(shrink), np.float64) / 255.0
    grey: FloatArray = small[..., :3] @ [0.299, 0.587, 0.114]
    laplacian = (
        grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    )
    solid = small[..., 3] > 0.99
    # The outline of an object says nothing of how sharp the photo is inside.
    inner = solid[:-2, 1:-1] & solid[2:, 1:-1] & solid[1:-1, :-2] & solid[1:-1, 2:]
    inner &= solid[1:-1, 1:-1]
    return float(laplacian[inner].var()) if inner.any() else 0.0


def _missing(scene: Scene) -> str:
    if not scene.missing:
        return ""
    return f"{len(scene.missing)} photos that the camera file names do not exist"
