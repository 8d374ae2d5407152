"""One kind of thing that people bring as a scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from mobile_nelf.scenes import Scene
from tests.helpers.scene_inputs import Build
from tests.helpers.scenes import name

#: As `transforms.json` names the photos.
NAMES = [f"images/{name(index)}" for index in range(12)]


@dataclass(frozen=True, eq=False)
class Case:
    """One kind of thing that people bring.

    Attributes:
        part: of the table.
        brought: what it is, as the table says it.
        outcome: whether it is read without a word, read with a notice, or refused.
        happens: what becomes of it, as the table says it.
        inputs: builders of scenes of this kind, each in an empty folder, by name.
        says: expression that a notice, the name of a missing frame or the error matches.
        argument: what is read, below the folder.
        check: what must hold of the scene; `count` training and test views by default.
    """

    part: str
    brought: str
    outcome: Literal["read", "noticed", "refused"]
    happens: str
    inputs: Mapping[str, Build]
    says: str = ""
    argument: str = "."
    check: Callable[[Scene], bool] = lambda scene: len(scene.train) + len(scene.test) == 12


def tested_on(*indices: int) -> Callable[[Scene], bool]:
    return lambda scene: [view.path.name for view in scene.test] == [name(i) for i in indices]


def bounded(scene: Scene) -> bool:
    return scene.extent == "bounded"


def all_of(count: int) -> Callable[[Scene], bool]:
    return lambda scene: len(scene.train) + len(scene.test) == count
