"""One compression under way: its stages, each resumable, in their order."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.compression.choice import by_quality, by_size
from mobile_nelf.compression.goals import Goals, total_db
from mobile_nelf.compression.magnitude import magnitude_masks, masked
from mobile_nelf.compression.palettes import large_layers, mixed_bits, palettized
from mobile_nelf.compression.report import CompressionReport, PathRow
from mobile_nelf.compression.size import model_bytes, stores_palettes
from mobile_nelf.compression.tuning import tune, tune_tables, tuning_config
from mobile_nelf.compute import compute_device
from mobile_nelf.errors import InputError, MissingExtraError
from mobile_nelf.evaluation import photo_psnr_db
from mobile_nelf.export.speed import run_here
from mobile_nelf.progress import Progress
from mobile_nelf.pruning.calibration import calibration_rays, comparison_rays
from mobile_nelf.pruning.cut import Knowledge, cut, know
from mobile_nelf.pruning.layers import anatomy, folded, working_network
from mobile_nelf.pruning.plan import Point, greedy_path, mean_error, tried_factors
from mobile_nelf.pruning.statistics import measure
from mobile_nelf.pruning.widths import macs, parameters, widths_text
from mobile_nelf.runs import load_state, save_state
from mobile_nelf.scenes import Scene, View
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.student.stage import FitProgress, state_path
from mobile_nelf.vocabulary import (
    DeviceName,
    RoundingBits,
    TrainedPart,
    WeightForm,
)

__all__ = ["STEPS", "CompressionRun"]

#: Steps of the long fine-tuning, and of the short one after each round of cuts.
STEPS, ROUND_STEPS = 1000, 100

#: Share of the parameters that one round leaves at least.
ROUND = 0.8

#: Rounds of the magnitude method, as in the paper.
MAGNITUDE_ROUNDS = 3

#: Shares of the parameters at which the path is measured.
SHOWN = (0.85, 0.7, 0.55, 0.4, 0.25)

NOTES = (
    "speed and heat of smaller students on a device are not measured; fewer multiply-accumulates "
    "need not be faster",
)

#: Students that are tuned in search of a quality.
TRIES = 3


class CompressionRun:
    """One compression under way."""

    def __init__(
        self,
        given: Checkpoint,
        scene: Scene | None,
        folder: Path,
        seed: int,
        device: DeviceName,
        train_only: TrainedPart,
        table_steps: int,
        on_progress: Progress,
    ) -> None:
        """Measures the student at hand.

        Args:
            given: the student.
            scene: photos of its size; None for none.
            folder: for the states of fine-tuning.
            seed: of the fine-tuning.
            device: where to fine-tune.
            train_only: what is tuned.
            table_steps: of the tuning of tables after rounding; 0 for none.
            on_progress: called with a stage's name, steps done and steps in all.
        """
        self.whole = folded(given)
        self.scene, self.folder, self.seed = scene, folder, seed
        self.train_only, self.table_steps, self.on_progress = train_only, table_steps, on_progress
        self.device = compute_device(device)
        self.rays = calibration_rays(self.whole)
        self.compared = comparison_rays(self.whole)
        self.whole_db = self._measured(self.whole)
        if self.whole_db is None:
            self.whole_db = given.metrics.get("test_psnr_db")

    def narrower(
        self, goals: Goals, target: str | None, bits: RoundingBits, steps: int, multiple: int
    ) -> tuple[CompressionReport, Checkpoint | None]:
        """Goes down the path; returns no student where no goal was given."""
        allowed = goals.loss_allowed(self.whole_db)
        if allowed is not None and self.whole_db is None:
            raise InputError(
                "the student has no test figures, so max_loss cannot be judged; give its scene",
                arguments=["max_loss", "scene"],
            )
        if not goals.asked and bits != "none":
            small = self.rounded(self.whole, bits, "tables")
            only = (self.row(self.whole),)
            return CompressionReport("narrow", goals, "", only, self.row(small), NOTES), small
        knowledge = self._know(self.whole)
        self.on_progress("plan", 0, 1)
        factors = tried_factors(self.whole, knowledge, self.rays, self.compared)
        sized = goals.keep is not None or goals.max_mb is not None
        path = greedy_path(
            self.whole.student,
            knowledge,
            factors,
            multiple=multiple,
            by_parameters=1.0 if sized or goals.speed is None else 0.0,
            by_macs=1.0 if goals.speed is not None or not sized else 0.0,
            by_time=0.0 if goals.speed is None else 1.0,
        )
        self.on_progress("plan", 1, 1)

        def cut_to(point: Point) -> Checkpoint:
            return cut(self.whole, point.widths, knowledge, self.rays)

        def shaped(point: Point) -> Checkpoint:
            return cut(self.whole, point.widths, knowledge, self.rays, "none")

        students, rows = [self.whole], [self.row(self.whole)]
        for index, share in enumerate(SHOWN):
            self.on_progress("measure the path", index, len(SHOWN))
            least = [p for p in path if p.parameters <= share * path[0].parameters][:1]
            students += [cut_to(point) for point in least]
            rows += [self.row(student) for student in students[len(rows) :]]
        self.on_progress("measure the path", len(SHOWN), len(SHOWN))
        if not goals.asked:
            rows = self._with_times(rows, students)
            return CompressionReport("narrow", goals, "", tuple(rows), None, NOTES), None
        form: WeightForm | None = (
            "palette-mixed" if bits != "none" and target and stores_palettes(target) else None
        )

        def bytes_of(point: Point) -> int:
            return model_bytes(shaped(point), target or "", form)

        def times_faster(point: Point) -> float:
            before, after = self._timed(self.whole, shaped(point))
            return before / after

        index, bound = by_size(path, goals, bytes_of, times_faster)
        if allowed is not None and self.whole_db is not None:
            most = 10.0 ** ((allowed - self.whole_db) / 10.0) - 10.0 ** (-self.whole_db / 10.0)
            if not bound:
                index, bound = by_quality(path, most), "max_loss"
                if goals.max_loss != allowed:
                    bound = "at_least"
        small, row = self._reached(path, index, steps, bits, goals, allowed, bound)
        if target is not None:
            row = replace(row, model_bytes=model_bytes(small, target, form))
        *rows, row = self._with_times([*rows, row], [*students, small])
        return CompressionReport("narrow", goals, bound, tuple(rows), row, NOTES), small

    def _reached(
        self,
        path: list[Point],
        index: int,
        steps: int,
        bits: RoundingBits,
        goals: Goals,
        allowed: float | None,
        bound: str,
    ) -> tuple[Checkpoint, PathRow]:
        """Tunes the student at a point; one that loses too much gives way to a larger one."""
        best = -math.inf
        for attempt in range(1, TRIES + 1):
            small = self._tuned(path, index, steps, f"try{attempt}-")
            small = self.rounded(small, bits, f"try{attempt}-tables")
            row = self.row(small)
            lost = 0.0
            if allowed is not None and self.whole_db is not None and row.test_db is not None:
                lost = self.whole_db - row.test_db
                best = max(best, row.test_db)
            if allowed is None or lost <= allowed:
                return small, row
            if bound not in ("max_loss", "at_least") or index == 0:
                break
            # As far up the path as the loss is to shrink.
            wanted = path[index].predicted * allowed / lost
            index = max(i for i in range(index) if i == 0 or path[i].predicted <= wanted)
        raise InputError(
            f"cannot lose only {allowed:.2f} dB at {path[index].parameters:,} parameters, the "
            f"nearest reaches {best:.2f} dB; ask for less, or give more steps",
            arguments=["max_loss", "at_least", "steps"],
        )

    def _tuned(self, path: list[Point], index: int, steps: int, prefix: str) -> Checkpoint:
        """Cuts in rounds, each with a re-fit and a short fine-tuning, then tunes for long."""
        share = path[index].parameters / path[0].parameters
        rounds = max(math.ceil(math.log(share) / math.log(ROUND) - 1e-9), 1)
        small, before = self.whole, path[0].widths
        if index == 0:
            return small
        for number in range(1, rounds + 1):
            wanted = path[0].parameters * share ** (number / rounds)
            point = path[index]
            if number < rounds:
                point = next(p for p in path if p.parameters <= wanted)
            # Blocks that an earlier round dropped are not there any more.
            left = tuple(n for n, old in zip(point.widths.inner, before.inner, strict=True) if old)
            widths = replace(point.widths, inner=left)
            small = cut(small, widths, self._know(small), self.rays)
            before = point.widths
            if number < rounds:
                small = self._tune(small, ROUND_STEPS, f"{prefix}round{number}")
        return self._tune(small, steps, f"{prefix}tune")

    def by_magnitude(self, goals: Goals, steps: int) -> tuple[CompressionReport, Checkpoint | None]:
        """The paper's way: three rounds, and fine-tuning with the zeros held."""
        keep = goals.keep if goals.keep is not None else 1.0
        small = self.whole
        for number in range(1, MAGNITUDE_ROUNDS + 1):
            masks = magnitude_masks(small, keep ** (number / MAGNITUDE_ROUNDS))
            last = number == MAGNITUDE_ROUNDS
            small = self._tune(
                masked(small, masks), steps if last else ROUND_STEPS, f"round{number}", masks
            )
        row = self.row(small)
        row = replace(row, kept=keep, widths=f"{1.0 - keep:.0%} of the weights are zero")
        path = (self.row(self.whole),)
        return CompressionReport("magnitude", goals, "keep", path, row, NOTES), small

    def rounded(self, checkpoint: Checkpoint, bits: RoundingBits, name: str) -> Checkpoint:
        """Rounds weights onto tables and tunes those, as the last step; `name` is of its state."""
        if bits == "none":
            return checkpoint
        statistics = measure(
            working_network(checkpoint), checkpoint.student, self.rays, on_progress=self.on_progress
        )
        if bits == "mixed":
            chosen = mixed_bits(checkpoint, statistics, on_progress=self.on_progress)
        else:
            chosen = dict.fromkeys(large_layers(checkpoint), int(bits))
        small = palettized(checkpoint, chosen, statistics=statistics, on_progress=self.on_progress)
        if not self.table_steps:
            return small
        return tune_tables(
            small,
            self.whole,
            self._tuning(self.table_steps),
            self.folder,
            name,
            chosen,
            photos=self._photos(),
            device=self.device,
            on_fit=self._told,
        )

    def row(self, checkpoint: Checkpoint) -> PathRow:
        """Measures a student."""
        student = checkpoint.student
        whole = checkpoint is self.whole
        error = 0.0 if whole else mean_error(checkpoint, self.whole, self.compared)
        measured = self.whole_db if whole else self._measured(checkpoint)
        estimate = None if self.whole_db is None else total_db(self.whole_db, error)
        size = parameters(student)
        return PathRow(
            kept=size / parameters(self.whole.student),
            parameters=size,
            macs=macs(student),
            widths=widths_text(student),
            fidelity_db=None if whole else total_db(None, error),
            test_db=estimate if measured is None else measured,
            estimated=measured is None,
        )

    def _timed(self, *checkpoints: Checkpoint) -> list[float]:
        """Returns milliseconds of students that are timed together.

        A time is never the same twice, and a resumed run has to choose as it did before; so what
        was measured stays with the states of the run.
        """
        path = state_path(self.folder, "times")
        key = {"student": self.whole.weights_sha256()}
        state = load_state(path, key, ("times",)) or {"times": {}}
        times: dict[str, list[float]] = state["times"]
        name = " / ".join(widths_text(checkpoint.student) for checkpoint in checkpoints)
        if name not in times:
            times[name] = [run.ms for run in run_here(*checkpoints)]
            save_state(path, key, {"times": times})
        return times[name]

    def _with_times(self, rows: list[PathRow], students: list[Checkpoint]) -> list[PathRow]:
        """Returns the rows with milliseconds of one timing; as they are without ONNX Runtime."""
        self.on_progress("time the path", 0, 1)
        try:
            times = self._timed(*students)
        except MissingExtraError:
            return rows
        return [replace(row, ms=ms) for row, ms in zip(rows, times, strict=True)]

    def _measured(self, checkpoint: Checkpoint) -> float | None:
        if self.scene is None or not self.scene.test:
            return None
        return photo_psnr_db(checkpoint.network(), checkpoint.student, self.scene.test)

    def _know(self, checkpoint: Checkpoint) -> Knowledge:
        network = working_network(checkpoint)
        statistics = measure(network, checkpoint.student, self.rays, on_progress=self.on_progress)
        return know(anatomy(network, checkpoint.student), statistics)

    def _tune(
        self, checkpoint: Checkpoint, steps: int, name: str, masks: dict[str, Tensor] | None = None
    ) -> Checkpoint:
        return tune(
            checkpoint,
            self.whole,
            self._tuning(steps),
            self.folder,
            name,
            photos=self._photos(),
            masks=masks,
            device=self.device,
            on_fit=self._told,
        )

    def _tuning(self, steps: int) -> FitConfig:
        return replace(tuning_config(steps, self.seed), train_only=self.train_only)

    def _photos(self) -> tuple[View, ...]:
        return () if self.scene is None else self.scene.train

    def _told(self, seen: FitProgress) -> None:
        self.on_progress(f"fine-tune {seen.stage}", seen.step, seen.steps)
