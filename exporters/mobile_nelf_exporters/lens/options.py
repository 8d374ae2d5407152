"""What the user of target lens may choose."""

from __future__ import annotations

from dataclasses import dataclass

from mobile_nelf.export.options import SharedOptions, option
from mobile_nelf.vocabulary import Experience
from mobile_nelf_exporters.lens.paths import LensForm
from mobile_nelf_exporters.lens.versions import StudioName

__all__ = ["Options"]


@dataclass(frozen=True)
class Options(SharedOptions):
    """Layout, activation, what people do with the lens, and what it is called.

    Attributes:
        experience: chosen by the exporter if `None`.
        size_cm: height of the object in the room.
        lens_studio: version whose projects are written; the oldest if `None`.
        form: of what is made; a project if `None`.
        lens_name: up to 18 letters, digits and spaces; made from the project's name if `None`.
    """

    experience: Experience | None = option(
        "Turn the object under the finger (orbit, default) or walk round it (world)."
    )
    size_cm: float | None = option(
        "True height of the object in the room, in centimetres. Default: its true size if the "
        "photos showed the printed board, else as the photos show it from a metre.",
        metavar="CM",
    )
    lens_studio: StudioName | None = option(
        "Lens Studio for which the project is written; later ones update it. Default: 5.15, for "
        "Spectacles of 2024 as well."
    )
    form: LensForm | None = option(
        "A project (default), or a package for lenses that exist: an object that other scripts can "
        "place, and that takes nothing over."
    )
    lens_name: str | None = option(
        "Name that people see in Snapchat. Default: made from the project name.", metavar="NAME"
    )
