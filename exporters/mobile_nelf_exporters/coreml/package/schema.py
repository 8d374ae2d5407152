"""The part of Core ML's protobuf schema that our ML programs use, declared as data.

A package can thus be verified where coremltools has no wheel. The reader of `package`
refuses what is not declared here, since ignoring a field could change what a model means.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from mobile_nelf.errors import BundleError
from mobile_nelf.extras import import_extra

__all__ = ["SCHEMA", "parse_model"]

#: Message to field to (number, type). `map X` is a map from strings; the fields of a message that
#: are marked `oneof` exclude each other. Enumerations are read as int32, which is their wire form.
SCHEMA: dict[str, dict[str, tuple[int, str]]] = {
    "Model": {
        "specificationVersion": (1, "int32"),
        "description": (2, "ModelDescription"),
        "mlProgram": (502, "oneof Program"),
    },
    "ModelDescription": {
        "input": (1, "repeated FeatureDescription"),
        "output": (10, "repeated FeatureDescription"),
        "metadata": (100, "Metadata"),
    },
    "Metadata": {
        "shortDescription": (1, "string"),
        "versionString": (2, "string"),
        "author": (3, "string"),
        "license": (4, "string"),
        "userDefined": (100, "map string"),
    },
    "FeatureDescription": {
        "name": (1, "string"),
        "shortDescription": (2, "string"),
        "type": (3, "FeatureType"),
    },
    "FeatureType": {
        "imageType": (4, "oneof ImageFeatureType"),
        "multiArrayType": (5, "oneof ArrayFeatureType"),
    },
    "ImageFeatureType": {
        "width": (1, "int64"),
        "height": (2, "int64"),
        "colorSpace": (3, "int32"),
    },
    "ArrayFeatureType": {"shape": (1, "repeated int64"), "dataType": (2, "int32")},
    "Program": {
        "version": (1, "int64"),
        "functions": (2, "map Function"),
        "docString": (3, "string"),
        "attributes": (4, "map Value"),
    },
    "Function": {
        "inputs": (1, "repeated NamedValueType"),
        "opset": (2, "string"),
        "block_specializations": (3, "map Block"),
    },
    "Block": {"outputs": (2, "repeated string"), "operations": (3, "repeated Operation")},
    "Operation": {
        "type": (1, "string"),
        "inputs": (2, "map Argument"),
        "outputs": (3, "repeated NamedValueType"),
        "attributes": (5, "map Value"),
    },
    "Argument": {"arguments": (1, "repeated Binding")},
    "Binding": {"name": (1, "oneof string"), "value": (2, "oneof Value")},
    "NamedValueType": {"name": (1, "string"), "type": (2, "ValueType")},
    "ValueType": {
        "tensorType": (1, "oneof TensorType"),
        "dictionaryType": (4, "oneof DictionaryType"),
    },
    "DictionaryType": {"keyType": (1, "ValueType"), "valueType": (2, "ValueType")},
    "TensorType": {
        "dataType": (1, "int32"),
        "rank": (2, "int64"),
        "dimensions": (3, "repeated Dimension"),
    },
    "Dimension": {"constant": (1, "oneof ConstantDimension")},
    "ConstantDimension": {"size": (1, "uint64")},
    "Value": {
        "docString": (1, "string"),
        "type": (2, "ValueType"),
        "immediateValue": (3, "oneof ImmediateValue"),
        "blobFileValue": (5, "oneof BlobFileValue"),
    },
    "ImmediateValue": {
        "tensor": (1, "oneof TensorValue"),
        "dictionary": (4, "oneof DictionaryValue"),
    },
    "DictionaryValue": {"values": (1, "repeated KeyValuePair")},
    "KeyValuePair": {"key": (1, "Value"), "value": (2, "Value")},
    "BlobFileValue": {"fileName": (1, "string"), "offset": (2, "uint64")},
    "TensorValue": {
        "floats": (1, "oneof RepeatedFloats"),
        "ints": (2, "oneof RepeatedInts"),
        "bools": (3, "oneof RepeatedBools"),
        "strings": (4, "oneof RepeatedStrings"),
        "bytes": (7, "oneof RepeatedBytes"),
    },
    "RepeatedFloats": {"values": (1, "repeated float")},
    "RepeatedInts": {"values": (1, "repeated int32")},
    "RepeatedBools": {"values": (1, "repeated bool")},
    "RepeatedStrings": {"values": (1, "repeated string")},
    "RepeatedBytes": {"values": (1, "bytes")},
}

_PACKAGE = "mnelf"


def parse_model(data: bytes, file: str) -> Any:
    """Parses a `.mlmodel` file into a message `Model` of `SCHEMA`.

    Args:
        data: its content.
        file: its path, for messages.

    Raises:
        BundleError: `data` is not such a message, or holds a field that `SCHEMA` lacks.
        MissingExtraError: protobuf is not installed.
    """
    decode_error = import_extra("google.protobuf.message", "coreml").DecodeError
    try:
        model = _model_class().FromString(data)
    except decode_error as error:
        raise BundleError(f"{file}: is not a Core ML model ({error})") from error
    _refuse_unknown_fields(model, "Model", file)
    return model


def _refuse_unknown_fields(message: Any, kind: str, file: str) -> None:
    unknown_fields = import_extra("google.protobuf.unknown_fields", "coreml")
    unknown = {field.field_number for field in unknown_fields.UnknownFieldSet(message)}
    if unknown:
        numbers = ", ".join(map(str, sorted(unknown)))
        raise BundleError(
            f"{file}: message {kind} has field {numbers}, which no package of mnelf uses; "
            "the file is damaged or was written by something else"
        )
    for name, (_, declared) in SCHEMA[kind].items():
        label, _, child = declared.rpartition(" ")
        if child not in SCHEMA:
            continue
        if label == "repeated":
            children = getattr(message, name)
        elif label == "map":
            children = getattr(message, name).values()
        else:
            children = [getattr(message, name)] if message.HasField(name) else []
        for part in children:
            _refuse_unknown_fields(part, child, file)


@lru_cache(maxsize=1)
def _model_class() -> Any:
    """Builds the classes in a pool of their own, beside those that coremltools may register."""
    descriptor_pb2 = import_extra("google.protobuf.descriptor_pb2", "coreml")
    file = descriptor_pb2.FileDescriptorProto(
        name="mnelf_coreml.proto", package=_PACKAGE, syntax="proto3"
    )
    for kind, fields in SCHEMA.items():
        message = file.message_type.add(name=kind)
        for name, (number, declared) in fields.items():
            _add_field(message, name, number, declared)
    pool = import_extra("google.protobuf.descriptor_pool", "coreml").DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    factory = import_extra("google.protobuf.message_factory", "coreml")
    return factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Model"))


def _add_field(message: Any, name: str, number: int, declared: str) -> None:
    label, _, child = declared.rpartition(" ")
    field = message.field.add(name=name, number=number)
    field.label = field.LABEL_REPEATED if label in ("repeated", "map") else field.LABEL_OPTIONAL
    if label == "oneof":
        if not message.oneof_decl:
            message.oneof_decl.add(name="one")
        field.oneof_index = 0
    if label == "map":
        # The wire form of a map is a repeated message of two fields, under a prescribed name.
        entry_name = "".join(word[0].upper() + word[1:] for word in name.split("_")) + "Entry"
        entry = message.nested_type.add(name=entry_name)
        entry.options.map_entry = True
        _add_field(entry, "key", 1, "string")
        _add_field(entry, "value", 2, child)
        child = f"{message.name}.{entry_name}"
    if child in SCHEMA or label == "map":
        field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{child}"
    else:
        field.type = getattr(field, f"TYPE_{child.upper()}")
