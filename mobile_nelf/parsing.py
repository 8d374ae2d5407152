"""Parses JSON that comes from elsewhere; every reader of JSON goes through here.

It is bounded, so that a small file cannot ask for much memory or time. What is refused is a
`ValueError`, whose text each caller puts behind the name of its file.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, NoReturn

from mobile_nelf.file_kinds import wrong_text

__all__ = ["MAX_INTEGER", "MAX_JSON_BYTES", "parse_json", "read_json", "shown"]

#: The cameras of 10,000 photos take 10 MB. Parsed, a byte becomes 25 at worst.
MAX_JSON_BYTES = 32 << 20
#: A manifest has 8 levels. Python's own functions recurse, and fail at some hundreds.
MAX_JSON_DEPTH = 32
#: Larger integers lose digits as a float, and no file that is read here has one.
MAX_INTEGER = 2**53
#: Digits of one number; Python reads longer ones in a time that grows with their square.
MAX_DIGITS = 400

#: Not text: no file system takes a NUL, no encoding half of a surrogate pair.
UNENCODABLE = re.compile(r"[\0\ud800-\udfff]")
#: Characters of a value that a message shows.
MAX_SHOWN = 60


def read_json(path: Path, *, finite: bool = True) -> Any:
    """Returns the value of a JSON file; no more of it is read than one may have (`parse_json`).

    Raises:
        ValueError: it is not JSON, or not as any file of ours.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return parse_json(file.read(MAX_JSON_BYTES + 1), finite=finite)


def parse_json(content: bytes | str, *, finite: bool = True) -> Any:
    """Returns the value of a JSON text; a byte-order mark is allowed.

    Args:
        content: the text, in UTF-8, 16 or 32 if it is bytes.
        finite: refuse numbers that are not; without it they are NaN or infinite, for `from_dict`,
            which names the field that has one.

    Raises:
        ValueError: it is not JSON (what it is instead, if that is known), longer or deeper than any
            file of ours, holds a number that is not finite or an integer beyond 2⁵³, or text with a
            NUL or half a surrogate pair.
    """
    if len(content) > MAX_JSON_BYTES:
        raise ValueError(f"has more than {MAX_JSON_BYTES} bytes")
    if isinstance(content, str):
        content = content.removeprefix("\ufeff")
    try:
        value = json.loads(
            content,
            parse_int=_integer,
            parse_float=_number if finite else float,
            parse_constant=_constant if finite else float,
        )
    except RecursionError as error:
        raise ValueError(_too_deep()) from error
    except ValueError as error:
        if not isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
            raise
        kind = wrong_text(content.encode(errors="replace") if isinstance(content, str) else content)
        raise ValueError(kind or f"is cut off or not JSON ({error})") from error
    _check_values(value)
    return value


def _integer(digits: str) -> int:
    value = int(digits) if len(digits) <= MAX_DIGITS else MAX_INTEGER + 1
    if abs(value) > MAX_INTEGER:
        raise ValueError(f"holds the number {shown(digits)}, expected integers up to 2⁵³")
    return value


def _number(digits: str) -> float:
    value = float(digits) if len(digits) <= MAX_DIGITS else math.inf
    if not math.isfinite(value):
        raise ValueError(f"holds the number {shown(digits)}, expected finite numbers")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"holds {name}, expected finite numbers")


def _check_values(value: Any) -> None:
    """Checks depth and texts, level by level."""
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item
                below += item.values()
            elif isinstance(item, list):
                below += item
            elif isinstance(item, str) and UNENCODABLE.search(item):
                raise ValueError(f"holds the text {shown(item)}, expected text without NUL")
        if not below:
            return
        level = below
    raise ValueError(_too_deep())


def _too_deep() -> str:
    return f"is nested more deeply than {MAX_JSON_DEPTH} levels"


def shown(value: Any) -> str:
    """Returns a value from a file as a message may show it: in one line, and not too long."""
    if isinstance(value, (list, dict, tuple)) and len(value) > MAX_SHOWN:
        return f"a {type(value).__name__} of {len(value)} entries"
    if isinstance(value, int) and abs(value) > 10**MAX_SHOWN:
        return f"an integer of more than {MAX_SHOWN} digits"
    try:
        text = repr(value[: MAX_SHOWN + 1] if isinstance(value, str) else value)
    except (ValueError, RecursionError):
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= MAX_SHOWN + 2 else f"{text[:MAX_SHOWN]}…"
