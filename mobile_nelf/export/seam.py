"""SEAM, to be removed: what the SDK still takes from the exporters of two targets.

`Inspection` has a field for the report of SnapML and one for the placement of Core ML, and whoever
prints or stores an inspection knows their types. Once an inspection carries tables instead, nothing
is left here. No other module of the SDK may import an exporter.
"""

from __future__ import annotations

from mobile_nelf_exporters.coreml.placement import UNIT_TITLES, PlacementReport, Unit
from mobile_nelf_exporters.snapml.check import SnapmlReport, check_snapml
from mobile_nelf_exporters.snapml.schema import BACKEND_TITLES, BACKENDS

__all__ = [
    "BACKENDS",
    "BACKEND_TITLES",
    "UNIT_TITLES",
    "PlacementReport",
    "SnapmlReport",
    "Unit",
    "check_snapml",
]
