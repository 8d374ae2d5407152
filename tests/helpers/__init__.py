"""What several test modules share."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ROOT"]

#: Of the checkout.
ROOT = Path(__file__).parents[2]
