"""What a server of a viewer serves: a page, and the pictures that it asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mobile_nelf.cameras import FloatArray, Intrinsics
from mobile_nelf.errors import InputError
from mobile_nelf.export.exporter import Exporter, find_exporter
from mobile_nelf.export.targets import exporter_targets
from mobile_nelf.pictures import ByteImage

__all__ = ["NotReadyError", "Shown", "fitted_lens", "paging_exporter"]

#: Longest side of a picture that a teacher renders; a student's is what its network makes.
LIVE_SIDE = 400

INDEX = "index.html"

#: Renders a pose [3, 4] at columns and rows; may raise `NotReadyError`.
PoseFunction = Callable[[FloatArray, int, int], ByteImage]


class NotReadyError(Exception):
    """There is no picture yet; asking again may bring one."""


@dataclass(frozen=True)
class Shown:
    """What a server serves.

    Attributes:
        name: for people.
        files: by the path in their address; `index.html` is what is opened.
        frame: renders what the page cannot compute itself; None if it computes everything.
        status: what is to be told of a light field that changes, in plain values; None for others.
    """

    name: str
    files: dict[str, bytes]
    frame: PoseFunction | None = None
    status: Callable[[], dict[str, Any]] | None = None


def fitted_lens(lens: Intrinsics) -> Intrinsics:
    """The same view on a grid of `LIVE_SIDE` at most."""
    share = min(1.0, LIVE_SIDE / max(lens.width, lens.height))
    return lens.resized(max(round(lens.width * share), 1), max(round(lens.height * share), 1))


def paging_exporter() -> Exporter[Any]:
    """The first exporter whose target is a page.

    Raises:
        InputError: none is installed.
    """
    for target in exporter_targets():
        exporter = find_exporter(target)
        if exporter.has_page:
            return exporter
    raise InputError("no installed target has a page; reinstall mobile-nelf")
