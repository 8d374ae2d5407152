"""Damaged packages: each is refused by the name of what is wrong."""

from __future__ import annotations

import json

import pytest

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.coreml.package.package import read_package
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
    "manifest is not JSON": (_content(MANIFEST, b"{"), r"Manifest\.json: is not a manifest"),
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
        r"weight\.bin: at 128 does not start a record",
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
        "is not a tensor of static shape",
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
        r"not a tensor of static shape .* shape \[0, 16, 6, 7\]",
    ),
    "dimension beyond all bounds": (
        _model_edit(lambda m: setattr(_dimensions(m)[0].constant, "size", 2**40)),
        "not a tensor of static shape",
    ),
    "type that mnelf does not use": (
        _model_edit(_set_float64),
        r"not a tensor of static shape and of a type that mnelf uses \(type 12",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_packages_are_named_for_what_they_are(files, case):
    breaks, message = BROKEN[case]
    with pytest.raises(BundleError, match=message) as error:
        read_package(breaks(files), NAME)
    assert str(error.value).startswith(f"{NAME}/")
