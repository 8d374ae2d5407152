"""A scene: posed images and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from mobile_nelf.cameras import Camera, FloatArray, OrbitLimits
from mobile_nelf.errors import SceneError
from mobile_nelf.scenes.hull import visual_hull
from mobile_nelf.scenes.view import Box, View
from mobile_nelf.vocabulary import Extent

__all__ = ["Scene"]

#: Samples start at half the distance to the target and end at one and a half times it: 2 to 6 for
#: the Blender scenes, the range that the papers use there.
NEAR_FRACTION = 0.5
FAR_FRACTION = 1.5
#: Farther than this, relative to the distance, rays need no sample: two points tell a ray, and the
#: encoding is made for small coordinates.
FARTHEST_FRACTION = 3.0
#: However large the object, no sample lies nearer than this, relative to the distance.
NEAREST_FRACTION = 0.1
#: Half side of the cube of an unbounded scene that is not contracted, relative to the distance.
UNBOUNDED_FRACTION = 0.5
#: Photos that a notice names.
NAMES_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Scene:
    """Posed images of one object.

    Attributes:
        path: the folder it was read from.
        train: views to learn from.
        test: views to judge by; never trained on.
        near: depth of the first ray sample, world units.
        far: depth of the last ray sample, world units.
        orbit: the part of the sphere that the training cameras cover.
        extent: what the photos show.
        box: around the object; in an unbounded scene, the part that is not contracted; in a
            forward-facing one, what the cameras see from `near` to `far`.
        missing: frames that the camera file names but whose image does not exist.
        notices: what the reader did to the photos.
        metres_per_unit: true length of a world unit; None if unknown.
    """

    path: Path
    train: tuple[View, ...]
    test: tuple[View, ...]
    near: float
    far: float
    orbit: OrbitLimits
    extent: Extent
    box: Box
    missing: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    metres_per_unit: float | None = None

    def __repr__(self) -> str:
        """Returns name, views and extent."""
        views = (*self.train, *self.test)
        size = "×".join(map(str, views[0].size)) if views else "no size"
        return (
            f"Scene({self.path.resolve().name}, {len(self.train)} training and {len(self.test)} "
            f"test views of {size}, {self.extent})"
        )

    @staticmethod
    def from_views(
        path: Path,
        train: Sequence[View],
        test: Sequence[View],
        missing: Sequence[str] = (),
        *,
        target: FloatArray | None = None,
        forward: bool = False,
        depths: tuple[float, float] | None = None,
        notices: Sequence[str] = (),
        metres_per_unit: float | None = None,
    ) -> Scene:
        """Works out orbit, extent and depth range from the training views.

        Args:
            path: the folder.
            train: views to learn from.
            test: views to judge by.
            missing: frames without an image.
            target: [3] point that the cameras circle; the one nearest to their axes if None.
            forward: all cameras look in about the same direction.
            depths: nearest and farthest depth where something is, world units, if it is known and
                the photos have no alpha that tells it.
            notices: what the reader did to the photos.
            metres_per_unit: true length of a world unit; None if unknown.

        Raises:
            SceneError: the training cameras span no orbit, the depths make no sense, or a photo
                cannot be read.
        """
        cameras = [view.camera for view in train]
        try:
            orbit = OrbitLimits.from_cameras(cameras, target=target)
        except ValueError as error:
            raise SceneError(f"{path}: {error}") from error
        centre = np.asarray(orbit.target)
        radius = float(np.median([np.linalg.norm(c.position - centre) for c in cameras]))
        hull = visual_hull(train, centre, radius)
        if hull is not None:
            extent: Extent = "bounded"
            box = hull.box
            near, far = max(hull.near, NEAREST_FRACTION * orbit.radius[0]), hull.far
            if hull.opaque:
                notices = (*notices, _opaque_notice(hull.opaque))
        else:
            near, far = depths or (NEAR_FRACTION * orbit.radius[0], FAR_FRACTION * orbit.radius[1])
            far = min(far, FARTHEST_FRACTION * radius)
            extent = "forward" if forward else "unbounded"
            box = (
                _seen_box(cameras, near, far)
                if forward
                else Box.around(centre[None], UNBOUNDED_FRACTION * radius)
            )
        if not 0.0 < near < far:
            raise SceneError(
                f"{path}: depths from {near:.4g} to {far:.4g} at a distance of {radius:.4g}; "
                "are the poses right?"
            )
        return Scene(
            path,
            tuple(train),
            tuple(test),
            near,
            far,
            orbit,
            extent,
            box,
            tuple(missing),
            tuple(notices),
            metres_per_unit,
        )

    def check_images(self) -> None:
        """Decodes every image once, so that a broken one is found before a long run.

        Raises:
            SceneError: one is not an image, cut off, or was changed.
        """
        for view in (*self.train, *self.test):
            view.file_pixels()

    def cropped(self, multiple: int) -> Scene:
        """Returns the scene with sides that are multiples of `multiple`, which a student needs.

        What is too much is cut off evenly at both sides, and a notice says so.

        Raises:
            SceneError: the images are smaller than `multiple`.
        """
        lens = self.views("train")[0].camera.intrinsics
        width, height = (side // multiple * multiple for side in (lens.width, lens.height))
        if (width, height) == (lens.width, lens.height):
            return self
        if not width or not height:
            raise SceneError(
                f"{self.path}: images are {lens.width}×{lens.height}, expected at least "
                f"{multiple}×{multiple}"
            )
        notice = (
            f"images are cropped from {lens.width}×{lens.height} to {width}×{height}, since a ray "
            f"makes {multiple}×{multiple} pixels"
        )
        return replace(
            self,
            train=tuple(view.cropped(width, height) for view in self.train),
            test=tuple(view.cropped(width, height) for view in self.test),
            notices=(*self.notices, notice),
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


def _opaque_notice(names: Sequence[str]) -> str:
    more = " and others" if len(names) > NAMES_SHOWN else ""
    return (
        f"{len(names)} photos are opaque where the others are transparent around the object: "
        f"{', '.join(names[:NAMES_SHOWN])}{more}; cut the object out of them too, or remove them"
    )


def _seen_box(cameras: Sequence[Camera], near: float, far: float) -> Box:
    """The box around what cameras see between two depths."""
    points = []
    for camera in cameras:
        lens = camera.intrinsics
        for depth in (near, far):
            for column, row in (
                (0, 0),
                (lens.width, 0),
                (0, lens.height),
                (lens.width, lens.height),
            ):
                ray = np.array([(column - lens.cx) / lens.fx, (lens.cy - row) / lens.fy, -1.0])
                points.append(camera.cam_to_world @ [*(depth * ray), 1.0])
    return Box.around(np.stack(points))
