"""What people do with a package, as its metadata tell the app."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.room import ObjectSpan, check_size_cm, object_span
from mobile_nelf.vocabulary import Experience
from mobile_nelf_exporters.coreml.package.format import EXPERIENCE_KEY, ROOM_KEY

__all__ = ["Setting", "app_experience"]


@dataclass(frozen=True)
class Setting:
    """What people do with a package.

    Attributes:
        experience: turn the object under the finger, or walk round it.
        span: how far below and above the orbit's target the object reaches, in world units; None
            outside of a room.
        size_cm: its height in the room; as large as the photos show it from a metre if None.
    """

    experience: Experience = "orbit"
    span: ObjectSpan | None = None
    size_cm: float | None = None

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, experience: Experience | None, size_cm: float | None
    ) -> Setting:
        """Returns the setting that was asked for.

        Raises:
            InputError: the size is none, or the object stands in no room.
        """
        experience = experience or "orbit"
        check_size_cm(size_cm, experience)
        span = object_span(checkpoint) if experience == "world" else None
        return cls(experience, span, size_cm)

    def as_metadata(self) -> dict[str, str]:
        """Returns what a package says of it."""
        found: dict[str, str] = {EXPERIENCE_KEY: self.experience}
        if self.span is not None:
            size = {} if self.size_cm is None else {"size_cm": self.size_cm}
            found[ROOM_KEY] = json.dumps(
                {"foot": self.span.foot, "head": self.span.head, **size}, sort_keys=True
            )
        return found


def app_experience(metadata: Mapping[str, str]) -> Experience:
    """Returns what people do with the app around a package that says this of itself."""
    return "world" if metadata.get(EXPERIENCE_KEY) == "world" else "orbit"
