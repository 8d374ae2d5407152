"""What Lens Studio's own report of a lens says of the guesses that the lens depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mobile_nelf.errors import ConfigError, InputError
from mobile_nelf.export.tables import Table, TableRow
from mobile_nelf.export.tool import Guess, ToolReport
from mobile_nelf.plain import from_dict
from mobile_nelf_exporters.lens.constants import is_in_room
from mobile_nelf_exporters.lens.guesses import LensKind, guesses
from mobile_nelf_exporters.lens.opening import imported_models
from mobile_nelf_exporters.lens.paths import model_path, project_files

__all__ = ["read_report"]

Verdict = tuple[Literal["confirmed", "refuted"], str]

#: Of the ONNX file, whose weights take four bytes each: two bytes each, and something for the rest.
HALF = (0.3, 0.7)

#: What the material of a picture must have.
MATERIAL_PROPERTIES = frozenset({"baseTex", "baseColor"})


@dataclass(frozen=True)
class Asset:
    """An asset as Lens Studio lists it; `cache` is the file of a model after import."""

    name: str
    type: str
    path: str
    cache: str


@dataclass(frozen=True)
class Component:
    """A script component of ours, and what its inputs are set to."""

    object: str
    script: str
    inputs: dict[str, str]


@dataclass(frozen=True)
class ChosenCamera:
    """With which camera the lens begins."""

    before: str
    after: str


@dataclass(frozen=True)
class MadeMaterial:
    """A material that was made; its name is empty if none was."""

    name: str
    properties: tuple[str, ...]
    on: tuple[str, ...]


@dataclass(frozen=True)
class ScriptReport:
    """What the script said; see `open_in_lens_studio.js`."""

    schema: int
    complete: bool
    lensStudio: str  # noqa: N815  # the script's own names
    project: str
    lensName: str  # noqa: N815
    assets: tuple[Asset, ...]
    components: tuple[Component, ...]
    camera: ChosenCamera
    material: MadeMaterial
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Tensor:
    """An input or output in the settings of an import."""

    name: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]


@dataclass(frozen=True)
class Model:
    """A model after import; `bytes` is unknown where no file of it was found."""

    bytes: int | None
    tensors: tuple[Tensor, ...]


@dataclass(frozen=True)
class Told:
    """All of a report.

    Attributes:
        script: of the script in Lens Studio.
        models: by path in the project, from what Lens Studio saved.
        studio_version: in the saved project file.
        activation_camera: the word there.
    """

    script: ScriptReport
    models: dict[str, Model]
    studio_version: str
    activation_camera: str


def read_report(told: dict[str, Any], files: Mapping[str, bytes]) -> ToolReport:
    """Returns what a report says of a bundle.

    Args:
        told: the report as plain data.
        files: of the bundle.

    Raises:
        InputError: it is something else.
    """
    try:
        report = from_dict(Told, told, "opened")
    except ConfigError as error:
        raise InputError(f"is not a report of Lens Studio ({error})") from error
    project = project_files(files)
    packaged = ".lspkg/" in model_path(files)
    verdicts = dict(_verdicts(report, project, packaged))
    kind: LensKind = "package" if packaged else "world" if is_in_room(project) else "orbit"
    unfinished = () if report.script.complete else ("Lens Studio ended before the material",)
    return ToolReport(
        tool=f"Lens Studio {_version(report)}",
        guesses=tuple(
            Guess(text, *verdicts[key]) if key in verdicts else Guess(text, "open")
            for key, text in guesses(kind).items()
        ),
        problems=(*report.script.problems, *unfinished),
        tables=tuple(_tables(report)),
    )


def _version(report: Told) -> str:
    parts = report.script.lensStudio.split(".")[:3]
    return ".".join(parts) if len(parts) == 3 else report.studio_version


def _verdicts(
    report: Told, project: Mapping[str, bytes], packaged: bool
) -> Iterator[tuple[str, Verdict]]:
    """What is known of guesses, by their short names."""
    script = report.script
    count = len(script.components)
    if count:
        yield "open", ("confirmed", f"{len(script.assets)} assets, {count} component(s) of ours")
    else:
        yield "open", ("refuted", "no component of ours is in the scene")
        return
    yield "settings", _settings(report, project)
    if script.camera.after == "Rear":
        word = report.activation_camera
        yield (
            "activation",
            ("confirmed" if word == "Rear" else "refuted", f"the saved project says {word!r}"),
        )
    if packaged:
        kinds = {asset.type for asset in script.assets}
        lacking = sorted({"NativePackageDescriptor", "ObjectPrefab"} - kinds)
        if lacking:
            yield "package", ("refuted", f"no asset is a {' or a '.join(lacking)}")
        else:
            yield "package", ("confirmed", "its descriptor and its prefab are assets")
    if script.material.name:
        without = sorted(MATERIAL_PROPERTIES - set(script.material.properties))
        told = (
            f"{script.material.name} has no {', '.join(without)}" if without else "both are there"
        )
        yield "properties", ("refuted" if without else "confirmed", told)
    sizes = [
        (path, model.bytes, len(project[path]))
        for path, model in report.models.items()
        if model.bytes and path in project
    ]
    if sizes:
        low, high = HALF
        half = all(low <= after / before <= high for _, after, before in sizes)
        told = ", ".join(
            f"{path.rpartition('/')[2]} {before / 1e6:.2f} MB → {after / 1e6:.2f} MB"
            for path, after, before in sizes
        )
        yield "weights", ("confirmed" if half else "refuted", told)


def _settings(report: Told, project: Mapping[str, bytes]) -> Verdict:
    """Guess `settings`: shapes and scales are still those that were written."""
    written = {
        path: from_dict(Model, model, path) for path, model in imported_models(project).items()
    }
    for path, model in written.items():
        found = report.models.get(path)
        if found is None:
            return "refuted", f"{path} is not in the saved project"
        for own, other in zip(model.tensors, found.tensors, strict=False):
            if own != other:
                return "refuted", (
                    f"{path}: {other.name} is {_tensor(other)}, was written as {_tensor(own)}"
                )
        if len(model.tensors) != len(found.tensors):
            return "refuted", f"{path} has {len(found.tensors)} tensors in the saved project"
    return "confirmed", f"{sum(len(model.tensors) for model in written.values())} tensors are equal"


def _tensor(tensor: Tensor) -> str:
    scales = ", ".join(f"{scale:g}" for scale in tensor.scales)
    return f"{' × '.join(map(str, tensor.shape))}, scale {scales}"


def _tables(report: Told) -> Iterator[Table]:
    if report.script.assets:
        yield Table(
            "Assets",
            ("asset", "type", "path"),
            tuple(TableRow((a.name, a.type, a.path)) for a in report.script.assets),
        )
    if report.models:
        yield Table(
            "Models after import",
            ("model", "tensors", "bytes"),
            tuple(
                TableRow(
                    (
                        path,
                        "; ".join(f"{tensor.name} {_tensor(tensor)}" for tensor in model.tensors),
                        "unknown" if model.bytes is None else str(model.bytes),
                    )
                )
                for path, model in report.models.items()
            ),
            numbers=1,
        )
