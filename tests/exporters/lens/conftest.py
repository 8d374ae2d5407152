"""What tests of the linter share."""

from __future__ import annotations

import functools

import pytest

from mobile_nelf_exporters.lens.studio import project as lens_studio_project
from mobile_nelf_exporters.lens.studio.yaml import parse_lens_yaml
from tests.helpers.lens.lint_projects import generated_project


@pytest.fixture(scope="module")
def good() -> dict[str, bytes]:
    """A project without findings."""
    return generated_project("rays")


@pytest.fixture(scope="module")
def quick_yaml():
    """Parses each text once: all files of an edited project but one are as they were."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lens_studio_project, "parse_lens_yaml", functools.cache(parse_lens_yaml))
        yield
