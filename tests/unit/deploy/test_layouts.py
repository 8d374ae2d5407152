from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mobile_nelf.cameras import Camera, Intrinsics
from mobile_nelf.deploy.layouts import LAYOUTS, Layout, find_layout
from mobile_nelf.errors import DeployError
from mobile_nelf.rays import ray_map
from mobile_nelf.students import EncoderConfig, StudentConfig
from tests.helpers.oracles import LENSES, POSE, slow_encoding, slow_grouped_encoding

#: Half a unit in the last place of a float32 in [1, 2).
FLOAT32_ROUNDING = 2.0**-24

#: A phase in the graph is 2ˡ·(o + z·(d0 + u·du + v·dv)): every factor, product and sum is rounded,
#: eight roundings on the longest path, each relative to the largest term.
PHASE_ROUNDINGS = 8

#: sin and cos add a rounding or two to the error of their argument; the factored form sums two
#: products of rounded factors, each at most 1.
UNIT_ROUNDINGS = 8

#: Half a unit in the last place of a float16 in [0.5, 1).
FLOAT16_ROUNDING = 2.0**-12

#: sin·cos + cos·sin: each pair of rounded factors adds √2 roundings at most, the products, of which
#: one is below a half, 1.5, the sum 1.
FACTORED_FLOAT16_ROUNDINGS = 2 * 2**0.5 + 2.5

#: Float64 phases up to 2⁵·8 carry an absolute error of some 256·2⁻⁵².
EXACT = 1e-12

EVERY_FORM = [
    pytest.param(layout, expand, id=f"{layout.name}{'-expanded' if expand else ''}")
    for layout in LAYOUTS
    for expand in (False, True)
]


def student_for(lens: Intrinsics, encoder: EncoderConfig) -> StudentConfig:
    return StudentConfig(
        encoder, depth=4, width=8, ray_width=lens.width, ray_height=lens.height, sr_widths=(8,)
    )


def run_layout(
    layout: Layout, expand: bool, camera: Camera, encoder: EncoderConfig, dtype: torch.dtype
) -> torch.Tensor:
    student = student_for(camera.intrinsics, encoder)
    uploads = layout.host(camera, encoder)
    arguments = [torch.from_numpy(uploads[spec.name]).to(dtype) for spec in layout.inputs(student)]
    encoded: torch.Tensor = layout.encoder(student, expand).to(dtype)(*arguments)
    assert encoded.dtype == dtype
    return encoded


def slow_for(layout: Layout, camera: Camera, encoder: EncoderConfig) -> np.ndarray:
    parameters = (camera, encoder.near, encoder.far, encoder.samples, encoder.frequencies)
    return slow_grouped_encoding(*parameters) if layout.grouped else slow_encoding(*parameters)


def float32_bound(layout: Layout, camera: Camera, encoder: EncoderConfig) -> np.ndarray:
    """Largest error of each channel that float32 arithmetic explains, [C·(2L+1)]."""
    rays = ray_map(camera)
    lens = camera.intrinsics
    per_axis = np.abs(rays.origin) + encoder.far * (
        np.abs(rays.d0) + lens.width * np.abs(rays.du) + lens.height * np.abs(rays.dv)
    )
    reach = float(per_axis.max())
    phase = PHASE_ROUNDINGS * reach if layout.name in ("rays", "camera") else 0.0
    octaves = [2.0**level * phase + UNIT_ROUNDINGS for level in range(encoder.frequencies)]
    bounds = np.array([*octaves, *octaves, PHASE_ROUNDINGS * reach]) * FLOAT32_ROUNDING
    return np.repeat(bounds, encoder.coords) if layout.grouped else np.tile(bounds, encoder.coords)


@pytest.mark.parametrize("lens", LENSES.values(), ids=list(LENSES))
@pytest.mark.parametrize(("layout", "expand"), EVERY_FORM)
def test_each_layout_is_the_definition_within_float32(
    layout: Layout, expand: bool, lens: Intrinsics
) -> None:
    camera, encoder = Camera(POSE, lens), EncoderConfig(2.0, 6.0)
    encoded = run_layout(layout, expand, camera, encoder, torch.float32)
    assert encoded.shape == (1, encoder.channels, lens.height, lens.width)
    error = np.abs(encoded[0].numpy() - slow_for(layout, camera, encoder))
    assert (error <= float32_bound(layout, camera, encoder)[:, None, None]).all()


