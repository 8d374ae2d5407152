"""JSON files as other programs write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mobile_nelf.errors import SceneError
from mobile_nelf.parsing import read_json

__all__ = ["loaded_json"]


def loaded_json(file: Path) -> Any:
    """Returns what a JSON file holds, in UTF-8 or UTF-16, with or without a byte order mark.

    Raises:
        SceneError: the file is too large, cut off or not JSON.
    """
    try:
        # The readers name the frame whose numbers are not finite.
        return read_json(file, finite=False)
    except OSError as error:
        raise SceneError(f"{file}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise SceneError(f"{file}: {error}") from error
