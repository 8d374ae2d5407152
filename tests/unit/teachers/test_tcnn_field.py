from __future__ import annotations

import importlib.util
import sys

import pytest
import torch

from mobile_nelf.errors import MissingExtraError
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.teachers.ngp import build_field
from mobile_nelf.teachers.spaces import BoxSpace

HERE = torch.cuda.is_available() and importlib.util.find_spec("tinycudann") is not None
BOX = BoxSpace((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_without_tinycudann_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    # None in sys.modules makes an import fail the way a package that is not installed does.
    monkeypatch.setitem(sys.modules, "tinycudann", None)
    with pytest.raises(MissingExtraError) as caught:
        build_field(TeacherConfig("tinycudann"), BOX, torch.device("cpu"))
    message = str(caught.value)
    assert "tinycudann cannot be used" in message
    assert "`mnelf doctor` says how to get it" in message
    assert "backend torch works without" in message


@pytest.mark.slow
@pytest.mark.skipif(
    not HERE, reason="not run: the hash grid needs an NVIDIA GPU and tinycudann, one is missing"
)
def test_the_hash_grid_gives_and_learns_finite_numbers() -> None:
    torch.manual_seed(0)
    field = build_field(TeacherConfig("tinycudann"), BOX, torch.device("cuda"))
    at = torch.rand(1000, 3, device="cuda")
    density, features = field.density(at)
    colour = field.colour(features, torch.nn.functional.normalize(at - 0.5, dim=1))
    assert density.shape == (1000,)
    assert colour.shape == (1000, 3)
    assert density.dtype == colour.dtype == torch.float32
    assert bool((density > 0.0).all())
    assert bool(((colour >= 0.0) & (colour <= 1.0)).all())
    (density.sum() + colour.sum()).backward()
    for parameter in field.parameters():
        assert parameter.grad is not None
        assert bool(torch.isfinite(parameter.grad).all())
        assert bool(parameter.grad.any())
