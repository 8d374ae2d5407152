"""A scene: posed images and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf.cameras import Camera, OrbitLimits
from mobile_nelf.errors import SceneError

__all__ = ["Scene", "View"]

#: Samples start at half the distance to the target and end at one and a half times it: 2 to 6 for
#: the Blender scenes, the range that the papers use there.
NEAR_FRACTION = 0.5
FAR_FRACTION = 1.5


@dataclass(frozen=True)
class View:
    """One posed image.

    Attributes:
        path: the image file.
        camera: where it was taken from, on the pixel grid of the file.
    """

    path: Path
    camera: Camera

    def rgba(self) -> npt.NDArray[np.uint8]:
        """Returns the image as [height, width, 4]; a file without alpha is opaque.

        Raises:
            SceneError: the file is no image or has another size than its camera.
        """
        try:
            with Image.open(self.path) as image:
                pixels = np.asarray(image.convert("RGBA"))
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise SceneError(f"{self.path}: not a readable image ({error})") from error
        lens = self.camera.intrinsics
        if pixels.shape[:2] != (lens.height, lens.width):
            raise SceneError(
                f"{self.path}: is {pixels.shape[1]}×{pixels.shape[0]}, but the first image of its "
                f"split is {lens.width}×{lens.height}; all must have one size"
            )
        return pixels


@dataclass(frozen=True)
class Scene:
    """Posed images of one object.

    Attributes:
        path: the folder it was read from.
        train: views to learn from.
        test: views to judge by; never trained on.
        near: depth of the first ray sample, world units.
        far: depth of the last ray sample, world units.
        orbit: the part of the sphere that the training cameras cover.
        missing: frames that the camera file names but whose image does not exist.
    """

    path: Path
    train: tuple[View, ...]
    test: tuple[View, ...]
    near: float
    far: float
    orbit: OrbitLimits
    missing: tuple[str, ...] = field(default=())

    @staticmethod
    def from_views(path: Path, train: list[View], test: list[View], missing: list[str]) -> Scene:
        """Works out orbit and depth range from the training cameras.

        Raises:
            SceneError: the training cameras span no orbit.
        """
        try:
            orbit = OrbitLimits.from_cameras([view.camera for view in train])
        except ValueError as error:
            raise SceneError(f"{path}: {error}") from error
        return Scene(
            path,
            tuple(train),
            tuple(test),
            NEAR_FRACTION * orbit.radius[0],
            FAR_FRACTION * orbit.radius[1],
            orbit,
            tuple(missing),
        )

    def views(self, split: Literal["train", "test"]) -> tuple[View, ...]:
        """Returns the views of a split.

        Raises:
            SceneError: the split is empty.
        """
        views = self.train if split == "train" else self.test
        if not views:
            raise SceneError(f"{self.path}: has no {split} views")
        return views
