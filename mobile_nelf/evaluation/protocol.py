"""The protocols by which quality is judged.

`mnelf-white-v1`: white background; PSNR, SSIM and FLIP of each test view, then their means; float
renders clamped to [0, 1] against 8-bit photos composited in float. LPIPS needs weights that this
package does not carry, so it is not measured.

`mnelf-object-v1`, where photos have alpha: PSNR of the same pictures over the pixels whose photo
has an alpha above 0. Most pixels of an object's photo are white, which anything learns, and which
lifts the first figure by some decibels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from mobile_nelf.atomic import written_beside
from mobile_nelf.cameras import Camera
from mobile_nelf.checkpoints import CameraOptions, open_checkpoint
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.compute import compute_device
from mobile_nelf.errors import InputError, SceneError
from mobile_nelf.evaluation.scores import (
    OBJECT_PROTOCOL,
    PROTOCOL,
    Evaluation,
    Score,
    Steadiness,
    score_subsets,
)
from mobile_nelf.evaluation.splats import FrameFunction, splat_frames
from mobile_nelf.evaluation.worst import SeenView, worst_views_picture
from mobile_nelf.extras import import_extra
from mobile_nelf.metrics import SSIM_WINDOW, flip, psnr_db, ssim
from mobile_nelf.outputs import check_output
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.pictures import FloatImage, on_white
from mobile_nelf.progress import Progress, counted, silent
from mobile_nelf.rendering import render_frame, student_frame_function
from mobile_nelf.scenes import Scene, View, read_scene
from mobile_nelf.students import StudentConfig
from mobile_nelf.surfaces.splat_files import SPLAT_SUFFIXES
from mobile_nelf.teachers.files import TrainedTeacher, load_teacher, teacher_in
from mobile_nelf.teachers.teacher import Teacher
from mobile_nelf.vocabulary import Activation, DeviceName

__all__ = [
    "evaluate",
    "evaluate_frames",
    "evaluate_teacher",
    "photo_psnr_db",
    "require_metrics",
]

#: Photos taken with another lens than the student renders belong to another scene, or were cropped.
FOCAL_TOLERANCE = 0.01

#: Of the film whose steadiness is measured: the turn that `mnelf render` makes.
TURN_FRAMES = 60

#: Equal pictures have no PSNR; this stands for it, since JSON has no infinity. A photo of 8 bits
#: is known to 59 dB.
HIGHEST_DB = 100.0


@dataclass(frozen=True, eq=False)
class _Judged:
    """What is judged.

    Attributes:
        frame: renders it.
        scene: of the size that it renders.
    """

    frame: FrameFunction
    scene: Scene


def require_metrics() -> None:
    """Refuses early where the metrics cannot be computed.

    Raises:
        MissingExtraError: torchmetrics or flip-evaluator is not installed.
    """
    import_extra("torchmetrics.functional.image", "train")
    import_extra("flip_evaluator", "train")


def evaluate(
    model: Checkpoint | TrainedTeacher | AnyPath,
    scene: Scene | AnyPath,
    on_progress: Progress = silent,
    *,
    camera: CameraOptions | None = None,
    trained_activation: Activation | None = None,
    picture: AnyPath | None = None,
    worst: int = 5,
    teacher: TrainedTeacher | AnyPath | None = None,
    force: bool = False,
    device: DeviceName = "auto",
) -> Evaluation:
    """Renders every test view of a scene with a student or teacher and compares it with the photo.

    Each view is rendered through its own lens, which a student takes as it takes any.

    Args:
        model: a trained student or teacher, the file of one, or a file of splats (`.ply`, `.spz`),
            which are drawn on the CPU.
        scene: the scene that it was trained on; cropped to a size that the student renders.
        on_progress: called with a stage's name, views done and views in all.
        camera: lens of an official checkpoint, see `load_checkpoint`.
        trained_activation: non-linearity of an official checkpoint, see `load_checkpoint`.
        picture: PNG file to write with the worst views: photo, render and error side by side.
        worst: how many views the picture shows.
        teacher: whose turn around the object is compared with the model's in steadiness, or its
            file.
        force: replace an existing picture.
        device: where the teacher of a file renders.

    Raises:
        CheckpointError: the file is broken or of an unknown kind.
        SceneError: no test views, or images of another size or lens than the student renders.
        InputError: the student was trained on another background than white, or an option was given
            for a file that says so itself.
        OutputError: the picture exists or cannot be written.
        MissingExtraError: torchmetrics or flip-evaluator is not installed.
    """
    if worst < 1:
        raise InputError(f"worst must be positive, found {worst}", arguments=["worst"])
    shown = None if picture is None else as_path(picture)
    if shown is not None:
        given = [part for part in (model, scene, teacher) if not isinstance(part, _LOADED)]
        check_output(shown, force, [as_path(part) for part in given if part], argument="picture")
    if teacher is not None and not isinstance(teacher, TrainedTeacher):
        teacher = load_teacher(as_path(teacher), compute_device(device))
    posed = scene if isinstance(scene, Scene) else read_scene(scene)
    if isinstance(model, (Checkpoint, TrainedTeacher)):
        judged = _judged(model, posed)
    elif as_path(model).suffix.lower() in SPLAT_SUFFIXES:
        judged = _Judged(splat_frames(as_path(model), posed), posed)
    else:
        opened = open_checkpoint(model)
        if opened.kind == "teacher":
            opened.refuse_lens(camera, trained_activation)
            teaching = teacher_in(opened.content, opened.path, compute_device(device))
            judged = _judged(teaching, posed)
        else:
            student = opened.checkpoint(camera=camera, trained_activation=trained_activation)
            judged = _judged(student, posed)
    result = evaluate_frames(judged.frame, judged.scene, on_progress)
    if teacher is not None:
        by_teacher = _teacher_frames(teacher.teacher)
        steady = _steadiness(judged.frame, by_teacher, judged.scene, on_progress)
        result = replace(result, steadiness=steady)
    if shown is not None:
        _draw_worst(shown, judged, result, worst)
    return result


#: What `evaluate` takes beside the paths of files.
_LOADED = (Checkpoint, TrainedTeacher, Scene)


def _judged(model: Checkpoint | TrainedTeacher, scene: Scene) -> _Judged:
    if isinstance(model, TrainedTeacher):
        return _Judged(_teacher_frames(model.teacher), scene)
    scene = scene.cropped(model.student.scale)
    scene.views("test")
    _check_comparable(model, scene)
    frame = student_frame_function(model)
    grid = (model.student.ray_width, model.student.ray_height)
    return _Judged(lambda camera: frame(camera.resized(*grid))[..., :3], scene)


def _teacher_frames(teacher: Teacher) -> FrameFunction:
    return lambda camera: teacher.render(camera).on_white()


def evaluate_teacher(teacher: Teacher, scene: Scene, on_progress: Progress = silent) -> Evaluation:
    """Renders every test view of `scene` with a teacher and compares it with the photo.

    Args:
        teacher: what is judged.
        scene: the scene that it was trained on.
        on_progress: called with a stage's name, views done and views in all.

    Raises:
        SceneError: no test views, or they are smaller than the window of SSIM.
        MissingExtraError: torchmetrics or flip-evaluator is not installed.
    """
    return evaluate_frames(_teacher_frames(teacher), scene, on_progress)


def evaluate_frames(
    frame: FrameFunction, scene: Scene, on_progress: Progress = silent
) -> Evaluation:
    """Judges whatever renders a camera.

    Args:
        frame: takes the camera of a photo, on the photo's pixel grid, and returns its picture on
            white, [height, width, 3].
        scene: whose test views are rendered.
        on_progress: called with a stage's name, views done and views in all.

    Raises:
        SceneError: no test views, or they are smaller than the window of SSIM.
        MissingExtraError: torchmetrics or flip-evaluator is not installed.
    """
    require_metrics()
    views = scene.views("test")
    lens = views[0].camera.intrinsics
    if min(lens.width, lens.height) < SSIM_WINDOW:
        raise SceneError(
            f"{scene.path}: images of {lens.width}×{lens.height} are smaller than the window of "
            f"SSIM, {SSIM_WINDOW} pixels"
        )
    scores: dict[str, Score] = {}
    has_alpha = False
    for view in counted("evaluate", views, on_progress):
        image, rgba = np.clip(frame(view.camera), 0.0, 1.0), view.rgba()
        photo, covered = on_white(rgba), rgba[..., 3] > 0
        has_alpha |= bool((rgba[..., 3] < 255).any())
        of_object = _psnr(image[covered], photo[covered]) if covered.any() else None
        scores[view.path.name] = Score(
            _psnr(image, photo), ssim(image, photo), flip(image, photo), of_object
        )
    if not has_alpha:  # then every pixel is the object's, and the figure would say nothing new
        scores = {name: replace(score, object_psnr_db=None) for name, score in scores.items()}
    subsets, note = score_subsets(scores)
    lacking = () if has_alpha else ("object dB: the photos have no alpha",)
    return Evaluation(
        protocol=PROTOCOL,
        scene=scene.path.resolve().name,
        width=lens.width,
        height=lens.height,
        subsets=subsets,
        note=note,
        views=scores,
        object_protocol=OBJECT_PROTOCOL if has_alpha else None,
        not_measured=(*lacking, *Evaluation.not_measured),
    )


def _psnr(image: FloatImage, photo: FloatImage) -> float:
    return min(psnr_db(image, photo), HIGHEST_DB)


def _steadiness(
    frame: FrameFunction, teacher_frame: FrameFunction, scene: Scene, on_progress: Progress
) -> Steadiness:
    """Films a turn around the object with both."""
    lens = scene.views("test")[0].camera.intrinsics
    last: list[FloatImage] = []
    changes: list[list[float]] = []
    for pose in counted("turn", scene.orbit.sweep(TURN_FRAMES), on_progress):
        camera = Camera(pose, lens)
        frames = [np.clip(render(camera), 0.0, 1.0) for render in (frame, teacher_frame)]
        if last:
            pairs = zip(frames, last, strict=True)
            changes.append([float(np.abs(new - old).mean()) for new, old in pairs])
        last = frames
    own, of_teacher = np.mean(changes, 0).tolist()
    return Steadiness(TURN_FRAMES, own, of_teacher)


def _draw_worst(path: Path, judged: _Judged, result: Evaluation, count: int) -> None:
    by_name = {view.path.name: view for view in judged.scene.test}
    seen = [
        SeenView(
            name,
            result.views[name],
            on_white(by_name[name].rgba()),
            np.clip(judged.frame(by_name[name].camera), 0.0, 1.0),
        )
        for name in result.worst(count)
    ]
    title = (
        f"{result.scene}: the {len(seen)} worst of {len(result.views)} test views, "
        f"mean {result.subsets['all'].mean.psnr_db:.2f} dB"
    )
    with written_beside(path) as partial:
        worst_views_picture(title, seen).save(partial, "PNG", optimize=True)


def photo_psnr_db(network: nn.Module, student: StudentConfig, views: Sequence[View]) -> float:
    """Returns the mean PSNR of whole photos, each seen through its own lens.

    Args:
        network: takes the official encoding.
        student: what the network is.
        views: of the size that the student renders.
    """
    grid = (student.ray_width, student.ray_height)
    scores = []
    for view in views:
        image = render_frame(network, student.encoder, view.camera.resized(*grid))[..., :3]
        scores.append(psnr_db(np.clip(image, 0.0, 1.0), on_white(view.rgba())))
    return float(np.mean(scores))


def _check_comparable(checkpoint: Checkpoint, scene: Scene) -> None:
    own = checkpoint.intrinsics
    for view in scene.test:
        lens = view.camera.intrinsics
        if (lens.width, lens.height) != (own.width, own.height):
            raise SceneError(
                f"{scene.path}: test images are {lens.width}×{lens.height}, the student renders "
                f"{own.width}×{own.height}; use a copy of the scene in that size"
            )
    # Photos of one scene may be zoomed, so it is enough that one of them has the student's lens.
    lenses = [view.camera.intrinsics for view in (*scene.test, *scene.train)]
    if not any(
        abs(lens.fx / own.fx - 1.0) <= FOCAL_TOLERANCE
        and abs(lens.fy / own.fy - 1.0) <= FOCAL_TOLERANCE
        for lens in lenses
    ):
        raise SceneError(
            f"{scene.path}: its focal length is {lenses[0].fx:.1f} pixels, the student's "
            f"{own.fx:.1f}; is it the scene that the student was trained on?"
        )
    if checkpoint.background != (1.0, 1.0, 1.0):
        raise InputError(
            f"the student was trained on the background {checkpoint.background}; the protocol "
            f"{PROTOCOL} compares on white"
        )
