"""The constants that the scripts of a lens have in `NelfContract.js`, which holds JSON."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from mobile_nelf.errors import BundleError
from mobile_nelf.parsing import parse_json
from mobile_nelf_exporters.lens.studio.yaml import field_of
from mobile_nelf_exporters.lens.versions import DEFAULT_STUDIO, STUDIOS, Studio

__all__ = [
    "CONSTANTS_NAME",
    "CONSTANTS_SOURCE",
    "LENS_STUDIO",
    "constants_paths",
    "is_in_room",
    "room_constants",
    "written_studio",
]

CONSTANTS_NAME = "NelfContract.js"
#: Key of the version of Lens Studio for which the project was written.
LENS_STUDIO = "lensStudio"
CONSTANTS_SOURCE = re.compile(r"module\.exports\s*=\s*(\{.*\})\s*;?\s*\Z", re.DOTALL)


def constants_paths(files: Collection[str]) -> list[str]:
    """Returns where constants are: those of the project itself, then those of packages in it.

    Args:
        files: paths in the project.
    """
    found = (path for path in files if path.endswith(f"/{CONSTANTS_NAME}"))
    return sorted(found, key=lambda path: (path.count("/"), path))


def room_constants(files: Mapping[str, bytes]) -> tuple[float, float]:
    """Returns world units a centimetre, and centimetres from the phone to the object at the start.

    Args:
        files: of the project, by path relative to it.

    Raises:
        BundleError: the scripts have no such constants.
    """
    path, constants = _constants(files)
    values = [field_of(constants, "room", key) for key in ("unitsPerCm", "distanceCm")]
    if not all(isinstance(value, int | float) and value > 0 for value in values):
        raise BundleError(
            f"{path}: states no size of the object in the room; take the file from the "
            "same bundle as the model"
        )
    return float(values[0]), float(values[1])


def is_in_room(files: Mapping[str, bytes]) -> bool:
    """Returns whether the object of a project stands in the room.

    Args:
        files: of the project, by path relative to it.

    Raises:
        BundleError: what the scripts have is not JSON.
    """
    return bool(field_of(_constants(files)[1], "experience") == "world")


def written_studio(files: Mapping[str, bytes]) -> Studio:
    """Returns the version of Lens Studio for which a project was written.

    Args:
        files: of the project, by path relative to it. Projects from before there was a choice are
            of 5.15, and so is what cannot be read.
    """
    try:
        name = field_of(_constants(files)[1], LENS_STUDIO)
    except BundleError:
        name = None
    return STUDIOS[name if name in STUDIOS else DEFAULT_STUDIO]


def _constants(files: Mapping[str, bytes]) -> tuple[str, Any]:
    """Where they are, or would be, and what they are."""
    path = next(iter(constants_paths(files)), f"Assets/{CONSTANTS_NAME}")
    match = CONSTANTS_SOURCE.search(files.get(path, b"").decode("utf-8", errors="replace"))
    try:
        return path, parse_json(match[1]) if match else None
    except ValueError as error:
        raise BundleError(f"{path}: its object is not JSON ({error})") from error
