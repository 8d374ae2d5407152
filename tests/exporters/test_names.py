"""Names of lenses, as Snap takes them."""

from __future__ import annotations

import pytest

from mobile_nelf_exporters.names import is_lens_name, lens_name_of

NAMES = {
    "mic-lens": "mic lens",
    "Mic_2": "Mic 2",
    "nelf-200-k-ckpt-lens": "nelf 200 k ckpt",
    "a" * 64: "a" * 18,
    "123456789-12345678": "123456789 12345678",
    "123456789-123456789": "123456789",
    "a-": "a",
    "true": "true",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_lens_is_named_after_its_project(name):
    assert lens_name_of(name) == NAMES[name]
    assert is_lens_name(NAMES[name])


@pytest.mark.parametrize("name", ["", " a", "a ", "a-b", "a_b", "a" * 19, "a\n", "a\tb", "a!"])
def test_names_that_snap_refuses(name):
    assert not is_lens_name(name)
