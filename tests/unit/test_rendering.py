"""Frames of a student, and what is said of those that are not pictures."""

from __future__ import annotations

import pytest
import torch
from click.testing import CliRunner

from mobile_nelf.cli import cli
from mobile_nelf.errors import CheckpointError
from tests.helpers.students import random_checkpoint


@pytest.fixture
def diverged(tmp_path):
    """A student whose weights are finite and whose picture is not."""
    checkpoint = random_checkpoint(depth=6, width=4, sr_widths=())
    with torch.no_grad():
        for name in ("body.0.conv_block.3.weight", "body.1.conv_block.0.weight"):
            checkpoint.weights[name].fill_(1e30)
        checkpoint.weights["body.1.conv_block.0.weight"][::2].neg_()
        checkpoint.weights["body.1.conv_block.3.weight"].fill_(1.0)
    checkpoint.save(tmp_path / "diverged.pt")
    return tmp_path / "diverged.pt"


def test_a_picture_that_is_not_finite_names_the_layer(diverged):
    from mobile_nelf.checkpoints import load_checkpoint

    with pytest.raises(CheckpointError, match=r"as NaN .*first layer with such results is body\.1"):
        load_checkpoint(diverged).render()


@pytest.mark.parametrize(
    "command",
    [
        ["render", "{}", "--frames", "1", "-o", "film.mp4"],
        ["bundle", "{}", "--target", "onnx", "-o", "bundle"],
    ],
)
def test_commands_call_it_nan(diverged, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, [part.format(diverged) for part in command])
    assert result.exit_code == 2
    assert "NaN (not a number)" in result.output
    assert "Warning" not in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["diverged.pt"]
