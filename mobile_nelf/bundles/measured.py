"""Measurements of a device inside a bundle.

They come after the manifest was written and are not listed in it, so its digest stays valid. What
is stored says by itself which weights it belongs to, and is checked whenever it is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mobile_nelf.atomic import written_beside
from mobile_nelf.bundles.manifest import MANIFEST_NAME, Manifest, read_manifest
from mobile_nelf.devices import Measurement, read_measurement
from mobile_nelf.disk import io_reason
from mobile_nelf.errors import BundleError, InputError, OutputError
from mobile_nelf.outputs import refuse_inputs
from mobile_nelf.text import command_line

__all__ = [
    "MEASUREMENTS_FOLDER",
    "Imported",
    "bundle_measurements",
    "bundles_in",
    "import_measurement",
    "stored_names",
    "stored_problems",
]

MEASUREMENTS_FOLDER = "measurements"


@dataclass(frozen=True)
class Imported:
    """A measurement that now is in a bundle.

    Attributes:
        bundle: folder of the bundle.
        path: the file in it.
        measurement: its content.
    """

    bundle: Path
    path: Path
    measurement: Measurement


def bundles_in(folder: Path) -> list[Path]:
    """Returns the bundles directly inside a folder."""
    return sorted(path.parent for path in folder.glob(f"*/{MANIFEST_NAME}"))


def bundle_measurements(bundle: Path) -> tuple[Measurement, ...]:
    """Returns what devices measured of a bundle, in the order of the files' names.

    Raises:
        BundleError: there is no manifest, or a measurement is damaged or belongs elsewhere.
    """
    manifest = read_manifest(bundle)
    problems = stored_problems(bundle, manifest)
    if problems:
        raise BundleError(f"{bundle}: {problems[0]}")
    return tuple(read_measurement(bundle / name) for name in stored_names(bundle))


def stored_names(bundle: Path) -> list[str]:
    """Returns the files of measurements, as paths inside the bundle."""
    return sorted(
        f"{MEASUREMENTS_FOLDER}/{file.name}"
        for file in (bundle / MEASUREMENTS_FOLDER).glob("*.json")
    )


def stored_problems(bundle: Path, manifest: Manifest) -> list[str]:
    """Returns what is wrong with the measurements in a bundle, one sentence each."""
    problems = []
    for name in stored_names(bundle):
        try:
            mismatch = _mismatch(read_measurement(bundle / name), manifest)
        except InputError as error:
            mismatch = str(error).removeprefix(f"{bundle / name}: ")
        if mismatch:
            problems.append(f"{name}: {mismatch}; remove it, or import the device's file again")
    return problems


def import_measurement(result: Path, bundle: Path | None = None, force: bool = False) -> Imported:
    """Checks the file of a device and stores it in the bundle that was measured.

    Args:
        result: the file that the app shared.
        bundle: that was measured; if None, the one in or at the current folder that fits.
        force: replace the same device's measurement of the same time.

    Raises:
        InputError: the file is not what the app writes, or belongs to another bundle.
        BundleError: the bundle's manifest is missing or was edited.
        OutputError: the measurement is there already, or cannot be written.
    """
    measurement = read_measurement(result)
    if bundle is None:
        bundle = _find_bundle(measurement, result)
    else:
        _check_folder(bundle)
        mismatch = _mismatch(measurement, read_manifest(bundle))
        if mismatch:
            raise InputError(f"{result}: does not belong to {bundle}: {mismatch}")
    path = bundle / MEASUREMENTS_FOLDER / _file_name(measurement)
    refuse_inputs(path, [result])
    if path.exists() and not force:
        raise OutputError(
            f"{path}: exists already, so this measurement was imported before; set force to "
            "replace it",
            arguments=["force"],
        )
    # As the device wrote it, so that nothing is lost that this version does not show.
    content = result.read_bytes()
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path.parent}: cannot be made ({io_reason(error)})") from error
    with written_beside(path) as partial:
        partial.write_bytes(content)
    return Imported(bundle, path, measurement)


def _check_folder(bundle: Path) -> None:
    """Refuses early what is not a bundle, with the bundles that may have been meant."""
    if not bundle.is_dir():
        raise InputError(f"{bundle}: no such folder, expected the bundle that was measured")
    inside = [] if (bundle / MANIFEST_NAME).is_file() else bundles_in(bundle)
    if inside:
        raise InputError(
            f"{bundle}: is not a bundle; it contains the bundles "
            f"{', '.join(map(str, inside))}; pass one of them"
        )


def _find_bundle(measurement: Measurement, result: Path) -> Path:
    """Returns the only bundle at hand that a measurement belongs to."""
    here = Path()
    candidates = [*([here] if (here / MANIFEST_NAME).is_file() else []), *bundles_in(here)]
    fitting, found = [], []
    for candidate in candidates:
        try:
            mismatch = _mismatch(measurement, read_manifest(candidate))
        except BundleError as error:
            mismatch = str(error)
        if mismatch:
            found.append(f"{candidate} ({mismatch})")
        else:
            fitting.append(candidate)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InputError(
            f"{result}: belongs to each of {', '.join(map(str, fitting))}; name one: "
            f"`{command_line('bench import {} {}', result, fitting[0])}`"
        )
    raise InputError(
        f"{result}: was measured with the bundle {measurement.bundle.name!r}, which is not in this "
        f"folder; found {'; '.join(found) or 'no bundle'}; name it: "
        f"`{command_line('bench import {} BUNDLE', result)}`"
    )


def _mismatch(measurement: Measurement, manifest: Manifest) -> str:
    """Returns why a measurement is not of a bundle; empty if it is."""
    own = manifest.contract.weights_sha256
    measured = measurement.bundle
    if (measured.name, measured.weights_sha256) != (manifest.name, own):
        return (
            f"result.bundle is {_bundle_text(measured.name, measured.weights_sha256)}, expected "
            f"{_bundle_text(manifest.name, own)}; use the bundle that the app came from"
        )
    models = manifest.inspection.measurable
    for index, run in enumerate(measurement.runs):
        where = f"result.runs[{index}]"
        if run.model not in models:
            return (
                f"{where}.model is {run.model!r}, expected one of "
                f"{', '.join(models) or 'the models that a device measures, of which it has none'}"
            )
        record = manifest.files.get(manifest.inspection.models[run.model].weights_file)
        if record is None:
            return f"{where}.model is {run.model!r}, of which the manifest lists no weights"
        if run.weights_sha256 != record.sha256:
            return (
                f"{where}.weights_sha256 is {run.weights_sha256[:12]}…, expected that of "
                f"{run.model}, {record.sha256[:12]}…; measure again with the app from this bundle"
            )
    return ""


def _bundle_text(name: str, weights_sha256: str) -> str:
    return f"{name!r} with weights {weights_sha256[:12]}…"


def _file_name(measurement: Measurement) -> str:
    """Returns a name that keeps devices and times apart on every file system."""
    model = re.sub(r"[^A-Za-z0-9,._-]+", "-", measurement.device.model).strip("-.")
    time = measurement.when.strftime("%Y-%m-%dT%H%M%SZ")
    return f"{model or 'device'}-{time}.json"
