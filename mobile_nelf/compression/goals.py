"""What people ask of a compression: a size, a speed, a quality."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from mobile_nelf.errors import InputError

__all__ = ["Goals", "lost_db", "total_db"]


@dataclass(frozen=True)
class Goals:
    """What a compressed student must reach; None is not asked for.

    Attributes:
        keep: share of the parameters that may stay.
        max_mb: size of the target's model in 10⁶ bytes.
        speed: how many times faster, in multiply-accumulates and in the runtime here.
        max_loss: dB that the test views may lose.
        at_least: dB that the test views must reach.
    """

    keep: float | None = None
    max_mb: float | None = None
    speed: float | None = None
    max_loss: float | None = None
    at_least: float | None = None

    def __post_init__(self) -> None:
        """Refuses what no student can be.

        Raises:
            InputError: a goal is out of its range.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not 0.0 < value < math.inf:
                raise InputError(
                    f"{field.name} must be positive, found {value:g}", arguments=[field.name]
                )
        if self.keep is not None and self.keep > 1.0:
            raise InputError(
                f"keep is a share of the parameters, at most 1, found {self.keep:g}",
                arguments=["keep"],
            )
        if self.speed is not None and self.speed < 1.0:
            raise InputError(
                f"speed is how many times faster, at least 1, found {self.speed:g}",
                arguments=["speed"],
            )

    @property
    def asked(self) -> bool:
        """Whether there is any."""
        return any(getattr(self, field.name) is not None for field in fields(self))

    def loss_allowed(self, whole_db: float | None) -> float | None:
        """Returns the dB that may be lost; None if no goal says so.

        Args:
            whole_db: of the uncompressed student on test views; None if nobody measured it.

        Raises:
            InputError: `at_least` is more than the uncompressed student has, or cannot be judged.
        """
        allowed = [self.max_loss] if self.max_loss is not None else []
        if self.at_least is not None:
            if whole_db is None:
                raise InputError(
                    "the student has no test figures, so at_least cannot be judged; give its scene",
                    arguments=["at_least", "scene"],
                )
            if self.at_least >= whole_db:
                raise InputError(
                    f"the student has {whole_db:.2f} dB before it is compressed, less than "
                    f"{self.at_least:g} dB; ask for less",
                    arguments=["at_least"],
                )
            allowed.append(whole_db - self.at_least)
        return min(allowed, default=None)


def total_db(whole_db: float | None, error: float) -> float:
    """Returns the PSNR of test views that a student with an additional error will have.

    Errors of the student and of the compression are taken as independent, which was right within
    0.2 dB on the student of the examples.

    Args:
        whole_db: of the uncompressed student on test views; infinite if None, which gives the
            PSNR against that student.
        error: mean squared difference of the two students' pictures.
    """
    own = 0.0 if whole_db is None else 10.0 ** (-whole_db / 10.0)
    return -10.0 * math.log10(max(own + error, 1e-12))


def lost_db(whole_db: float, error: float) -> float:
    """Returns the dB that an additional error costs on test views; see `total_db`."""
    return whole_db - total_db(whole_db, error)
