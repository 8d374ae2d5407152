"""Reads a saved Core ML package (`.mlpackage`) without coremltools and without a Mac.

A package is a folder: `Manifest.json` names the model file, the model file holds an ML program in
protobuf form, and the program points into `weight.bin`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mobile_nelf.errors import BundleError
from mobile_nelf.parsing import parse_json
from mobile_nelf_exporters.coreml.package.format import (
    DATA,
    IOS_VERSIONS,
    MANIFEST,
    MANIFEST_VERSION,
    WEIGHTS_BESIDE_MODEL,
)
from mobile_nelf_exporters.coreml.package.program import Constant, Program, TensorType, read_program
from mobile_nelf_exporters.coreml.package.schema import parse_model
from mobile_nelf_exporters.coreml.package.weights import WeightsFile

__all__ = ["Feature", "Package", "canonical_dump", "read_package"]

#: What a program calls the weights file.
_WEIGHTS_REFERENCE = f"@model_path/{WEIGHTS_BESIDE_MODEL}"

#: Element types of the interface, as Core ML numbers them.
_ARRAY_TYPES = {65552: "fp16", 65568: "fp32"}
_RGB = 20

#: Version of the model file to version of its operators.
_OPSETS = {versions.specification: versions.opset for versions in IOS_VERSIONS.values()}


@dataclass(frozen=True)
class Feature:
    """One input or output as a host sees it.

    Attributes:
        name: as in the host's code.
        kind: `tensor` for a multi-array, `image` for an 8-bit RGB picture.
        dtype: of the elements, as in `TensorType`; `uint8` for a picture.
        shape: of the tensor; [1, 3, height, width] for a picture.
    """

    name: str
    kind: Literal["tensor", "image"]
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Package:
    """A package, read and checked.

    Attributes:
        name: of its folder.
        specification_version: of the model file; 7 for iOS 16, 8 for iOS 17, 9 for iOS 18.
        metadata: `short_description`, `version`, `author`, `license` where given, and the keys that
            the writer defined.
        inputs: what the host uploads.
        outputs: what it gets back.
        program: what is computed.
        weights_sha256: of `weight.bin`; empty if there is none.
        files: contents by path, which begins with the name of the package.
    """

    name: str
    specification_version: int
    metadata: Mapping[str, str]
    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    program: Program
    weights_sha256: str
    files: Mapping[str, bytes]

    @property
    def model_bytes(self) -> int:
        """Size of all files of the package."""
        return sum(map(len, self.files.values()))


def read_package(files: Mapping[str, bytes], name: str) -> Package:
    """Reads the package `name`.

    Args:
        files: POSIX paths to contents; those below `name/` are the package.
        name: as `Mic.mlpackage`.

    Raises:
        BundleError: a file is missing, truncated or damaged, or the package holds what packages of
            mnelf never do.
        MissingExtraError: protobuf is not installed.
    """
    inside = {
        path.removeprefix(f"{name}/"): data
        for path, data in files.items()
        if path.startswith(f"{name}/")
    }
    model_path, items = _read_manifest(inside, name)
    file = f"{name}/{model_path}"
    folder = model_path.rpartition("/")[0]
    weights = inside.get(f"{folder}/{WEIGHTS_BESIDE_MODEL}")
    blobs = {}
    if weights is not None:
        if not any(f"{folder}/{WEIGHTS_BESIDE_MODEL}".startswith(f"{item}/") for item in items):
            raise BundleError(f"{name}/{MANIFEST}: does not list {folder}/{WEIGHTS_BESIDE_MODEL}")
        blobs[_WEIGHTS_REFERENCE] = WeightsFile(weights, f"{name}/{folder}/{WEIGHTS_BESIDE_MODEL}")
    model = parse_model(inside[model_path], file)
    package = Package(
        name=name,
        specification_version=model.specificationVersion,
        metadata=_metadata(model.description.metadata),
        inputs=tuple(_feature(message, file) for message in model.description.input),
        outputs=tuple(_feature(message, file) for message in model.description.output),
        program=read_program(model.mlProgram, blobs, file),
        weights_sha256=hashlib.sha256(weights).hexdigest() if weights is not None else "",
        files={f"{name}/{path}": data for path, data in inside.items()},
    )
    _check_interface(package, file)
    return package


def canonical_dump(package: Package) -> str:
    """Returns the program as text that is the same whenever the model is.

    It leaves out what changes from one conversion to the next: the order of maps, metadata, names
    of constants. Constants of the weights file appear by the SHA-256 of their elements.
    """
    program = package.program
    lines = [f"specification {package.specification_version}, operators {program.opset}"]
    lines += [_feature_line("input", feature) for feature in package.inputs]
    lines += [f"{value.name}: {value.type}" for value in program.inputs]
    for operation in program.operations:
        operands = [
            f"{parameter}={', '.join(map(_operand_text, values))}"
            for parameter, values in sorted(operation.inputs.items())
        ]
        attributes = [
            f"{name}:={_operand_text(value)}"
            for name, value in sorted(operation.attributes.items())
        ]
        outputs = ", ".join(f"{value.name}: {value.type}" for value in operation.outputs)
        lines.append(f"{outputs} = {operation.type}({'; '.join(operands + attributes)})")
    lines.append(f"return {', '.join(program.outputs)}")
    lines += [_feature_line("output", feature) for feature in package.outputs]
    return "\n".join(lines) + "\n"


def _feature_line(role: str, feature: Feature) -> str:
    return f"{role} {feature.name}: {feature.kind} of {TensorType(feature.dtype, feature.shape)}"


def _operand_text(operand: str | Constant) -> str:
    if isinstance(operand, str):
        return operand
    if operand.in_weights:
        return f"{operand.type} sha256 {hashlib.sha256(operand.array.tobytes()).hexdigest()}"
    return f"{operand.type} {json.dumps(operand.array.tolist())}"


def _read_manifest(inside: Mapping[str, bytes], name: str) -> tuple[str, list[str]]:
    """Returns the path of the model file and the paths of all items, below the package."""
    file = f"{name}/{MANIFEST}"
    if MANIFEST not in inside:
        raise BundleError(f"{file}: is missing, expected a Core ML package")
    try:
        manifest = parse_json(inside[MANIFEST])
        version = manifest["fileFormatVersion"]
        items = {key: str(item["path"]) for key, item in manifest["itemInfoEntries"].items()}
        root = items[manifest["rootModelIdentifier"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{file}: is not a manifest of a Core ML package ({error!r})") from error
    if version != MANIFEST_VERSION:
        raise BundleError(f"{file}: format {version!r}, expected {MANIFEST_VERSION!r}")
    paths = {key: f"{DATA}/{path}" for key, path in items.items()}
    for path in paths.values():
        if path not in inside and not any(other.startswith(f"{path}/") for other in inside):
            raise BundleError(f"{file}: lists {path!r}, which is missing")
    if f"{DATA}/{root}" not in inside:
        raise BundleError(f"{file}: names the folder '{DATA}/{root}' as the model, expected a file")
    return f"{DATA}/{root}", list(paths.values())


def _metadata(message: Any) -> dict[str, str]:
    fields = {
        "short_description": message.shortDescription,
        "version": message.versionString,
        "author": message.author,
        "license": message.license,
    }
    return {**{key: text for key, text in fields.items() if text}, **message.userDefined}


def _feature(message: Any, file: str) -> Feature:
    kind = message.type.WhichOneof("one")
    if kind == "imageType" and message.type.imageType.colorSpace == _RGB:
        image = message.type.imageType
        return Feature(message.name, "image", "uint8", (1, 3, image.height, image.width))
    if kind == "multiArrayType" and message.type.multiArrayType.dataType in _ARRAY_TYPES:
        array = message.type.multiArrayType
        return Feature(message.name, "tensor", _ARRAY_TYPES[array.dataType], tuple(array.shape))
    raise BundleError(
        f"{file}: {message.name!r} is neither a multi-array of floats nor an RGB picture"
    )


def _check_interface(package: Package, file: str) -> None:
    """Checks that versions and interface are those of the program."""
    program = package.program
    if program.opset != _OPSETS.get(package.specification_version):
        raise BundleError(
            f"{file}: version {package.specification_version} with operators {program.opset!r}, "
            f"expected one of {_OPSETS}"
        )
    made = {
        value.name: value.type
        for operation in program.operations
        if not operation.is_constexpr
        for value in operation.outputs
    }
    for name in program.outputs:
        if name not in made:
            raise BundleError(f"{file}: returns {name!r}, which no operation computes")
    computed = tuple((name, made[name]) for name in program.outputs)
    taken = tuple((value.name, value.type) for value in program.inputs)
    for features, values in ((package.inputs, taken), (package.outputs, computed)):
        described = tuple((feature.name, _value_type(feature)) for feature in features)
        if described != values or not features:
            raise BundleError(
                f"{file}: describes {_listing(described)} where the program has {_listing(values)}"
            )


def _value_type(feature: Feature) -> TensorType:
    # A program computes a picture in float32; the platform converts it to 8 bits.
    return TensorType("fp32" if feature.kind == "image" else feature.dtype, feature.shape)


def _listing(values: tuple[tuple[str, TensorType], ...]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in values) or "nothing"
