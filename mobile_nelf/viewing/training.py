"""A training as a browser watches it: pictures of the network as it is, and its PSNR so far."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from mobile_nelf.cameras import Camera, FloatArray
from mobile_nelf.errors import CheckpointError
from mobile_nelf.export.live import LiveView
from mobile_nelf.pictures import ByteImage, FloatImage, on_white, to_uint8
from mobile_nelf.scenes import Scene
from mobile_nelf.training.student.stage import FitProgress
from mobile_nelf.training.teacher.fit import TeacherProgress
from mobile_nelf.viewing.shown import NotReadyError, Shown, fitted_lens, paging_exporter

__all__ = ["TITLES", "Curve", "TrainingView"]

#: Stages for people; others keep their name.
TITLES = {"teacher": "teacher", "train": "student", "photos": "student on the photos"}

#: Seconds that a picture may take to come. Steps come much faster, other work of a training not.
PATIENCE = 10.0

#: Points of the curve of a stage at most; then each two become one.
MAX_POINTS = 240


@dataclass(eq=False)
class _Request:
    """A picture that a browser waits for."""

    pose: FloatArray
    size: tuple[int, int]
    picture: ByteImage | None = None
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False)
class Curve:
    """PSNR in dB over the steps of a stage, at most `MAX_POINTS` means of equally many steps."""

    steps_a_point: int = 1
    points: list[float] = field(default_factory=list)
    open: list[float] = field(default_factory=list)

    def add(self, psnr_db: float) -> None:
        """Takes the next step."""
        self.open.append(psnr_db)
        if len(self.open) >= self.steps_a_point:
            self.points.append(fmean(self.open))
            self.open.clear()
        if len(self.points) > MAX_POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=False)
            self.points = [fmean(pair) for pair in pairs]
            self.steps_a_point *= 2

    def values(self) -> list[float]:
        """What a page shows: the means, then the last step."""
        return [round(value, 3) for value in (*self.points, *self.open[-1:])]


class TrainingView:
    """What a server shows of a training in this process.

    The training's own thread renders, between two steps, so that pictures are of whole steps and
    nothing about the training changes.

    Attributes:
        shown: for the server.
    """

    def __init__(
        self,
        scene: Scene,
        name: str,
        *,
        on_step: Callable[[TeacherProgress], None],
        on_fit: Callable[[FitProgress], None],
    ) -> None:
        """Takes what is trained on.

        Args:
            scene: the photos; the first one is seen until there is a picture.
            name: of the page.
            on_step: whom else to tell of each step of the teacher.
            on_fit: whom else to tell of each step of the student.

        Raises:
            SceneError: the first photo cannot be read.
        """
        self._also_step, self._also_fit = on_step, on_fit
        self._lens = fitted_lens(scene.train[0].camera.intrinsics)
        poster = to_uint8(on_white(scene.train[0].rgba()))
        live = LiveView(name, self._lens, scene.orbit, poster, changes=True)
        files = paging_exporter().live_page(live)
        self.shown = Shown(name, files, self._frame, self._status)
        self._requests: deque[_Request] = deque()
        self._stage, self._step, self._steps = "", 0, 0
        self._curve = Curve()

    def on_step(self, progress: TeacherProgress) -> None:
        """Takes a step of the teacher, in the training's thread."""
        self._take("teacher", progress.step, progress.steps, progress.psnr_db, progress.render)
        self._also_step(progress)

    def on_fit(self, progress: FitProgress) -> None:
        """Takes a step of the student, in the training's thread."""
        stage = TITLES.get(progress.stage, progress.stage)
        self._take(stage, progress.step, progress.steps, progress.psnr_db, progress.render)
        self._also_fit(progress)

    def _take(
        self,
        stage: str,
        step: int,
        steps: int,
        psnr_db: float,
        render: Callable[[Camera], FloatImage] | None,
    ) -> None:
        if stage != self._stage:
            self._curve = Curve()
        self._stage, self._step, self._steps = stage, step, steps
        self._curve.add(psnr_db)
        # One a step, so that a training continues however many browsers ask.
        if render is not None and self._requests:
            request = self._requests.popleft()
            try:
                camera = Camera(request.pose, self._lens.resized(*request.size))
                request.picture = to_uint8(render(camera)[..., :3])
            except CheckpointError:
                # Of a network that left the finite numbers; the training itself will say so.
                pass
            finally:
                request.done.set()

    def _frame(self, pose: FloatArray, width: int, height: int) -> ByteImage:
        request = _Request(pose, (width, height))
        self._requests.append(request)
        if not request.done.wait(PATIENCE):
            with suppress(ValueError):  # it is being rendered
                self._requests.remove(request)
        if request.picture is None:
            raise NotReadyError
        return request.picture

    def _status(self) -> dict[str, Any]:
        """`Status` of web_viewer/src/training.js."""
        return {
            "stage": self._stage,
            "step": self._step,
            "steps": self._steps,
            "psnr_db": self._curve.values(),
            "runs": True,
        }
