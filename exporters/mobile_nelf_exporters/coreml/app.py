"""The iPad side of a Core ML bundle: an App Playground, the Swift package NelfKit, a sample app.

`ios_harness/` of this project is the one set of Swift sources. The playground gets them copied into
one module, beside the packages and what the app has to know about them (`bench.json`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mobile_nelf._version import __version__
from mobile_nelf.assets import asset_dir
from mobile_nelf.cameras import Camera
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.errors import BundleError
from mobile_nelf.export.reference import PIXELS, POSES, REFERENCE
from mobile_nelf.npy import parse_npy
from mobile_nelf.parsing import parse_json
from mobile_nelf.plain import to_dict
from mobile_nelf.vocabulary import Experience, WeightForm
from mobile_nelf_exporters.coreml.package.format import WEIGHTS
from mobile_nelf_exporters.names import check_name
from mobile_nelf_exporters.templates import template_environment

__all__ = ["APP_IOS", "HarnessModel", "render_ios_harness", "sample_app"]

#: Raised when an older app would misread a newer file.
BENCH_SCHEMA = 1

#: The app's own code needs this version of iOS.
APP_IOS = 17

HARNESS = "ios_harness"
KIT = f"{HARNESS}/NelfKit"
SAMPLE = f"{HARNESS}/Sample/SampleApp.swift"
#: Targets of the Swift package, all of which make up the app.
TARGETS = ("NelfCore", "NelfKit", "NelfBench")

PIXELS_RESOURCE = "reference_pixels.f32"

#: Values of each upload that the app compares with its own.
UPLOAD_SAMPLES = 16


@dataclass(frozen=True)
class HarnessModel:
    """A Core ML package that the app measures.

    Attributes:
        package: folder of the package, such as `mic.mlpackage`.
        weights: how its weights are stored.
        min_psnr_db: what each reference frame must reach on the device.
        contract: of a package with another input layout than the bundle's; the bundle's if None.
    """

    package: str
    weights: WeightForm
    min_psnr_db: float
    contract: Contract | None = None


def render_ios_harness(
    contract: Contract,
    models: Sequence[HarnessModel],
    files: Mapping[str, bytes],
    name: str,
    ios: int = APP_IOS,
    experience: Experience = "orbit",
) -> dict[str, bytes]:
    """Returns the folder `ios_harness` of a bundle as file contents by relative POSIX path.

    Args:
        contract: of the main model.
        models: what the app measures, in the order in which it shows them.
        files: of the bundle: the packages of `models` and the folder `reference`.
        name: of bundle and app.
        ios: lowest version of iOS that the packages run on.
        experience: what the sample app does, and whether the playground has a tab with the room.

    Returns:
        `ios_harness/<name>.swiftpm`, which carries copies of packages and reference frames, since a
        playground that is sent to an iPad holds nothing but its own files; `ios_harness/NelfKit`,
        the Swift package for an app of one's own; and `ios_harness/Sample`, such an app. The same
        input gives the same bytes.

    Raises:
        InputError: `name` is not a valid name.
        BundleError: `files` lacks a package or the reference.
        MissingExtraError: jinja2 is not installed.
    """
    check_name(name, "app")
    app = f"{HARNESS}/{name}.swiftpm"
    reference = _reference(files)
    rendered = {
        f"{app}/Resources/{PIXELS_RESOURCE}": reference.pixels.tobytes(),
        **_app_sources(app),
        **_kit_files(),
        SAMPLE: sample_app(models[0].package, experience).encode(),
    }
    entries = []
    for model in models:
        package = _files_below(files, model.package)
        rendered |= {f"{app}/Resources/{path}": content for path, content in package.items()}
        entries.append(_model_entry(model, package) | _own_layout(model, reference))
    for path in reference.frames:
        rendered[f"{app}/Resources/{Path(path).name}"] = files[path]
    config = {
        "schema": BENCH_SCHEMA,
        "mnelf_version": __version__,
        "bundle": {"name": name, "weights_sha256": contract.weights_sha256},
        "experience": experience,
        "contract": to_dict(contract),
        "models": entries,
        "reference": _reference_entry(contract, reference),
    }
    text = json.dumps(config, indent=1, sort_keys=True, allow_nan=False) + "\n"
    rendered[f"{app}/Resources/bench.json"] = text.encode()
    resources = sorted({path.split("/")[3] for path in rendered if f"{app}/Resources/" in path})
    rendered[f"{app}/Package.swift"] = _package_swift(
        name, max(ios, APP_IOS), resources, experience
    )
    return dict(sorted(rendered.items()))


@dataclass(frozen=True, eq=False)
class _Reference:
    """The folder `reference` of a bundle: frames are paths, pixels [frames, n, channels]."""

    poses: list[list[list[float]]]
    frames: list[str]
    pixels: npt.NDArray[np.float32]


def _reference(files: Mapping[str, bytes]) -> _Reference:
    frames = sorted(path for path in files if re.fullmatch(rf"{REFERENCE}/frame_\d+\.png", path))
    try:
        poses = parse_json(files[f"{REFERENCE}/{POSES}"])["cam_to_world"]
        pixels = parse_npy(files[f"{REFERENCE}/{PIXELS}"]).astype("<f4")
    except KeyError as error:
        raise BundleError(f"reference: {error.args[0]} is missing; bundle it again") from error
    if not len(poses) == len(frames) == len(pixels):
        raise BundleError(
            f"reference: {len(poses)} poses, {len(frames)} frames and pixels of {len(pixels)}, "
            "expected as many of each; bundle it again"
        )
    return _Reference(poses, frames, pixels)


def _files_below(files: Mapping[str, bytes], package: str) -> dict[str, bytes]:
    below = {path: files[path] for path in sorted(files) if path.startswith(f"{package}/")}
    if f"{package}/{WEIGHTS}" not in below:
        raise BundleError(f"{package}: {WEIGHTS} is missing in it; bundle it again")
    return below


def _model_entry(model: HarnessModel, package: dict[str, bytes]) -> dict[str, Any]:
    digest = hashlib.sha256()
    for path, content in package.items():
        digest.update(f"{path}:{len(content)};".encode() + content)
    weights = package[f"{model.package}/{WEIGHTS}"]
    return {
        "package": model.package,
        "weights": model.weights,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "package_sha256": digest.hexdigest(),
        "bytes": sum(map(len, package.values())),
        "files": [
            {"path": path.removeprefix(f"{model.package}/"), "bytes": len(content)}
            for path, content in package.items()
        ],
        "min_psnr_db": model.min_psnr_db,
    }


def _own_layout(model: HarnessModel, reference: _Reference) -> dict[str, Any]:
    """What the app needs of a package whose input layout is not the bundle's."""
    if model.contract is None:
        return {}
    return {
        "contract": to_dict(model.contract),
        "uploads": _upload_samples(model.contract, np.asarray(reference.poses[0], np.float64)),
    }


