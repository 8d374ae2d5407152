"""What an exporter is, and how exporters are found.

Built-in and third-party exporters come through the same door, the entry-point group
`mobile_nelf.exporters`, so that the SDK imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import Camera
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import ActivationForm, Contract, LayoutName, OutputForm
from mobile_nelf.deploy.cost import Cost
from mobile_nelf.deploy.placement import PlacementReport
from mobile_nelf.deploy.snapml_check import SnapmlReport
from mobile_nelf.errors import InputError

__all__ = [
    "FILM_FPS",
    "NO_OPTIONS",
    "REFERENCE",
    "Experience",
    "ExportOptions",
    "Exported",
    "Exporter",
    "Finding",
    "FrameFunction",
    "Inspection",
    "ProgramRecord",
    "ProjectCheck",
    "Runtime",
    "WeightForm",
    "exporter_targets",
    "find_exporter",
]

#: Renders [height, width, 3 or 4] float32 from a camera on the ray grid.
FrameFunction = Callable[[Camera], npt.NDArray[np.float32]]


#: How an artefact stores its weights.
WeightForm = Literal["fp16", "int8", "palette6", "palette4", "sparse50"]


#: What people do with a lens: turn the object under the finger, or walk round it in the room.
Experience = Literal["orbit", "world"]

#: Pictures a second of a film.
FILM_FPS = 15

#: Folder of the reference frames in a bundle.
REFERENCE = "reference"


@dataclass(frozen=True)
class ExportOptions:
    """What may be asked of an exporter; it refuses what its target does not have.

    Attributes:
        layout: input layout; chosen by the exporter if `None`.
        activation: how the artefact computes the activation; chosen by the exporter if `None`.
        weights: how weights are stored, one artefact for each; chosen by the exporter if empty.
        output_form: tensor or picture; chosen by the exporter if `None`.
        ios: lowest version of iOS and iPadOS; chosen by the exporter if `None`.
        experience: what people do with a lens; chosen by the exporter if `None`.
        second_opinion: run the same graph in Apple's Core AI runtime as well, for target coreml.
    """

    layout: LayoutName | None = None
    activation: ActivationForm | None = None
    weights: tuple[WeightForm, ...] = ()
    output_form: OutputForm | None = None
    ios: int | None = None
    experience: Experience | None = None
    second_opinion: bool = False

    def refuse(self, target: str, *names: str) -> None:
        """Refuses options that a target does not have.

        Raises:
            InputError: one of the attributes `names` was set.
        """
        for name in names:
            if getattr(self, name) not in (None, (), False):
                raise InputError(f"target {target} has no choice of {name}; leave it out")


#: Leaves every choice to the exporter.
NO_OPTIONS = ExportOptions()


@dataclass(frozen=True)
class Runtime:
    """One way in which an artefact was executed.

    Attributes:
        name: what ran, for reports (`ONNX Runtime, fp32`).
        artefact: bundle-relative path of the file or package that was executed; empty if it is not
            in the bundle.
        assumes: what had to be assumed to run it here; empty if nothing.
        frame: renders a camera.
        min_psnr_db: what each frame must reach against the trained student; None if this emulates
            a device and is reported only.
        reference: folder of the reference frames that it must reproduce.
        window: rows and columns of those frames that it shows as the student renders them; all if
            None.
        film: shows the whole experience, as a user has it, given the number of pictures at FILM_FPS
            and columns and rows of a screen; yields [rows, columns, 3] uint8. None where there is
            nothing but the picture.
        emulates: whether this replays a device's arithmetic. Every pose exercises the same, so that
            a few frames do when the bundle is made; verifying runs all.
        largest_activation: after frames were rendered, name and magnitude of the largest result in
            fp16 of any of them; None where nothing is computed in fp16.
    """

    name: str
    artefact: str
    assumes: str
    frame: FrameFunction
    min_psnr_db: float | None
    reference: str = REFERENCE
    window: tuple[slice, slice] | None = None
    film: Callable[[int, tuple[int, int]], Iterator[npt.NDArray[np.uint8]]] | None = None
    emulates: bool = False
    largest_activation: Callable[[], tuple[str, float]] | None = None


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


@dataclass(frozen=True)
class ProgramRecord:
    """One of the packages in a bundle.

    Attributes:
        weights: how it stores them.
        sha256: of its program's canonical text: operations, attributes, shapes and weights.
    """

    weights: WeightForm
    sha256: str


@dataclass(frozen=True)
class Inspection:
    """What can be said of an artefact without running it.

    Attributes:
        cost: work and memory a frame.
        operators: the operator report, for targets that have one.
        placement: where operations will run, for targets with rules about it.
        programs: of the packages among the artefacts, by name.
    """

    cost: Cost
    operators: SnapmlReport | None = None
    placement: PlacementReport | None = None
    programs: dict[str, ProgramRecord] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a project.

    Attributes:
        path: of the file, relative to the folder that was checked; that of the project for the
            project as a whole.
        severity: with an error the project does not work, a warning may surprise.
        problem: what was found, and what was expected.
        advice: what to do about it.
    """

    path: str
    severity: Literal["error", "warning"]
    problem: str
    advice: str


@dataclass(frozen=True)
class ProjectCheck:
    """What is wrong with a project, its models included.

    Attributes:
        project: path of the project file, relative to the folder that was checked.
        findings: errors first, then by path.
        models: operator report by path of the model, of each that could be read.
    """

    project: str
    findings: tuple[Finding, ...]
    models: dict[str, SnapmlReport]

    @property
    def passed(self) -> bool:
        """Whether there is no error among the findings."""
        return all(finding.severity != "error" for finding in self.findings)


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
