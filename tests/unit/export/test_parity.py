"""Comparing frames: what counts as close, and what never does."""

from __future__ import annotations

import numpy as np
import pytest

from mobile_nelf.bundles import create_bundle
from mobile_nelf.errors import ParityError
from mobile_nelf.export.parity import IDENTICAL_DB, compare_frames
from tests.helpers.students import random_checkpoint

GREY = np.full((4, 5, 3), 0.5, np.float32)


def test_the_worst_frame_decides():
    close, far = GREY + np.float32(1e-4), GREY + np.float32(1e-2)
    leg = compare_frames("x", [close, far, GREY], [GREY] * 3, min_psnr_db=39.0)
    assert leg.psnr_db == pytest.approx(40.0, abs=1e-3)
    assert leg.max_error == pytest.approx(1e-2, rel=1e-4)
    assert leg.passed
    assert not compare_frames("x", [close, far], [GREY] * 2, min_psnr_db=41.0).passed
    assert not compare_frames("x", [close, far], [GREY] * 2, max_error=9e-3).passed
    assert compare_frames("x", [GREY], [GREY], min_psnr_db=100.0).psnr_db == IDENTICAL_DB


@pytest.mark.parametrize("poison", [np.nan, np.inf])
@pytest.mark.parametrize("demand", [{}, {"min_psnr_db": 0.0}, {"max_error": 1e12}])
def test_a_frame_that_is_not_finite_never_passes(poison, demand):
    broken = GREY.copy()
    broken[1, 2, 0] = poison
    leg = compare_frames("x", [GREY, broken], [GREY, GREY], **demand)
    assert not leg.passed
    assert np.isfinite([leg.psnr_db, leg.max_error]).all()


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_frames_that_are_not_finite_are_called_nan(poison):
    broken = GREY.copy()
    broken[1, 2, 0] = poison
    leg = compare_frames("x", [GREY, broken], [GREY, GREY])
    assert leg.worst_text == "NaN"
    assert leg.summary == (
        "x: 1 of 2 frames hold NaN (not a number) or infinite pixels, demanded finite pixels"
    )


def test_results_beyond_fp16_name_the_layer_and_what_to_do():
    leg = compare_frames("x", [GREY], [GREY], largest_activation=("layer_3", 1e6))
    assert not leg.passed
    assert (
        "largest activation 1e+06, result of layer_3; fp16 ends at 65504: fine-tune" in leg.summary
    )
    endless = compare_frames("x", [GREY], [GREY], largest_activation=("layer_3", np.inf))
    assert "largest activation infinite, result of layer_3" in endless.summary


def test_missing_and_misshapen_frames_are_errors():
    with pytest.raises(ValueError, match="longer than"):
        compare_frames("x", [GREY], [GREY, GREY])
    with pytest.raises(ValueError, match="shapes differ"):
        compare_frames("x", [GREY[:3]], [GREY])


def test_a_mapping_that_can_be_seen_is_refused(tmp_path):
    """This student's frames change by about 44 dB when its GELU becomes ReLU."""
    checkpoint = random_checkpoint(sr_widths=(8, 8), last_scale=3)
    with pytest.raises(ParityError, match=r"student → ONNX Runtime: 4\d\.\d dB.*>= 45 dB"):
        create_bundle(
            checkpoint,
            target="onnx",
            output=tmp_path / "b",
            options={"activation": "relu"},
        )
    assert list(tmp_path.iterdir()) == []
