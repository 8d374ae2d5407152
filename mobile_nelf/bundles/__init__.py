"""Bundles: artefact, reference frames and manifest in one folder that proves itself."""

from __future__ import annotations

from mobile_nelf.bundles.create import Bundle, create_bundle, create_bundles
from mobile_nelf.bundles.keywords import bundle
from mobile_nelf.bundles.manifest import Manifest
from mobile_nelf.bundles.plan import BundlePlan, plan_bundle, plan_bundles
from mobile_nelf.bundles.verify import Verification, verify_bundle

__all__ = [
    "Bundle",
    "BundlePlan",
    "Manifest",
    "Verification",
    "bundle",
    "create_bundle",
    "create_bundles",
    "plan_bundle",
    "plan_bundles",
    "verify_bundle",
]
