"""Palettes of whole students: rounded before the writer, and stored exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mobile_nelf.compression.palettes import large_layers, rounded_for
from mobile_nelf_exporters.coreml.checks import weight_form
from mobile_nelf_exporters.coreml.exporter import CoremlExporter
from mobile_nelf_exporters.coreml.options import Options
from mobile_nelf_exporters.coreml.package.constexpr import decompress
from mobile_nelf_exporters.coreml.package.package import read_package
from tests.helpers.students import random_checkpoint

FORMS = ("fp16", "palette6", "palette-mixed")


@pytest.fixture(scope="module")
def checkpoint():
    return random_checkpoint(width=64, depth=6, sr_widths=(8,), activation="relu")


@pytest.fixture(scope="module")
def files(checkpoint):
    return CoremlExporter().export(checkpoint, "thing", Options(weights=FORMS)).files


def stored(package):
    """Weights of convs in their order, and the size of the table of each; 0 without one."""
    constants, tables = {}, {}
    found = []
    for operation in package.program.operations:
        if operation.is_constexpr:
            constants.update(decompress(operation, constants, package.name))
            tables[operation.name] = operation.attributes["lut"].array.size
        elif operation.type in ("conv", "conv_transpose"):
            (weight,) = operation.inputs["weight"]
            named = isinstance(weight, str)
            constant = constants[weight] if named else weight
            found.append((constant.array.astype(np.float32), tables[weight] if named else 0))
    return found


@pytest.mark.parametrize("form", FORMS[1:])
def test_the_package_holds_the_rounded_student(checkpoint, files, form):
    package = read_package(files, f"thing-{form}.mlpackage")
    assert weight_form(package) == form
    rounded = rounded_for(checkpoint, (form,))[form]
    large = large_layers(rounded)
    wanted = [
        value
        for name, value in rounded.weights.items()
        if name.endswith(".weight") and value.dim() == 4
    ]
    names = [n.removesuffix(".weight") for n in rounded.weights if n.endswith(".weight")]
    convs = stored(package)
    assert len(convs) == len(wanted)
    for name, value, (array, table) in zip(names, wanted, convs, strict=True):
        if name == "head.0":  # its channels are re-ordered for the layout
            assert np.array_equal(np.unique(array.astype(np.float32)), torch.unique(value).numpy())
        else:
            assert np.array_equal(array, value.half().float().numpy())
        if name not in large:
            assert table == 0
        elif form == "palette6":
            assert table == 64
        else:
            distinct = len(torch.unique(value))
            assert table == next(size for size in (2, 4, 16, 64, 256) if distinct <= size)


def test_sizes_follow_the_bits(files):
    sizes = [
        read_package(files, f"thing{suffix}.mlpackage").model_bytes
        for suffix in ("", "-palette6", "-palette-mixed")
    ]
    assert sizes == sorted(sizes, reverse=True)


def test_the_same_student_gives_the_same_files(checkpoint, files):
    again = CoremlExporter().export(checkpoint, "thing", Options(weights=FORMS)).files
    assert again == files
