from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mobile_nelf.teachers.field import (
    PIECE,
    DenseGridField,
    VolumeLookup,
    direction_harmonics,
    grid_shapes,
)

#: Interpolation in float32, twice in another order of additions.
ROUNDING = 1e-5
#: The same in float64.
EXACT = 1e-12
CUBE = (1.0, 1.0, 1.0)
ODD = (1.0, 2.3, 0.4)


def field_of(
    resolutions: tuple[int, ...] = (3, 5), channels: int = 2, proportions: tuple[float, ...] = CUBE
) -> DenseGridField:
    torch.manual_seed(0)
    return DenseGridField(resolutions, channels, proportions)


def points(count: int = 500) -> Tensor:
    """Random points of the cube, its corners, and a few beyond it."""
    rng = torch.Generator().manual_seed(1)
    inside = torch.rand(count, 3, generator=rng)
    corners = torch.tensor(list(product((0.0, 0.5, 1.0), repeat=3)))
    return torch.cat([inside, corners, torch.tensor([[-0.2, 0.3, 1.4], [0.5, 2.0, -3.0]])])


def grids(field: DenseGridField, resolutions: tuple[int, ...], proportions: tuple[float, ...]):
    """The table as one volume [1, C, z, y, x] a level."""
    shapes = grid_shapes(resolutions, proportions)
    levels = torch.split(field.table, [math.prod(shape) for shape in shapes])
    return [
        level.view(z, y, x, -1).permute(3, 0, 1, 2)[None]
        for level, (x, y, z) in zip(levels, shapes, strict=True)
    ]


def interpolated(volumes: list[Tensor], at: Tensor) -> Tensor:
    """PyTorch's own trilinear interpolation, level after level [N, L·C]."""
    where = (at.clamp(0.0, 1.0) * 2.0 - 1.0).view(1, 1, 1, -1, 3)
    return torch.cat(
        [F.grid_sample(volume, where, align_corners=True)[0, :, 0, 0].T for volume in volumes],
        1,
    )


@pytest.mark.parametrize("proportions", [CUBE, ODD])
def test_each_level_is_read_like_grid_sample(proportions: tuple[float, ...]) -> None:
    resolutions = (2, 7, 19)
    field = field_of(resolutions, 3, proportions)
    at = points()
    torch.testing.assert_close(
        field._features(at),
        interpolated(grids(field, resolutions, proportions), at),
        atol=ROUNDING,
        rtol=0.0,
    )


def test_gradients_of_the_table_are_those_of_autograd() -> None:
    field = field_of(proportions=ODD).double()
    # More lookups than one piece holds, so that pieces and their seams count.
    rng = torch.Generator().manual_seed(2)
    at = torch.rand(PIECE // 2 + 100, 3, dtype=torch.float64, generator=rng)
    wanted_of = field.table.detach().clone().requires_grad_()
    upstream = torch.sin(torch.arange(at.shape[0] * 4, dtype=torch.float64)).view(-1, 4)
    (field._features(at) * upstream).sum().backward()
    index, weight = field.cells(at)
    plain = (wanted_of[index] * weight[..., None]).sum(2).flatten(1)  # gather, and nothing else
    (plain * upstream).sum().backward()
    assert field.table.grad is not None
    torch.testing.assert_close(field.table.grad, wanted_of.grad, atol=1e-9, rtol=1e-9)


def test_the_way_of_a_gpu_gives_the_same_features_and_gradients() -> None:
    field = field_of(proportions=ODD).double()
    at = torch.cat([points(), 1.5 * points() - 0.25]).double()  # some outside, which are clamped
    upstream = torch.cos(torch.arange(at.shape[0] * 4, dtype=torch.float64)).view(-1, 4)
    wanted = field._features(at)
    (wanted * upstream).sum().backward()
    gradient, field.table.grad = field.table.grad, None
    for times in (1, 2):  # gradients add up
        found = VolumeLookup.apply(field.table, at, tuple(field.shapes))
        torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-12)
        (found * upstream).sum().backward()
        torch.testing.assert_close(field.table.grad, times * gradient, atol=1e-9, rtol=1e-9)


def test_gradients_are_those_of_finite_differences_and_of_grid_sample() -> None:
    field = field_of((2, 3), 2, ODD).double()
    at = points(20).double()
    direction = torch.sin(torch.arange(field.table.numel(), dtype=torch.float64))
    direction = direction.view_as(field.table)

    def value() -> Tensor:
        return field._features(at).sin().sum()

    value().backward()
    assert field.table.grad is not None
    along = float((field.table.grad * direction).sum())
    step = 1e-5
    with torch.no_grad():
        field.table += step * direction
        above = float(value())
        field.table -= 2 * step * direction
        below = float(value())
        field.table += step * direction
    assert along == pytest.approx((above - below) / (2 * step), rel=1e-7)

    gradient, field.table.grad = field.table.grad, None
    interpolated(grids(field, (2, 3), ODD), at).sin().sum().backward()
    torch.testing.assert_close(gradient, field.table.grad, atol=1e-9, rtol=1e-9)


def test_gradients_add_to_those_that_are_there() -> None:
    field = field_of().double()
    first, second = points(30).double(), points(80).double()
    gradients = []
    for at in (first, second):
        field.table.grad = None
        field._features(at).square().sum().backward()
        gradients.append(field.table.grad)
    field.table.grad = None
    field._features(first).square().sum().backward()
    kept = field.table.grad
    field._features(second).square().sum().backward()
    assert field.table.grad is kept, "the optimizer's buffer stays where it is"
    torch.testing.assert_close(field.table.grad, gradients[0] + gradients[1], atol=EXACT, rtol=0.0)


