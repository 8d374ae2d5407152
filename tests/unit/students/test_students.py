from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from mobile_nelf.students import EncoderConfig, StudentConfig, build_student
from mobile_nelf.students.mobiler2l import MobileR2L
from mobile_nelf.students.products import LineProducts
from mobile_nelf.students.r2l import R2L

#: Float64 sums of a few dozen products in another order.
EXACT = 1e-12

ENCODER = EncoderConfig(2.0, 6.0)
SMALL: dict[str, Any] = {"depth": 6, "width": 16, "ray_width": 5, "ray_height": 4}


def block_names(prefix: str, width: int) -> dict[str, tuple[int, ...]]:
    """A residual block: conv, BatchNorm, activation, conv, BatchNorm."""
    names: dict[str, tuple[int, ...]] = {}
    for conv, norm in ((0, 1), (3, 4)):
        names[f"{prefix}.conv_block.{conv}.weight"] = (width, width, 1, 1)
        names[f"{prefix}.conv_block.{conv}.bias"] = (width,)
        for name in ("weight", "bias", "running_mean", "running_var"):
            names[f"{prefix}.conv_block.{norm}.{name}"] = (width,)
        names[f"{prefix}.conv_block.{norm}.num_batches_tracked"] = ()
    return names


#: The official network of depth 6, width 16 with two super-resolution stages of 8 and 4 channels.
OFFICIAL_NAMES: dict[str, tuple[int, ...]] = {
    "head.0.weight": (16, 312, 1, 1),
    "head.0.bias": (16,),
    **block_names("body.0", 16),
    **block_names("body.1", 16),
    "tail.0.weight": (16, 8, 4, 4),
    "tail.0.bias": (8,),
    **block_names("tail.1", 8),
    **block_names("tail.2", 8),
    "tail.3.weight": (8, 4, 4, 4),
    "tail.3.bias": (4,),
    **block_names("tail.4", 4),
    **block_names("tail.5", 4),
    "tail.6.weight": (3, 4, 1, 1),
    "tail.6.bias": (3,),
}


