"""The TypeScript compiler of the tests of lenses."""

from __future__ import annotations

import shutil

import pytest

from tests.helpers import ROOT

__all__ = ["COMPILER", "TSC", "needs_typescript"]

COMPILER = ROOT / "tests" / "exporters" / "lens" / "node_modules" / "typescript"
TSC = COMPILER / "bin" / "tsc"

needs_typescript = pytest.mark.skipif(
    shutil.which("node") is None or not TSC.is_file(),
    reason="TypeScript is not installed; `npm ci --prefix tests/exporters/lens` brings it",
)
