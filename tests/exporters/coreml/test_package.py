"""Reading packages, against coremltools' own protobuf classes."""

from __future__ import annotations

import copy

import numpy as np

from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf_exporters.coreml.package.package import Feature, canonical_dump, read_package
from mobile_nelf_exporters.coreml.package.program import TensorType
from mobile_nelf_exporters.coreml.package.schema import SCHEMA
from tests.helpers.coreml.models import (
    MANIFEST,
    MODEL,
    NAME,
    WEIGHTS,
    changed,
    edited,
    find,
    operations,
)
from tests.helpers.students import random_checkpoint


def _descriptors():
    """Messages of coremltools' schema by name without the name of what they are nested in."""
    from coremltools.proto import FeatureTypes_pb2, MIL_pb2, Model_pb2

    found = {}
    pending = [
        message
        for module in (MIL_pb2, Model_pb2, FeatureTypes_pb2)
        for message in module.DESCRIPTOR.message_types_by_name.values()
    ]
    while pending:
        message = pending.pop()
        found[message.name] = message
        pending += message.nested_types
    return found


def test_every_declared_field_is_as_in_the_schema_of_coremltools():
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

    descriptors = _descriptors()
    for message, fields in SCHEMA.items():
        for name, (number, declared) in fields.items():
            label, _, kind = declared.rpartition(" ")
            field = descriptors[message].fields_by_name[name]
            assert field.number == number, (message, name)
            assert field.is_repeated == (label in ("repeated", "map")), (message, name)
            is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
            assert is_map == (label == "map"), (message, name)
            assert (field.containing_oneof is not None) == (label == "oneof"), (message, name)
            field = field.message_type.fields_by_name["value"] if is_map else field
            if kind in SCHEMA:
                assert field.message_type.name == kind, (message, name)
            else:
                wire = "enum" if field.type == Field.TYPE_ENUM else kind
                assert field.type == getattr(Field, f"TYPE_{wire.upper()}"), (message, name)
                assert wire == kind or kind == "int32", (message, name)


def test_the_program_is_the_one_that_coremltools_reads(model, files):
    from coremltools.converters.mil.frontend.milproto.load import load

    package = read_package(files, NAME)
    specification = model.get_spec()
    program = load(specification, specification.specificationVersion, model.weights_dir)
    expected = [
        operation
        for operation in program.functions["main"].operations
        if operation.op_type != "const"
    ]
    assert package.program.opset == "CoreML7"
    assert [op.type for op in package.program.operations] == [op.op_type for op in expected]
    constants = 0
    for operation, reference in zip(package.program.operations, expected, strict=True):
        (output,) = reference.outputs
        assert operation.name == output.name
        assert operation.outputs[0].type.shape == output.shape
        for parameter, operands in operation.inputs.items():
            values = reference.inputs[parameter]
            values = values if isinstance(values, (list, tuple)) else [values]
            for operand, value in zip(operands, values, strict=True):
                if isinstance(operand, str):
                    assert operand == value.name
                else:
                    constants += 1
                    np.testing.assert_array_equal(operand.array, value.val)
                    assert operand.array.shape == np.shape(value.val)
    assert constants > 50


def test_interface_metadata_and_sizes(files):
    package = read_package(files, NAME)
    assert package.specification_version == 8
    assert package.inputs[0] == Feature("sin_columns", "tensor", "fp32", (1, 144, 1, 7))
    assert [feature.name for feature in package.inputs] == [
        spec.name for spec in find_layout("factored").inputs(random_checkpoint().student)
    ]
    assert package.outputs == (Feature("output", "tensor", "fp32", (1, 3, 12, 14)),)
    assert package.metadata["author"] == "a test"
    assert package.metadata["key"] == "value"
    assert package.model_bytes == sum(map(len, files.values()))
    elsewhere = {f"deep/{path}": data for path, data in files.items()}
    assert read_package({**elsewhere, "x": b""}, f"deep/{NAME}").inputs == package.inputs


def test_stored_constants_know_where_they_come_from(files):
    conv = next(op for op in read_package(files, NAME).program.operations if op.type == "conv")
    (weight,), (strides,) = conv.inputs["weight"], conv.inputs["strides"]
    assert weight.type == TensorType("fp16", (16, 312, 1, 1))
    assert (weight.in_weights, strides.in_weights) == (True, False)
    assert strides.array.tolist() == [1, 1]


def _shuffled(model):
    """Inserts every map again in another order, and changes what says nothing of the program."""
    for operation in operations(model):
        for name in ("inputs", "attributes"):
            entries = sorted(getattr(operation, name).items(), reverse=True)
            copies = {key: copy.deepcopy(value) for key, value in entries}
            getattr(operation, name).clear()
            for key, value in copies.items():
                getattr(operation, name)[key].CopyFrom(value)
    model.description.metadata.author = "someone else"
    model.description.metadata.userDefined["date"] = "2030-01-01"


def _set_mode(model):
    gelu = find(model, "gelu")
    name = gelu.inputs["mode"].arguments[0].name
    (const,) = (op for op in operations(model) if op.outputs[0].name == name)
    const.attributes["val"].immediateValue.tensor.strings.values[0] = "TANH_APPROXIMATION"


def _swap_operands(model):
    sub = find(model, "sub").inputs
    x, y = sub["x"].arguments[0].name, sub["y"].arguments[0].name
    sub["x"].arguments[0].name, sub["y"].arguments[0].name = y, x


def _replace_operator(model):
    find(model, "sigmoid").type = "relu"


def _other_version(model):
    model.specificationVersion = 7
    function = model.mlProgram.functions["main"]
    block = function.block_specializations[function.opset]
    function.block_specializations["CoreML6"].CopyFrom(block)
    del function.block_specializations[function.opset]
    function.opset = "CoreML6"


def test_the_dump_tells_models_apart_and_nothing_else(files):
    dump = canonical_dump(read_package(files, NAME))
    manifest = files[MANIFEST].replace(b"4", b"5")
    assert manifest != files[MANIFEST]
    same = changed(edited(files, _shuffled), MANIFEST, manifest)
    assert same[MODEL] != files[MODEL]
    assert canonical_dump(read_package(same, NAME)) == dump
    weights = bytearray(files[WEIGHTS])
    weights[300] ^= 1
    others = [
        edited(files, _set_mode),
        edited(files, _swap_operands),
        edited(files, _replace_operator),
        edited(files, _other_version),
        changed(files, WEIGHTS, bytes(weights)),
    ]
    dumps = {canonical_dump(read_package(other, NAME)) for other in others}
    assert len({dump, *dumps}) == 6
    assert dump.count("EXACT") == 4
    assert dump.count("sha256") > 10
