"""One stage of training: views in, weights out, resumable at any moment.

Every random choice depends on seed, step and process alone, so a resumed run ends in the weights of
an unbroken one.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mobile_nelf.cameras import Camera
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import InputError, OutputError, TrainingError
from mobile_nelf.evaluation import photo_psnr_db
from mobile_nelf.pictures import FloatImage
from mobile_nelf.plain import from_dict, to_dict
from mobile_nelf.progress import Progress, silent
from mobile_nelf.pruning.shrink import Mark, Pruning, check_prunable, first_step, marks, pruned
from mobile_nelf.pruning.widths import Widths
from mobile_nelf.rendering import render_frame
from mobile_nelf.runs import load_state, save_state, taking_up
from mobile_nelf.students import StudentConfig
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.length import StageLength
from mobile_nelf.training.log import RunLog
from mobile_nelf.training.student.collapse import CollapseWatch, psnr_of
from mobile_nelf.training.student.learner import Learner
from mobile_nelf.training.student.losses import check_loss
from mobile_nelf.training.student.stage import FitProgress, FitResult, Run, Stage, state_path
from mobile_nelf.training.views.cache import ViewCache, remove_cache, views_seen
from mobile_nelf.training.views.patches import Patches, draw_patches
from mobile_nelf.training.views.sources import PhotoViews, check_size

__all__ = ["fit_stage"]


@dataclass(eq=False)
class _Checks:
    """Measurements of the photos so far; saved with the state.

    Attributes:
        start: PSNR in dB of the weights at the start.
        last: of the newest measurement.
        best: of the best one.
        since_best: measurements after that.
        weights: averaged weights of the best one, if a stage chooses by them.
    """

    start: float | None = None
    last: float | None = None
    best: float | None = None
    since_best: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)


def fit_stage(
    student: StudentConfig, stage: Stage, run: Run, initial: Checkpoint | None = None
) -> FitResult:
    """Trains a student through one stage; a state in the run's folder is continued.

    Args:
        student: the network.
        stage: what to do.
        run: where.
        initial: a student to start from, which may have another ray grid; None for fresh weights.

    Raises:
        SceneError: the views do not have the size that the student renders.
        InputError: the state belongs to another run, `initial` is missing or does not fit, or the
            student cannot be pruned.
        OutputError: the folder does not exist or cannot be written.
        TrainingError: the student collapsed to one colour, or left the finite numbers.
        MissingExtraError: the perceptual term needs a package that is not installed.
    """
    if not run.folder.is_dir():
        raise OutputError(f"{run.folder}: no such folder, expected one for the run's files")
    check_size(f"views of stage {stage.name}", stage.source.size, student)
    check_loss(student, stage.config)
    _check_initial(student, stage.config, initial)
    if stage.pruning is not None:
        check_prunable(student, stage.pruning.keep)
    return _Fit(student, stage, run, initial).to_the_end()


def _check_initial(student: StudentConfig, config: FitConfig, initial: Checkpoint | None) -> None:
    if initial is None:
        if config.train_only == "tail":
            raise InputError("train_only tail needs a trained student to start from")
        return
    same_grid = replace(initial.student, ray_width=student.ray_width, ray_height=student.ray_height)
    if same_grid != student:
        wanted = to_dict(student)
        name, found = next(
            (name, value) for name, value in to_dict(same_grid).items() if value != wanted[name]
        )
        raise InputError(
            f"the student to start from has {name} {found}, expected {wanted[name]}; train a "
            "student of its own shape"
        )


class _Fit:
    """A stage under way."""

    def __init__(
        self, student: StudentConfig, stage: Stage, run: Run, initial: Checkpoint | None
    ) -> None:
        self._student, self._stage, self._run = student, stage, run
        self._length = StageLength(stage.config.steps, stage.config.minutes)
        self._config, self._main = self._length.settings(stage.config), run.ranks.main
        self._learner = Learner(
            student, self._config, run.ranks, None if initial is None else initial.weights
        )
        self._watch = CollapseWatch(stage.config)
        self._checks = _Checks()
        self._errors: list[float] = []  # mean squared errors of the steps since the last log line
        self._identity = stage.source.identity()
        self._key = {
            "student": to_dict(student),
            "settings": to_dict(stage.config),
            "patience": stage.patience,
            "views": self._identity,
            "photos": PhotoViews(stage.photos).identity() if stage.photos else None,
            "initial weights": None if initial is None else initial.weights_sha256(),
            "processes": run.ranks.world,
        }
        if stage.pruning is not None:
            self._key["pruning"] = to_dict(stage.pruning)
        self._marks: tuple[Widths, list[Mark]] | None = None
        self._state_path = state_path(run.folder, stage.name)
        self._cache_path = run.folder / f"{stage.name}.views.{run.ranks.rank}"
        self._done, self._seconds, self._check_seconds = 0, 0.0, 0.0
        self._resume()

    def to_the_end(self) -> FitResult:
        """Does the steps that are left."""
        if not self._over():
            with ExitStack() as stack:
                log = None
                if self._main:
                    log = RunLog(self._run.folder, self._stage.name, self._done)
                    stack.callback(log.close)
                # A GPU then sums in the same order too, so that a resumed run ends the same.
                stack.enter_context(
                    torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
                )
                self._steps(log)
        remove_cache(self._cache_path)
        checks = self._checks
        chosen = self._stage.patience is not None
        student = self._student
        weights = checks.weights if chosen else self._learner.averaged_weights()
        if self._stage.pruning is not None and self._marks is not None:
            small = pruned(self._stage.pruning.checkpoint(student, weights), self._marks[0])
            student, weights = small.student, small.weights
        return FitResult(
            student,
            weights,
            self._done,
            views_seen(self._stage.source, self._stage.config, self._run.ranks, self._done - 1),
            checks.best if chosen else checks.last,
            checks.start,
        )

    def _over(self) -> bool:
        patience = self._stage.patience
        return self._done >= self._config.steps or (
            patience is not None and self._checks.since_best >= patience
        )

    def _steps(self, log: RunLog | None) -> None:
        # Without the plan, so that a resumed run finds the file of the one before.
        unplanned = StageLength(self._stage.config.steps, self._stage.config.minutes).steps
        began = time.monotonic() - self._seconds
        cache = ViewCache(
            self._stage.source,
            self._identity,
            self._student,
            replace(self._config, steps=unplanned),
            self._cache_path,
            self._run.ranks,
        )
        patches = self._patches(cache, self._run.on_progress)
        if self._stage.config.minutes is None:  # otherwise the first views are part of the time
            began = time.monotonic() - self._seconds
        if self._done == 0 and self._stage.photos:
            self._measure()
            self._checks.start = self._checks.last
            self._write_line(log, measured=True)
        while not self._over():
            pruning = self._stage.pruning
            # A plan may come after the step at which a run of so many steps begins to shrink.
            early = self._done < first_step(self._config.steps)
            if pruning is not None and self._marks is None and not early:
                self._mark(pruning)
            statistics = self._learner.step(self._done, patches)
            self._done += 1
            if self._done < self._config.steps:
                # Before the first look at what a GPU computes, which then works at the same time.
                patches = self._patches(cache)
            error, *_ = values = statistics.tolist()
            self._watch.see(self._done - 1, values)
            self._errors.append(error)
            planned = self._plan(time.monotonic() - began)
            measured = self._is_due(self._config.check_every) and bool(self._stage.photos)
            if measured:
                self._measure()
            self._seconds = time.monotonic() - began
            # A plan is kept at once: what was made with it could not be made again without it.
            saving = planned or self._is_due(self._config.save_every) or self._over()
            if measured or saving:
                self._write_line(log, measured=measured)
            if saving:
                self._save(log)
            if self._main:
                steps = self._length.expected(self._done, self._seconds)
                name, plan = self._stage.name, self._length.plan
                told = FitProgress(self._done, steps, psnr_of(error), name, plan, self._rendered)
                self._run.on_fit(told)

    def _plan(self, seconds: float) -> bool:
        """Works out the number of steps where it is open; whether that was done now."""
        if not self._length.open:
            return False
        checks = self._check_seconds / self._config.check_every if self._stage.photos else 0.0
        self._length.take(self._done, seconds, checks)
        # By the clock of the main process, since all must take the same steps.
        self._length.load(self._run.ranks.from_main(self._length.state()))
        self._config = self._length.settings(self._stage.config)
        self._learner.follow(self._config)
        return not self._length.open

    def _is_due(self, every: int) -> bool:
        return every > 0 and (self._done % every == 0 or self._done == self._config.steps)

    def _patches(self, cache: ViewCache, on_progress: Progress = silent) -> Patches:
        """The batch of the next step."""
        window = cache.advance(self._done, on_progress)
        rng = np.random.default_rng((self._config.seed, self._done, self._run.ranks.rank))
        return draw_patches(cache, window, self._student, self._config, rng)

    def _mark(self, pruning: Pruning) -> None:
        """The main process decides, the others take it over."""
        found = None
        if self._main:
            whole = pruning.checkpoint(self._student, self._learner.averaged_weights())
            found = marks(whole, pruning.keep)
        self._marks = self._run.ranks.from_main(found)
        if self._marks is not None:
            self._learner.mark(self._marks[1])

    def _measure(self) -> None:
        psnr, began = 0.0, time.monotonic()
        if self._main:
            network = self._learner.average
            psnr = photo_psnr_db(network, self._student, self._stage.photos)
        checks = self._checks
        checks.last = psnr = self._run.ranks.from_main(psnr)
        self._check_seconds = time.monotonic() - began
        if checks.best is None or psnr > checks.best:
            checks.best, checks.since_best = psnr, 0
            if self._stage.patience is not None:
                checks.weights = self._learner.averaged_weights()
        else:
            checks.since_best += 1

    def _write_line(self, log: RunLog | None, *, measured: bool) -> None:
        numbers = {}
        if self._errors:
            numbers["psnr_db"] = psnr_of(float(np.mean(self._errors)))
        if measured and self._checks.last is not None:
            numbers["photo_psnr_db"] = self._checks.last
        if log is not None:
            log.write(self._done, self._seconds, **numbers)
        self._errors.clear()

    def _save(self, log: RunLog | None) -> None:
        """Log and sample first: what they tell beyond a saved state is cut off on resume."""
        if not self._learner.finite():
            raise TrainingError(
                f"training diverged: non-finite weights before step {self._done}; "
                f"start again with a learning rate below {self._config.learning_rate:g}",
                arguments=["learning_rate"],
            )
        if log is None:
            return
        every = self._config.sample_every * self._config.save_every
        if every and (self._done % every == 0 or self._over()):
            log.sample(self._done, self._rendered(self._run.sample_camera)[..., :3])
        content = {
            "step": self._done,
            "seconds": self._seconds,
            "plan": self._length.state(),
            "checks": dict(vars(self._checks)),
            **self._learner.state(),
        }
        if self._stage.pruning is not None:
            content["marks"] = _plain_marks(self._marks)
        save_state(self._state_path, self._key, content)

    def _rendered(self, camera: Camera) -> FloatImage:
        """The averaged network's picture of a camera on any grid."""
        grid = (self._student.ray_width, self._student.ray_height)
        return render_frame(self._learner.average, self._student.encoder, camera.resized(*grid))

    def _resume(self) -> None:
        """Takes the state that the main process finds, in all processes."""
        names = ["step", "seconds", "plan", "checks", *self._learner.state()]
        if self._stage.pruning is not None:
            names.append("marks")
        state: dict[str, Any] | None = None
        if self._main:
            state = load_state(self._state_path, self._key, names)
        state = self._run.ranks.from_main(state)
        if state is not None:
            with taking_up(self._state_path):
                self._learner.load(state)
                self._checks = _Checks(**state["checks"])
                if state.get("marks") is not None:
                    widths, found = state["marks"]
                    self._marks = from_dict(Widths, widths), [Mark(*mark) for mark in found]
                    self._learner.mark(self._marks[1])
                self._done, self._seconds = int(state["step"]), float(state["seconds"])
                self._length.load(state["plan"])
                self._config = self._length.settings(self._stage.config)
                self._learner.follow(self._config)
                if not 0 <= self._done <= self._config.steps:
                    raise ValueError(f"step {self._done}")


def _plain_marks(found: tuple[Widths, list[Mark]] | None) -> Any:
    """What a state may hold of marks; `None` before there are any."""
    if found is None:
        return None
    widths, marked = found
    return to_dict(widths), [(mark.name, mark.axis, mark.projector) for mark in marked]
