"""Weights that fp16 cannot hold, in which phones store them."""

from __future__ import annotations

import pytest

from mobile_nelf.bundles import create_bundle
from mobile_nelf.errors import DeployError
from tests.helpers.students import random_checkpoint


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("target", ["lens", "coreml"])
def test_a_bundle_names_the_layer_and_what_to_do(tmp_path, target):
    checkpoint = random_checkpoint(depth=6, width=8, sr_widths=(8,))
    # The picture itself is fine: what one layer multiplies by the next divides by.
    checkpoint.weights["body.1.conv_block.1.weight"] *= 3e6
    checkpoint.weights["body.1.conv_block.3.weight"] /= 3e6
    with pytest.raises(DeployError) as caught:
        create_bundle(checkpoint, target=target, output=tmp_path / "b")
    message = str(caught.value)
    assert "body_1_conv_block_0" in message.replace(".", "_")
    assert "65504" in message
    assert "weight decay" in message
    assert list(tmp_path.iterdir()) == []
