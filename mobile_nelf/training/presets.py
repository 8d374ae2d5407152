"""Named sizes of students, each with the run that trains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from mobile_nelf.errors import InputError, SceneError
from mobile_nelf.scenes import Scene
from mobile_nelf.students import Activation, EncoderConfig, StudentConfig
from mobile_nelf.training.config import FitConfig

__all__ = ["PRESETS", "Preset", "find_preset"]


@dataclass(frozen=True)
class Preset:
    """A student apart from its scene, and its run.

    Attributes:
        depth: layers, as in `StudentConfig`.
        width: channels of the body.
        sr_widths: channels of each super-resolution stage.
        activation: ReLU runs on every back-end of a phone; GELU is what the paper trained.
        fit: the run.
    """

    depth: int
    width: int
    sr_widths: tuple[int, ...]
    activation: Activation
    fit: FitConfig

    def student(self, scene: Scene) -> StudentConfig:
        """Returns the student that renders images of the size that `scene` has.

        Raises:
            SceneError: the image size is no multiple of the student's upsampling.
        """
        student = StudentConfig(
            EncoderConfig(scene.near, scene.far),
            depth=self.depth,
            width=self.width,
            sr_widths=self.sr_widths,
            activation=self.activation,
        )
        lens = scene.views("train")[0].camera.intrinsics
        scale = student.scale
        if lens.width % scale or lens.height % scale:
            raise SceneError(
                f"{scene.path}: images are {lens.width}×{lens.height}, but the student renders "
                f"{scale}×{scale} pixels a ray; crop or resize them to multiples of {scale}"
            )
        return replace(student, ray_width=lens.width // scale, ray_height=lens.height // scale)


#: `base` is D60-SR3 of the paper. The others are for machines without a GPU: `small` took half an
#: hour on one CPU core for images of 200×200.
PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "tiny": Preset(
            10, 64, (32, 32, 16), "relu", FitConfig(steps=2000, patches=8, save_every=100)
        ),
        "small": Preset(
            30, 128, (64, 64, 16), "relu", FitConfig(steps=5000, patches=12, save_every=50)
        ),
        "base": Preset(60, 256, (64, 64, 16), "gelu", FitConfig(steps=20000, save_every=50)),
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
