"""What can be said of an artefact or a project without running it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mobile_nelf.deploy.cost import Cost
from mobile_nelf.export.tables import Table

__all__ = ["Finding", "Inspection", "ModelRecord", "ProjectCheck", "passed"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with an artefact or a project.

    Attributes:
        path: of the file, relative to the folder that was checked; that of the project for the
            project as a whole, empty for a network that is in no file yet.
        severity: with an error the target cannot take it; a warning asks for attention.
        problem: what was found, and what was expected.
        advice: what to do about it; empty if the problem says so.
    """

    path: str
    severity: Literal["error", "warning"]
    problem: str
    advice: str = ""


def passed(findings: tuple[Finding, ...]) -> bool:
    """Returns whether there is no error among findings."""
    return all(finding.severity != "error" for finding in findings)


@dataclass(frozen=True)
class ModelRecord:
    """One of the models among the artefacts.

    Attributes:
        weights: how they are stored on the device, such as `fp16` or `palette6`.
        sha256: of what it computes, weights included; of its file where nothing else is known.
        bytes: as it lies in the bundle.
        bytes_on_device: predicted, after the import there; None if it stays as it is.
        budget: what all models of the bundle together may take on the device; None if there is no
            limit.
        weights_file: bundle-relative path of the file whose SHA-256 a device reports with its
            measurements; that of the model itself if the device reports `sha256`, empty if none
            measures this model.
    """

    weights: str
    sha256: str
    bytes: int
    bytes_on_device: int | None = None
    budget: int | None = None
    weights_file: str = ""


@dataclass(frozen=True)
class Inspection:
    """What can be said of an artefact without running it.

    Attributes:
        cost: work and memory of a frame; None if a shape is unknown.
        models: by bundle-relative path; of a folder where the model is one.
        tables: what else the target has to say, printed and drawn as it is.
        findings: what the target refuses and what it warns of.
    """

    cost: Cost | None
    models: dict[str, ModelRecord] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the target takes it."""
        return passed(self.findings)

    @property
    def problems(self) -> tuple[str, ...]:
        """What the target refuses, one sentence each."""
        return tuple(found.problem for found in self.findings if found.severity == "error")

    @property
    def model_paths(self) -> tuple[str, ...]:
        """Paths of the models, the main one first: the others' names add to its name."""
        return tuple(sorted(self.models, key=lambda path: (len(path), path)))

    @property
    def measurable(self) -> tuple[str, ...]:
        """Paths of the models that a device measures, the main one first."""
        return tuple(path for path in self.model_paths if self.models[path].weights_file)

    @property
    def bytes_on_device(self) -> int | None:
        """Predicted size of all models after the import; None if they stay as they are."""
        sizes = [record.bytes_on_device for record in self.models.values()]
        known = [size for size in sizes if size is not None]
        return sum(known) if known else None

    @property
    def budget(self) -> int | None:
        """What all models together may take on the device; None if there is no limit."""
        return next((r.budget for r in self.models.values() if r.budget is not None), None)


@dataclass(frozen=True)
class ProjectCheck:
    """What is wrong with a project, its models included.

    Attributes:
        project: path of the project file, relative to the folder that was checked.
        findings: errors first, then by path.
        models: what can be said of each model that could be read, by its path.
    """

    project: str
    findings: tuple[Finding, ...]
    models: dict[str, Inspection]

    @property
    def passed(self) -> bool:
        """Whether there is no error among the findings."""
        return passed(self.findings)
