"""What a stage of training is, where it runs, what it tells and what it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from mobile_nelf.cameras import Camera
from mobile_nelf.pictures import FloatImage
from mobile_nelf.progress import Progress, silent
from mobile_nelf.pruning.shrink import Pruning
from mobile_nelf.scenes import View
from mobile_nelf.students import StudentConfig
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.length import StepPlan
from mobile_nelf.training.ranks import Ranks
from mobile_nelf.training.views.sources import ViewSource

__all__ = ["FitProgress", "FitResult", "Run", "Stage", "state_path"]


@dataclass(frozen=True)
class FitProgress:
    """Progress of a stage, reported after each step.

    Attributes:
        step: steps done.
        steps: steps in all; an estimate while a stage of some minutes has no plan.
        psnr_db: training PSNR of the batch just seen, before its update.
        stage: name of the stage.
        plan: of a stage of some minutes, once it is made.
        render: returns [s·h, s·w, 3 or 4] of a camera by the averaged network as it is now; only
            valid until the next step. None where nothing can be rendered.
    """

    step: int
    steps: int
    psnr_db: float
    stage: str
    plan: StepPlan | None = None
    render: Callable[[Camera], FloatImage] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, eq=False)
class Stage:
    """What to train on, and when to stop.

    Attributes:
        name: of its files and in its log.
        source: the views.
        config: the run.
        photos: measured whole every `config.check_every` steps; not among the views.
        patience: measurements without a gain after which the stage ends; the weights of the best
            one win, and those at the start compete too. None trains to the end and takes the last
            weights, whatever was measured.
        pruning: what is marked after two thirds of the steps, shrinks, and is cut at the end.
    """

    name: str
    source: ViewSource
    config: FitConfig
    photos: tuple[View, ...] = ()
    patience: int | None = None
    pruning: Pruning | None = None


@dataclass(frozen=True, eq=False)
class Run:
    """Where a stage runs and whom it tells.

    Attributes:
        folder: for state, cache, log and samples; it must exist.
        ranks: this process among those of the run.
        sample_camera: where sample frames are taken from, on the image's pixel grid.
        on_fit: called after every step, in the main process.
        on_progress: called while the first views are made, with `views`, their number and how many
            there will be.
    """

    folder: Path
    ranks: Ranks
    sample_camera: Camera
    on_fit: Callable[[FitProgress], None] = lambda progress: None
    on_progress: Progress = silent


@dataclass(frozen=True, eq=False)
class FitResult:
    """What a stage leaves.

    Attributes:
        student: the student; narrower than what was trained if the stage prunes.
        weights: state dict of it; empty for a run that an earlier process had finished.
        steps: steps done; fewer than asked for if patience ran out.
        views: different views that were at hand, in all processes.
        photo_psnr_db: of the photos with `weights`; None if none were measured.
        start_psnr_db: of the photos with the weights at the start.
    """

    student: StudentConfig
    weights: dict[str, Tensor]
    steps: int
    views: int
    photo_psnr_db: float | None
    start_psnr_db: float | None

    def __repr__(self) -> str:
        """Returns how much was done, without the weights."""
        return f"FitResult({self.steps:,} steps on {self.views:,} views)"


def state_path(folder: Path, stage: str) -> Path:
    """Returns where the state of a stage lies in the folder of its run."""
    return folder / f"{stage}.state"
