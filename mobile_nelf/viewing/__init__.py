"""The live viewer: a page on this machine, for browsers on this machine or near it."""

from __future__ import annotations

from mobile_nelf.viewing.paths import shown_path
from mobile_nelf.viewing.server import Server
from mobile_nelf.viewing.shown import Shown
from mobile_nelf.viewing.training import TrainingView

__all__ = ["Server", "Shown", "TrainingView", "shown_path"]
