"""Student networks: one forward pass from encoded rays to an image."""

from __future__ import annotations

from mobile_nelf.students.blocks import HeadBodyTail
from mobile_nelf.students.config import Activation, EncoderConfig, StudentConfig
from mobile_nelf.students.mobiler2l import MobileR2L
from mobile_nelf.students.r2l import R2L

__all__ = ["Activation", "EncoderConfig", "StudentConfig", "build_student"]


def build_student(config: StudentConfig) -> HeadBodyTail:
    """Returns the network that `config` describes, with fresh weights."""
    return R2L(config) if config.architecture == "r2l" else MobileR2L(config)
