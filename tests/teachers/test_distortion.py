from __future__ import annotations

import pytest
import torch

from mobile_nelf.teachers.marching import Samples, distortion


def test_distortion_equals_the_double_sum() -> None:
    rng = torch.Generator().manual_seed(4)
    ray = torch.tensor([0, 0, 0, 2, 2, 2, 2])
    along = torch.tensor([0.1, 0.2, 0.5, 0.0, 0.3, 0.35, 0.9])
    points = along[:, None] * torch.tensor([[0.6, 0.0, 0.8]]) + ray[:, None] * 0.1
    lengths = torch.full((7,), 0.05)
    weights = torch.rand(7, generator=rng)
    found = distortion(weights, Samples(ray, along, points, lengths), 3)
    for number in range(3):
        own = (ray == number).nonzero()[:, 0].tolist()
        between = sum(
            float(weights[i] * weights[j] * (along[i] - along[j]).abs()) for i in own for j in own
        )
        within = sum(float(weights[i] ** 2 * lengths[i] / 3.0) for i in own)
        assert float(found[number]) == pytest.approx(between + within, rel=1e-5)
