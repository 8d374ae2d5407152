"""Student networks: one forward pass from encoded rays to an image."""

from __future__ import annotations

from mobile_nelf.errors import ConfigError
from mobile_nelf.students.blocks import HeadBodyTail
from mobile_nelf.students.config import EncoderConfig, StudentConfig
from mobile_nelf.students.mobiler2l import MobileR2L
from mobile_nelf.students.r2l import R2L

__all__ = ["ARCHITECTURES", "EncoderConfig", "StudentConfig", "architecture", "build_student"]

#: The class of each architecture; a new one is a class, a line here and a word in `vocabulary`.
ARCHITECTURES: dict[str, type[MobileR2L] | type[R2L]] = {"mobiler2l": MobileR2L, "r2l": R2L}


def architecture(config: StudentConfig) -> type[MobileR2L] | type[R2L]:
    """Returns the class of the network that `config` describes.

    Raises:
        ConfigError: there is no such architecture.
    """
    if config.architecture not in ARCHITECTURES:
        raise ConfigError(
            f"unknown architecture {config.architecture!r}, expected one of "
            f"{', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[config.architecture]


def build_student(config: StudentConfig) -> HeadBodyTail:
    """Returns the network that `config` describes, with fresh weights.

    Raises:
        ConfigError: there is no such architecture.
    """
    return architecture(config)(config)
