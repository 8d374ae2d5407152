"""Students with fresh weights, to measure speed with."""

from __future__ import annotations

import pytest

from mobile_nelf.errors import InputError
from mobile_nelf.training.presets import PRESETS
from mobile_nelf.training.untrained import untrained_checkpoint


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_preset_has_its_shape_and_no_layer_of_zeros(preset):
    checkpoint = untrained_checkpoint(preset)
    assert (checkpoint.student.image_width, checkpoint.student.image_height) == (800, 800)
    assert checkpoint.student.width == PRESETS[preset].width
    assert all(value.any() for value in checkpoint.weights.values() if value.ndim > 1)
    again = untrained_checkpoint(preset)
    assert again.weights_sha256() == checkpoint.weights_sha256()
    assert checkpoint.provenance["source"] == f"random weights of preset {preset}"


def test_the_paper_s_network_has_100_rays_a_side_and_the_ipad_s_50():
    assert untrained_checkpoint("base").student.ray_width == 100
    assert untrained_checkpoint("ipad").student.ray_width == 50


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="multiple of 16"):
        untrained_checkpoint("ipad", 200)
    with pytest.raises(InputError, match="unknown preset"):
        untrained_checkpoint("huge")
