"""What a viewer shows of a path: a checkpoint, a teacher, a bundle or a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mobile_nelf.bundles.manifest import MANIFEST_NAME
from mobile_nelf.bundles.report.page import REPORT_NAME
from mobile_nelf.bundles.verify import read_bundle
from mobile_nelf.cameras import Camera, FloatArray
from mobile_nelf.checkpoints import CameraOptions, open_checkpoint
from mobile_nelf.compute import compute_device
from mobile_nelf.errors import BundleError, InputError
from mobile_nelf.export.live import LiveView
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.pictures import ByteImage, to_uint8
from mobile_nelf.scenes import read_scene
from mobile_nelf.teachers.files import load_teacher
from mobile_nelf.viewing.run import RunView, run_of
from mobile_nelf.viewing.shown import INDEX, Shown, fitted_lens, paging_exporter
from mobile_nelf.vocabulary import Activation, DeviceName

__all__ = ["shown_path"]


def shown_path(
    path: AnyPath,
    *,
    scene: AnyPath | None = None,
    camera: CameraOptions | None = None,
    trained_activation: Activation | None = None,
    device: DeviceName = "auto",
) -> Shown:
    """Returns what a viewer shows of a checkpoint, a teacher, a bundle or a training.

    Args:
        path: of it; what it is, is told by its content. Of a training, its folder, or the file that
            it will write.
        scene: from whose cameras a teacher or a training is seen; both need one.
        camera: lens of an official checkpoint, see `load_checkpoint`.
        trained_activation: of an official checkpoint, see `load_checkpoint`.
        device: where a teacher or the network of a training renders.

    Raises:
        InputError: there is no such file, a teacher or a training without a scene, or no target
            with a page.
        CheckpointError: the file is neither a student nor a teacher.
        BundleError: the bundle is damaged.
    """
    path = as_path(path)
    run = run_of(path)
    if run is not None:
        if scene is None:
            raise InputError(
                f"{path}: is a training, which does not keep its photos; give the scene that it "
                "is trained on",
                arguments=["scene"],
            )
        return RunView(run, read_scene(scene), compute_device(device)).shown
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
