"""A package of a small student."""

from __future__ import annotations

import pytest

from mobile_nelf.deploy.layouts import find_layout
from tests.helpers.coreml.models import convert_student, package_files
from tests.helpers.students import random_checkpoint


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
