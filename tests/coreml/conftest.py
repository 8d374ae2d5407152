"""A package of a small student."""

from __future__ import annotations

import pytest
from coreml.coreml_models_for_tests import (
    convert_student,
    package_files,
)
from students_for_tests import random_checkpoint

from mobile_nelf.deploy.layouts import find_layout


@pytest.fixture(scope="module")
def model():
    checkpoint = random_checkpoint(depth=4, sr_widths=(4,))
    model = convert_student(checkpoint, find_layout("factored"), ios=17)
    model.author = "a test"
    model.user_defined_metadata["key"] = "value"
    return model


@pytest.fixture(scope="module")
def files(model):
    return package_files(model)
