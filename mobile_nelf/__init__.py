"""mobile-nelf: put a neural light field on a phone, and prove off-device that it arrived."""

from __future__ import annotations

__version__ = "0.1.0"
