"""Where training views come from: photos, a set on disk, or a teacher that renders on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

from mobile_nelf.cameras import Camera
from mobile_nelf.errors import SceneError
from mobile_nelf.pictures import ByteImage
from mobile_nelf.scenes import View
from mobile_nelf.students import StudentConfig
from mobile_nelf.teachers.teacher import Teacher

__all__ = [
    "CameraStream",
    "MixedViews",
    "PhotoViews",
    "TeacherViews",
    "ViewSource",
    "check_size",
]


class ViewSource(Protocol):
    """Posed views by number. A number always means the same view."""

    @property
    def count(self) -> int | None:
        """How many views there are; None without end."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of every view in pixels; lenses may differ."""
        ...

    def view(self, index: int) -> tuple[Camera, ByteImage]:
        """Returns the camera, on the view's pixel grid, and the pixels of view `index`."""
        ...

    def identity(self) -> str:
        """Returns what tells these views from others, in a few words and a hash.

        A run resumes from its saved state only with views of the same identity.
        """
        ...


class CameraStream(Protocol):
    """Cameras by number, without end."""

    def camera(self, index: int) -> Camera:
        """Returns camera `index`, which depends on nothing else."""
        ...


class PhotoViews:
    """Views of a scene: its photos, or a pseudo set on disk."""

    def __init__(self, views: Sequence[View]) -> None:
        """Takes views, which are read when they are asked for.

        Raises:
            SceneError: there are none, or they have different sizes.
        """
        if not views:
            raise SceneError("there are no photos to train on")
        sizes = [(v.camera.intrinsics.width, v.camera.intrinsics.height) for v in views]
        for view, size in zip(views, sizes, strict=True):
            if size != sizes[0]:
                raise SceneError(
                    f"{view.path}: is {size[0]}×{size[1]}, but {views[0].path.name} is "
                    f"{sizes[0][0]}×{sizes[0][1]}; all photos must have one size"
                )
        self._views = tuple(views)
        self.count = len(views)
        self.size = sizes[0]

    def view(self, index: int) -> tuple[Camera, ByteImage]:
        """Reads photo `index`.

        Raises:
            SceneError: the file is not an image or has another size than its camera.
        """
        view = self._views[index]
        return view.camera, view.rgba()

    def identity(self) -> str:
        """Returns a hash of the files and their cameras, in their order.

        Raises:
            SceneError: a file cannot be read.
        """
        digest = hashlib.sha256()
        for view in self._views:
            try:
                digest.update(hashlib.sha256(view.path.read_bytes()).digest())
            except OSError as error:
                raise SceneError(f"{view.path}: cannot be read ({error.strerror})") from error
            # Everything that the reader knows of the view, wherever its folder lies.
            known = (view.path.name, view.camera.intrinsics, view.lens, view.whole, view.stored)
            digest.update(repr(known).encode())
            digest.update(view.camera.cam_to_world.tobytes())
        return f"photos {digest.hexdigest()}"


class TeacherViews:
    """What a teacher renders along a stream of cameras."""

    count = None

    def __init__(self, teacher: Teacher, cameras: CameraStream, identity: str) -> None:
        """Takes a teacher and where to look from.

        Args:
            teacher: renders the views.
            cameras: all of one image size.
            identity: tells teacher and cameras from others: the hash of the teacher's weights and
                what the cameras depend on.
        """
        self._teacher = teacher
        self._cameras = cameras
        self._identity = identity
        lens = cameras.camera(0).intrinsics
        self.size = (lens.width, lens.height)

    def view(self, index: int) -> tuple[Camera, ByteImage]:
        """Renders view `index`."""
        camera = self._cameras.camera(index)
        return camera, self._teacher.rgba8(camera)

    def identity(self) -> str:
        """Returns what the caller said."""
        return self._identity


class MixedViews:
    """Pseudo views with real photos among them, which know what the teacher got wrong."""

    count = None

    def __init__(self, photos: PhotoViews, pseudo: TeacherViews, every: int) -> None:
        """Takes both; every so many views, one is a photo.

        Raises:
            SceneError: they have different sizes.
        """
        if photos.size != pseudo.size:
            raise SceneError(
                f"photos are {photos.size[0]}×{photos.size[1]}, pseudo views "
                f"{pseudo.size[0]}×{pseudo.size[1]}; both must have one size"
            )
        self._photos, self._pseudo, self._every = photos, pseudo, every
        self.size = photos.size

    def view(self, index: int) -> tuple[Camera, ByteImage]:
        """Reads or renders view `index`."""
        turn, place = divmod(index, self._every)
        if place == 0:
            return self._photos.view(turn % self._photos.count)
        return self._pseudo.view(index)

    def identity(self) -> str:
        """Returns what tells both sources and their mixture from others."""
        return f"{self._pseudo.identity()}; every {self._every}th of {self._photos.identity()}"


def check_size(views: str, size: tuple[int, int], student: StudentConfig) -> None:
    """Refuses views of another size than the student renders.

    Raises:
        SceneError: it is another; the message begins with `views`.
    """
    if size != (student.image_width, student.image_height):
        raise SceneError(
            f"{views}: images are {size[0]}×{size[1]}, the student renders "
            f"{student.image_width}×{student.image_height}; choose a ray grid of "
            f"{size[0] // student.scale}×{size[1] // student.scale} or another size"
        )
