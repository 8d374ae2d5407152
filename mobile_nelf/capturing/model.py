"""A reconstruction as the checks and the scene need it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import FloatArray
from mobile_nelf.extras import import_extra
from mobile_nelf.lenses import DistortedLens
from mobile_nelf.scenes.world import FROM_OPENCV

__all__ = ["Model", "PosedPhoto", "read_model", "read_reconstruction"]


@dataclass(frozen=True, eq=False)
class PosedPhoto:
    """A photo with a pose.

    Attributes:
        cam_to_world: [3, 4] in the OpenGL frame, world of the reconstruction.
        lens: that took it.
        points: [N] rows of `Model.points` that it shows.
        places: [N, 2] where it shows them, in pixels.
    """

    cam_to_world: FloatArray
    lens: DistortedLens
    points: npt.NDArray[np.int64]
    places: FloatArray


@dataclass(frozen=True, eq=False)
class Model:
    """A reconstruction.

    Attributes:
        photos: by the name of the photo.
        points: [P, 3] in the world of the reconstruction.
        reprojection: mean error in pixels.
        track_length: mean number of photos that show a point.
    """

    photos: dict[str, PosedPhoto]
    points: FloatArray
    reprojection: float
    track_length: float

    def positions(self) -> FloatArray:
        """Returns the places of the cameras, [N, 3]."""
        return np.stack([photo.cam_to_world[:, 3] for photo in self.photos.values()])


def read_reconstruction(folder: Path) -> Any:
    """Returns a `pycolmap.Reconstruction`.

    Raises:
        MissingExtraError: pycolmap is not installed.
    """
    pycolmap = import_extra("pycolmap", "capture")
    pycolmap.logging.minloglevel = 1
    return pycolmap.Reconstruction(folder)


def read_model(folder: Path) -> Model:
    """Reads the folder of a COLMAP model that was made here."""
    found = read_reconstruction(folder)
    numbers = sorted(found.points3D)
    rows = {number: row for row, number in enumerate(numbers)}
    lenses = {
        number: DistortedLens(
            camera.model_name, camera.width, camera.height, tuple(map(float, camera.params))
        )
        for number, camera in found.cameras.items()
    }
    photos = {}
    for image in sorted(found.images.values(), key=lambda image: str(image.name)):
        if not image.has_pose:
            continue
        shown = image.get_observation_points2D()
        photos[image.name] = PosedPhoto(
            _opengl(image.cam_from_world().inverse().matrix()),
            lenses[image.camera_id],
            np.array([rows[point.point3D_id] for point in shown], np.int64),
            np.array([point.xy for point in shown], np.float64).reshape(-1, 2),
        )
    points = np.array([found.points3D[number].xyz for number in numbers], np.float64)
    return Model(
        photos,
        points.reshape(-1, 3),
        float(found.compute_mean_reprojection_error()),
        float(found.compute_mean_track_length()),
    )


def _opengl(pose: FloatArray) -> FloatArray:
    """Turns the axes of a camera from right, down, ahead to right, up, back."""
    return np.concatenate([pose[:, :3] @ FROM_OPENCV, pose[:, 3:]], 1)
