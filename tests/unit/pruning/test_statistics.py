"""The metric of a layer's output against the whole Jacobian of a tiny student."""

from __future__ import annotations

import pytest
import torch

from mobile_nelf.pruning import statistics
from mobile_nelf.pruning.calibration import calibration_rays
from mobile_nelf.pruning.layers import anatomy, folded, working_network
from mobile_nelf.pruning.scores import removal_order, stream_losses
from tests.helpers.students import random_checkpoint


def test_the_metric_is_the_squared_change_of_the_picture(monkeypatch):
    monkeypatch.setattr(statistics, "PROBES", 500)
    checkpoint = folded(random_checkpoint(width=5, sr_widths=(3,), ray_width=3, ray_height=2))
    network = working_network(checkpoint)
    rays = calibration_rays(checkpoint, 1)
    measured = statistics.measure(network, checkpoint.student, rays)
    block = anatomy(network, checkpoint.student).sections[0].blocks[0]
    conv = block.last.conv
    kept = {}
    hook = conv.register_forward_hook(lambda m, i, o: kept.update(shape=o.shape))
    network(rays)
    hook.remove()

    def picture(change):
        hook = conv.register_forward_hook(lambda m, i, o: o + change)
        try:
            return network(rays)
        finally:
            hook.remove()

    jacobian = torch.autograd.functional.jacobian(picture, torch.zeros(kept["shape"]))
    values = jacobian.shape[:4].numel()
    by_pixel = jacobian.reshape(values, kept["shape"][1], -1).double()
    exact = torch.einsum("vip,vjp->ij", by_pixel, by_pixel) / values
    metric = measured.layers[block.last.name].metric
    assert (metric - exact).abs().max() < 0.2 * exact.diagonal().max()


def test_removal_follows_the_best_re_fit_of_the_others():
    """A slow oracle: each step tries every channel with a regression of its own."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 6, generator=generator, dtype=torch.float64)
    x = x @ torch.randn(6, 6, generator=generator, dtype=torch.float64)
    x = x - x.mean(0)
    matrix = torch.randn(4, 6, generator=generator, dtype=torch.float64)
    root = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    metric = root @ root.T
    found = removal_order(x.T @ x / len(x), matrix, metric)
    wanted = x @ matrix.T
    left = list(range(6))

    def loss(columns):
        seen = x[:, columns]
        fitted = seen @ torch.linalg.lstsq(seen, wanted).solution if columns else 0.0 * wanted
        error = wanted - fitted
        return float(((error @ metric) * error).sum() / len(x))

    for step in range(6):
        tries = {channel: loss([c for c in left if c != channel]) for channel in left}
        best = min(tries, key=tries.__getitem__)
        assert int(found.order[step]) == best
        left.remove(best)
        assert float(found.losses[step + 1]) == pytest.approx(tries[best], rel=2e-2)
    assert found.kept(2).tolist() == sorted(found.order[-2:].tolist())


def test_directions_of_a_stream_lose_what_they_carry():
    covariance = torch.diag(torch.tensor([4.0, 2.0, 1.0], dtype=torch.float64))
    metric = torch.diag(torch.tensor([1.0, 3.0, 5.0], dtype=torch.float64))
    losses = stream_losses(torch.eye(3, dtype=torch.float64), [(covariance, metric)])
    assert losses.tolist() == [0.0, 5.0, 11.0, 15.0]
