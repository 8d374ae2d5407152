"""JSON files as other programs write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mobile_nelf.errors import SceneError
from mobile_nelf.file_kinds import wrong_text

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
        content = file.read_bytes()
    except OSError as error:
        raise SceneError(f"{file}: is cut off or not JSON ({error})") from error
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        kind = wrong_text(content) or f"is cut off or not JSON ({error})"
        raise SceneError(f"{file}: {kind}") from error
