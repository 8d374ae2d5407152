"""Size, speed, memory and quality of checkpoints and bundles, side by side.

A row holds what was measured and None for what was not. Speed comes from devices alone, through
`mnelf bench import`; nothing here estimates it.
"""

from __future__ import annotations

from mobile_nelf.comparison.compare import compare
from mobile_nelf.comparison.paper import PAPER_ROWS
from mobile_nelf.comparison.rows import Comparison, DeviceFigures, Row

__all__ = ["PAPER_ROWS", "Comparison", "DeviceFigures", "Row", "compare"]
