"""What people bring as scenes, and what is right: the cases that tests run and docs show."""

from __future__ import annotations

from tests.helpers.scene_cases.cameras import CAMERAS
from tests.helpers.scene_cases.case import Case
from tests.helpers.scene_cases.formats import FORMATS
from tests.helpers.scene_cases.photos import PHOTOS

__all__ = ["CASES", "Case"]

CASES = (*PHOTOS, *CAMERAS, *FORMATS)