def shapes_of(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def test_d60_sr3_has_the_parameters_of_the_official_network() -> None:
    with torch.device("meta"):
        network = build_student(StudentConfig(ENCODER))
    assert sum(parameter.numel() for parameter in network.parameters()) == 4_305_539


def test_state_dict_names_and_shapes_are_the_official_ones() -> None:
    network = build_student(StudentConfig(ENCODER, sr_widths=(8, 4), **SMALL))
    assert isinstance(network, MobileR2L)
    assert shapes_of(network) == OFFICIAL_NAMES


def test_the_last_stage_of_a_times_12_network_is_a_3_by_3_kernel_of_stride_3() -> None:
    network = build_student(StudentConfig(ENCODER, sr_widths=(8, 4), last_scale=3, **SMALL))
    assert shapes_of(network) == {**OFFICIAL_NAMES, "tail.3.weight": (8, 4, 3, 3)}
    last = network.get_submodule("tail.3")
    assert isinstance(last, nn.ConvTranspose2d)
    assert (last.kernel_size, last.stride, last.padding) == ((3, 3), (3, 3), (0, 0))


@pytest.mark.parametrize(
    ("sr_blocks", "convs"),
    [(1, ["tail.0", "tail.2", "tail.4"]), (3, ["tail.0", "tail.4", "tail.8"])],
)
def test_the_tail_is_numbered_through(sr_blocks: int, convs: list[str]) -> None:
    network = build_student(StudentConfig(ENCODER, sr_widths=(8, 4), sr_blocks=sr_blocks, **SMALL))
    found = [
        name
        for name, module in network.named_modules()
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and name.count(".") == 1
    ]
    assert found == ["head.0", *convs]


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("out_channels", [3, 4])
@pytest.mark.parametrize(
    ("extra", "scale"),
    [
        ({"sr_widths": (8, 8, 4)}, 8),
        ({"sr_widths": (8, 8, 4), "last_scale": 3}, 12),
        ({"sr_widths": (4,)}, 2),
        ({"sr_widths": ()}, 1),
        ({"sr_widths": (), "architecture": "r2l"}, 1),
    ],
)
def test_images_have_the_size_and_range_that_the_config_tells(
    extra: dict[str, Any], scale: int, out_channels: Any, activation: Any
) -> None:
    config = StudentConfig(
        ENCODER, out_channels=out_channels, activation=activation, **{**SMALL, **extra}
    )
    assert config.scale == scale
    assert (config.image_width, config.image_height) == (5 * scale, 4 * scale)
    network = build_student(config).eval()
    kind = nn.GELU if activation == "gelu" else nn.ReLU
    assert sum(isinstance(module, (nn.GELU, nn.ReLU)) for module in network.modules()) == sum(
        isinstance(module, kind) for module in network.modules()
    )
    with torch.inference_mode():
        image = network(torch.randn(2, 312, 4, 5))
    assert image.shape == (2, out_channels, 4 * scale, 5 * scale)
    assert image.min() > 0.0
    assert image.max() < 1.0


def test_gelu_is_the_erf_form() -> None:
    network = build_student(StudentConfig(ENCODER, **SMALL))
    approximations = {m.approximate for m in network.modules() if isinstance(m, nn.GELU)}
    assert approximations == {"none"}


def test_the_forward_pass_is_head_then_body_with_a_skip_then_tail() -> None:
    torch.manual_seed(0)
    network = build_student(StudentConfig(ENCODER, sr_widths=(8,), **SMALL)).double().eval()
    layer = network.get_submodule
    x = torch.randn(1, 312, 4, 5, dtype=torch.float64)
    head = nn.functional.gelu(layer("head.0")(x))
    body = head
    for block in ("body.0.conv_block", "body.1.conv_block"):
        hidden = nn.functional.gelu(layer(f"{block}.1")(layer(f"{block}.0")(body)))
        body = body + layer(f"{block}.4")(layer(f"{block}.3")(hidden))
    image = layer("tail.0")(body + head)
    for block in ("tail.1.conv_block", "tail.2.conv_block"):
        hidden = nn.functional.gelu(layer(f"{block}.1")(layer(f"{block}.0")(image)))
        image = image + layer(f"{block}.4")(layer(f"{block}.3")(hidden))
    image = torch.sigmoid(layer("tail.3")(image))
    torch.testing.assert_close(network(x), image, atol=EXACT, rtol=0)


def test_r2l_treats_every_pixel_as_a_row_of_its_own() -> None:
    torch.manual_seed(0)
    config = StudentConfig(ENCODER, architecture="r2l", sr_widths=(), **SMALL)
    network = build_student(config).double().eval()
    assert isinstance(network, R2L)
    assert shapes_of(network)["body.1.body.2.weight"] == (16, 16)
    x = torch.randn(2, 312, 4, 5, dtype=torch.float64)
    image = network(x)
    for v in range(4):
        for u in range(5):
            row = network.head(x[:, :, v, u])
            row = network.tail(network.body(row) + row)
            torch.testing.assert_close(image[:, :, v, u], row, atol=EXACT, rtol=0)


@pytest.mark.parametrize("training", [True, False])
def test_r2l_as_conv_is_the_same_function(training: bool) -> None:
    torch.manual_seed(0)
    config = StudentConfig(ENCODER, architecture="r2l", sr_widths=(), **SMALL)
    network = build_student(config)
    assert isinstance(network, R2L)
    network = network.double().train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    conv = network.as_conv()
    assert not any(isinstance(module, nn.Linear) for module in conv.modules())
    assert {module.training for module in conv.modules()} == {training}
    x = torch.randn(1, 312, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(conv(x), network(x), atol=EXACT, rtol=0)
    assert shapes_of(conv)["body.1.body.2.weight"] == (16, 16, 1, 1)
    assert list(shapes_of(conv)) == list(before)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], atol=0, rtol=0)


def test_without_batchnorm_the_other_layers_keep_their_names_and_blocks_begin_as_identity() -> None:
    config = StudentConfig(ENCODER, sr_widths=(8, 4), batchnorm=False, **SMALL)
    network = build_student(config)
    norms = {
        name for name in OFFICIAL_NAMES if ".conv_block.1." in name or ".conv_block.4." in name
    }
    assert shapes_of(network) == {n: s for n, s in OFFICIAL_NAMES.items() if n not in norms}
    x = torch.randn(2, 16, 3, 3)
    assert torch.equal(network.body(x), x)


@pytest.mark.parametrize(("last_scale", "scale", "kernel"), [(2, 8, 4), (3, 12, 3)])
def test_a_direct_output_is_a_stage_that_ends_in_colours(
    last_scale: Any, scale: int, kernel: int
) -> None:
    config = StudentConfig(
        ENCODER, sr_widths=(8, 4), direct_output=True, last_scale=last_scale, **SMALL
    )
    assert (config.scale, config.stages, config.name) == (scale, 3, "D6-SR3")
    network = build_student(config).eval()
    shapes = shapes_of(network)
    assert shapes["tail.6.weight"] == (4, 3, kernel, kernel)
    assert "tail.7.weight" not in shapes
    assert network.output_layer is network.tail[6]
    image = network(torch.randn(1, 312, 4, 5))
    assert image.shape == (1, 3, 4 * scale, 5 * scale)


