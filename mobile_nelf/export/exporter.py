"""What an exporter is, and how exporters are found.

Built-in and third-party exporters come through the same door, the entry-point group
`mobile_nelf.exporters`, so that the SDK imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar, Protocol

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.errors import InputError
from mobile_nelf.export.inspection import Inspection, ProjectCheck
from mobile_nelf.export.options import ExportOptions
from mobile_nelf.export.runtime import Runtime

__all__ = ["Exported", "Exporter", "exporter_targets", "find_exporter"]


@dataclass(frozen=True)
class Exported:
    """What an exporter made, in memory.

    Attributes:
        contract: what host and artefact agree on.
        files: bundle-relative POSIX path to content.
        layout_reason: why this layout was chosen.
        references: for artefacts on a grid of rays of their own, their contract by the folder of
            their reference frames.
        not_measured: what only a device can tell.
        opinions: further ways in which the same graph was executed while the bundle was made; not
            part of the bundle.
    """

    contract: Contract
    files: dict[str, bytes]
    layout_reason: str
    not_measured: tuple[str, ...]
    references: dict[str, Contract] = field(default_factory=dict)
    opinions: tuple[Runtime, ...] = ()


class Exporter(Protocol):
    """Turns a student into an artefact and runs that artefact off-device.

    Attributes:
        target: name on the command line.
    """

    target: ClassVar[str]

    def export(self, checkpoint: Checkpoint, name: str, options: ExportOptions) -> Exported:
        """Returns the artefact.

        Raises:
            InputError: an option or the name does not fit the target.
            DeployError: the student does not.
            MissingExtraError: the target's optional dependencies are not installed.
        """

    def companions(
        self, files: dict[str, bytes], contract: Contract, name: str
    ) -> dict[str, bytes]:
        """Returns what goes beside the artefact once there are reference frames, such as an app.

        Args:
            files: of the bundle so far: artefact and reference.
            contract: of the artefact.
            name: of the project.
        """

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

    def tool_edits(
        self,
        files: Mapping[str, bytes],
        changed: Collection[str],
        is_original: Callable[[str, bytes], bool],
    ) -> dict[str, str]:
        """Says what the target's own tool did to files of a bundle, as on opening a project.

        Args:
            files: of the bundle as they are now.
            changed: those that are not as the manifest lists them.
            is_original: whether the manifest lists a path with some content.

        Returns:
            What was done, by path; changes that are not the tool's are left out.
        """

    def is_tool_file(self, path: str) -> bool:
        """Whether the target's own tool makes such a file in a bundle by itself."""

    def check_project(self, folder: Path) -> ProjectCheck:
        """Checks a project of the target's tool, also one that mnelf did not write.

        Args:
            folder: of the project, or of a bundle with one inside.

        Raises:
            InputError: the target has no projects, or there is none in `folder`.
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
