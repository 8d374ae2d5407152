"""Bundles: artefact, reference frames and manifest in one folder that proves itself."""

from __future__ import annotations

from mobile_nelf.bundles.create import Bundle, create_bundle
from mobile_nelf.bundles.keywords import bundle
from mobile_nelf.bundles.manifest import Manifest
from mobile_nelf.bundles.verify import Verification, verify_bundle

__all__ = ["Bundle", "Manifest", "Verification", "bundle", "create_bundle", "verify_bundle"]
