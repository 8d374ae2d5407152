"""A pseudo set: views that a teacher rendered, on disk as a Blender scene of WebP images.

pseudo_set.json           how it was made
transforms_train.json     cameras; each frame names its own lens, which may be off-centre
train/r_00000.webp …

It is made in a folder beside its place, which it takes only when it is whole.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mobile_nelf._version import __version__
from mobile_nelf.atomic import partial_path, replace_file, replace_folder
from mobile_nelf.cameras import Camera, Intrinsics
from mobile_nelf.disk import io_reason
from mobile_nelf.errors import InputError, OutputError, SceneError
from mobile_nelf.outputs import check_output, files_below, names_text
from mobile_nelf.parsing import read_json
from mobile_nelf.pictures import ByteImage
from mobile_nelf.plain import to_dict
from mobile_nelf.progress import Progress, counted, silent
from mobile_nelf.runs import differing_names, hold_run, open_run_folder, run_folder
from mobile_nelf.scenes import Scene, View
from mobile_nelf.scenes.readers.pseudo_npy import INFO as PSEUDO_NPY
from mobile_nelf.scenes.readers.pseudo_npy import read_pseudo_npy
from mobile_nelf.teachers.files import TrainedTeacher
from mobile_nelf.training.views.pseudo_cameras import PseudoCameras
from mobile_nelf.training.views.sources import TeacherViews

__all__ = ["PseudoSetConfig", "pseudo_views", "read_pseudo_set", "write_pseudo_set"]

SETTINGS = "pseudo_set.json"
CAMERAS = "transforms_train.json"
IMAGES = "train"
LOSSLESS = 100

#: What a set consists of.
OWN_FILES = re.compile(rf"{re.escape(SETTINGS)}|{re.escape(CAMERAS)}|{IMAGES}/r_\d{{5,}}\.webp")


@dataclass(frozen=True)
class PseudoSetConfig:
    """What a pseudo set holds.

    Attributes:
        views: how many.
        quality: of the WebP images, 1 to 100; 100 is lossless. Alpha is lossless at any quality.
        seed: of the cameras.
    """

    views: int
    quality: int = 90
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses an empty set and qualities that WebP does not have."""
        if self.views < 1:
            raise ValueError(f"views must be positive, found {self.views}")
        if not 1 <= self.quality <= LOSSLESS:
            raise ValueError(f"quality must lie in 1 to {LOSSLESS}, found {self.quality}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, found {self.seed}")


def pseudo_views(trained: TrainedTeacher, scene: Scene, seed: int) -> TeacherViews:
    """Returns the views that a teacher renders around the photos of `scene`, without end."""
    digest = hashlib.sha256(repr(scene.orbit.target).encode())
    for view in scene.train:
        digest.update(repr(view.camera.intrinsics).encode())
        digest.update(view.camera.cam_to_world.tobytes())
    identity = f"teacher {trained.sha256()}, cameras {digest.hexdigest()}, seed {seed}"
    return TeacherViews(trained.teacher, PseudoCameras(scene, seed), identity)


def write_pseudo_set(
    trained: TrainedTeacher,
    scene: Scene,
    config: PseudoSetConfig,
    output: Path,
    *,
    force: bool = False,
    on_progress: Progress = silent,
) -> None:
    """Renders a pseudo set into the folder `output`.

    An interrupted run resumes with the images in its folder beside `output`, and ends in
    the same bytes.

    Args:
        trained: the teacher.
        scene: that it was trained on; the cameras are around those of its photos, in its world.
        config: what to render.
        output: the folder to write.
        force: replace an existing pseudo set.
        on_progress: called with a stage's name, views done and views in all.

    Raises:
        InputError: the folder beside `output` belongs to another run.
        OutputError: `output` exists or cannot be written.
    """
    check_output(output, True, [scene.path])
    settings = {
        "command": "mnelf distill",
        "version": __version__,
        "scene": scene.path.resolve().name,
        "source": pseudo_views(trained, scene, config.seed).identity(),
        **to_dict(config),
    }
    with hold_run(output):
        _drop_replaced(run_folder(output), output, settings)
        _check_output(output, force, scene.path)
        with open_run_folder(output) as folder:
            try:
                _claim(folder, settings)
                _render(trained, scene, config, folder, on_progress)
                _check_output(output, force, scene.path)  # somebody may have been there meanwhile
                replace_folder(folder, output)
            except OSError as error:
                raise OutputError(
                    f"{folder}: cannot be written ({io_reason(error)}); free some space and "
                    "repeat the command to resume"
                ) from error


def _render(
    trained: TrainedTeacher,
    scene: Scene,
    config: PseudoSetConfig,
    folder: Path,
    on_progress: Progress,
) -> None:
    """Writes the images that `folder` lacks, then all cameras."""
    cameras = [PseudoCameras(scene, config.seed).camera(i) for i in range(config.views)]
    (folder / IMAGES).mkdir(exist_ok=True)
    for index, camera in enumerate(counted("views", cameras, on_progress)):
        image = folder / _image(index)
        if not image.exists():
            pixels = trained.teacher.rgba8(camera)
            replace_file(image, _encoded(pixels, config.quality))
    replace_file(folder / CAMERAS, _json(_transforms(cameras)))


