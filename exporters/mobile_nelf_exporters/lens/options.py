"""What the user of target lens may choose."""

from __future__ import annotations

from dataclasses import dataclass

from mobile_nelf.export.options import SharedOptions, option
from mobile_nelf.vocabulary import Experience

__all__ = ["Options"]


@dataclass(frozen=True)
class Options(SharedOptions):
    """Layout, activation, what people do with the lens, and what it is called.

    Attributes:
        experience: chosen by the exporter if `None`.
        lens_name: up to 18 letters, digits and spaces; made from the project's name if `None`.
    """

    experience: Experience | None = option(
        "Turn the object under the finger (orbit, default) or walk round it (world)."
    )
    lens_name: str | None = option(
        "Name that people see in Snapchat. Default: made from the project name.", metavar="NAME"
    )
