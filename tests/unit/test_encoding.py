from __future__ import annotations

import numpy as np
import pytest
import torch

from mobile_nelf.cameras import Camera
from mobile_nelf.encoding import encode, factored_tables, official_to_grouped
from mobile_nelf.rays import ray_grid, ray_map, sample_depths, sample_points
from tests.helpers.oracles import LENSES, POSE, slow_encoding, slow_grouped_encoding

#: Float64 phases up to 2⁵·8 carry an absolute error of some 256·2⁻⁵².
EXACT = 1e-12

NEAR, FAR = 1.9, 6.3


@pytest.fixture(params=LENSES.values(), ids=list(LENSES))
def camera(request: pytest.FixtureRequest) -> Camera:
    return Camera(POSE, request.param)


def points_of(camera: Camera, samples: int) -> torch.Tensor:
    points = sample_points(ray_grid(camera), sample_depths(NEAR, FAR, samples))
    return torch.from_numpy(points)[None]


@pytest.mark.parametrize(("samples", "frequencies"), [(8, 6), (2, 1), (3, 4)])
def test_encode_is_the_definition_number_by_number(
    camera: Camera, samples: int, frequencies: int
) -> None:
    encoded = encode(points_of(camera, samples), frequencies)
    assert encoded.dtype == torch.float64
    np.testing.assert_allclose(
        encoded[0].numpy(),
        slow_encoding(camera, NEAR, FAR, samples, frequencies),
        atol=EXACT,
        rtol=0,
    )


def test_encode_keeps_the_dtype_and_the_batch() -> None:
    points = torch.randn(2, 6, 3, 5, generator=torch.Generator().manual_seed(0))
    encoded = encode(points, 4)
    assert encoded.dtype == torch.float32
    assert encoded.shape == (2, 6 * 9, 3, 5)
    for image in range(2):
        torch.testing.assert_close(
            encoded[image : image + 1], encode(points[image : image + 1], 4), atol=0, rtol=0
        )


def test_the_official_order_has_thirteen_channels_a_coordinate() -> None:
    """The order that trained MobileR2L weights expect, spelled out for one coordinate."""
    point = torch.zeros(1, 24, 1, 1, dtype=torch.float64)
    point[0, 3 * 4 + 1] = 0.37  # y of sample 4
    block = encode(point, 6)[0, 13 * (3 * 4 + 1) : 13 * (3 * 4 + 2), 0, 0]
    sines = [np.sin(0.37 * octave) for octave in (1, 2, 4, 8, 16, 32)]
    cosines = [np.cos(0.37 * octave) for octave in (1, 2, 4, 8, 16, 32)]
    np.testing.assert_allclose(block.numpy(), [*sines, *cosines, 0.37], atol=EXACT)


@pytest.mark.parametrize(("samples", "frequencies"), [(8, 6), (2, 1), (3, 4)])
def test_grouped_order_is_a_permutation_of_the_official_one(samples: int, frequencies: int) -> None:
    order = official_to_grouped(3 * samples, frequencies)
    assert sorted(order) == list(range(3 * samples * (2 * frequencies + 1)))
    camera = Camera(POSE, LENSES["off-centre"])
    parameters = (camera, NEAR, FAR, samples, frequencies)
    np.testing.assert_array_equal(
        slow_encoding(*parameters)[order], slow_grouped_encoding(*parameters)
    )


def test_a_reordered_first_layer_reads_the_grouped_order() -> None:
    camera = Camera(POSE, LENSES["non-square grid"])
    weight = np.random.default_rng(0).normal(size=(5, 24 * 13))
    official = slow_encoding(camera, NEAR, FAR, 8, 6)
    grouped = slow_grouped_encoding(camera, NEAR, FAR, 8, 6)
    np.testing.assert_allclose(
        np.einsum("oc,chw->ohw", weight[:, official_to_grouped(24, 6)], grouped),
        np.einsum("oc,chw->ohw", weight, official),
        atol=1e-11,  # sums of 312 products in another order
    )


@pytest.mark.parametrize(("samples", "frequencies"), [(8, 6), (2, 1), (3, 4)])
def test_factored_tables_are_exact(camera: Camera, samples: int, frequencies: int) -> None:
    lens = camera.intrinsics
    tables = factored_tables(
        ray_map(camera), lens.width, lens.height, sample_depths(NEAR, FAR, samples), frequencies
    )
    phases = 3 * samples * frequencies
    for name, table in tables._asdict().items():
        channels = 3 * samples if name.startswith("point") else phases
        assert table.shape == (channels, lens.width if name.endswith("columns") else lens.height)
        assert table.dtype == np.float64
    expected = slow_grouped_encoding(camera, NEAR, FAR, samples, frequencies)
    for v in range(lens.height):
        for u in range(lens.width):
            sin_u, cos_u = tables.sin_columns[:, u], tables.cos_columns[:, u]
            sin_v, cos_v = tables.sin_rows[:, v], tables.cos_rows[:, v]
            pixel = np.concatenate(
                [
                    sin_u * cos_v + cos_u * sin_v,
                    cos_u * cos_v - sin_u * sin_v,
                    tables.point_columns[:, u] + tables.point_rows[:, v],
                ]
            )
            np.testing.assert_allclose(pixel, expected[:, v, u], atol=EXACT, rtol=0)
