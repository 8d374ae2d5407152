"""Files of the research code whose layers somebody has cut, ENeLF's among them."""

from __future__ import annotations

import pytest
import torch

from mobile_nelf.checkpoints import CameraOptions, load_checkpoint, save_checkpoint
from mobile_nelf.errors import CheckpointError
from mobile_nelf.students import EncoderConfig, StudentConfig, build_student

CAMERA = CameraOptions(ray_width=6, ray_height=5, focal=8.5, near=2.0, far=6.0)

SHAPES = {
    "blocks": {"inner_widths": (5, 12, 3, 8, 4, 1)},
    "head": {"head_width": 7},
    "head and blocks, folded": {
        "inner_widths": (5, 12, 3, 8, 4, 1),
        "head_width": 7,
        "batchnorm": False,
    },
    "one block": {"inner_widths": (11, 12, 8, 8, 4, 4)},
    "ten blocks": {"depth": 22, "inner_widths": (*range(1, 11), 8, 8, 4, 4)},
    "r2l": {
        "architecture": "r2l",
        "sr_widths": (),
        "inner_widths": (5, 12),
        "head_width": 7,
        "encoder": EncoderConfig(2.0, 6.0, samples=16, frequencies=10),
        "activation": "relu",
        "batchnorm": True,
    },
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_shapes_tell_the_widths(name, tmp_path):
    fields = {
        "encoder": EncoderConfig(2.0, 6.0),
        "depth": 6,
        "width": 12,
        "sr_widths": (8, 4),
        "ray_width": 6,
        "ray_height": 5,
        **SHAPES[name],
    }
    config = StudentConfig(**fields)
    network = build_student(config).eval()
    path = tmp_path / "pruned.tar"
    torch.save({"network_fn_state_dict": network.state_dict()}, path)
    checkpoint = load_checkpoint(path, camera=CAMERA)
    assert checkpoint.student == config
    x = torch.randn(1, config.encoder.channels, 5, 6)
    with torch.no_grad():
        assert torch.equal(checkpoint.network()(x), network(x))
    save_checkpoint(checkpoint, tmp_path / "own.pt")
    assert load_checkpoint(tmp_path / "own.pt").student == config


def test_a_width_that_memory_cannot_hold(tmp_path):
    config = StudentConfig(EncoderConfig(2.0, 6.0), depth=4, width=4, sr_widths=())
    weights = build_student(config).state_dict()
    path = tmp_path / "wide.pt"
    checkpoint = {
        "format": "mobile-nelf",
        "version": 1,
        "student": {
            "encoder": {"near": 2.0, "far": 6.0},
            "depth": 4,
            "width": 4,
            "sr_widths": [],
            "inner_widths": [10**9],
        },
        "intrinsics": {"width": 100, "height": 100, "fx": 1, "fy": 1, "cx": 50, "cy": 50},
        "orbit": {
            "target": [0, 0, 0],
            "up": [0, 0, 1],
            "azimuth": [-180, 180],
            "elevation": [0, 80],
            "radius": [4, 4],
        },
        "background": [1, 1, 1],
        "metrics": {},
        "provenance": {},
        "weights": weights,
    }
    torch.save(checkpoint, path)
    with pytest.raises(CheckpointError, match="1000000000"):
        load_checkpoint(path)
