"""What can be said of an artefact or a project without running it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mobile_nelf.deploy.cost import Cost
from mobile_nelf.export.seam import PlacementReport, SnapmlReport
from mobile_nelf.vocabulary import WeightForm

__all__ = ["Finding", "Inspection", "ProgramRecord", "ProjectCheck"]


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
        severity: with an error the project does not work, with a warning it does.
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
