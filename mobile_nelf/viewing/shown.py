"""What a viewer shows: a page for a student, frames for a teacher, the pages of a bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobile_nelf.bundles.manifest import MANIFEST_NAME
from mobile_nelf.bundles.report.page import REPORT_NAME
from mobile_nelf.bundles.verify import read_bundle
from mobile_nelf.cameras import Camera, FloatArray, Intrinsics
from mobile_nelf.checkpoints import CameraOptions, open_checkpoint
from mobile_nelf.compute import compute_device
from mobile_nelf.errors import BundleError, InputError
from mobile_nelf.export.exporter import Exporter, find_exporter
from mobile_nelf.export.live import LiveView
from mobile_nelf.export.targets import exporter_targets
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.pictures import ByteImage, to_uint8
from mobile_nelf.scenes import read_scene
from mobile_nelf.teachers.files import load_teacher
from mobile_nelf.vocabulary import Activation, DeviceName

__all__ = ["NotReadyError", "Shown", "fitted_lens", "paging_exporter", "shown_path"]

#: Longest side of a teacher's picture; a student's is what its network makes.
LIVE_SIDE = 400

INDEX = "index.html"

#: Renders a pose [3, 4] at columns and rows; may raise `NotReadyError`.
PoseFunction = Callable[[FloatArray, int, int], ByteImage]


class NotReadyError(Exception):
    """There is no picture yet; asking again may bring one."""


@dataclass(frozen=True)
class Shown:
    """What a server serves.

    Attributes:
        name: for people.
        files: by the path in their address; `index.html` is what is opened.
        frame: renders what the page cannot compute itself; None if it computes everything.
        status: what is to be told of a light field that changes, in plain values; None for others.
    """

    name: str
    files: dict[str, bytes]
    frame: PoseFunction | None = None
    status: Callable[[], dict[str, Any]] | None = None


def shown_path(
    path: AnyPath,
    *,
    scene: AnyPath | None = None,
    camera: CameraOptions | None = None,
    trained_activation: Activation | None = None,
    device: DeviceName = "auto",
) -> Shown:
    """Returns what a viewer shows of a checkpoint, a teacher or a bundle.

    Args:
        path: of it; what it is, is told by its content.
        scene: from whose cameras a teacher is seen; a teacher needs one.
        camera: lens of an official checkpoint, see `load_checkpoint`.
        trained_activation: of an official checkpoint, see `load_checkpoint`.
        device: where a teacher renders.

    Raises:
        InputError: there is no such file, a teacher without a scene, or no target with a page.
        CheckpointError: the file is neither a student nor a teacher.
        BundleError: the bundle is damaged.
    """
    path = as_path(path)
    if path.is_dir():
        return _bundle(path)
    opened = open_checkpoint(path)
    if opened.kind != "teacher":
        checkpoint = opened.checkpoint(camera=camera, trained_activation=trained_activation)
        files = paging_exporter().page(checkpoint, path.stem)
        return Shown(path.stem, files)
    if scene is None:
        raise InputError(
            f"{path}: is a teacher, which does not know from where it was photographed; give the "
            "scene that it was trained on",
            arguments=["scene"],
        )
    teacher = load_teacher(path, compute_device(device)).teacher
    found = read_scene(scene)
    lens = fitted_lens(found.train[0].camera.intrinsics)

    def frame(pose: FloatArray, width: int, height: int) -> ByteImage:
        return to_uint8(teacher.render(Camera(pose, lens.resized(width, height))).on_white())

    poster = frame(found.orbit.sweep(1)[0], lens.width, lens.height)
    live = LiveView(path.stem, lens, found.orbit, np.asarray(poster))
    return Shown(path.stem, paging_exporter().live_page(live), frame)


def _bundle(path: Path) -> Shown:
    """The page of a bundle, or its report where the target has none."""
    contents = read_bundle(path)
    if contents.problems:
        raise BundleError(f"{path}: {'; '.join(contents.problems)}; bundle it again")
    files = contents.files
    if INDEX not in files:
        if REPORT_NAME not in files:
            raise BundleError(f"{path / MANIFEST_NAME}: lists no {REPORT_NAME}; bundle it again")
        files = {**files, INDEX: files[REPORT_NAME]}
    return Shown(contents.manifest.name, files)


def fitted_lens(lens: Intrinsics) -> Intrinsics:
    """The same view on a grid of `LIVE_SIDE` at most."""
    share = min(1.0, LIVE_SIDE / max(lens.width, lens.height))
    return lens.resized(max(round(lens.width * share), 1), max(round(lens.height * share), 1))


def paging_exporter() -> Exporter[Any]:
    """The first exporter whose target is a page.

    Raises:
        InputError: none is installed.
    """
    for target in exporter_targets():
        exporter = find_exporter(target)
        if exporter.has_page:
            return exporter
    raise InputError("no installed target has a page; reinstall mobile-nelf")
