"""The engine with f16: what it does to pictures, on a device that has it and emulated."""

from __future__ import annotations

import pytest

from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.export.reference import Reference
from mobile_nelf.metrics import psnr_db
from mobile_nelf_exporters.web.exporter import WebExporter
from mobile_nelf_exporters.web.options import Options
from mobile_nelf_exporters.web.page import read_page
from mobile_nelf_exporters.web.runtime import layers_function
from tests.helpers import ROOT
from tests.helpers.node import needs_node
from tests.helpers.students import random_checkpoint
from tests.helpers.webgpu import device_with_f16, frame_function, frame_passes

#: Every kernel that there is, as in test_browser.
STUDENTS = {
    "gelu": {"width": 18, "products": 2, "sr_widths": (8, 5), "last_scale": 3, "out_channels": 4},
    "relu": {"width": 40, "sr_widths": (8, 4), "activation": "relu", "ray_width": 9},
}


def _exported(checkpoint, frames=2):
    exported = WebExporter().export(checkpoint, "thing", Options())
    reference, wanted = Reference.render(checkpoint, frames)
    cameras = reference.ray_cameras(checkpoint.student.scale)
    return read_page(exported.files), exported.contract, cameras, wanted


@pytest.mark.parametrize("name", STUDENTS)
def test_rounding_moves_the_picture_a_little(name):
    page, contract, cameras, wanted = _exported(random_checkpoint(**STUDENTS[name]))
    frame = layers_function(page, contract, f16=True)
    for camera, picture in zip(cameras, wanted, strict=True):
        assert 60.0 < psnr_db(frame(camera), picture) < 100.0


@needs_node
def test_only_the_picture_and_the_sums_have_32_bits():
    page, *_ = _exported(random_checkpoint(**STUDENTS["relu"]))
    half, whole = frame_passes(page, f16=True), frame_passes(page, f16=False)
    assert all(one["code"].startswith("enable f16;") for one in half["passes"])
    assert not any("f16" in one["code"] or "vec4h" in one["code"] for one in whole["passes"])
    assert [one["buffers"][3] for one in half["passes"][1:]].count("picture") == 1
    slots = [name for name in whole["bytes"] if name.isdigit()]
    assert all(2 * half["bytes"][name] == whole["bytes"][name] for name in slots)


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("name", [*STUDENTS, "mic"])
def test_a_device_with_f16_draws_what_the_network_draws(name):
    device = device_with_f16()
    mic = name == "mic"
    checkpoint = (
        load_checkpoint(ROOT / "examples" / "mic.pt")
        if mic
        else random_checkpoint(**STUDENTS[name])
    )
    page, contract, cameras, wanted = _exported(checkpoint)
    whole = frame_function(device, page, contract, f16=False)
    half = frame_function(device, page, contract, f16=True)
    exact, emulated = layers_function(page, contract), layers_function(page, contract, f16=True)
    for camera, picture in zip(cameras, wanted, strict=True):
        assert psnr_db(whole(camera), exact(camera)) > 100.0
        found = half(camera)
        assert psnr_db(found, picture) > 60.0
        # The emulation sums exactly before it rounds, so it is close and not equal.
        assert abs(psnr_db(found, picture) - psnr_db(emulated(camera), picture)) < 6.0