def test_no_points_need_no_gradient() -> None:
    field = field_of()
    density, features = field.density(torch.zeros(0, 3))
    colour = field.colour(features, torch.zeros(0, 3))
    (density.sum() + colour.sum()).backward()
    assert field.table.grad is not None
    assert not bool(field.table.grad.any())


def test_networks_learn_too() -> None:
    field = field_of()
    directions = F.normalize(points() - 0.4, dim=1)
    density, features = field.density(points())
    colour = field.colour(features, directions)
    (density.sum() + colour.sum()).backward()
    for name, parameter in field.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
        assert bool(parameter.grad.any()), name
    assert density.shape == (len(points()),)
    assert bool((density > 0.0).all())
    assert colour.shape == (len(points()), 3)
    assert bool(((colour > 0.0) & (colour < 1.0)).all())


def test_density_stays_finite() -> None:
    field = field_of()
    with torch.no_grad():
        field.density_net[2].bias[0] = 1e6
    density, _ = field.density(points())
    assert bool(torch.isfinite(density).all())


@pytest.mark.parametrize("proportions", [CUBE, ODD, (1.0, 1.0, 30.0), (1e-3, 1.0, 1.0)])
def test_grids_keep_about_the_number_of_cells_of_their_cube(
    proportions: tuple[float, float, float],
) -> None:
    for resolution, shape in zip((24, 128), grid_shapes((24, 128), proportions), strict=True):
        assert min(shape) >= 2, "interpolation needs two rows"
        # Rounding moves each side by half a row; a side at the least of two may only add rows.
        slack = math.prod((n + 0.5) / n for n in shape)
        assert math.prod(shape) >= resolution**3 / slack
        if min(shape) > 2:
            assert math.prod(shape) <= resolution**3 * math.prod(n / (n - 0.5) for n in shape)
        for i, j in ((0, 1), (1, 2)):
            if min(shape[i], shape[j]) > 2:
                wanted = proportions[i] / proportions[j]
                assert shape[i] / shape[j] == pytest.approx(wanted, rel=1.5 / min(shape))


def test_harmonics_are_orthonormal() -> None:
    """By Gauss-Legendre quadrature over the height and even steps in azimuth, exact to degree 4."""
    heights, shares = np.polynomial.legendre.leggauss(5)
    azimuths = 2.0 * np.pi * np.arange(8) / 8
    z, azimuth = (grid.flatten() for grid in np.meshgrid(heights, azimuths, indexing="ij"))
    weight = np.repeat(shares, 8) * 2.0 * np.pi / 8
    flat = np.sqrt(1.0 - z**2)
    directions = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), z], 1)
    values = direction_harmonics(torch.from_numpy(directions)).numpy()
    products = values.T @ (weight[:, None] * values)
    np.testing.assert_allclose(products, np.eye(9), atol=1e-6)  # eight digits a constant


def test_harmonics_come_in_the_usual_order() -> None:
    """Degree 0, then y z x, then xy yz 3z²−1 xz x²−y², each with a positive sign."""
    x, y, z = directions = np.array([0.48, 0.6, 0.64])
    values = direction_harmonics(torch.tensor(directions)[None])[0].tolist()
    degree1 = math.sqrt(3.0 / (4.0 * math.pi))
    degree2 = math.sqrt(15.0 / (4.0 * math.pi))
    assert values == pytest.approx(
        [
            math.sqrt(1.0 / (4.0 * math.pi)),
            degree1 * y,
            degree1 * z,
            degree1 * x,
            degree2 * x * y,
            degree2 * y * z,
            math.sqrt(5.0 / (16.0 * math.pi)) * (3.0 * z * z - 1.0),
            degree2 * x * z,
            0.5 * degree2 * (x * x - y * y),
        ],
        abs=1e-7,
    )


def test_rows_that_nothing_reads_are_dropped_and_come_back() -> None:
    """A field reads and learns the same with fewer rows, wherever a point of the boxes lies."""
    torch.manual_seed(0)
    whole = DenseGridField((7, 19), 4, (1.0, 0.8, 1.3))
    few = DenseGridField((7, 19), 4, (1.0, 0.8, 1.3))
    few.load_state_dict(whole.state_dict())
    lower = torch.tensor([[0.0, 0.5, 0.25], [0.984375, 0.984375, 0.984375]])
    upper = lower + 1.0 / 64
    few.keep_rows(lower, upper)
    assert len(few.table) < len(whole.table) / 10
    rng = torch.Generator().manual_seed(1)
    inside = torch.rand(200, 2, 3, generator=rng) / 64 + lower
    points = torch.cat([inside.flatten(0, 1), lower, upper, lower - 5e-6, upper + 5e-6])
    fields = (whole, few)
    for field in fields:
        density, features = field.density(points)
        (density.sum() + (features * features).sum()).backward()
    assert torch.equal(whole.density(points)[0], few.density(points)[0])
    with torch.no_grad():
        for field in fields:
            field.table -= 0.1 * field.table.grad
    few.all_rows()
    assert few.table.shape == whole.table.shape
    touched = whole.table.grad.abs().sum(1) > 0.0
    assert torch.equal(few.table[touched], whole.table[touched])
    assert torch.equal(whole.density(points)[0], few.density(points)[0])
    assert set(few.state_dict()) == set(whole.state_dict())
