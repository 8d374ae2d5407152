"""One browser for all tests of pages, since it takes seconds to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mobile_nelf_exporters.web.browser import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A phone, whose pages reach this machine and nobody else."""
    with Browser(reach="localhost") as opened:
        opened.command("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)
        opened.command(
            "Emulation.setDeviceMetricsOverride",
            width=390, height=844, deviceScaleFactor=2, mobile=True,
        )  # fmt: skip
        yield opened
