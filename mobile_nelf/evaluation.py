"""The one protocol by which quality is judged, `mnelf-white-v1`.

White background; PSNR, SSIM and FLIP of each test view, then their means; float renders clamped to
[0, 1] against 8-bit photos composited in float. LPIPS needs weights that this package does not
carry, so it is not measured.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from mobile_nelf.cameras import Camera
from mobile_nelf.checkpoints import CameraOptions, open_checkpoint
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.compute import compute_device
from mobile_nelf.errors import InputError, SceneError
from mobile_nelf.extras import import_extra
from mobile_nelf.metrics import SSIM_WINDOW, flip, psnr_db, ssim
from mobile_nelf.paths import AnyPath
from mobile_nelf.pictures import FloatImage, on_white
from mobile_nelf.progress import Progress, counted, silent
from mobile_nelf.rendering import render_frame, student_frame_function
from mobile_nelf.scenes import Scene, View, read_scene
from mobile_nelf.students import StudentConfig
from mobile_nelf.teachers.files import TrainedTeacher, teacher_in
from mobile_nelf.teachers.teacher import Teacher
from mobile_nelf.text import text_table
from mobile_nelf.vocabulary import Activation, DeviceName

__all__ = [
    "MEANS",
    "PROTOCOL",
    "Evaluation",
    "Score",
    "SubsetScore",
    "evaluate",
    "evaluate_frames",
    "evaluate_teacher",
    "photo_psnr_db",
    "require_metrics",
]

PROTOCOL = "mnelf-white-v1"

#: Columns of the means; all but the first hold numbers.
MEANS = ("subset", "views", "PSNR dB", "SSIM", "FLIP")

#: The research code judges by every eighth of the 200 test views.
SUBSET_STEP = 8

#: Photos taken with another lens than the student renders belong to another scene, or were cropped.
FOCAL_TOLERANCE = 0.01


@dataclass(frozen=True)
class Score:
    """Quality of one image, or the mean of several.

    Attributes:
        psnr_db: peak signal-to-noise ratio.
        ssim: structural similarity, 1 at best.
        flip: mean FLIP error, 0 at best.
    """

    psnr_db: float
    ssim: float
    flip: float


@dataclass(frozen=True)
class SubsetScore:
    """Means over a set of test views.

    Attributes:
        views: how many there are.
        mean: of their scores.
    """

    views: int
    mean: Score


@dataclass(frozen=True)
class Evaluation:
    """Quality of a student or teacher on the test views of a scene.

    Attributes:
        protocol: name of the protocol.
        scene: name of the scene's folder.
        width: of the images in pixels.
        height: of the images in pixels.
        subsets: `all` is every test view at hand; `every_eighth` is there if it is fewer.
        note: what the subsets consist of.
        views: scores by name of the photo.
        not_measured: what the protocol asks for and this machine cannot measure.
    """

    protocol: str
    scene: str
    width: int
    height: int
    subsets: dict[str, SubsetScore]
    note: str
    views: dict[str, Score]
    not_measured: tuple[str, ...] = ("LPIPS: weights not available",)

    def __repr__(self) -> str:
        """Returns the means as a table."""
        title = f"{self.scene}, {self.width}×{self.height}, protocol {self.protocol}"
        return f"{title}\n{text_table(MEANS, self.mean_rows(), right=len(MEANS) - 1)}"

    def mean_rows(self) -> list[tuple[str, ...]]:
        """Returns a row of `MEANS` for each subset, as text."""
        return [
            (
                name,
                str(subset.views),
                f"{subset.mean.psnr_db:.2f}",
                f"{subset.mean.ssim:.4f}",
                f"{subset.mean.flip:.4f}",
            )
            for name, subset in self.subsets.items()
        ]

    def as_metrics(self) -> dict[str, float]:
        """Returns the means over all test views as a checkpoint keeps them."""
        mean = self.subsets["all"].mean
        return {"test_psnr_db": mean.psnr_db, "test_ssim": mean.ssim, "test_flip": mean.flip}


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
    device: DeviceName = "auto",
) -> Evaluation:
    """Renders every test view of a scene with a student or teacher and compares it with the photo.

    Each view is rendered through its own lens, which a student takes as it takes any.

    Args:
        model: a trained student or teacher, or the file of one.
        scene: the scene that it was trained on; cropped to a size that the student renders.
        on_progress: called with a stage's name, views done and views in all.
        camera: lens of an official checkpoint, see `load_checkpoint`.
        trained_activation: non-linearity of an official checkpoint, see `load_checkpoint`.
        device: where the teacher of a file renders.

    Raises:
        CheckpointError: the file is broken or of an unknown kind.
        SceneError: no test views, or images of another size or lens than the student renders.
        InputError: the student was trained on another background than white, or an option was given
            for a file that says so itself.
        MissingExtraError: torchmetrics or flip-evaluator is not installed.
    """
    if not isinstance(model, (Checkpoint, TrainedTeacher)):
        opened = open_checkpoint(model)
        if opened.kind == "teacher":
            opened.refuse_lens(camera, trained_activation)
            model = teacher_in(opened.content, opened.path, compute_device(device))
        else:
            model = opened.checkpoint(camera=camera, trained_activation=trained_activation)
    posed = scene if isinstance(scene, Scene) else read_scene(scene)
    if isinstance(model, TrainedTeacher):
        return evaluate_teacher(model.teacher, posed, on_progress)
    return _evaluate_student(model, posed.cropped(model.student.scale), on_progress)


def _evaluate_student(checkpoint: Checkpoint, scene: Scene, on_progress: Progress) -> Evaluation:
    scene.views("test")
    _check_comparable(checkpoint, scene)
    frame = student_frame_function(checkpoint)
    grid = (checkpoint.student.ray_width, checkpoint.student.ray_height)
    return evaluate_frames(lambda camera: frame(camera.resized(*grid))[..., :3], scene, on_progress)


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
    return evaluate_frames(lambda camera: teacher.render(camera).on_white(), scene, on_progress)


def evaluate_frames(
    frame: Callable[[Camera], FloatImage], scene: Scene, on_progress: Progress = silent
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
    for view in counted("evaluate", views, on_progress):
        image = np.clip(frame(view.camera), 0.0, 1.0)
        photo = on_white(view.rgba())
        scores[view.path.name] = Score(
            psnr_db(image, photo), ssim(image, photo), flip(image, photo)
        )
    subsets, note = _subsets(scores)
    return Evaluation(
        protocol=PROTOCOL,
        scene=scene.path.resolve().name,
        width=lens.width,
        height=lens.height,
        subsets=subsets,
        note=note,
        views=scores,
    )


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


def _subsets(scores: dict[str, Score]) -> tuple[dict[str, SubsetScore], str]:
    """Returns the subsets and a sentence that says what they are."""
    everything = list(scores.values())
    numbers = {name: _frame_number(name) for name in scores}
    eighth = [
        score
        for name, score in scores.items()
        if (number := numbers[name]) is not None and number % SUBSET_STEP == 0
    ]
    subsets = {"all": _mean(everything)}
    note = "all: every test view at hand"
    if None in numbers.values():
        return subsets, f"{note}; their names carry no numbers, so there is no every_eighth"
    if not eighth:
        return subsets, f"{note}; no number is a multiple of {SUBSET_STEP}, so no every_eighth"
    if len(eighth) == len(everything):
        return subsets, f"{note}, which is every_eighth: all numbers are multiples of {SUBSET_STEP}"
    subsets["every_eighth"] = _mean(eighth)
    return subsets, f"{note}; every_eighth: those whose number is a multiple of {SUBSET_STEP}"


def _frame_number(name: str) -> int | None:
    """The number that ends a file's stem, such as 16 in `r_16.png`."""
    digits = re.search(r"(\d+)$", Path(name).stem)
    return None if digits is None else int(digits[1])


def _mean(scores: Sequence[Score]) -> SubsetScore:
    means = (
        float(np.mean([getattr(score, name) for score in scores]))
        for name in ("psnr_db", "ssim", "flip")
    )
    return SubsetScore(len(scores), Score(*means))
