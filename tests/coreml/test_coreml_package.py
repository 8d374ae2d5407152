"""Reading packages, against coremltools' own protobuf classes; damaged packages."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from coreml.coreml_models_for_tests import (
    MANIFEST,
    MODEL,
    NAME,
    WEIGHTS,
    changed,
    convert_student,
    edited,
    find,
    operations,
    package_files,
)
from students_for_tests import random_checkpoint

from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.coreml_package import Feature, canonical_dump, read_package
from mobile_nelf_exporters.coreml_program import TensorType
from mobile_nelf_exporters.coreml_schema import SCHEMA


@pytest.fixture(scope="module")
def model():
    checkpoint = random_checkpoint(depth=4, sr_widths=(4,))
    model = convert_student(checkpoint, find_layout("factored"), ios=17)
    model.author = "a test"
    model.user_defined_metadata["key"] = "value"
    return model


@pytest.fixture(scope="module")
def files(model):
    return package_files(model)


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


def _renamed(key, path):
    def edit(files):
        manifest = json.loads(files[MANIFEST])
        (item,) = (i for i in manifest["itemInfoEntries"].values() if i["path"].endswith(key))
        item["path"] = path
        return changed(files, MANIFEST, json.dumps(manifest).encode())

    return edit


def _manifest(**values):
    def edit(files):
        return changed(
            files, MANIFEST, json.dumps({**json.loads(files[MANIFEST]), **values}).encode()
        )

    return edit


def _without(path):
    return lambda files: changed(files, path, None)


def _content(path, data):
    return lambda files: changed(files, path, data)


def _model_edit(edit):
    return lambda files: edited(files, edit)


def _integers(model, count=1):
    """The first constant of so many integers."""
    return next(
        operation.attributes["val"]
        for operation in operations(model)
        if operation.type == "const"
        and len(operation.attributes["val"].immediateValue.tensor.ints.values) == count
    )


def _pads(model):
    return _integers(model, 4)


def _stored(model):
    """The first constant that is stored in the weights file."""
    return next(
        operation.attributes["val"]
        for operation in operations(model)
        if operation.type == "const" and operation.attributes["val"].HasField("blobFileValue")
    )


def _set(path, value):
    """Sets an attribute of a message, given as `a.b.c` below the model."""

    def edit(model):
        *parents, last = path.split(".")
        for parent in parents:
            model = model[int(parent)] if parent.isdigit() else getattr(model, parent)
        setattr(model, last, value)

    return edit


def _block(model):
    function = model.mlProgram.functions["main"]
    return function.block_specializations[function.opset]


def _rename_operand(model, name):
    find(model, "conv").inputs["x"].arguments[0].name = name


def _dimensions(model):
    return find(model, "conv").outputs[0].type.tensorType.dimensions


def _redeclare(model):
    (const,) = (
        operation for operation in operations(model) if operation.outputs[0].name == "conv2d_pad_0"
    )
    const.outputs[0].type.tensorType.dataType = 11


def _set_float64(model):
    find(model, "conv").outputs[0].type.tensorType.dataType = 12


#: How a package is broken, and what the message must say.
BROKEN = {
    "no manifest": (_without(MANIFEST), r"Manifest\.json: is missing"),
    "manifest is no JSON": (_content(MANIFEST, b"{"), r"Manifest\.json: is not a manifest"),
    "manifest is a list": (_content(MANIFEST, b"[]"), r"Manifest\.json: is not a manifest"),
    "manifest without entries": (_manifest(itemInfoEntries={}), "is not a manifest"),
    "manifest of another format": (_manifest(fileFormatVersion="2.0.0"), "format '2.0.0'"),
    "manifest points nowhere": (
        _renamed("model.mlmodel", "com.apple.CoreML/other.mlmodel"),
        r"lists 'Data/com\.apple\.CoreML/other\.mlmodel', which is missing",
    ),
    "manifest points out of the package": (
        _renamed("model.mlmodel", "../../secret"),
        r"lists 'Data/\.\./\.\./secret', which is missing",
    ),
    "manifest names a folder": (_renamed("model.mlmodel", "com.apple.CoreML"), "names the folder"),
    "manifest without weights": (
        _renamed("weights", "com.apple.CoreML/model.mlmodel"),
        r"does not list Data/com\.apple\.CoreML/weights/weight\.bin",
    ),
    "no model": (_without(MODEL), "which is missing"),
    "no weights": (_without(WEIGHTS), "weights', which is missing"),
    "empty model": (_content(MODEL, b""), "program of version 0"),
    "model is text": (_content(MODEL, b"not a model"), r"model\.mlmodel: is not a Core ML model"),
    "empty weights": (_content(WEIGHTS, b""), r"weight\.bin: 0 bytes, too short"),
    "a pipeline": (
        _model_edit(lambda m: m.pipeline.SetInParent()),
        "message Model has field 202",
    ),
    "updatable": (_model_edit(_set("isUpdatable", True)), "message Model has field 10"),
    "nested block": (
        _model_edit(lambda m: find(m, "conv").blocks.add()),
        "message Operation has field 4",
    ),
    "flexible shape": (
        _model_edit(lambda m: m.description.input[0].type.multiArrayType.shapeRange.SetInParent()),
        "message ArrayFeatureType has field 31",
    ),
    "version": (_model_edit(_set("specificationVersion", 9)), "version 9 with operators 'CoreML7'"),
    "two functions": (
        _model_edit(lambda m: m.mlProgram.functions["other"].SetInParent()),
        r"functions \['main', 'other'\]",
    ),
    "input of another name": (
        _model_edit(_set("description.input.0.name", "x")),
        r"describes x fp32\[1, 144, 1, 7\].* where the program has sin_columns",
    ),
    "input of another type": (
        _model_edit(_set("description.input.0.type.multiArrayType.dataType", 65552)),
        r"describes sin_columns fp16",
    ),
    "input of integers": (
        _model_edit(_set("description.input.0.type.multiArrayType.dataType", 131104)),
        "'sin_columns' is neither a multi-array of floats nor an RGB picture",
    ),
    "grey picture": (
        _model_edit(_set("description.output.0.type.imageType.colorSpace", 10)),
        "'output' is neither",
    ),
    "value that nothing makes": (
        _model_edit(lambda m: _rename_operand(m, "nowhere")),
        r"operation conv2d_cast_fp16 \(conv\) reads 'nowhere', which nothing made before it",
    ),
    "value made later": (
        _model_edit(lambda m: _rename_operand(m, "output")),
        "reads 'output', which nothing made before it",
    ),
    "value made twice": (
        _model_edit(lambda m: setattr(find(m, "gelu").outputs[0], "name", "conv2d_cast_fp16")),
        "'conv2d_cast_fp16' is made twice",
    ),
    "output that nothing makes": (
        _model_edit(lambda m: _block(m).outputs.__setitem__(0, "nowhere")),
        "returns 'nowhere', which no operation computes",
    ),
    "input as output": (
        _model_edit(lambda m: _block(m).outputs.__setitem__(0, "sin_rows")),
        "returns 'sin_rows', which no operation computes",
    ),
    "constant as output": (
        _model_edit(lambda m: _block(m).outputs.__setitem__(0, find(m, "const").outputs[0].name)),
        "which no operation computes",
    ),
    "operation without operand": (
        _model_edit(lambda m: find(m, "conv").inputs["x"].ClearField("arguments")),
        r"operation conv2d_cast_fp16 \(conv\) lacks an output or an operand",
    ),
    "operation without output": (
        _model_edit(lambda m: find(m, "sigmoid").ClearField("outputs")),
        r"operation without outputs \(sigmoid\) lacks an output",
    ),
    "weights at another place": (
        _model_edit(lambda m: _set("blobFileValue.offset", 128)(_stored(m))),
        r"weight\.bin: at 128 starts no record",
    ),
    "weights in another file": (
        _model_edit(lambda m: _set("blobFileValue.fileName", "@model_path/x.bin")(_stored(m))),
        "has its fp16 in '@model_path/x.bin'",
    ),
    "one number too many": (
        _model_edit(lambda m: _integers(m).immediateValue.tensor.ints.values.append(1)),
        "does not hold 1 elements of that type",
    ),
    "numbers of another type": (
        _model_edit(lambda m: _integers(m).immediateValue.tensor.floats.values.append(1)),
        "does not hold 1 elements of that type",
    ),
    "constant of another shape": (
        _model_edit(lambda m: _set("type.tensorType.dimensions.0.constant.size", 3)(_pads(m))),
        r"has a constant of int32\[3\] that does not hold 3 elements",
    ),
    "constant of another rank": (
        _model_edit(lambda m: _pads(m).type.tensorType.ClearField("dimensions")),
        "is no tensor of static shape",
    ),
    "constant of another type than its output": (
        _model_edit(lambda m: find(m, "const").ClearField("attributes")),
        "holds nothing, expected",
    ),
    "constant that is declared otherwise": (
        _model_edit(_redeclare),
        r"constant .* holds int32\[4\], expected fp32\[4\]",
    ),
    "dimension that is not static": (
        _model_edit(lambda m: _dimensions(m)[0].ClearField("constant")),
        r"no tensor of static shape .* shape \[0, 16, 6, 7\]",
    ),
    "dimension beyond all bounds": (
        _model_edit(lambda m: setattr(_dimensions(m)[0].constant, "size", 2**40)),
        "no tensor of static shape",
    ),
    "type that mnelf does not use": (
        _model_edit(_set_float64),
        r"no tensor of static shape and of a type that mnelf uses \(type 12",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_packages_are_named_for_what_they_are(files, case):
    breaks, message = BROKEN[case]
    with pytest.raises(BundleError, match=message) as error:
        read_package(breaks(files), NAME)
    assert str(error.value).startswith(f"{NAME}/")
