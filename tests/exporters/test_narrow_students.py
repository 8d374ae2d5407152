"""Students with a width for each block: every target takes and proves them."""

from __future__ import annotations

import pytest

from mobile_nelf.bundles import create_bundle, verify_bundle
from mobile_nelf.bundles.manifest import read_manifest
from mobile_nelf.deploy.cost import model_cost
from mobile_nelf.deploy.layouts import LAYOUTS
from mobile_nelf.export.exporter import exporter_targets
from mobile_nelf.pruning.widths import macs, parameters
from mobile_nelf_exporters.onnx.build import build_onnx
from tests.helpers.students import random_checkpoint

SHAPES = {
    "paper's": {"inner_widths": (5, 13, 3, 7, 4, 1), "head_width": 11, "sr_widths": (7, 3)},
    "new recipe": {
        "inner_widths": (5, 13, 3, 8),
        "head_width": 24,
        "sr_widths": (8,),
        "batchnorm": False,
        "direct_output": True,
        "activation": "relu",
    },
}


@pytest.mark.parametrize(
    "target",
    [
        # A page starts several browsers.
        pytest.param(target, marks=[pytest.mark.slow] if target == "web" else [])
        for target in exporter_targets()
    ],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_bundle_of_it_proves_itself(target, shape, tmp_path):
    checkpoint = random_checkpoint(**SHAPES[shape])
    bundle = create_bundle(checkpoint, target=target, output=tmp_path / "narrow")
    assert read_manifest(bundle.path).contract.student == checkpoint.student
    assert verify_bundle(bundle.path).passed


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_layout_counts_the_same_network(layout):
    checkpoint = random_checkpoint(**SHAPES["new recipe"])
    model, _ = build_onnx(checkpoint, layout, "relu", expand=False)
    student = checkpoint.student
    encoder = model_cost(model).macs - macs(student)
    assert encoder >= 0
    if layout.name == "embedded":
        assert encoder == 0
    assert parameters(student) == sum(value.numel() for value in checkpoint.weights.values())
