"""Models of a Lens Studio project: the file, its import settings, and what scripts expect of it."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.cost import Shape, tensor_shapes
from mobile_nelf.errors import BundleError, DeployError
from mobile_nelf.export.inspection import Finding
from mobile_nelf.file_kinds import HEAD_BYTES, wrong_kind
from mobile_nelf.parsing import parse_json
from mobile_nelf_exporters.lens.constants import CONSTANTS_SOURCE, constants_paths
from mobile_nelf_exporters.lens.studio.assets import Asset
from mobile_nelf_exporters.lens.studio.findings import error, warning
from mobile_nelf_exporters.lens.studio.project import LensProject
from mobile_nelf_exporters.lens.studio.yaml import Tagged, field_of, reference_id
from mobile_nelf_exporters.onnx.runtime import parse_model, read_contract
from mobile_nelf_exporters.snapml.check import SNAPML_BUDGET_BYTES, SnapmlReport, check_snapml

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["TEXTURE_WHITE", "check_models"]

MODEL_KIND = "FileMLAsset"
#: Models that Lens Studio imports and that are not read here.
UNREAD_SUFFIXES = (".dnn", ".pb", ".tflite")

#: A texture's values are 0 to 255, and so are those of our models' outputs.
TEXTURE_WHITE = 255.0
#: Lens Studio writes numbers with six decimals.
WRITTEN = 1e-6

#: What ends in [0, 1], so that it needs a scale to be seen as a texture.
UNIT_RANGE_OPERATORS = ("Sigmoid", "Softmax")

PLAIN_TRANSFORMER = {"stretch": True, "flipX": False, "flipY": False, "rotation": "None"}

IMPORT_AGAIN = "delete the meta and let Lens Studio import the model anew, or correct the settings"
EXPORT_AGAIN = "export the model again and replace the file"


def check_models(project: LensProject) -> tuple[list[Finding], dict[str, SnapmlReport]]:
    """Returns what is wrong with models and their metas, and the operator report of each model."""
    findings: list[Finding] = []
    reports: dict[str, SnapmlReport] = {}
    models: dict[str, ModelProto] = {}
    for asset in project.imported.values():
        path = asset.path
        content = project.files.get(path)
        if asset.importer != "FileMLAssetImporter" or content is None:
            continue
        if wrong_kind(content[:HEAD_BYTES]) and not path.endswith(UNREAD_SUFFIXES):
            continue  # which the rules about texts report
        if not path.endswith(".onnx"):
            findings.append(
                warning(
                    path,
                    "was not checked, only ONNX models are: its operators, its size and the size "
                    "of all models together are not known",
                    "look at it in Lens Studio, or import the ONNX file that it was made from",
                )
            )
            continue
        try:
            model = parse_model(content, path)
            if not model.graph.node:
                raise BundleError(f"{path}: is not an ONNX model (it holds no network)")
            scaled = any(_scales(spec) != {1.0} for spec in _specs(asset, "Outputs"))
            reports[path] = check_snapml(model, output_scaled=scaled)
        except (BundleError, DeployError) as problem:
            findings.append(error(path, str(problem).removeprefix(f"{path}: "), EXPORT_AGAIN))
            continue
        models[path] = model
        report = reports[path]
        findings += [error(path, text, EXPORT_AGAIN) for text in report.refusals]
        findings += [warning(path, text, EXPORT_AGAIN) for text in report.warnings]
        findings += _check_settings(asset, model)
    total = sum(report.import_bytes for report in reports.values())
    if len(reports) > 1 and total > SNAPML_BUDGET_BYTES:
        findings.append(
            error(
                "",
                f"{len(reports)} models of {total / 1e6:.1f} MB after import, a Lens may hold "
                f"{SNAPML_BUDGET_BYTES / 1e6:.0f} MB together",
                "use smaller models or remove one",
            )
        )
    findings += _check_contract(project, models)
    return findings, reports


def _specs(asset: Asset, key: str) -> list[Any]:
    """Settings of the inputs or outputs, as far as they are there."""
    listed = field_of(asset.settings, key)
    return listed if isinstance(listed, list) else []


def _number(node: Any) -> float:
    """A number of YAML, tagged or not; NaN for anything else."""
    value = node.value if isinstance(node, Tagged) else node
    try:
        return math.nan if isinstance(value, bool) or value is None else float(value)
    except (TypeError, ValueError):
        return math.nan


def _scales(spec: Any) -> set[float]:
    listed = field_of(spec, "Normalizations")
    return {_number(field_of(n, "scale")) for n in listed} if isinstance(listed, list) else set()


def _check_settings(asset: Asset, model: ModelProto) -> Iterator[Finding]:
    graph, shapes = model.graph, tensor_shapes(model)
    weights = {tensor.name for tensor in graph.initializer}
    borders = {
        "Inputs": [info.name for info in graph.input if info.name not in weights],
        "Outputs": [info.name for info in graph.output],
    }
    ours = _contract(model)
    for key, names in borders.items():
        specs = _specs(asset, key)
        found = [str(field_of(spec, "Name")) for spec in specs]
        if sorted(found) != sorted(names):
            yield error(
                asset.meta_path,
                f"{key} are {', '.join(found) or 'none'}, the model has {', '.join(names)}",
                IMPORT_AGAIN,
            )
        for name, spec in zip(found, specs, strict=True):
            if name in names:
                yield from _check_spec(asset.meta_path, name, spec, shapes.get(name))
                if ours:
                    yield from _check_ours(asset.meta_path, name, spec, key, ours)
        for spec in specs:
            source = field_of(spec, "InputName")
            if source and source not in borders["Inputs"]:
                yield error(
                    asset.meta_path,
                    f"InputName {str(source)!r} is not an input of the model",
                    IMPORT_AGAIN,
                )
    last = {name: node.op_type for node in graph.node for name in node.output}
    for spec in _specs(asset, "Outputs"):
        name = str(field_of(spec, "Name"))
        shape = shapes.get(name, ())
        unit = last.get(name) in UNIT_RANGE_OPERATORS and len(shape) == 4 and shape[1] in (3, 4)
        if unit and _scales(spec) == {1.0} and not ours:
            yield warning(
                asset.meta_path,
                f"output {name!r} is within [0, 1]; shown as a texture it is black",
                f"set its scale to {TEXTURE_WHITE:.0f} if it is shown",
            )


def _contract(model: ModelProto) -> Contract | None:
    """What tells the ranges of a model that mnelf wrote; None for others."""
    try:
        return read_contract(model, "")
    except BundleError:
        return None


def _check_spec(path: str, name: str, spec: Any, shape: Shape | None) -> Iterator[Finding]:
    stated = [_number(field_of(spec, "Shape", axis)) for axis in "xyz"]
    if shape is not None and len(shape) == 4 and None not in shape[1:]:
        expected = [shape[3], shape[2], shape[1]]
        if stated != expected:
            yield error(
                path,
                f"{name!r} is {_sizes(stated)}, the model has {_sizes(expected)} "
                "(width × height × channels)",
                IMPORT_AGAIN,
            )
    normalizations = field_of(spec, "Normalizations")
    count = len(normalizations) if isinstance(normalizations, list) else 0
    if count != stated[2]:
        yield error(
            path,
            f"{name!r} has {count} normalisations, expected one for each of {stated[2]:g} channels",
            IMPORT_AGAIN,
        )
    values = [
        _number(field_of(entry, part))
        for entry in (normalizations if isinstance(normalizations, list) else [])
        for part in ("scale", "bias")
    ]
    if not all(map(math.isfinite, values)) or any(scale == 0.0 for scale in values[::2]):
        yield error(
            path, f"{name!r} has a normalisation that is not a number, or scales by 0", IMPORT_AGAIN
        )


def _check_ours(path: str, name: str, spec: Any, key: str, contract: Contract) -> Iterator[Finding]:
    """Textures are 0 to 255; old outputs are scaled to it on their way out."""
    scale = TEXTURE_WHITE / contract.white if key == "Outputs" else 1.0
    listed = field_of(spec, "Normalizations")
    pairs = {
        (_number(field_of(entry, "scale")), _number(field_of(entry, "bias")))
        for entry in (listed if isinstance(listed, list) else [])
    }
    wrong = [p for p in pairs if not (abs(p[0] - scale) <= WRITTEN and abs(p[1]) <= WRITTEN)]
    if wrong:
        yield error(
            path,
            f"{name!r} is scaled by {wrong[0][0]:g} with bias {wrong[0][1]:g}, expected "
            f"{scale:g} and 0",
            IMPORT_AGAIN,
        )
    for setting, plain in PLAIN_TRANSFORMER.items() if key == "Inputs" else ():
        value = field_of(spec, "Transformer", setting)
        if value != plain:
            yield error(path, f"{name!r} has {setting} {value!r}, expected {plain!r}", IMPORT_AGAIN)


def _sizes(sizes: list[Any]) -> str:
    return " × ".join(f"{size:g}" for size in sizes)


def _check_contract(project: LensProject, models: dict[str, ModelProto]) -> Iterator[Finding]:
    """Compares the tensors that our scripts expect with those of the models they are given."""
    for path in constants_paths(project.files):
        yield from _check_constants(project, path, models)


def _check_constants(
    project: LensProject, path: str, models: dict[str, ModelProto]
) -> Iterator[Finding]:
    advice = "take this file and the models from the same bundle"
    match = CONSTANTS_SOURCE.search(project.files[path].decode("utf-8", errors="replace"))
    try:
        contract = parse_json(match[1]) if match else None
    except ValueError as problem:
        yield error(path, f"its object is not JSON ({problem})", advice)
        return
    entries = field_of(contract, "models")
    if not isinstance(entries, list) or not entries:
        yield error(path, "exports no object with a list of models", advice)
        return
    chosen = _chosen_models(project, posixpath.dirname(path))
    for entry in entries:
        key = str(field_of(entry, "input"))
        model = chosen.get(key)
        if model is None:
            yield error(
                path, f"names a model {key!r} that no script component has as an input", advice
            )
        elif model in models:
            yield from _check_entry(path, entry, model, models[model], advice)


def _chosen_models(project: LensProject, folder: str) -> dict[str, str]:
    """Path of the model by name of the input, over components whose script is in a folder."""
    chosen = {}
    for entities in project.documents.values():
        for entity in entities:
            script = project.asset_with(reference_id(field_of(entity, "ScriptAsset")))
            if script is None or posixpath.dirname(script.path) != folder:
                continue
            inputs = field_of(entity, "ScriptInputs", "")
            for name, value in inputs.items() if isinstance(inputs, dict) else ():
                asset = project.asset_with(reference_id(value))
                if asset is not None and MODEL_KIND in asset.kinds.values():
                    chosen[str(name)] = asset.path
    return chosen


def _check_entry(
    constants: str, entry: Any, path: str, model: ModelProto, advice: str
) -> Iterator[Finding]:
    shapes = tensor_shapes(model)
    weights = {tensor.name for tensor in model.graph.initializer}
    expected = {info.name for info in model.graph.input if info.name not in weights}
    listed = field_of(entry, "inputs")
    inputs = listed if isinstance(listed, list) else []
    found = {str(field_of(spec, "name")) for spec in inputs}
    if found != expected:
        yield error(
            constants,
            f"its inputs are {', '.join(sorted(found))}, those of {path} are "
            f"{', '.join(sorted(expected))}",
            advice,
        )
    masked = field_of(entry, "masked")
    for spec in [*inputs, field_of(entry, "output"), *(masked if isinstance(masked, list) else [])]:
        name, stated = str(field_of(spec, "name")), field_of(spec, "shape")
        shape = shapes.get(name)
        if shape is None:
            yield error(constants, f"{path} has no tensor {name!r}", advice)
        elif stated != list(reversed(shape[1:])):
            yield error(
                constants,
                f"{name!r} is {stated}, in {path} {list(reversed(shape[1:]))} "
                "(width, height, channels)",
                advice,
            )
