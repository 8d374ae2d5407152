"""The versions of Lens Studio whose projects are written here, and what tells them apart.

5.15 is the last version for Spectacles of 2024; its numbers are those of public projects of 5.15.4.
Those of 5.22 are of a public project for phones that 5.22.1 wrote. A later version updates either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["DEFAULT_STUDIO", "STUDIOS", "Studio", "StudioName"]

StudioName = Literal["5.15", "5.22"]


@dataclass(frozen=True)
class Studio:
    """Numbers in a project file; an update raises all of them.

    Attributes:
        version: major, minor and patch.
        build: of that version.
        core_version: `coreVersion`.
        client_version: `clientVersion`, with the decimals that are written.
        update_checkpoint: `updateCheckpoint`.
    """

    version: tuple[int, int, int]
    build: int
    core_version: int
    client_version: str
    update_checkpoint: int

    @property
    def numbers(self) -> dict[str, float]:
        """What an update raises, by key of the project file."""
        return {
            "coreVersion": self.core_version,
            "clientVersion": float(self.client_version),
            "updateCheckpoint": self.update_checkpoint,
        }

    @property
    def is_later(self) -> bool:
        """Whether files have what Lens Studio writes since 5.22."""
        return self.version >= (5, 22, 0)


STUDIOS: dict[StudioName, Studio] = {
    "5.15": Studio((5, 15, 4), 26022322, 330, "13.60", 76),
    "5.22": Studio((5, 22, 1), 26062503, 364, "13.94", 101),
}

#: What every version from then on opens.
DEFAULT_STUDIO: StudioName = "5.15"
