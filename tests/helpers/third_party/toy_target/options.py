"""What the user of target toy may choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mobile_nelf.export.options import SharedOptions, option

__all__ = ["Options"]


@dataclass(frozen=True)
class Options(SharedOptions):
    """Layout, activation, and one of its own.

    Attributes:
        precision: of the arithmetic; single if `None`.
    """

    precision: Literal["single", "double"] | None = option("Precision of the arithmetic.")
