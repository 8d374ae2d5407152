"""The curve of a training run: dB against minutes, as a table and a picture.

Training dB are those of the patches since the line before, before each update; held-out dB those of
whole photos that the stage does not learn from, with the averaged weights. Minutes are wall time of
the student's stages one after the other, without what lay between an interruption and its resume,
and without the teacher. They mean little if the machine had other jobs at times; steps do.

    python benchmarks/training_curve.py mic.pt.run mic-curve.png --over steps
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich import box
from rich.console import Console
from rich.table import Table

from mobile_nelf.training.log import LOG_NAME

Point: TypeAlias = tuple[float, float]
Colour: TypeAlias = tuple[int, int, int]

WIDTH, HEIGHT = 900, 520
LEFT, RIGHT, TOP, BOTTOM = 64, 28, 78, 58
#: Lines are drawn on a larger canvas, which is then shrunk.
OVERSAMPLING = 3
#: About how many ticks an axis has.
TICKS = 7
PAPER: Colour = (255, 255, 255)
INK: Colour = (38, 43, 51)
FAINT: Colour = (226, 229, 234)
GREY: Colour = (110, 117, 128)
TRAINING: Colour = (31, 98, 180)
HELD_OUT: Colour = (222, 118, 28)


@dataclass(frozen=True)
class Line:
    """A line of the log, with minutes and thousands of steps since the first stage began."""

    stage: str
    step: int
    minutes: float
    thousands: float
    training_db: float | None
    held_out_db: float | None


def read_lines(folder: Path) -> list[Line]:
    """Returns the whole lines of a run's log; one that is being written is left out."""
    text = (folder / LOG_NAME).read_text(encoding="utf-8").rpartition("\n")[0]
    lines: list[Line] = []
    before, taken, stage = 0.0, 0.0, ""
    for entry in map(json.loads, text.splitlines()):
        if entry["stage"] != stage:
            before, taken = (lines[-1].minutes, lines[-1].thousands) if lines else (0.0, 0.0)
            stage = entry["stage"]
        lines.append(
            Line(
                stage,
                entry["step"],
                before + entry["seconds"] / 60.0,
                taken + entry["step"] / 1000.0,
                entry.get("psnr_db"),
                entry.get("photo_psnr_db"),
            )
        )
    return lines


def thinned(lines: list[Line], rows: int) -> list[Line]:
    """Returns at most `rows` lines, spread evenly, the first and the last among them."""
    if len(lines) <= rows:
        return lines
    return [lines[i] for i in np.linspace(0, len(lines) - 1, rows).round().astype(int)]


