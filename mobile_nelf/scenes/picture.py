"""A picture of the cameras of a scene, from above and from the side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mobile_nelf.cameras import Camera, FloatArray
from mobile_nelf.scenes.scene import Scene

__all__ = ["camera_picture"]

#: Side of one panel in pixels, and the margin around the panels.
PANEL = 620
MARGIN = 28
CAPTION = 74
#: Lines are drawn on a larger canvas, which is then shrunk.
OVERSAMPLING = 3
#: Length of a drawn frustum, relative to the median distance of the cameras.
FRUSTUM = 0.11
#: Free space around everything, relative to the extent.
PADDING = 1.12

Colour: TypeAlias = tuple[int, int, int]
PAPER: Colour = (255, 255, 255)
INK: Colour = (38, 43, 51)
FAINT: Colour = (226, 229, 234)
GREY: Colour = (140, 147, 158)
TRAIN: Colour = (31, 98, 180)
TEST: Colour = (222, 118, 28)
BOX: Colour = (72, 148, 92)

#: Edges of a box whose corners are numbered by (x, y, z) in binary.
BOX_EDGES = [(i, i | bit) for i in range(8) for bit in (1, 2, 4) if not i & bit]


def camera_picture(scene: Scene) -> Image.Image:
    """Draws all cameras as frusta, the box and the target: seen from above and from the side."""
    width = 2 * PANEL + 3 * MARGIN
    height = PANEL + 2 * MARGIN + CAPTION
    canvas = Image.new("RGB", (width * OVERSAMPLING, height * OVERSAMPLING), PAPER)
    draw = ImageDraw.Draw(canvas)
    points = np.concatenate(
        [
            np.stack([view.camera.position for view in (*scene.train, *scene.test)]),
            np.asarray(scene.orbit.target)[None],
            *([] if scene.extent == "forward" else [scene.box.corners()]),
        ]
    )
    centre = (points.min(0) + points.max(0)) / 2
    half = PADDING * float((points.max(0) - points.min(0)).max()) / 2
    for index, (title, axes) in enumerate(
        (("from above: x right, y up", (0, 1)), ("from the side: x right, z up", (0, 2)))
    ):
        corner = (MARGIN + index * (PANEL + MARGIN), MARGIN + CAPTION)
        panel = _Panel(draw, corner, centre[list(axes)], half, axes)
        panel.grid()
        panel.scene(scene)
        _text(draw, (corner[0], MARGIN + CAPTION - 26), title, GREY, 15)
    _caption(draw, scene)
    return canvas.resize((width, height), Image.Resampling.LANCZOS)


@dataclass(frozen=True, eq=False)
class _Panel:
    """One orthographic view.

    Attributes:
        draw: where to draw.
        corner: upper left, pixels of the picture.
        centre: [2] world point in the middle.
        half: world units from there to the edge.
        axes: world axes to the right and up.
    """

    draw: ImageDraw.ImageDraw
    corner: tuple[int, int]
    centre: FloatArray
    half: float
    axes: tuple[int, int]

    def grid(self) -> None:
        """Draws the frame and lines at round distances."""
        step = _round_step(self.half)
        for axis in (0, 1):
            first = np.ceil((self.centre[axis] - self.half) / step)
            last = np.floor((self.centre[axis] + self.half) / step)
            for tick in np.arange(first, last + 1) * step:
                ends = np.repeat(self.centre[None], 2, 0)
                ends[:, axis] = tick
                ends[:, 1 - axis] += [-self.half, self.half]
                self._line(ends, FAINT, 1.0)
                at = self._pixels(ends)[0]
                place = at / OVERSAMPLING + (3.0, -16.0)
                if place[1] < self.corner[1]:  # no room above the uppermost line
                    continue
                _text(self.draw, place, f"{tick + 0.0:g}", GREY, 11)
        h, c = self.half, self.centre
        frame = c + h * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
        self._line(frame, FAINT, 2.0)

    def scene(self, scene: Scene) -> None:
        """Draws box, target and cameras."""
        if scene.extent != "forward":
            corners = scene.box.corners()[:, self.axes]
            for start, end in BOX_EDGES:
                self._line(corners[[start, end]], BOX, 2.0)
        distances = [
            np.linalg.norm(view.camera.position - scene.orbit.target) for view in scene.train
        ]
        length = FRUSTUM * float(np.median(distances))
        for views, colour in ((scene.train, TRAIN), (scene.test, TEST)):
            for view in views:
                self._camera(view.camera, length, colour)
        target = self._pixels(np.asarray(scene.orbit.target)[None, self.axes])[0]
        arm = 7 * OVERSAMPLING
        for dx, dy in ((arm, 0), (0, arm)):
            x, y = target
            self.draw.line([(x - dx, y - dy), (x + dx, y + dy)], INK, 2 * OVERSAMPLING)

    def _camera(self, camera: Camera, length: float, colour: Colour) -> None:
        """A pyramid whose tip is the camera and whose base is the picture."""
        lens = camera.intrinsics
        across = np.array([-lens.cx, lens.width - lens.cx]) / lens.fx
        upward = np.array([lens.cy, lens.cy - lens.height]) / lens.fy
        base = [
            camera.cam_to_world @ [length * x, length * y, -length, 1.0]
            for x, y in (
                (across[0], upward[0]),
                (across[1], upward[0]),
                (across[1], upward[1]),
                (across[0], upward[1]),
            )
        ]
        corners = np.stack([camera.position, *base])[:, self.axes]
        tint = tuple(round(0.25 * c + 0.75 * 255) for c in colour)
        self.draw.polygon([tuple(p) for p in self._pixels(corners[1:])], fill=tint)
        for edge in ((0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (2, 3), (3, 4), (4, 1)):
            self._line(corners[list(edge)], colour, 1.0)
        # The upper edge is thick, so a picture that lies on its side or head is seen.
        self._line(corners[[1, 2]], colour, 2.5)
        x, y = self._pixels(corners[:1])[0]
        radius = 2.2 * OVERSAMPLING
        self.draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)

    def _line(self, points: FloatArray, colour: Colour, width: float) -> None:
        pixels = [tuple(p) for p in self._pixels(points)]
        self.draw.line(pixels, colour, round(width * OVERSAMPLING))

    def _pixels(self, points: FloatArray) -> FloatArray:
        """Maps [N, 2] points of the panel's plane to the canvas."""
        unit = ((points - self.centre) / self.half * [1.0, -1.0] + 1.0) / 2.0
        return np.asarray((self.corner + unit * PANEL) * OVERSAMPLING, np.float64)


