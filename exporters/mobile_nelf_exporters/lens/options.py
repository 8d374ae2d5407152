"""What the user of target lens may choose."""

from __future__ import annotations

from dataclasses import dataclass

from mobile_nelf.export.options import SharedOptions, option
from mobile_nelf.vocabulary import Experience

__all__ = ["Options"]


@dataclass(frozen=True)
class Options(SharedOptions):
    """Layout, activation, and what people do with the lens.

    Attributes:
        experience: chosen by the exporter if `None`.
    """

    experience: Experience | None = option(
        "Turn the object under the finger (orbit, default) or walk round it (world)."
    )
