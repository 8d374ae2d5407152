"""What the user of target onnx may choose."""

from __future__ import annotations

from dataclasses import dataclass

from mobile_nelf.export.options import SharedOptions

__all__ = ["Options"]


@dataclass(frozen=True)
class Options(SharedOptions):
    """Layout and activation, and nothing of its own."""
