"""`mnelf bundle --random`: a student of a preset's size, to be measured."""

from __future__ import annotations

import json

import pytest


def test_random_weights_and_a_checkpoint_exclude_each_other(mnelf):
    result = mnelf("bundle", "thing.pt", "--random", "base", "--target", "onnx")
    assert result.exit_code == 2
    assert "--random makes a student of its own" in result.stderr
    assert "leave out CHECKPOINT" in result.stderr


@pytest.mark.slow
def test_a_bundle_of_random_weights_proves_itself(mnelf, tmp_path):
    result = mnelf("bundle", "--random", "tiny", "--target", "onnx", "--json")
    assert result.exit_code == 0, result.output
    assert "random weights of preset tiny: pictures show nothing" in result.stderr
    data = json.loads(result.stdout)
    assert data["checkpoint"] == "random weights of preset tiny"
    assert data["bundles"][0]["path"] == "random-tiny-onnx"
    assert (tmp_path / "random-tiny-onnx" / "manifest.json").is_file()
