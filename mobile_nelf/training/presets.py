"""Named sizes of students, each with its teacher and the runs that train both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from mobile_nelf.errors import InputError
from mobile_nelf.scenes import Scene
from mobile_nelf.students import EncoderConfig, StudentConfig
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.training.config import FitConfig, PhotoStageConfig
from mobile_nelf.vocabulary import Activation

__all__ = ["PRESETS", "Preset", "find_preset", "on_grid"]


@dataclass(frozen=True)
class Preset:
    """A student apart from its scene, its teacher, and how both are trained.

    Attributes:
        samples: points a ray. Sixteen taught small students faster than the eight of the paper.
        depth: layers, as in `StudentConfig`.
        width: channels of the body.
        sr_widths: channels of each super-resolution stage.
        batchnorm: as in `StudentConfig`.
        direct_output: as in `StudentConfig`.
        activation: ReLU runs on every back-end of a phone; GELU is what the paper trained.
        teacher: the teacher and its training.
        fit: the run on the views of the teacher.
        photo_stage: the last stage, on the photos.
        short_factor: of the matrices' step and of the weight decay, for runs much shorter than
            `fit`.
    """

    samples: int
    depth: int
    width: int
    sr_widths: tuple[int, ...]
    activation: Activation
    batchnorm: bool
    direct_output: bool
    teacher: TeacherConfig
    fit: FitConfig
    photo_stage: PhotoStageConfig
    short_factor: float = 1.0

    def fit_of(self, steps: int | None, minutes: float | None) -> FitConfig:
        """Returns `fit` with what suits a run of another length; the length itself is not set.

        Args:
            steps: of the run; those of `fit` if None.
            minutes: of the run, instead of steps.
        """
        short = minutes < SHORT_MINUTES if minutes is not None else False
        short |= steps is not None and steps < SHORT_STEPS
        factor = self.short_factor if short else 1.0
        return replace(
            self.fit,
            matrix_step=self.fit.matrix_step * factor,
            weight_decay=self.fit.weight_decay * factor,
        )

    @property
    def scale(self) -> int:
        """Image pixels a ray along each axis; photos have a multiple of it on both."""
        return self.shape(near=0.0, far=1.0).scale

    def student(self, scene: Scene) -> StudentConfig:
        """Returns the student that renders images of the size of `scene.cropped(scale)`."""
        return on_grid(self.shape(scene.near, scene.far), scene)

    def shape(self, near: float, far: float) -> StudentConfig:
        """Returns the student for a range of depths, on a grid of rays of any size."""
        return StudentConfig(
            EncoderConfig(near, far, samples=self.samples),
            depth=self.depth,
            width=self.width,
            sr_widths=self.sr_widths,
            activation=self.activation,
            batchnorm=self.batchnorm,
            direct_output=self.direct_output,
        )


def on_grid(student: StudentConfig, scene: Scene) -> StudentConfig:
    """Returns `student` with the ray grid for the photos of `scene`."""
    lens = scene.views("train")[0].camera.intrinsics
    return replace(
        student,
        ray_width=max(lens.width // student.scale, 1),
        ray_height=max(lens.height // student.scale, 1),
    )


def _photo_stage(fit: FitConfig) -> PhotoStageConfig:
    """Gentler than the stage before, whose weights it refines."""
    gentle = replace(
        fit,
        learning_rate=fit.learning_rate / 10.0,
        matrix_step=fit.matrix_step / 10.0,
        check_every=100,
    )
    return PhotoStageConfig(gentle)


#: What small students learn fastest from in equal CPU time (docs/decisions.md): many small patches,
#: half of the matrices' step that a network with BatchNorm takes, and ten times the usual weight
#: decay: without it the sums of residuals grow, and most ReLUs of the later blocks shut for good.
_SMALL_FIT = FitConfig(patches=32, patch_rays=8, matrix_step=0.01, weight_decay=0.1)

#: Of runs of an hour, which half of the step and of the decay serve better (docs/decisions.md).
_LONG_FIT = replace(_SMALL_FIT, matrix_step=0.005, weight_decay=0.05)

#: Runs of fewer steps, or of fewer minutes, are short, and take `Preset.short_factor`.
SHORT_STEPS, SHORT_MINUTES = 12_000, 30.0

#: On a CPU many small steps bring more than few large ones, and a ray may be marched finer when a
#: view is rendered than in training, where its steps are shifted at random (docs/decisions.md).
_SMALL_TEACHER = TeacherConfig(steps=3500, samples=1 << 14, render_steps=192)

#: `base` is D60-SR3 of the paper, without BatchNorm. The others are for machines without a GPU, and
#: do little at high resolution, where most of a training step is spent. `ipad` is shaped for the
#: Neural Engine on photos of 800×800: 50×50 rays, whose body of 1 MB stays on the chip, at most 192
#: channels, ReLU, and few channels where the picture is large. `large` does two and a half
#: times the work of `small` a frame, for people with hours. The quality of these two is not known.
PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "tiny": Preset(
            samples=16,
            depth=10,
            width=96,
            sr_widths=(32, 16),
            activation="relu",
            batchnorm=False,
            direct_output=True,
            teacher=replace(_SMALL_TEACHER, steps=1500),
            fit=replace(_SMALL_FIT, steps=6000, first_views=30, view_uses=1920, ema_decay=0.99),
            photo_stage=_photo_stage(replace(_SMALL_FIT, steps=500, ema_decay=0.99)),
        ),
        "small": Preset(
            samples=16,
            depth=20,
            width=160,
            sr_widths=(32, 16),
            activation="relu",
            batchnorm=False,
            direct_output=True,
            teacher=_SMALL_TEACHER,
            fit=replace(_LONG_FIT, steps=36000, first_views=100, view_uses=640, ema_decay=0.998),
            photo_stage=_photo_stage(replace(_LONG_FIT, steps=1000)),
            short_factor=2.0,
        ),
        "large": Preset(
            samples=16,
            depth=28,
            width=224,
            sr_widths=(48, 24),
            activation="relu",
            batchnorm=False,
            direct_output=True,
            teacher=replace(_SMALL_TEACHER, steps=7000),
            fit=replace(_LONG_FIT, steps=60000, first_views=100, view_uses=640, ema_decay=0.999),
            photo_stage=_photo_stage(replace(_LONG_FIT, steps=2000, ema_decay=0.998)),
            short_factor=2.0,
        ),
        "base": Preset(
            samples=8,
            depth=60,
            width=256,
            sr_widths=(64, 64, 16),
            activation="gelu",
            batchnorm=False,
            direct_output=False,
            teacher=TeacherConfig(steps=5000, march_steps=256),
            fit=FitConfig(
                steps=100000, patches=32, matrix_step=0.01, view_uses=160, ema_decay=0.999
            ),
            photo_stage=_photo_stage(
                FitConfig(steps=5000, patches=32, matrix_step=0.01, ema_decay=0.999)
            ),
        ),
        "ipad": Preset(
            samples=8,
            depth=60,
            width=192,
            sr_widths=(64, 32, 16, 8),
            activation="relu",
            batchnorm=False,
            direct_output=False,
            teacher=TeacherConfig(steps=5000, march_steps=256),
            fit=FitConfig(
                steps=100000, patches=32, matrix_step=0.01, view_uses=160, ema_decay=0.999
            ),
            photo_stage=_photo_stage(
                FitConfig(steps=5000, patches=32, matrix_step=0.01, ema_decay=0.999)
            ),
        ),
    }
)


def find_preset(name: str) -> Preset:
    """Returns the preset called `name`.

    Raises:
        InputError: there is none.
    """
    if name not in PRESETS:
        raise InputError(f"unknown preset {name!r}, expected one of {', '.join(PRESETS)}")
    return PRESETS[name]
