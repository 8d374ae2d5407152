"""JSON files as other programs write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mobile_nelf.errors import SceneError

__all__ = ["loaded_json"]

#: Ten thousand frames take some 10 MB.
BYTE_LIMIT = 256 * 1024 * 1024


def loaded_json(file: Path) -> Any:
    """Returns what a JSON file holds, in UTF-8 or UTF-16, with or without a byte order mark.

    Raises:
        SceneError: the file is too large, cut off or not JSON.
    """
    try:
        if file.stat().st_size > BYTE_LIMIT:
            raise SceneError(f"{file}: has more than {BYTE_LIMIT // 2**20} MB, expected cameras")
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise SceneError(f"{file}: is cut off or not JSON ({error})") from error
