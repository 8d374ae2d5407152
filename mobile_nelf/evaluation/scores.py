"""What an evaluation found: scores of views, their means, and how they are shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_nelf.text import text_table

__all__ = [
    "MEANS",
    "OBJECT_PROTOCOL",
    "PROTOCOL",
    "Evaluation",
    "Score",
    "Steadiness",
    "SubsetScore",
    "score_subsets",
]

PROTOCOL = "mnelf-white-v1"

#: PSNR over the pixels whose photo is not wholly transparent, since white is easy to learn.
OBJECT_PROTOCOL = "mnelf-object-v1"

#: Columns of the means; all but the first hold numbers.
MEANS = ("subset", "views", "PSNR dB", "object dB", "SSIM", "FLIP")

#: The research code judges by every eighth of the 200 test views.
SUBSET_STEP = 8


@dataclass(frozen=True)
class Score:
    """Quality of one image, or the mean of several.

    Attributes:
        psnr_db: peak signal-to-noise ratio.
        ssim: structural similarity, 1 at best.
        flip: mean FLIP error, 0 at best.
        object_psnr_db: PSNR over the pixels of the object alone; None for photos without alpha and
            for a view that does not show the object.
    """

    psnr_db: float
    ssim: float
    flip: float
    object_psnr_db: float | None = None

    def cells(self) -> tuple[str, str, str, str]:
        """Returns the figures as text, in the order of `MEANS`."""
        of_object = "-" if self.object_psnr_db is None else f"{self.object_psnr_db:.2f}"
        return f"{self.psnr_db:.2f}", of_object, f"{self.ssim:.4f}", f"{self.flip:.4f}"


@dataclass(frozen=True)
class SubsetScore:
    """Means over a set of test views.

    Attributes:
        views: how many there are.
        mean: of their scores.
    """

    views: int
    mean: Score


@dataclass(frozen=True)
class Steadiness:
    """How much a film changes from one frame to the next, beside that of a teacher.

    More than the teacher's is flicker, less is blur.

    Attributes:
        frames: of the turn around the object.
        difference: mean absolute difference of neighbouring frames, colours in [0, 1] on white.
        teacher_difference: the same of the teacher's frames.
    """

    frames: int
    difference: float
    teacher_difference: float

    @property
    def text(self) -> str:
        """Both differences in thousandths of the range, and their ratio."""
        ratio = (
            f", {self.difference / self.teacher_difference:.3f} times as much"
            if self.teacher_difference > 0.0
            else ""
        )
        return (
            f"{1e3 * self.difference:.2f} thousandths from frame to frame, the teacher "
            f"{1e3 * self.teacher_difference:.2f}{ratio} (a turn of {self.frames} frames)"
        )


@dataclass(frozen=True)
class Evaluation:
    """Quality of a student or teacher on the test views of a scene.

    Attributes:
        protocol: name of the protocol.
        scene: name of the scene's folder.
        width: of the images in pixels.
        height: of the images in pixels.
        subsets: `all` is every test view at hand; `every_eighth` is there if it is fewer.
        note: what the subsets consist of.
        views: scores by name of the photo.
        object_protocol: name of the protocol of `object_psnr_db`; None for photos without alpha.
        steadiness: of a film, if a teacher was given to compare with.
        not_measured: what the protocols ask for and was not to be had.
    """

    protocol: str
    scene: str
    width: int
    height: int
    subsets: dict[str, SubsetScore]
    note: str
    views: dict[str, Score]
    object_protocol: str | None = None
    steadiness: Steadiness | None = None
    not_measured: tuple[str, ...] = ("LPIPS: weights not available",)

    def __repr__(self) -> str:
        """Returns the means as a table."""
        title = f"{self.scene}, {self.width}×{self.height}, protocol {self.protocol}"
        return f"{title}\n{text_table(MEANS, self.mean_rows(), right=len(MEANS) - 1)}"

    def mean_rows(self) -> list[tuple[str, ...]]:
        """Returns a row of `MEANS` for each subset, as text."""
        return [
            (name, str(subset.views), *subset.mean.cells()) for name, subset in self.subsets.items()
        ]

    def worst(self, count: int) -> list[str]:
        """Returns the names of the `count` views with the lowest PSNR, the lowest first."""
        return sorted(self.views, key=lambda name: self.views[name].psnr_db)[:count]

    def as_metrics(self) -> dict[str, float]:
        """Returns the means over all test views as a checkpoint keeps them."""
        mean = self.subsets["all"].mean
        metrics = {"test_psnr_db": mean.psnr_db, "test_ssim": mean.ssim, "test_flip": mean.flip}
        if mean.object_psnr_db is not None:
            metrics["test_object_psnr_db"] = mean.object_psnr_db
        return metrics


def score_subsets(scores: dict[str, Score]) -> tuple[dict[str, SubsetScore], str]:
    """Returns the means by subset, and a sentence that says what the subsets are.

    Args:
        scores: by name of the photo; at least one.
    """
    everything = list(scores.values())
    numbers = {name: _frame_number(name) for name in scores}
    eighth = [
        score
        for name, score in scores.items()
        if (number := numbers[name]) is not None and number % SUBSET_STEP == 0
    ]
    subsets = {"all": _mean(everything)}
    note = "all: every test view at hand"
    if None in numbers.values():
        return subsets, f"{note}; their names carry no numbers, so there is no every_eighth"
    if not eighth:
        return subsets, f"{note}; no number is a multiple of {SUBSET_STEP}, so no every_eighth"
    if len(eighth) == len(everything):
        return subsets, f"{note}, which is every_eighth: all numbers are multiples of {SUBSET_STEP}"
    subsets["every_eighth"] = _mean(eighth)
    return subsets, f"{note}; every_eighth: those whose number is a multiple of {SUBSET_STEP}"


def _frame_number(name: str) -> int | None:
    """The number that ends a file's stem, such as 16 in `r_16.png`."""
    digits = re.search(r"(\d+)$", Path(name).stem)
    return None if digits is None else int(digits[1])


def _mean(scores: Sequence[Score]) -> SubsetScore:
    of_object = [score.object_psnr_db for score in scores if score.object_psnr_db is not None]
    mean = Score(
        psnr_db=float(np.mean([score.psnr_db for score in scores])),
        ssim=float(np.mean([score.ssim for score in scores])),
        flip=float(np.mean([score.flip for score in scores])),
        object_psnr_db=float(np.mean(of_object)) if of_object else None,
    )
    return SubsetScore(len(scores), mean)
