"""Light along rays and its spread, against sums over one ray at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from mobile_nelf.teachers.marching import Samples, composite, distortion

#: Shares of light in float32 against float64.
LIGHT_ROUNDING = 1e-6


def slow_composite(
    density: list[float], length: list[float], ray: list[int], rays: int
) -> tuple[list[float], list[float]]:
    light = [1.0] * rays
    weights = []
    for sigma, delta, index in zip(density, length, ray, strict=True):
        opacity = 1.0 - math.exp(-sigma * delta)
        weights.append(light[index] * opacity)
        light[index] *= 1.0 - opacity
    return weights, light


def packed(counts: list[int], density_scale: float) -> tuple[Tensor, Samples]:
    """Rays with so many samples each, some of them without any."""
    total = sum(counts)
    rng = torch.Generator().manual_seed(5)
    ray = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    density = torch.rand(total, generator=rng) * density_scale
    lengths = torch.rand(total, generator=rng) * 0.01
    return density, Samples(ray, torch.zeros(total), torch.zeros(total, 3), lengths)


COUNTS = [0, 3, 0, 40, 1, 192, 0, 0, 25, 0]


@pytest.mark.parametrize("density_scale", [1.0, 100.0, 1e5])
def test_compositing_is_the_quadrature_ray_by_ray(density_scale: float) -> None:
    density, samples = packed(COUNTS, density_scale)
    weights, clear = composite(density, samples, len(COUNTS))
    wanted_weights, wanted_clear = slow_composite(
        density.double().tolist(),
        samples.lengths.double().tolist(),
        samples.ray.tolist(),
        len(COUNTS),
    )
    np.testing.assert_allclose(weights, wanted_weights, atol=LIGHT_ROUNDING, rtol=0.0)
    np.testing.assert_allclose(clear, wanted_clear, atol=LIGHT_ROUNDING, rtol=0.0)
    sums = torch.zeros(len(COUNTS)).index_add(0, samples.ray, weights) + clear
    torch.testing.assert_close(sums, torch.ones(len(COUNTS)), atol=1e-5, rtol=0.0)
    assert clear[[0, 2, 6, 7, 9]].tolist() == [1.0] * 5, "empty rays are clear"


def test_a_ray_is_composited_as_well_behind_opaque_ones() -> None:
    """Sums run on over all rays; a thin one must not drown in those before it."""
    walls = packed([192] * 300, 1e6)
    thin_density, thin = packed([10], 1.0)
    density = torch.cat([walls[0], thin_density])
    samples = Samples(
        torch.cat([walls[1].ray, thin.ray + 300]),
        *(torch.cat([a, b]) for a, b in zip(walls[1][1:], thin[1:], strict=True)),
    )
    weights, clear = composite(density, samples, 301)
    alone_weights, alone_clear = composite(thin_density, thin, 1)
    torch.testing.assert_close(weights[-10:], alone_weights, atol=LIGHT_ROUNDING, rtol=0.0)
    torch.testing.assert_close(clear[-1:], alone_clear, atol=LIGHT_ROUNDING, rtol=0.0)


def test_gradients_are_those_of_the_quadrature() -> None:
    density, samples = packed(COUNTS, 50.0)
    colour = torch.sin(torch.arange(len(density)).float())
    background = torch.linspace(0.2, 0.9, len(COUNTS))

    fast = density.clone().requires_grad_()
    weights, clear = composite(fast, samples, len(COUNTS))
    (weights @ colour + clear @ background).backward()

    slow = density.double().requires_grad_()
    light = [torch.ones((), dtype=torch.float64)] * len(COUNTS)
    total = torch.zeros((), dtype=torch.float64)
    for i, ray in enumerate(samples.ray.tolist()):
        passed = torch.exp(-slow[i] * samples.lengths[i].double())
        total = total + light[ray] * (1.0 - passed) * colour[i].double()
        light[ray] = light[ray] * passed
    (total + torch.stack(light) @ background.double()).backward()
    assert fast.grad is not None
    assert slow.grad is not None
    torch.testing.assert_close(fast.grad.double(), slow.grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("counts", [[0, 0, 0], [0, 5, 0], []])
@pytest.mark.parametrize("density_scale", [0.0, 1e6])
def test_empty_and_opaque_rays_have_finite_gradients(
    counts: list[int], density_scale: float
) -> None:
    density, samples = packed(counts or [0], density_scale)
    density.requires_grad_()
    weights, clear = composite(density, samples, len(counts))
    assert weights.shape == (sum(counts),)
    assert clear.shape == (len(counts),)
    (weights.square().sum() + clear.square().sum()).backward()
    assert density.grad is not None
    assert bool(torch.isfinite(density.grad).all())


def test_distortion_is_the_spread_of_the_light_along_a_ray() -> None:
    """Twice the light of each pair of samples by their distance, and a third of each by itself."""
    density, samples = packed(COUNTS, 100.0)
    rng = torch.Generator().manual_seed(6)
    starts, along = torch.rand(2, len(COUNTS), 3, generator=rng)
    along /= along.norm(dim=1, keepdim=True)
    place = torch.zeros(len(density))
    for ray in range(len(COUNTS)):
        mine = samples.ray == ray
        place[mine] = 0.002 + samples.lengths[mine].cumsum(0)
    points = starts[samples.ray] + place[:, None] * along[samples.ray]
    samples = samples._replace(points=points)
    weights, _ = composite(density, samples, len(COUNTS))

    wanted = [0.0] * len(COUNTS)
    for i, ray in enumerate(samples.ray.tolist()):
        for j in (samples.ray == ray).nonzero()[:, 0].tolist():
            wanted[ray] += float(weights[i] * weights[j] * (points[i] - points[j]).norm())
        wanted[ray] += float(weights[i] ** 2 * samples.lengths[i]) / 3.0
    found = distortion(weights, samples, len(COUNTS))
    assert max(wanted) > 0.005
    np.testing.assert_allclose(found, wanted, atol=1e-7, rtol=1e-3)
    assert found[[0, 2, 6, 7, 9]].tolist() == [0.0] * 5


def test_distortion_has_finite_gradients() -> None:
    for counts in ([0, 0, 0], COUNTS):
        density, samples = packed(counts, 1e4)
        density.requires_grad_()
        weights, _ = composite(density, samples, len(counts))
        distortion(weights, samples, len(counts)).sum().backward()
        assert density.grad is not None
        assert bool(torch.isfinite(density.grad).all())
