"""Names that Apple's and Snap's tools both take."""

from __future__ import annotations

import re

from mobile_nelf.errors import InputError

__all__ = ["check_name"]

#: Stands in a Swift string, a file name and (with `-` for `_`) a bundle identifier. Lens Studio's
#: own rule is not published; every known project name satisfies this.
NAME_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


def check_name(name: str, of: str) -> None:
    """Refuses what Lens Studio, Xcode or a file system might not take as a name.

    Args:
        name: of a project and what it makes.
        of: what bears it, for the error: `app`, `lens`.

    Raises:
        InputError: `name` is not up to 64 ASCII letters, digits, `_` and `-` after a letter.
    """
    if NAME_PATTERN.fullmatch(name) is None:
        raise InputError(
            f"{of} name {name!r}: expected up to 64 ASCII letters, digits, '_' or '-' that start "
            "with a letter; choose another name for the bundle"
        )