def table_of(lines: list[Line]) -> Table:
    table = Table(box=box.MARKDOWN)
    for column in ("stage", "step", "minutes", "training dB", "held-out dB"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for line in lines:
        decibels = (line.training_db, line.held_out_db)
        table.add_row(
            line.stage,
            f"{line.step:,}",
            f"{line.minutes:.1f}",
            *("" if db is None else f"{db:.2f}" for db in decibels),
        )
    return table


class Chart:
    """A frame with axes, dB upwards."""

    def __init__(self, points: list[Point], title: str, axis: str) -> None:
        """Draws frame, ticks and title for the range of `points`."""
        across, decibels = zip(*points, strict=True)
        self._x_ticks = ticks(0.0, max(*across, 0.1))
        self._y_ticks = ticks(min(decibels), max(*decibels, min(decibels) + 1.0))
        size = (WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING)
        self._canvas = Image.new("RGB", size, PAPER)
        self._draw = ImageDraw.Draw(self._canvas)
        for tick in self._x_ticks:
            x, y = self._place((tick, self._y_ticks[0]))
            self._line([(x, y), (x, TOP)], FAINT, 1)
            self._text((x, y + 8), f"{tick:g}", GREY, 13, "ma")
        for tick in self._y_ticks:
            x, y = self._place((0.0, tick))
            self._line([(x, y), (WIDTH - RIGHT, y)], FAINT, 1)
            self._text((x - 8, y), f"{tick:g}", GREY, 13, "rm")
        floor = HEIGHT - BOTTOM
        self._line([(LEFT, TOP), (LEFT, floor), (WIDTH - RIGHT, floor)], GREY, 1.5)
        self._text(((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10), axis, INK, 15, "md")
        self._text((14, TOP - 10), "dB", INK, 15, "ld")
        self._text((LEFT, 14), title, INK, 19, "la")

    def series(self, points: list[Point], colour: Colour, radius: float) -> None:
        """Draws a line through `points`, which may be one, and a dot at each."""
        places = [self._place(point) for point in points]
        self._line(places, colour, 2)
        for x, y in places:
            corners = (x - radius, y - radius, x + radius, y + radius)
            self._draw.ellipse([OVERSAMPLING * c for c in corners], fill=colour)

    def boundary(self, across: float, name: str) -> None:
        """Marks where the stage called `name` begins."""
        x, y = self._place((across, self._y_ticks[0]))
        self._line([(x, y), (x, TOP)], GREY, 1)
        # Left of the line if the text does not fit on its right.
        right = x < WIDTH - RIGHT - 80
        self._text((x + 5 if right else x - 5, y - 6), name, GREY, 13, "ld" if right else "rd")

    def legend(self, entries: list[tuple[str, Colour]]) -> None:
        """Names the curves above the frame."""
        x = float(LEFT)
        for label, colour in entries:
            self._line([(x, 56), (x + 22, 56)], colour, 3)
            x += 30 + self._text((x + 30, 56), label, INK, 14, "lm") + 26

    def image(self) -> Image.Image:
        """Returns the picture."""
        return self._canvas.reduce(OVERSAMPLING)

    def _place(self, point: Point) -> Point:
        """Maps a point to pixels of the picture."""
        x = point[0] / self._x_ticks[-1]
        y = (point[1] - self._y_ticks[0]) / (self._y_ticks[-1] - self._y_ticks[0])
        return LEFT + x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)

    def _line(self, places: list[Point], colour: Colour, width: float) -> None:
        scaled = [(OVERSAMPLING * x, OVERSAMPLING * y) for x, y in places]
        if len(scaled) > 1:  # a stage may have been measured once, or not at all
            self._draw.line(scaled, colour, round(width * OVERSAMPLING), joint="curve")

    def _text(self, place: Point, text: str, colour: Colour, size: int, anchor: str) -> float:
        """Writes text and returns its width in pixels of the picture."""
        font = ImageFont.load_default(size * OVERSAMPLING)
        x, y = place
        scaled = (OVERSAMPLING * x, OVERSAMPLING * y)
        self._draw.text(scaled, text, colour, font, anchor=anchor)
        return self._draw.textlength(text, font) / OVERSAMPLING


def ticks(lowest: float, highest: float) -> list[float]:
    """Returns round numbers that reach from below `lowest` to above `highest`."""
    raw = (highest - lowest) / TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(factor for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= raw)
    first, last = math.floor(lowest / step), math.ceil(highest / step)
    return [index * step for index in range(first, last + 1)]


def picture(lines: list[Line], title: str, over: str) -> Image.Image:
    """Draws both curves of every stage over minutes or steps; `lines` must hold a dB."""

    def across(line: Line) -> float:
        return line.minutes if over == "minutes" else line.thousands

    curves: list[tuple[str, Colour, float, Callable[[Line], float | None]]] = [
        ("training patches", TRAINING, 0.0, lambda line: line.training_db),
        ("held-out photos", HELD_OUT, 3.5, lambda line: line.held_out_db),
    ]

    def points(of: list[Line], value: Callable[[Line], float | None]) -> list[Point]:
        return [(across(line), db) for line in of if (db := value(line)) is not None]

    shown = [curve for curve in curves if points(lines, curve[3])]
    axis = "minutes" if over == "minutes" else "thousands of steps"
    chart = Chart([point for curve in shown for point in points(lines, curve[3])], title, axis)
    stages = [list(group) for _, group in itertools.groupby(lines, lambda line: line.stage)]
    for before, stage in itertools.pairwise(stages):
        chart.boundary(across(before[-1]), stage[0].stage)
    for _, colour, radius, value in shown:
        for stage in stages:
            chart.series(points(stage, value), colour, radius)
    chart.legend([(name, colour) for name, colour, *_ in shown])
    return chart.image()


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a run, such as mic.pt.run")
    parser.add_argument("output", type=Path, help="the picture, a PNG")
    parser.add_argument("--over", choices=["minutes", "steps"], default="minutes")
    parser.add_argument("--rows", type=int, default=20, help="of the table, at most")
    options = parser.parse_args()
    lines = read_lines(options.run)
    if all(line.training_db is None and line.held_out_db is None for line in lines):
        parser.error(f"{options.run / LOG_NAME}: holds no measured step yet")
    length = f"{lines[-1].minutes:.1f} minutes"
    if options.over == "steps":
        length = f"{1000 * lines[-1].thousands:,.0f} steps"
    title = f"{options.run.resolve().name.removesuffix('.run')}: {length}"
    picture(lines, title, options.over).save(options.output, "PNG", optimize=True)
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(title, table_of(thinned(lines, options.rows)), highlight=False)


if __name__ == "__main__":
    main()
