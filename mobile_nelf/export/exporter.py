"""What an exporter is: the one door between the SDK and its targets.

The SDK imports none of them; `export.targets` finds what is installed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.tolerances import required_psnr_db
from mobile_nelf.devices import Measurement
from mobile_nelf.errors import InputError
from mobile_nelf.export.inspection import Inspection, ProjectCheck
from mobile_nelf.export.live import LiveView
from mobile_nelf.export.runtime import Runtime
from mobile_nelf.export.tables import Table
from mobile_nelf.export.targets import exporter_point, exporter_targets
from mobile_nelf.export.tool import ToolReport
from mobile_nelf.progress import Progress, silent

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["Exported", "Exporter", "exporter_targets", "find_exporter"]

OptionsT = TypeVar("OptionsT")


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


class Exporter(ABC, Generic[OptionsT]):
    """Turns a student into an artefact and runs that artefact off-device.

    Attributes:
        target: name on the command line.
        options: frozen dataclass of what a user may choose, see `export.options`.
        has_page: whether `page` and `live_page` return something that a browser shows.
    """

    target: ClassVar[str]
    options: type[OptionsT]
    has_page: ClassVar[bool] = False

    @abstractmethod
    def export(self, checkpoint: Checkpoint, name: str, options: OptionsT) -> Exported:
        """Returns the artefact.

        Raises:
            InputError: an option or the name does not fit the target.
            DeployError: the student does not.
            MissingExtraError: the target's optional dependencies are not installed.
        """

    @abstractmethod
    def inspect(self, files: dict[str, bytes]) -> Inspection:
        """Returns what can be said of the artefact among `files` without running it.

        Raises:
            BundleError: the artefact is missing or broken.
        """

    @abstractmethod
    def runtimes(self, files: dict[str, bytes], contract: Contract) -> tuple[Runtime, ...]:
        """Returns ways to execute the artefact among `files`.

        Raises:
            BundleError: the artefact is missing, broken, or does not carry `contract`.
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
        return {}

    def next_step(self, bundle: Path, name: str) -> str:
        """Returns what a user does with a new bundle, in one line; empty if that is open.

        Args:
            bundle: its folder.
            name: of the project.
        """
        return ""

    def advice(self) -> tuple[str, str]:
        """Returns heading and paragraph of when another technique serves better; empty for none.

        The report of a bundle shows them.
        """
        return "", ""

    def page(self, checkpoint: Checkpoint, name: str) -> dict[str, bytes]:
        """Returns a page that shows a student, by address; `index.html` is what is opened.

        Args:
            checkpoint: the trained student.
            name: for people.

        Raises:
            InputError: the target has no pages.
            DeployError: the student does not fit.
        """
        raise InputError(f"target {self.target} has no pages")

    def live_page(self, live: LiveView) -> dict[str, bytes]:
        """Returns a page that asks its server for frames, by address.

        It gets them from `frame.jpg?pose=…&width=…&height=…`: twelve numbers of cam_to_world row by
        row, columns and rows.

        Raises:
            InputError: the target has no pages.
        """
        raise InputError(f"target {self.target} has no pages")

    def required_psnr_db(self, contract: Contract) -> float:
        """Returns what each frame must reach at least, whatever the contract of a bundle says."""
        return required_psnr_db(contract.layout, contract.student.activation, contract.activation)

    def measure(
        self, files: dict[str, bytes], contract: Contract, name: str, on_progress: Progress = silent
    ) -> Measurement:
        """Measures the artefact on this machine, as its app does on a device.

        Args:
            files: of the bundle.
            contract: of the artefact.
            name: of the bundle.
            on_progress: called with a stage's name, steps done and steps in all.

        Raises:
            InputError: the target cannot be measured on this machine.
        """
        raise InputError(f"target {self.target} cannot be measured here; use its app on a device")

    def check_onnx(self, model: ModelProto, path: Path) -> Inspection:
        """Says what the target makes of an ONNX model, also one that mnelf did not write.

        Args:
            model: the graph; weights in other files were not loaded.
            path: of its file.

        Raises:
            InputError: the target does not take ONNX models.
            DeployError: the graph is not valid ONNX.
        """
        raise InputError(
            f"{path}: is an ONNX model, and target {self.target} does not check those; give it a "
            "checkpoint"
        )

    def find_project(self, path: Path) -> Path | None:
        """Returns the folder of the project that a path stands for; None for any other file.

        Args:
            path: what a user wants to have checked; a file may stand for the folder it is in.

        Raises:
            InputError: it is a project that cannot be read.
        """
        return path if path.is_dir() else None

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
        return {}

    def is_tool_file(self, path: str) -> bool:
        """Whether the target's own tool makes such a file in a bundle by itself."""
        return False

    def check_project(self, folder: Path) -> ProjectCheck:
        """Checks a project of the target's tool, also one that mnelf did not write.

        Args:
            folder: of the project, or of a bundle with one inside.

        Raises:
            InputError: the target has no projects, or there is none in `folder`.
        """
        raise InputError(
            f"{folder}: is a directory, expected a checkpoint; target {self.target} has no "
            "projects to check"
        )

    def open_in_tool(
        self, files: Mapping[str, bytes], name: str, folder: Path, program: Path | None
    ) -> dict[str, Any]:
        """Opens a project in the target's own tool and returns what that told, as plain data.

        Args:
            files: of the bundle.
            name: of the project.
            folder: empty, where the project is put.
            program: the tool; where it is usually installed if `None`.

        Raises:
            InputError: the target has no such tool, or it is not installed.
            BundleError: the tool said nothing of the project.
        """
        raise InputError(f"target {self.target} has no tool that opens projects")

    def read_tool_report(self, told: dict[str, Any], files: Mapping[str, bytes]) -> ToolReport:
        """Returns what `open_in_tool` once told of a bundle.

        Args:
            told: what it returned.
            files: of the bundle.

        Raises:
            InputError: it is something else.
        """
        raise InputError(f"target {self.target} has no tool that opens projects")

    def measured_tables(
        self, inspection: Inspection, measurement: Measurement
    ) -> tuple[Table, ...]:
        """Returns what the target has to say about a device's figures, beside its own prediction.

        Args:
            inspection: of the bundle that was measured.
            measurement: of one of its models at least.
        """
        return ()


def find_exporter(target: str) -> Exporter[Any]:
    """Returns the exporter for `target`.

    Raises:
        InputError: no such exporter is installed, or two claim the name.
    """
    exporter: Exporter[Any] = exporter_point(target).load()()
    return exporter
