"""Lenses and their scripts run in Node.js, which pip does not have."""

from __future__ import annotations

import shutil

import pytest

__all__ = ["needs_node"]

needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="lenses run in Node.js, and there is no `node` on PATH"
)