@pytest.mark.parametrize("lens", LENSES.values(), ids=list(LENSES))
@pytest.mark.parametrize(("layout", "expand"), EVERY_FORM)
def test_each_layout_is_the_definition_exactly_in_float64(
    layout: Layout, expand: bool, lens: Intrinsics
) -> None:
    # Depths 2, 4, 6: the sampling weights of the graph are float32, and these lose nothing.
    camera, encoder = Camera(POSE, lens), EncoderConfig(2.0, 6.0, samples=3, frequencies=4)
    encoded = run_layout(layout, expand, camera, encoder, torch.float64)
    np.testing.assert_allclose(
        encoded[0].numpy(), slow_for(layout, camera, encoder), atol=EXACT, rtol=0
    )


@pytest.mark.parametrize("expand", [False, True])
def test_only_the_factored_layout_keeps_sines_of_high_octaves_in_float16(expand: bool) -> None:
    camera, encoder = Camera(POSE, Intrinsics.centred(20, 20, 27.8)), EncoderConfig(2.0, 6.0)
    trigonometric = 2 * encoder.coords * encoder.frequencies
    worst = {}
    for name in ("factored", "rays"):
        layout = find_layout(name)
        encoded = run_layout(layout, expand, camera, encoder, torch.float16)
        error = np.abs(encoded[0].double().numpy() - slow_for(layout, camera, encoder))
        worst[name] = error[:trigonometric].max()
    assert worst["factored"] <= FACTORED_FLOAT16_ROUNDINGS * FLOAT16_ROUNDING
    assert worst["rays"] > 0.03


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_uploads_are_what_the_specs_promise(layout: Layout) -> None:
    lens = LENSES["non-square grid"]
    encoder = EncoderConfig(2.0, 6.0, samples=3, frequencies=2)
    specs = layout.inputs(student_for(lens, encoder))
    uploads = layout.host(Camera(POSE, lens), encoder)
    assert [spec.name for spec in specs] == list(uploads)
    for spec in specs:
        assert uploads[spec.name].shape == spec.shape
        assert uploads[spec.name].dtype == np.float64
        assert spec.bytes == 4 * math.prod(spec.shape)
        assert spec.meaning


@pytest.mark.parametrize(
    ("name", "floats"),
    [("embedded", 3_120_000), ("rays", 60_000), ("camera", 12), ("factored", 62_400)],
)
def test_upload_of_a_student_of_full_size(name: str, floats: int) -> None:
    specs = find_layout(name).inputs(StudentConfig(EncoderConfig(2.0, 6.0)))
    assert sum(spec.bytes for spec in specs) == 4 * floats


class ElementwiseShapes(TorchDispatchMode):
    """Records the operand shapes of every elementwise operator with two tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[torch.Size, torch.Size]] = []
        self.operators: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.operators.add(func.overloadpacket.__name__)
        if func.overloadpacket.__name__ in ("add", "sub", "mul", "div"):
            self.seen.append((args[0].shape, args[1].shape))
        return func(*args, **(kwargs or {}))


def elementwise_shapes(name: str, expand: bool) -> ElementwiseShapes:
    shapes = ElementwiseShapes()
    with shapes:
        run_layout(
            find_layout(name),
            expand,
            Camera(POSE, LENSES["non-square grid"]),
            EncoderConfig(2.0, 6.0),
            torch.float32,
        )
    assert shapes.seen
    return shapes


def test_the_expanded_factored_form_broadcasts_nothing() -> None:
    shapes = elementwise_shapes("factored", expand=True)
    assert all(first == second for first, second in shapes.seen)
    assert not shapes.operators & {"sub", "sin", "cos", "expand"}
    plain = elementwise_shapes("factored", expand=False)
    assert any(first != second for first, second in plain.seen)


def test_the_camera_layout_broadcasts_one_operand_along_height_and_width_only() -> None:
    for first, second in elementwise_shapes("camera", expand=False).seen:
        assert torch.broadcast_shapes(first, second) in (first, second)
        assert first[:2] == second[:2]


def test_an_unknown_layout_is_named_with_its_alternatives() -> None:
    with pytest.raises(DeployError, match="unknown layout 'ray', expected one of factored, rays"):
        find_layout("ray")
