"""What a training run does."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FitConfig"]


@dataclass(frozen=True)
class FitConfig:
    """A direct fit of a student to photos.

    Attributes:
        steps: optimizer steps in all.
        patches: image patches a step, each from a random training view.
        patch_rays: side of a patch in rays; capped at the ray grid. A patch smaller than the grid
            can begin at any pixel, so each photo teaches more rays.
        learning_rate: peak of the schedule (linear warm-up, then cosine to a hundredth).
        warmup_steps: length of the warm-up.
        weight_decay: decoupled weight decay of AdamW.
        ema_decay: decay of the weights' moving average, which is what is saved.
        seed: of weights, patches and sample jitter; each step derives its own from it.
        save_every: steps between two saved states.
    """

    steps: int = 4000
    patches: int = 16
    patch_rays: int = 16
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    weight_decay: float = 1e-2
    ema_decay: float = 0.995
    seed: int = 0
    save_every: int = 200

    def __post_init__(self) -> None:
        """Refuses runs that cannot take a step."""
        if min(self.steps, self.patches, self.patch_rays, self.save_every) < 1:
            raise ValueError("steps, patches, patch_rays and save_every must be positive")
        if not (self.learning_rate > 0.0 and self.weight_decay >= 0.0 and self.warmup_steps >= 0):
            raise ValueError(
                "learning_rate must be positive, weight_decay and warmup_steps not negative"
            )
        if not 0.0 <= self.ema_decay < 1.0:
            raise ValueError(f"ema_decay must lie in [0, 1), found {self.ema_decay}")
