"""A training of another process as a browser watches it: what it saved last, and its log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mobile_nelf.cameras import Camera, FloatArray
from mobile_nelf.checkpoints import open_checkpoint
from mobile_nelf.errors import CheckpointError, InputError
from mobile_nelf.export.live import LiveView
from mobile_nelf.pictures import ByteImage, FloatImage, on_white, to_uint8
from mobile_nelf.plain import from_dict
from mobile_nelf.rendering import render_frame, student_frame_function
from mobile_nelf.runs import STATE_SUFFIX, is_held, read_state, run_folder, taking_up
from mobile_nelf.scenes import Scene
from mobile_nelf.students import StudentConfig, build_student
from mobile_nelf.teachers.files import load_teacher
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.length import StageLength
from mobile_nelf.training.log import LOG_NAME, read_log
from mobile_nelf.training.teacher.fit import saved_teacher
from mobile_nelf.viewing.shown import NotReadyError, Shown, fitted_lens, paging_exporter
from mobile_nelf.viewing.training import TITLES, Curve

__all__ = ["RunView", "run_of"]

#: Seconds until a page may ask again for a picture of which there is none yet.
PAUSE = 1.0

#: What the folder of a run calls its teacher, with either suffix.
TEACHER = "teacher"


def run_of(path: Path) -> Path | None:
    """Returns what the run that `path` names writes at its end; None if it names no run.

    A run is named by its folder, or by its output before that is there.
    """
    if path.suffix == ".run" and path.is_dir():
        output, folder = path.with_suffix(""), path
    elif not path.exists():
        output, folder = path, run_folder(path)
    else:
        return None
    files = (LOG_NAME, f"{TEACHER}.pt")
    known = any((folder / name).is_file() for name in files)
    return output if known or any(folder.glob(f"*{STATE_SUFFIX}")) else None


class RunView:
    """What a server shows of a run that another process works on, has left or has finished.

    Nothing is written, and the run is not slowed down but for the processor's time.

    Attributes:
        shown: for the server.
    """

    def __init__(self, output: Path, scene: Scene, device: torch.device) -> None:
        """Takes a run and what it is trained on.

        Args:
            output: what the run writes at its end.
            scene: its photos.
            device: where pictures are rendered.

        Raises:
            SceneError: the first photo cannot be read.
        """
        self._output, self._folder = output, run_folder(output)
        self._scene, self._device = scene, device
        self._lens = fitted_lens(scene.train[0].camera.intrinsics)
        poster = to_uint8(on_white(scene.train[0].rgba()))
        live = LiveView(output.stem, self._lens, scene.orbit, poster, changes=True)
        files = paging_exporter().live_page(live)
        self.shown = Shown(output.stem, files, self._frame, self._status)
        self._lock = threading.Lock()
        self._render: Callable[[Camera], FloatImage] | None = None
        self._seen: tuple[Path, int] | None = None
        self._lengths: dict[str, int] = {}

    def _frame(self, pose: FloatArray, width: int, height: int) -> ByteImage:
        with self._lock:
            self._take_newest()
            render = self._render
        if render is None:
            time.sleep(PAUSE)
            raise NotReadyError
        try:
            return to_uint8(render(Camera(pose, self._lens.resized(width, height)))[..., :3])
        except CheckpointError as error:  # of a network that left the finite numbers
            time.sleep(PAUSE)
            raise NotReadyError from error

    def _status(self) -> dict[str, Any]:
        """`Status` of web_viewer/src/training.js."""
        lines = read_log(self._folder)
        if not lines:
            return {"stage": "", "step": 0, "steps": 0, "psnr_db": [], "runs": self._runs()}
        with self._lock:
            self._take_newest()
        stage, step, _ = lines[-1]
        curve = Curve()
        for own, _, psnr_db in lines:
            if own == stage:
                curve.add(psnr_db)
        return {
            "stage": TITLES.get(stage, stage),
            "step": step,
            "steps": max(step, self._lengths.get(stage, step)),
            "psnr_db": curve.values(),
            "runs": self._runs(),
        }

    def _runs(self) -> bool:
        return is_held(self._output)

    def _take_newest(self) -> None:
        """Takes the newest network that the run wrote, if there is another than before."""
        found = self._newest()
        if found is None or found == self._seen:
            return
        path, _ = found
        try:
            if path.suffix == STATE_SUFFIX:
                self._render = self._of_state(path)
            elif open_checkpoint(path).kind == TEACHER:
                teacher = load_teacher(path, self._device).teacher
                self._render = lambda camera: teacher.render(camera).on_white()
            else:
                checkpoint = open_checkpoint(path).checkpoint()
                render, grid = student_frame_function(checkpoint), checkpoint.student
                size = (grid.ray_width, grid.ray_height)
                self._render = lambda camera: render(camera.resized(*size))
        except (InputError, CheckpointError):
            # It was removed meanwhile, or holds no network; the next one may.
            return
        self._seen = found

    def _newest(self) -> tuple[Path, int] | None:
        """A state; of a run without one its output, or its teacher."""
        states = [path for path in self._folder.glob(f"*{STATE_SUFFIX}") if _time(path)]
        if states:
            newest = max(states, key=_time)
            return newest, _time(newest)
        finished = (self._output, self._folder / f"{TEACHER}.pt")
        return next(((path, _time(path)) for path in finished if _time(path)), None)

    def _of_state(self, path: Path) -> Callable[[Camera], FloatImage]:
        if path.stem == TEACHER:
            teacher, self._lengths[TEACHER] = saved_teacher(self._scene, path, self._device)
            return lambda camera: teacher.render(camera).on_white()
        state = read_state(path, ("network", "average", "step", "seconds", "plan"))
        with taking_up(path):
            student = from_dict(StudentConfig, state["run"]["student"], "student")
            config = from_dict(FitConfig, state["run"]["settings"], "settings")
            network = build_student(student)
            network.load_state_dict(
                {
                    # Counters do not average.
                    name: state["average"][name] if value.is_floating_point() else value
                    for name, value in state["network"].items()
                }
            )
            network = network.eval().requires_grad_(False).to(self._device)
            length = StageLength(config.steps, config.minutes)
            length.load(state["plan"])
            steps = length.expected(int(state["step"]), float(state["seconds"]))
        self._lengths[path.stem] = steps
        size = (student.ray_width, student.ray_height)
        return lambda camera: render_frame(network, student.encoder, camera.resized(*size))


def _time(path: Path) -> int:
    """When a file was written, in ns; 0 without one."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
