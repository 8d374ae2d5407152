"""The printed board: what it looks like, and where photos show its corners."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from mobile_nelf.atomic import written_beside
from mobile_nelf.cameras import FloatArray
from mobile_nelf.disk import cannot_write
from mobile_nelf.errors import InputError
from mobile_nelf.extras import import_extra
from mobile_nelf.outputs import check_output
from mobile_nelf.paths import AnyPath, as_path

__all__ = [
    "COLUMNS",
    "ROWS",
    "SQUARE_MM",
    "Corners",
    "board_picture",
    "corner_places",
    "print_board",
    "seen_corners",
]

#: Squares across and down; of those that are white, a marker takes so much of the side.
COLUMNS, ROWS = 6, 8
MARKER_SHARE = 0.75
#: Side of a square as it is printed; 180 × 240 mm in all.
SQUARE_MM = 30.0
#: Page that lies within A4 and within Letter; both are printed from it without scaling.
PAGE_MM = (210.0, 279.0)
#: Of the printed page.
PIXELS_A_MM = 20
#: The line below the board that tells whether the printer scaled the page, and the words at it.
LINE_MM = 100
WORDS = (
    f"Print at 100 %, without scaling. This line is {LINE_MM} mm long.",
    "Lay the board flat under the object; it must not move against it.",
)
#: Photos with fewer corners of the board do not count.
FEWEST_CORNERS = 4


class Corners(NamedTuple):
    """Corners of squares that a photo shows.

    Attributes:
        numbers: [N] which, see `corner_places`.
        pixels: [N, 2] columns and rows, pixel centres at +0.5.
    """

    numbers: npt.NDArray[np.int64]
    pixels: FloatArray


def print_board(path: AnyPath, *, force: bool = False) -> Path:
    """Writes the board as a PDF to print on A4 or Letter paper.

    Its markers are found in the photos of a capture, which then knows the true size and which way
    is up.

    Args:
        path: of the file, `.pdf`.
        force: replace a file.

    Raises:
        InputError: the name does not end in `.pdf`.
        OutputError: it exists or cannot be written.
        MissingExtraError: OpenCV is not installed.
    """
    target = as_path(path)
    if target.suffix.lower() != ".pdf":
        raise InputError(f"{target}: the board is a PDF; call the file {target.stem}.pdf")
    check_output(target, force, [])
    page = _page()
    try:
        with written_beside(target) as partial:
            # The same page has the same bytes.
            page.save(
                partial,
                "PDF",
                resolution=25.4 * PIXELS_A_MM,
                title="mnelf: board for captures",
                creationDate=None,
                modDate=None,
            )
    except OSError as error:
        raise cannot_write(target, error) from error
    return target


def board_picture(pixels_a_square: int) -> npt.NDArray[np.uint8]:
    """Returns the board alone, [rows, columns] black and white, without a margin."""
    size = COLUMNS * pixels_a_square, ROWS * pixels_a_square
    return np.asarray(_board().generateImage(size, marginSize=0, borderBits=1), np.uint8)


def corner_places() -> FloatArray:
    """Returns where the corners between squares are, [N, 3] in squares.

    The origin is the middle of the board, x runs along the lines of the words below it, y away from
    them, and z up from the paper.
    """
    found = np.asarray(_board().getChessboardCorners(), np.float64)
    # OpenCV counts down the page, and into it.
    return (found - [COLUMNS / 2, ROWS / 2, 0.0]) * [1.0, -1.0, 1.0]


def seen_corners(grey: npt.NDArray[np.uint8]) -> Corners | None:
    """Returns the corners that a picture [H, W] shows; None if they are too few to be the board."""
    corners, numbers, _, _ = _detector().detectBoard(grey)
    if numbers is None or len(numbers) < FEWEST_CORNERS:
        return None
    # OpenCV has pixel centres at whole numbers.
    pixels = np.asarray(corners, np.float64).reshape(-1, 2) + 0.5
    return Corners(np.asarray(numbers, np.int64).ravel(), pixels)


@lru_cache(maxsize=1)
def _board() -> Any:
    aruco = import_extra("cv2", "capture").aruco
    markers = aruco.getPredefinedDictionary(aruco.DICT_4X4_50)
    return aruco.CharucoBoard((COLUMNS, ROWS), 1.0, MARKER_SHARE, markers)


@lru_cache(maxsize=1)
def _detector() -> Any:
    aruco = import_extra("cv2", "capture").aruco
    parameters = aruco.CharucoParameters()
    # Of the two markers beside a corner the object often hides one.
    parameters.minMarkers = 1
    return aruco.CharucoDetector(_board(), parameters)


def _page() -> Image.Image:
    width, height = (round(side * PIXELS_A_MM) for side in PAGE_MM)
    page = Image.new("1", (width, height), 1)
    board = board_picture(round(SQUARE_MM * PIXELS_A_MM))
    left = (width - board.shape[1]) // 2
    page.paste(Image.fromarray(board).convert("1"), (left, 8 * PIXELS_A_MM))
    draw = ImageDraw.Draw(page)
    down = 8 * PIXELS_A_MM + board.shape[0] + 6 * PIXELS_A_MM
    end = left + LINE_MM * PIXELS_A_MM
    thick = PIXELS_A_MM // 4
    draw.line([(left, down), (end, down)], fill=0, width=thick)
    for column in (left, end):
        draw.line(
            [(column, down - 2 * PIXELS_A_MM), (column, down + 2 * PIXELS_A_MM)],
            fill=0,
            width=thick,
        )
    font = ImageFont.load_default(size=4 * PIXELS_A_MM)
    for row, words in enumerate(WORDS):
        draw.text((left, down + (4 + 6 * row) * PIXELS_A_MM), words, fill=0, font=font)
    return page
