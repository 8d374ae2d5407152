"""Students with learnt products: every target takes and proves them."""

from __future__ import annotations

import pytest

from mobile_nelf.bundles import create_bundle, verify_bundle
from mobile_nelf.bundles.manifest import read_manifest
from mobile_nelf.deploy.cost import model_cost
from mobile_nelf.deploy.layouts import LAYOUTS
from mobile_nelf.export.exporter import exporter_targets
from mobile_nelf_exporters.onnx.build import build_onnx
from tests.helpers.students import random_checkpoint

SHAPE = {
    "products": 2,
    "sr_widths": (8,),
    "batchnorm": False,
    "direct_output": True,
    "activation": "relu",
}


@pytest.fixture(scope="module")
def student():
    checkpoint = random_checkpoint(**SHAPE)
    # So that products make much of the picture.
    checkpoint.weights["products.mix.weight"] *= 3.0
    return checkpoint


#: Draws each reference frame twice in a real browser.
LONG = ("web",)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(target, marks=[pytest.mark.slow] if target in LONG else [])
        for target in exporter_targets()
    ],
)
def test_a_bundle_of_it_proves_itself(target, student, tmp_path):
    bundle = create_bundle(student, target=target, output=tmp_path / "products")
    assert read_manifest(bundle.path).contract.student == student.student
    assert verify_bundle(bundle.path).passed


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_layout_counts_the_convs_of_the_products(layout, student):
    """Three of them, from the encoding, and the one that mixes their products."""
    model, _ = build_onnx(student, layout, "relu", expand=False)
    plain, _ = build_onnx(
        random_checkpoint(**{**SHAPE, "products": 0}), layout, "relu", expand=False
    )
    encoder, shape = student.student.encoder, student.student
    channels = encoder.samples * shape.products
    rays = shape.ray_width * shape.ray_height
    added = rays * channels * (3 * encoder.channels + shape.width)
    assert model_cost(model).macs - model_cost(plain).macs == added
