"""What a check of a capture says."""

from __future__ import annotations

from dataclasses import dataclass

from mobile_nelf.vocabulary import FindingLevel

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """Something that a check found.

    Attributes:
        check: name of the check.
        level: an error fails the capture.
        text: what was found.
        advice: what to do next.
    """

    check: str
    level: FindingLevel
    text: str
    advice: str
