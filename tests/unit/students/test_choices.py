"""Configs that people build by hand refuse what type checkers would have refused."""

from __future__ import annotations

import pytest

from mobile_nelf.students import EncoderConfig, StudentConfig
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.training.config import FitConfig

ENCODER = EncoderConfig(2.0, 6.0)


@pytest.mark.parametrize(
    ("cls", "values", "text"),
    [
        (StudentConfig, {"encoder": ENCODER, "architecture": "siren"}, "architecture 'siren'"),
        (StudentConfig, {"encoder": ENCODER, "activation": "tanh"}, "activation 'tanh'"),
        (StudentConfig, {"encoder": ENCODER, "last_scale": 4}, "last_scale 4"),
        (StudentConfig, {"encoder": ENCODER, "out_channels": 3.0}, "out_channels 3.0"),
        (FitConfig, {"loss": "l1"}, "loss 'l1', expected one of mse, charbonnier"),
        (FitConfig, {"optimizer": "sgd"}, "optimizer 'sgd'"),
        (FitConfig, {"precision": "fp16"}, "precision 'fp16'"),
        (FitConfig, {"train_only": "head"}, "train_only 'head'"),
        (TeacherConfig, {"backend": "jax"}, "backend 'jax', expected one of torch, tinycudann"),
    ],
)
def test_a_word_that_is_none_of_the_choices(cls, values, text):
    with pytest.raises(ValueError, match=f"unknown {text}"):
        cls(**values)