def _reference_entry(contract: Contract, reference: _Reference) -> dict[str, Any]:
    frames = zip(reference.frames, reference.poses, strict=True)
    return {
        "frames": [{"file": Path(path).name, "cam_to_world": pose} for path, pose in frames],
        "pixels": PIXELS_RESOURCE,
        "pixels_per_frame": reference.pixels.shape[1],
        "uploads": _upload_samples(contract, np.asarray(reference.poses[0], np.float64)),
    }


def _upload_samples(contract: Contract, pose: npt.NDArray[np.float64]) -> list[dict[str, Any]]:
    """Some values of each upload of a pose, by which the app tells its own fault from Core ML's."""
    student = contract.student
    camera = Camera(pose, contract.intrinsics).resized(student.ray_width, student.ray_height)
    uploads = find_layout(contract.layout).host(camera, student.encoder)
    samples = []
    for name, upload in uploads.items():
        flat = upload.reshape(-1)
        count = min(UPLOAD_SAMPLES, len(flat))
        positions = np.linspace(0, len(flat) - 1, count).astype(np.int64)
        samples.append(
            {"name": name, "positions": positions.tolist(), "values": flat[positions].tolist()}
        )
    return samples


def sample_app(package: str, experience: Experience) -> str:
    """Returns the source of an app that shows a package with NelfKit and does nothing else."""
    text: str = (
        template_environment()
        .get_template("ios_parts/SampleApp.swift.j2")
        .render(stem=Path(package).stem, view="NelfARView" if experience == "world" else "NelfView")
    )
    return text


def _package_swift(name: str, ios: int, resources: list[str], experience: Experience) -> bytes:
    # An identifier takes no underscore.
    identifier = f"org.mobile-nelf.bench.{name.replace('_', '-')}"
    text: str = (
        template_environment()
        .get_template("ios_parts/Package.swift.j2")
        .render(
            name=name, identifier=identifier, ios=ios, resources=resources, experience=experience
        )
    )
    return text.encode()


def _app_sources(app: str) -> dict[str, bytes]:
    """The sources of all targets and the entry point, each target in a folder of its own."""
    root = asset_dir(HARNESS)
    folders = {target: root / "Sources" / target for target in TARGETS}
    folders["App"] = root / "Playground"
    return {
        f"{app}/{folder}/{path.relative_to(source).as_posix()}": path.read_bytes()
        for folder, source in folders.items()
        for path in sorted(source.rglob("*.swift"))
    }


def _kit_files() -> dict[str, bytes]:
    """The Swift package without its tests, and with no stubs for Linux."""
    sources = asset_dir(HARNESS) / "Sources"
    manifest = template_environment().get_template("ios_parts/NelfKit.swift.j2").render()
    files = {f"{KIT}/Package.swift": manifest.encode()}
    for path in sorted(sources.rglob("*.swift")):
        files[f"{KIT}/Sources/{path.relative_to(sources).as_posix()}"] = path.read_bytes()
    return files
