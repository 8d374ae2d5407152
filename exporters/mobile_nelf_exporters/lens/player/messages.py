"""What the scripts' side of a lens and this side tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from mobile_nelf.errors import BundleError, ConfigError
from mobile_nelf.plain import from_dict
from mobile_nelf_exporters.lens.player.draw import Surface, View
from mobile_nelf_exporters.lens.player.masked import Masked, Part

__all__ = [
    "Input",
    "Output",
    "Painted",
    "Report",
    "Request",
    "Shown",
    "quaternion_of",
    "read_message",
    "turned",
]

T = TypeVar("T")
V = TypeVar("V", np.uint8, np.float32)


@dataclass(frozen=True)
class Shown:
    """What the render target is cleared with.

    For a texture also which output drew it, and what part of it fills the screen (see `Part`).
    """

    kind: Literal["colour", "camera", "texture"]
    colour: tuple[float, float, float] = (0.0, 0.0, 0.0)
    component: int = -1
    output: int = -1
    part: tuple[float, float, float, float] = (-1.0, 1.0, -1.0, 1.0)


@dataclass(frozen=True)
class Painted:
    """A texture whose pixels a script set.

    Attributes:
        component: a negative number, by which surfaces name it.
        width: columns.
        height: rows.
        pixels: red, green, blue and alpha of each, from 0 to 255.
    """

    component: int
    width: int
    height: int
    pixels: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuses what is not a texture."""
        if self.component >= 0 or min(self.width, self.height) < 1:
            raise ValueError("a painted texture has no number or no size")
        if len(self.pixels) != 4 * self.width * self.height or any(
            value not in range(256) for value in self.pixels
        ):
            raise ValueError("a painted texture has other than four bytes a pixel")

    @property
    def texture(self) -> npt.NDArray[np.float32]:
        """The pixels, [rows, columns, 4]."""
        return np.array(self.pixels, np.float32).reshape(self.height, self.width, 4)


@dataclass(frozen=True)
class Report:
    """What a lens says after an event."""

    printed: tuple[str, ...]
    status: str
    hints: tuple[str, ...]
    shown: Shown
    painted: tuple[Painted, ...]
    surfaces: tuple[Surface, ...]
    masked: tuple[Masked, ...]
    view: View | None
    runs: int
    written_bytes: int

    @property
    def pictures(self) -> tuple[Surface | Part | Shown, ...]:
        """All that needs a texture."""
        parts = (part for masked in self.masked for part in (masked.colour, masked.mask))
        cleared = (self.shown,) if self.shown.kind == "texture" else ()
        return (*self.surfaces, *parts, *cleared)

    def __post_init__(self) -> None:
        """Refuses triangles without corners, and parts that are none."""
        for surface in self.surfaces:
            corners = range(len(surface.vertices))
            if len(surface.triangles) % 3 or any(k not in corners for k in surface.triangles):
                raise ValueError("a surface has triangles without corners")
        parts = [part.part for masked in self.masked for part in (masked.colour, masked.mask)]
        if not np.isfinite([*parts, self.shown.part]).all():
            raise ValueError("a part of a texture has no place")


@dataclass(frozen=True)
class Input:
    """How an input is given to a model."""

    layout: Literal["NHWC", "NCHW"]
    flip_x: bool
    flip_y: bool


@dataclass(frozen=True)
class Output:
    """How an output is used; what is drawn becomes a texture, which scripts cannot read."""

    is_drawn: bool
    flip_x: bool
    flip_y: bool


@dataclass(frozen=True)
class Request:
    """A run of a model that a script asks for."""

    request: Literal["run"]
    asset: str
    component: int
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]


def read_message(kind: type[T], header: dict[str, Any]) -> T:
    """What scripts sent, as what it must be.

    Raises:
        BundleError: it is something else.
    """
    try:
        return from_dict(kind, header, "message")
    except ConfigError as error:
        raise BundleError(f"the lens sent what is not a message: {error}") from error


def turned(image: npt.NDArray[V], flips: Input | Output) -> npt.NDArray[V]:
    """A picture [rows, columns, channels] as a transformer turns it over."""
    return image[:: -1 if flips.flip_y else 1, :: -1 if flips.flip_x else 1]


def quaternion_of(rotation: npt.NDArray[np.float64]) -> list[float]:
    """w, x, y, z of a rotation matrix (Shepperd 1978: the largest component is divided by)."""
    r = rotation
    squares = np.array(
        [
            1.0 + r[0, 0] + r[1, 1] + r[2, 2],
            1.0 + r[0, 0] - r[1, 1] - r[2, 2],
            1.0 - r[0, 0] + r[1, 1] - r[2, 2],
            1.0 - r[0, 0] - r[1, 1] + r[2, 2],
        ]
    )
    mixed = np.array(
        [
            [squares[0], r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]],
            [r[2, 1] - r[1, 2], squares[1], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0]],
            [r[0, 2] - r[2, 0], r[0, 1] + r[1, 0], squares[2], r[1, 2] + r[2, 1]],
            [r[1, 0] - r[0, 1], r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], squares[3]],
        ]
    )
    largest = mixed[int(np.argmax(squares))]
    quaternion: list[float] = (largest / np.linalg.norm(largest)).tolist()
    return quaternion
