"""What a training run does."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mobile_nelf.plain import check_choices
from mobile_nelf.vocabulary import LossName, OptimizerName, Precision, TrainedPart

__all__ = ["FitConfig", "PhotoStageConfig"]


@dataclass(frozen=True)
class FitConfig:
    """One stage of training: from views to weights.

    Attributes:
        steps: optimizer steps in all, unless there are `minutes`.
        minutes: wall time of the stage, from which `training.length` works out the steps; None for
            `steps`.
        patches: image patches a step, each from a random view; in each of several processes.
        patch_rays: side of a patch in rays; capped at the ray grid. A patch smaller than the grid
            can begin at any pixel, so each view teaches more rays.
        foreground: fraction of the patches that are centred on a pixel of the object (alpha above
            0); the others lie anywhere in the view.
        optimizer: `muon` for the matrices and AdamW for the rest, or `adamw` for all.
        learning_rate: of AdamW, at the peak of the schedule (linear warm-up, then cosine to a
            hundredth).
        matrix_step: of Muon, at the peak; relative to an orthogonal matrix.
        product_step: of Adam for the learnt products of a student that has them, at the peak.
        warmup_steps: length of the warm-up.
        weight_decay: decoupled weight decay.
        ema_decay: decay of the weights' moving average, which is what is saved.
        loss: `mse`, or `charbonnier`, which is near the absolute error and so keeps edges sharper.
        perceptual: weight of the term 1 − SSIM beside the loss; 0 leaves it out.
        precision: of the network's forward and backward pass.
        train_only: `tail` trains the super-resolution alone; head and body keep their weights and
            their BatchNorm statistics, so there must be trained weights to start from.
        view_uses: patches drawn from a view, on average, before another takes its place.
        first_views: views made before the first step; the others come while training.
        cache_mb: space for views at hand, in 10⁶ bytes, for each process.
        seed: of weights, patches and sample jitter; each step derives its own from it.
        save_every: steps between two saved states, which are also the lines of the log.
        sample_every: saves between two sample frames; 0 for none.
        check_every: steps between two measurements on whole photos; 0 for none.
    """

    steps: int = 4000
    minutes: float | None = None
    patches: int = 16
    patch_rays: int = 16
    foreground: float = 0.0
    optimizer: OptimizerName = "muon"
    learning_rate: float = 1e-3
    matrix_step: float = 0.02
    product_step: float = 0.02
    warmup_steps: int = 200
    weight_decay: float = 1e-2
    ema_decay: float = 0.995
    loss: LossName = "mse"
    perceptual: float = 0.0
    precision: Precision = "bf16"
    train_only: TrainedPart = "all"
    view_uses: int = 100
    first_views: int = 100
    cache_mb: int = 300
    seed: int = 0
    save_every: int = 200
    sample_every: int = 5
    check_every: int = 0

    def __post_init__(self) -> None:
        """Refuses runs that cannot take a step."""
        check_choices(self)
        counts = ("steps", "patches", "patch_rays", "view_uses", "first_views", "cache_mb")
        for name in (*counts, "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be positive, found {getattr(self, name)}")
        for name in ("warmup_steps", "seed", "sample_every", "check_every"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, found {getattr(self, name)}")
        if self.minutes is not None and not 0.0 < self.minutes < math.inf:
            raise ValueError(f"minutes must be positive, found {self.minutes}")
        if not 0.0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate must be positive, found {self.learning_rate}")
        if not 0.0 < self.matrix_step < math.inf:
            raise ValueError(f"matrix_step must be positive, found {self.matrix_step}")
        if not 0.0 < self.product_step < math.inf:
            raise ValueError(f"product_step must be positive, found {self.product_step}")
        for name in ("weight_decay", "perceptual"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must not be negative, found {getattr(self, name)}")
        if not 0.0 <= self.ema_decay < 1.0:
            raise ValueError(f"ema_decay must lie in [0, 1), found {self.ema_decay}")
        if not 0.0 <= self.foreground <= 1.0:
            raise ValueError(f"foreground must lie in [0, 1], found {self.foreground}")


@dataclass(frozen=True)
class PhotoStageConfig:
    """The last stage, on the real photos, which stops where it no longer helps.

    Attributes:
        fit: the run. Every `fit.check_every` steps the averaged weights are measured on the photos
            held out, and the best weights win; those at the start compete too.
        hold_out: every so many training photos, one is kept for measuring.
        patience: measurements without a gain after which the stage ends.
    """

    fit: FitConfig
    hold_out: int = 8
    patience: int = 5

    def __post_init__(self) -> None:
        """Refuses a stage that never measures."""
        if self.fit.check_every < 1:
            raise ValueError("fit.check_every must be positive, or nothing stops the photo stage")
        if self.hold_out < 2:
            raise ValueError(f"hold_out must be at least 2, found {self.hold_out}")
        if self.patience < 1:
            raise ValueError(f"patience must be positive, found {self.patience}")
