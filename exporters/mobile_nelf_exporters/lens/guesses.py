"""What Lens Studio does not document and a lens depends on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mobile_nelf.parsing import read_json

__all__ = ["LensKind", "guesses"]

#: On the screen, in the room, or in somebody's lens.
LensKind = Literal["orbit", "world", "package"]

GUESSES = Path(__file__).parent / "player" / "node" / "guesses.json"

#: On which kinds of lens a guess bears, where it is not all of them.
ONLY: dict[str, frozenset[LensKind]] = {
    "package": frozenset({"package"}),
    "prefab": frozenset({"package"}),
    "stretch": frozenset({"orbit"}),
    "camera-image": frozenset(),  # other people's
    "tracking": frozenset({"world", "package"}),
    "activation": frozenset({"world", "package"}),
    "blend": frozenset({"world", "package"}),
    "render-order": frozenset({"world", "package"}),
    "mask": frozenset({"world"}),
    "crop": frozenset({"orbit", "world"}),
    "ortho-size": frozenset({"orbit"}),
    "text": frozenset({"orbit", "world"}),
}


def guesses(kind: LensKind | None = None) -> dict[str, str]:
    """Returns what a kind of lens depends on, by short name; of all kinds if `None`.

    The runtime had to decide each of these.
    """
    entries: dict[str, str] = read_json(GUESSES)
    return {
        key: text
        for key, text in entries.items()
        if kind is None or key not in ONLY or kind in ONLY[key]
    }
