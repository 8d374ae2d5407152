"""Presets and the length of a run."""

from __future__ import annotations

from mobile_nelf.training.presets import PRESETS, SHORT_MINUTES, SHORT_STEPS


def test_short_runs_take_the_longer_step_and_long_ones_the_preset_s():
    preset = PRESETS["small"]
    assert preset.fit_of(None, None) == preset.fit == preset.fit_of(SHORT_STEPS, None)
    assert preset.fit_of(None, SHORT_MINUTES) == preset.fit
    short = preset.fit_of(SHORT_STEPS - 1, None)
    assert short == preset.fit_of(None, SHORT_MINUTES / 2)
    assert (short.matrix_step, short.weight_decay) == (0.01, 0.1)
    assert PRESETS["tiny"].fit_of(100, None) == PRESETS["tiny"].fit
