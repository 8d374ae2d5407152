"""What devices measured of a student before it was compressed, from the bundles at hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mobile_nelf.bundles.manifest import Manifest, read_manifest
from mobile_nelf.bundles.measured import bundle_measurements, bundles_in
from mobile_nelf.comparison.rows import runs_of
from mobile_nelf.compression.report import DeviceTime
from mobile_nelf.errors import BundleError

__all__ = ["device_times"]


def device_times(
    weights_sha256: str, folders: Iterable[Path]
) -> tuple[tuple[DeviceTime, ...], tuple[str, ...]]:
    """Returns the fastest run with the right picture of each device, and what could not be read.

    Args:
        weights_sha256: of the student (`Checkpoint.weights_sha256`).
        folders: that may hold bundles of it; other bundles in them do not matter.
    """
    fastest: dict[tuple[str, str], DeviceTime] = {}
    notes = []
    for bundle in dict.fromkeys(found.resolve() for each in folders for found in bundles_in(each)):
        try:
            manifest = read_manifest(bundle)
            if manifest.contract.weights_sha256 != weights_sha256:
                continue
        except BundleError:
            continue  # whose it is cannot be known
        try:
            times = _times(bundle, manifest)
        except BundleError as error:
            notes.append(f"the device's figures in a bundle do not count: {error}")
            continue
        for found in times:
            key = (found.device, found.os)
            if key not in fastest or found.p50_ms < fastest[key].p50_ms:
                fastest[key] = found
    return tuple(sorted(fastest.values(), key=lambda found: found.p50_ms)), tuple(notes)


def _times(bundle: Path, manifest: Manifest) -> list[DeviceTime]:
    measurements = bundle_measurements(bundle)
    return [
        DeviceTime(
            bundle.name,
            model,
            figures.device,
            figures.os,
            figures.compute_units,
            figures.p50_ms,
            figures.fps,
            figures.fps_source,
        )
        for model in manifest.inspection.measurable
        for figures in runs_of(model, measurements)
        if figures.picture_is_right and figures.p50_ms is not None
    ]
