"""What an exporter is, and how exporters are found.

Built-in and third-party exporters come through the same door, the entry-point group
`mobile_nelf.exporters`, so that the SDK imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import Camera
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import ActivationForm, Contract, LayoutName
from mobile_nelf.deploy.cost import Cost
from mobile_nelf.deploy.snapml_check import SnapmlReport
from mobile_nelf.errors import InputError

__all__ = [
    "Exported",
    "Exporter",
    "FrameFunction",
    "Inspection",
    "Runtime",
    "exporter_targets",
    "find_exporter",
]

#: Renders [height, width, 3 or 4] float32 from a camera on the ray grid.
FrameFunction = Callable[[Camera], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Runtime:
    """One way in which an artefact was executed.

    Attributes:
        name: what ran, for reports (`ONNX Runtime, fp32`).
        assumes: what had to be assumed to run it here; empty if nothing.
        frame: renders a camera.
        exact: whether it must match the contract's tolerance; otherwise it emulates a device and is
            reported only.
    """

    name: str
    assumes: str
    frame: FrameFunction
    exact: bool = True


@dataclass(frozen=True)
class Exported:
    """What an exporter made, in memory.

    Attributes:
        contract: what host and artefact agree on.
        files: bundle-relative POSIX path to content.
        layout_reason: why this layout was chosen.
        not_measured: what only a device can tell.
    """

    contract: Contract
    files: dict[str, bytes]
    layout_reason: str
    not_measured: tuple[str, ...]


@dataclass(frozen=True)
class Inspection:
    """What can be said of an artefact without running it.

    Attributes:
        cost: work and memory a frame.
        operators: the operator report, for targets that have one.
    """

    cost: Cost
    operators: SnapmlReport | None = None


class Exporter(Protocol):
    """Turns a student into an artefact and runs that artefact off-device.

    Attributes:
        target: name on the command line.
    """

    target: ClassVar[str]

    def export(
        self,
        checkpoint: Checkpoint,
        name: str,
        layout: LayoutName | None,
        activation: ActivationForm | None,
    ) -> Exported:
        """Returns the artefact; `None` leaves layout or activation to the exporter."""

    def inspect(self, files: dict[str, bytes]) -> Inspection:
        """Returns cost and operator report of the artefact among `files`.

        Raises:
            BundleError: the artefact is missing or broken.
        """

    def runtimes(self, files: dict[str, bytes], contract: Contract) -> tuple[Runtime, ...]:
        """Returns ways to execute the artefact among `files`.

        Raises:
            BundleError: the artefact is missing, broken, or does not carry `contract`.
        """


def exporter_targets() -> list[str]:
    """Returns the names of the installed exporters."""
    return sorted(point.name for point in entry_points(group="mobile_nelf.exporters"))


def find_exporter(target: str) -> Exporter:
    """Returns the exporter for `target`.

    Raises:
        InputError: no such exporter is installed, or two claim the name.
    """
    points = [p for p in entry_points(group="mobile_nelf.exporters") if p.name == target]
    if not points:
        raise InputError(
            f"unknown target {target!r}, expected one of {', '.join(exporter_targets())}"
        )
    if len({point.value for point in points}) > 1:
        raise InputError(
            f"target {target!r} is claimed by {' and '.join(point.value for point in points)}; "
            "uninstall one of them"
        )
    exporter: Exporter = points[0].load()()
    return exporter
