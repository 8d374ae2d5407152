"""What a sparse model of COLMAP holds, as far as a scene needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import FloatArray
from mobile_nelf.errors import SceneError
from mobile_nelf.extras import import_extra

__all__ = ["ColmapCamera", "ColmapImage", "ColmapModel", "camera_model"]


class ColmapCamera(NamedTuple):
    """A lens over the pixels of photos.

    Attributes:
        model: COLMAP's name of the camera model.
        width: in pixels.
        height: in pixels.
        params: of the model, in COLMAP's order.
    """

    model: str
    width: int
    height: int
    params: tuple[float, ...]


class ColmapImage(NamedTuple):
    """A photo with a pose.

    Attributes:
        name: below the folder of photos.
        quaternion: w, x, y, z of the rotation from world to camera, in OpenCV's axes.
        translation: [3] from world to camera.
        camera: number of its camera.
        points: numbers of the sparse points that it shows.
    """

    name: str
    quaternion: tuple[float, ...]
    translation: tuple[float, ...]
    camera: int
    points: npt.NDArray[np.int64]

    def cam_from_world(self) -> FloatArray:
        """Returns the [3, 4] pose from world to camera.

        Raises:
            ValueError: the quaternion is zero or not finite.
        """
        numbers = np.array(self.quaternion, np.float64)
        length = float(np.linalg.norm(numbers))
        if not 0.0 < length < np.inf:
            raise ValueError(f"rotation {self.quaternion} of {self.name}")
        w, x, y, z = numbers / length
        rotation = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
        return np.concatenate([rotation, np.reshape(self.translation, (3, 1))], 1)


@dataclass(frozen=True, eq=False)
class ColmapModel:
    """A sparse model.

    Attributes:
        cameras: by their numbers.
        images: those with a pose.
        points: [P, 3] sparse points, world frame.
        numbers: [P] of the points, ascending.
    """

    cameras: dict[int, ColmapCamera]
    images: list[ColmapImage]
    points: FloatArray
    numbers: npt.NDArray[np.int64]

    def seen_by(self, image: ColmapImage) -> FloatArray:
        """Returns the points [N, 3] that a photo shows."""
        if not len(self.numbers):
            return np.zeros((0, 3))
        places = np.searchsorted(self.numbers, image.points).clip(0, len(self.numbers) - 1)
        return np.asarray(self.points[places[self.numbers[places] == image.points]], np.float64)


def camera_model(model: str | int) -> Any:
    """Returns a camera of one of COLMAP's models, by name or number.

    Raises:
        MissingExtraError: pycolmap is not installed.
        SceneError: there is no such model.
    """
    pycolmap = import_extra("pycolmap", "train")
    try:
        name = pycolmap.CameraModelId(model) if isinstance(model, int) else model
        return pycolmap.Camera.create_from_model_name(
            1, name if isinstance(name, str) else name.name, 1.0, 1, 1
        )
    except (ValueError, RuntimeError, LookupError, TypeError) as error:
        raise SceneError(f"camera model {model} is not one of COLMAP's") from error