def test_a_direct_output_alone_is_one_upsampling_of_the_body() -> None:
    config = StudentConfig(ENCODER, sr_widths=(), direct_output=True, **SMALL)
    assert (config.scale, config.image_width, config.image_height) == (2, 10, 8)
    assert shapes_of(build_student(config))["tail.0.weight"] == (16, 3, 4, 4)


def test_r2l_has_no_direct_output() -> None:
    with pytest.raises(ValueError, match="no super-resolution stages"):
        StudentConfig(ENCODER, architecture="r2l", sr_widths=(), direct_output=True)


NARROW: dict[str, Any] = {
    **SMALL,
    "sr_widths": (8, 4),
    "inner_widths": (5, 16, 3, 8, 4, 1),
    "head_width": 7,
}


def test_blocks_and_head_can_have_widths_of_their_own() -> None:
    network = build_student(StudentConfig(ENCODER, **NARROW))
    shapes = shapes_of(network)
    assert set(shapes) == {*OFFICIAL_NAMES, "head.2.weight", "head.2.bias"}
    assert shapes["head.0.weight"] == (7, 312, 1, 1)
    assert shapes["head.2.weight"] == (16, 7, 1, 1)
    inner = {
        name: shapes[f"{name}.conv_block.0.weight"][0]
        for name in ("body.0", "body.1", "tail.1", "tail.2", "tail.4", "tail.5")
    }
    assert tuple(inner.values()) == NARROW["inner_widths"]
    assert shapes["body.0.conv_block.1.running_mean"] == (5,)
    assert shapes["body.0.conv_block.3.weight"] == (16, 5, 1, 1)
    assert network(torch.rand(1, 312, 4, 5)).shape == (1, 3, 16, 20)


def test_r2l_can_have_them_too_and_keeps_its_function_as_convs() -> None:
    config = StudentConfig(
        ENCODER, architecture="r2l", **{**NARROW, "sr_widths": (), "inner_widths": (5, 16)}
    )
    network = build_student(config).double()
    shapes = shapes_of(network)
    assert shapes["head.2.weight"] == (16, 7)
    assert shapes["body.0.body.0.weight"] == (5, 16)
    x = torch.rand(2, 312, 4, 5, dtype=torch.float64)
    assert torch.allclose(network.as_conv()(x), network(x), rtol=0, atol=EXACT)


@pytest.mark.parametrize(
    "change", [{"inner_widths": (5, 16)}, {"inner_widths": (5, 16, 3, 8, 4, 0)}, {"head_width": 0}]
)
def test_widths_that_cannot_be_built(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"widths|an inner width for each of 6"):
        StudentConfig(ENCODER, **{**NARROW, **change})


def test_products_are_those_of_three_functions_of_the_coordinates() -> None:
    """Sample by sample and product by product, in float64."""
    torch.manual_seed(0)
    encoder = EncoderConfig(2.0, 6.0, samples=3, frequencies=2)
    products = LineProducts(encoder, count=2, width=4).double()
    encoded = torch.randn(2, encoder.channels, 2, 3, dtype=torch.float64)
    coordinates = encoded.reshape(2, 3, 3, 5, 2, 3)  # view, sample, axis, function, row, column
    expected = torch.zeros(2, 6, 2, 3, dtype=torch.float64)
    for sample in range(3):
        for product in range(2):
            made = torch.ones(2, 2, 3, dtype=torch.float64)
            for axis in range(3):
                line = products.bias[axis, product].expand(2, 2, 3).clone()
                for function in range(5):
                    weight = products.weight[axis, function, product]
                    line = line + weight * coordinates[:, sample, axis, function]
                made = made * line
            expected[:, 2 * sample + product] = made
    mixed = torch.einsum("op,nphw->nohw", products.mix.weight[:, :, 0, 0], expected)
    torch.testing.assert_close(products(encoded), mixed, atol=EXACT, rtol=0)
    torch.testing.assert_close(products.as_conv()(encoded), mixed, atol=EXACT, rtol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"products": -1}, "products must not be negative"),
        ({"products": 2, "architecture": "r2l", "sr_widths": ()}, "r2l has no learnt products"),
        ({"products": 1 << 20}, "channels"),
    ],
)
def test_products_that_cannot_be_built_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StudentConfig(ENCODER, **{**SMALL, **changes})
