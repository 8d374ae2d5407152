"""Names that Apple's and Snap's tools take."""

from __future__ import annotations

import re

from mobile_nelf.errors import InputError

__all__ = ["LENS_NAME_RULE", "check_name", "is_lens_name", "lens_name_of"]

#: Stands in a Swift string, a file name and (with `-` for `_`) a bundle identifier.
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


#: What people see in Snapchat; Snap refuses other names when a lens is submitted.
LENS_NAME_LENGTH = 18
LENS_NAME_RULE = f"up to {LENS_NAME_LENGTH} letters, digits and spaces"


def is_lens_name(name: str) -> bool:
    """Whether Snap takes it as the name of a lens."""
    return (
        0 < len(name) <= LENS_NAME_LENGTH
        and name == name.strip()
        and all(character.isalnum() or character == " " for character in name)
    )


def lens_name_of(name: str) -> str:
    """Returns a name for a lens from that of its project, cut between words where it can be."""
    words = re.sub(r"[^A-Za-z0-9]+", " ", name).strip()
    if len(words) > LENS_NAME_LENGTH:
        whole, space, _ = words[: LENS_NAME_LENGTH + 1].rpartition(" ")
        words = whole if space else words[:LENS_NAME_LENGTH]
    return words
