"""What the GPU runs train: sizes and settings, and a toy of the same form for other machines."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mobile_nelf.scenes import Scene
from mobile_nelf.students import EncoderConfig, StudentConfig
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.presets import on_grid

__all__ = ["FULL", "TOY", "Shape"]


@dataclass(frozen=True)
class Shape:
    """One size of everything.

    Attributes:
        depth: layers of the student.
        width: channels of its body.
        sr_widths: channels of its super-resolution.
        teacher: the teacher and its training.
        fit: the student's run; its steps follow from the time that is left.
        photos_every: every so many views, one is a photo.
    """

    depth: int
    width: int
    sr_widths: tuple[int, ...]
    teacher: TeacherConfig
    fit: FitConfig
    photos_every: int

    def student(self, scene: Scene, *, batchnorm: bool = False) -> StudentConfig:
        """Returns the student of `scene`, which must be cropped to its scale."""
        shape = StudentConfig(
            EncoderConfig(scene.near, scene.far),
            depth=self.depth,
            width=self.width,
            sr_widths=self.sr_widths,
            activation="gelu",
            batchnorm=batchnorm,
        )
        return on_grid(shape, scene)


#: D60-SR3 of the paper, without BatchNorm.
FULL = Shape(
    depth=60,
    width=256,
    sr_widths=(64, 64, 16),
    teacher=TeacherConfig(
        resolutions=(24, 64, 160, 400),
        channels=4,
        steps=9000,
        samples=1 << 19,
        march_steps=512,
        save_every=0,
    ),
    fit=FitConfig(
        patches=64,
        patch_rays=16,
        matrix_step=0.01,
        ema_decay=0.999,
        view_uses=5000,
        first_views=600,
        cache_mb=6000,
        save_every=1 << 30,
        sample_every=0,
    ),
    photos_every=4,
)

TOY = replace(
    FULL,
    depth=6,
    width=32,
    sr_widths=(8, 8, 8),
    teacher=TeacherConfig(steps=60, samples=1 << 12),
    fit=replace(FULL.fit, patches=4, patch_rays=4, first_views=5, view_uses=40, cache_mb=20),
)