def _caption(draw: ImageDraw.ImageDraw, scene: Scene) -> None:
    title = f"{scene.path.resolve().name}, {scene.extent}"
    x: float = MARGIN + _text(draw, (MARGIN, MARGIN - 8), title, INK, 21) + 40
    legend = [(TRAIN, f"{len(scene.train)} training cameras")]
    if scene.test:
        legend.append((TEST, f"{len(scene.test)} test cameras"))
    if scene.extent != "forward":
        legend.append((BOX, "box"))
    legend.append((INK, "target"))
    for colour, label in legend:
        left, top, side = x * OVERSAMPLING, MARGIN * OVERSAMPLING, 12 * OVERSAMPLING
        draw.rectangle([left, top, left + side, top + side], fill=colour)
        x += 20 + _text(draw, (x + 20, MARGIN - 3), label, INK, 15) + 24


def _text(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float] | FloatArray,
    text: str,
    colour: Colour,
    size: int,
) -> float:
    """Writes text from its upper left corner; returns its width in pixels of the picture."""
    x, y = place
    font = ImageFont.load_default(size * OVERSAMPLING)
    draw.text((x * OVERSAMPLING, y * OVERSAMPLING), text, colour, font)
    return draw.textlength(text, font) / OVERSAMPLING


def _round_step(half: float) -> float:
    """1, 2 or 5 times a power of ten that divides the panel into some five parts."""
    raw = 2.0 * half / 5.0
    power = 10.0 ** np.floor(np.log10(raw))
    return float(power * min((1.0, 2.0, 5.0, 10.0), key=lambda factor: abs(raw / power - factor)))
