"""The layers of a page against the network that was trained, without a browser."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from mobile_nelf.deploy.form import deploy_network
from mobile_nelf.errors import DeployError
from mobile_nelf.export.reference import Reference
from mobile_nelf.metrics import psnr_db
from mobile_nelf_exporters.web.exporter import WebExporter
from mobile_nelf_exporters.web.options import Options
from mobile_nelf_exporters.web.page import read_page
from mobile_nelf_exporters.web.program import trace_network
from mobile_nelf_exporters.web.runtime import layers_function
from tests.helpers.students import random_checkpoint

STUDENTS = {
    "x8": {"sr_widths": (8, 8, 4)},
    "x12": {"sr_widths": (8, 8, 4), "last_scale": 3},
    "no super-resolution": {"sr_widths": ()},
    "rgba": {"sr_widths": (8,), "out_channels": 4},
    "relu": {"sr_widths": (8,), "activation": "relu"},
    "r2l": {"architecture": "r2l", "sr_widths": (), "activation": "relu"},
    "without batchnorm": {"sr_widths": (8,), "batchnorm": False, "activation": "relu"},
    "colours at once": {"sr_widths": (8, 4), "direct_output": True, "activation": "relu"},
    "colours at once, x12": {"sr_widths": (8, 4), "direct_output": True, "last_scale": 3},
    "odd widths": {"width": 18, "sr_widths": (7, 5), "ray_width": 5, "ray_height": 3},
    "products": {"sr_widths": (8,), "products": 3},
    "products, a wide head": {"sr_widths": (8,), "products": 2, "head_width": 20},
    "one ray": {"sr_widths": (6,), "ray_width": 1, "ray_height": 1},
}


def _worst_db(checkpoint, weights):
    exported = WebExporter().export(checkpoint, "thing", Options(page_weights=weights))
    frame = layers_function(read_page(exported.files), exported.contract)
    reference, frames = Reference.render(checkpoint, 2)
    cameras = reference.ray_cameras(checkpoint.student.scale)
    return min(psnr_db(frame(c), f) for c, f in zip(cameras, frames, strict=True))


@pytest.mark.parametrize("name", STUDENTS)
def test_layers_compute_the_trained_network(name):
    assert _worst_db(random_checkpoint(**STUDENTS[name]), "fp32") > 110.0


def test_half_the_bytes_move_the_picture_a_little():
    checkpoint = random_checkpoint(sr_widths=(8, 8, 4))
    assert 60.0 < _worst_db(checkpoint, "fp16") < 110.0


def test_memory_is_used_again_once_it_was_read():
    checkpoint = random_checkpoint(sr_widths=(8, 4))
    student = checkpoint.student
    network = trace_network(
        deploy_network(checkpoint, "erf", grouped=True), student.encoder.channels, 6, 7
    )
    slots, count = network.slots()
    # Input, output and the sum of a block, and the head's result until the body is done.
    assert count == 4
    alive = {0}
    for index, layer in enumerate(network.layers):
        later = network.layers[index + 1 :]
        read_later = {value for other in later for value in (other.src, *other.adds)}
        assert slots[layer.value] not in {slots[value] for value in (layer.src, *layer.adds)}
        alive = {value for value in (*alive, layer.value) if value in read_later}
        assert len({slots[value] for value in alive}) == len(alive)


class _Gated(nn.Module):
    """Joins the results of two convs in a way that a page does not."""

    def __init__(self, join):
        super().__init__()
        self.first, self.last = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.join = join

    def forward(self, x):
        return self.join(self.first(x), self.last(x), x)


class _Softplus(nn.Module):
    def forward(self, x):
        return nn.functional.softplus(x)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (nn.Sequential(nn.Conv2d(4, 4, 1), _Softplus()), "aten.softplus.default has no kernel"),
        (nn.Conv2d(4, 4, 3, padding=1), "a weight of 4×4×3×3"),
        (nn.ConvTranspose2d(4, 4, 4, stride=2), "padding [0, 0] has no kernel"),
        (nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(), nn.ReLU()), "another activation"),
        (_Gated(lambda a, b, x: a * b.relu()), "mul.Tensor after a sum or an activation"),
        (_Gated(lambda a, b, x: a * (b + x)), "mul.Tensor after a sum or an activation"),
        (_Gated(lambda a, b, x: 2 * b + a), "mul.Tensor of a number"),
        (_Gated(lambda a, b, x: a * b * a * b), "not the newest"),
        (_Gated(lambda a, b, x: b + a + x + a + x + a), "more than 4 other results"),
    ],
)
def test_what_a_page_does_not_run_is_refused_by_name(network, expected):
    with pytest.raises(DeployError) as caught:
        trace_network(network.eval().requires_grad_(False), 4, 3, 3)
    assert expected in str(caught.value)


def test_weights_beyond_fp16_are_refused_with_the_option_that_helps():
    checkpoint = random_checkpoint(sr_widths=(8,), batchnorm=False)
    name = next(name for name in checkpoint.weights if name.endswith("weight"))
    checkpoint.weights[name][0, 0] = 1e5
    with pytest.raises(DeployError, match="store the weights of the page as fp32") as caught:
        WebExporter().export(checkpoint, "thing", Options())
    assert caught.value.arguments == ("page_weights",)


def test_a_transposed_convolution_of_any_stride_is_taken_apart():
    for kernel, stride, padding in ((4, 2, 1), (3, 3, 0), (2, 2, 0), (6, 4, 1)):
        torch.manual_seed(kernel)
        network = nn.ConvTranspose2d(3, 5, kernel, stride, padding).requires_grad_(False)
        if (kernel, stride) == (6, 4):  # parities that read different numbers of pixels
            with pytest.raises(DeployError):
                trace_network(network, 3, 4, 5)
            continue
        (layer,) = trace_network(network, 3, 4, 5).layers
        image = torch.randn(1, 3, 4, 5)
        wanted = network(image)[0].numpy()
        assert layer.up == stride
        padded = np.pad(image[0].numpy(), ((0, 0), (1, 1), (1, 1)))
        for row, column in np.ndindex(*wanted.shape[1:]):
            parity = row % stride * stride + column % stride
            total = layer.bias.copy()
            for (dx, dy), weight in zip(layer.taps[parity], layer.weight[parity], strict=True):
                at = padded[:, 1 + row // stride + dy, 1 + column // stride + dx]
                total += at @ weight
            np.testing.assert_allclose(total, wanted[:, row, column], atol=1e-5)
