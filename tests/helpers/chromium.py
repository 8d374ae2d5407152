"""Pages run in a browser, which pip does not have."""

from __future__ import annotations

import pytest

from mobile_nelf_exporters.web.browser import Browser, browser_path

__all__ = ["READY", "needs_chromium", "open_page"]

needs_chromium = pytest.mark.skipif(
    browser_path() is None, reason="pages run in Chromium, which is not installed"
)

#: True once a page shows its first picture.
READY = "/ready/.test(document.documentElement?.className)"


def open_page(browser: Browser, address: str, until: str = READY) -> None:
    """Opens a page and waits until an expression in it is true; messages start anew."""
    browser.messages.clear()
    browser.requests.clear()
    browser.open(address)
    browser.wait_for(f"location.href === {address!r} && {until}", 120)