def read_pseudo_set(path: Path) -> tuple[View, ...]:
    """Returns the views of a pseudo set, in the world of the scene that it was made for.

    Args:
        path: a set that `write_pseudo_set` wrote, or one of MobileR2L's for a Blender scene.

    Raises:
        InputError: there is no pseudo set, or its cameras are broken.
        SceneError: an image is missing, or MobileR2L's set is malformed.
    """
    if (path / PSEUDO_NPY).is_file():
        return _official(path)
    if not (path / SETTINGS).is_file() or not (path / CAMERAS).is_file():
        raise InputError(
            f"{path}: is not a pseudo set, expected a folder that `mnelf distill` wrote"
        )
    try:
        frames = read_json(path / CAMERAS)["frames"]
        return tuple(_view(path, frame) for frame in frames)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path / CAMERAS}: expected frames with a lens and a pose each, found {error!r}; "
            "write the set again"
        ) from error


def _official(path: Path) -> tuple[View, ...]:
    views = read_pseudo_npy(path)
    if views.test:  # only sets of Blender scenes have no test views, and keep their world
        raise InputError(
            f"{path}: is in a world of its own, since it is not of a Blender scene; expected a set "
            "that `mnelf distill` wrote"
        )
    return views.train


def _view(path: Path, frame: dict[str, Any]) -> View:
    image = path / str(frame["file_path"])
    # Unlike `Path.is_file`, this is False for names that are too long for a file.
    if not os.path.isfile(image):
        raise SceneError(f"{image}: is missing; write the set again")
    lens = Intrinsics(
        int(frame["w"]),
        int(frame["h"]),
        *(float(frame[name]) for name in ("fl_x", "fl_y", "cx", "cy")),
    )
    return View(image, Camera(np.asarray(frame["transform_matrix"], np.float64)[:3], lens))


def _claim(folder: Path, settings: dict[str, Any]) -> None:
    """Makes `folder` that of a run with these settings."""
    path = folder / SETTINGS
    if not path.exists():
        if any(entry != partial_path(path) for entry in folder.iterdir()):
            raise InputError(
                f"{folder}: holds other files than those of a pseudo set; use another output"
            )
        replace_file(path, _json(settings))
        return
    try:
        found = read_json(path)
    except ValueError as error:
        raise InputError(f"{path}: {error}; delete {folder}") from error
    differing = differing_names(settings, found)
    if differing:
        raise InputError(
            f"{folder}: belongs to a pseudo set with different settings "
            f"({', '.join(differing)}); delete it to start over, or use another output"
        )


def _check_output(output: Path, force: bool, scene: Path) -> None:
    """Refuses to replace anything but a pseudo set with nothing else in it."""
    check_output(output, force, [scene])
    if not output.exists():
        return
    if not (output / SETTINGS).is_file():
        raise OutputError(
            f"{output}: is not a pseudo set, so force does not replace it; choose another output",
            arguments=["output"],
        )
    others = [name for name in files_below(output) if not OWN_FILES.fullmatch(name)]
    if others:
        raise OutputError(
            f"{output}: contains files that are not of a pseudo set, which force would delete "
            f"({names_text(others)}); move them elsewhere, or choose another output",
            arguments=["output"],
        )


def _drop_replaced(folder: Path, output: Path, settings: dict[str, Any]) -> None:
    """Removes the set that the one at `output` has replaced, if the process died right then.

    Both are whole, and the one at `output` is the one that was to be made.
    """
    whole = all((path / CAMERAS).is_file() for path in (folder, output))
    if whole and (output / SETTINGS).read_bytes() == _json(settings):
        shutil.rmtree(folder)


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()


def _image(index: int) -> str:
    return f"{IMAGES}/r_{index:05d}.webp"


def _transforms(cameras: list[Camera]) -> dict[str, Any]:
    """The cameras of a Blender scene, with the lens of each frame beside its pose."""
    first = cameras[0].intrinsics
    return {
        "camera_angle_x": 2.0 * math.atan(0.5 * first.width / first.fx),
        "frames": [
            {
                "file_path": f"./{_image(index)}",
                "transform_matrix": [*camera.cam_to_world.tolist(), [0.0, 0.0, 0.0, 1.0]],
                "fl_x": camera.intrinsics.fx,
                "fl_y": camera.intrinsics.fy,
                "cx": camera.intrinsics.cx,
                "cy": camera.intrinsics.cy,
                "w": camera.intrinsics.width,
                "h": camera.intrinsics.height,
            }
            for index, camera in enumerate(cameras)
        ],
    }


def _encoded(pixels: ByteImage, quality: int) -> bytes:
    """Returns [height, width, 4] straight alpha as WebP."""
    buffer = io.BytesIO()
    # The lossy form halves the resolution of colour even at its full quality.
    Image.fromarray(pixels).save(buffer, "WEBP", quality=quality, lossless=quality == LOSSLESS)
    return buffer.getvalue()
