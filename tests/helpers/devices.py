"""A bundle with models for Core ML that hold no network, and files of a device that never was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from mobile_nelf.bundles import Manifest, create_bundle
from mobile_nelf.bundles.manifest import FileRecord, read_manifest
from mobile_nelf.export.inspection import ModelRecord
from mobile_nelf.export.parity import ParityLeg
from mobile_nelf_exporters.coreml.placement import PlacementReport, PlacementRow, placement_table
from tests.helpers.students import random_checkpoint

__all__ = ["WEIGHTS", "edited", "one_run", "onnx_bundle", "packaged_bundle", "synthetic_result"]

#: The first leg is not an artefact's; then come those of the two packages, in their order.
LEGS = tuple(
    ParityLeg("compared", 2, 1e-3, psnr_db, "", True, artefact=artefact)
    for artefact, psnr_db in (
        ("", 30.0),
        ("thing.mlpackage", 75.5),
        ("thing.mlpackage", 57.5),
        ("thing-palette6.mlpackage", 45.5),
        ("thing-palette6.mlpackage", 46.5),
    )
)

#: Name and weights of the packages, and the bytes of the file that holds those.
PACKAGES = {
    "thing.mlpackage": ("fp16", 1_000_000),
    "thing-palette6.mlpackage": ("palette6", 500_000),
}

RULES = PlacementReport(
    (
        PlacementRow("conv", "1×1", "fp16", 70, "neural_engine"),
        PlacementRow("cast", "to fp16", "fp16", 2, "gpu_or_cpu", "never"),
        PlacementRow("conv", "3×3", "fp16", 2, "neural_engine"),
    ),
    (),
)

WEIGHTS = "{}/Data/com.apple.CoreML/weights/weight.bin"


def onnx_bundle(folder: Path, *, seed: int = 0) -> Manifest:
    """Writes a real bundle named `thing`, whose model a device may have measured."""
    checkpoint = replace(
        random_checkpoint(seed=seed, sr_widths=(8,)), metrics={"test_psnr_db": 26.01}
    )
    create_bundle(checkpoint, target="onnx", output=folder, name="thing")
    return read_manifest(folder)


def packaged_bundle(folder: Path) -> Manifest:
    """Writes a bundle for Core ML of made-up packages, legs and rules, which does not verify."""
    manifest = onnx_bundle(folder)
    files = dict(manifest.files)
    models = {}
    for index, (model, (weights, size)) in enumerate(PACKAGES.items()):
        models[model] = ModelRecord(
            weights, str(index) * 64, 2 + size, weights_file=WEIGHTS.format(model)
        )
        for name, content in (
            (f"{model}/Manifest.json", b"{}"),
            (WEIGHTS.format(model), bytes([index]) * size),
        ):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
            files[name] = FileRecord.of(content)
    inspection = replace(manifest.inspection, models=models, tables=(placement_table(RULES),))
    manifest = replace(manifest, target="coreml", files=files, parity=LEGS, inspection=inspection)
    (folder / "manifest.json").write_bytes(manifest.to_bytes())
    return read_manifest(folder)


def one_run(manifest: Manifest, model: str = "", **changes: Any) -> dict[str, Any]:
    """Returns a run of a model, the main one if none is named; times are 10 ms at the median."""
    model = model or manifest.inspection.measurable[0]
    return {
        "model": model,
        "weights_sha256": manifest.files[manifest.inspection.models[model].weights_file].sha256,
        "compute_units": "all",
        "encoder": "cpu",
        "error": None,
        "compile_ms": 810.5,
        "cold_load_ms": 420.0,
        "warm_load_ms": 61.0,
        "first_frame_ms": 33.0,
        "warm_up_frames": 20,
        "latency_ms": {
            "count": 200,
            "mean": 10.5,
            "p50": 10.0,
            "p90": 12.0,
            "p99": 14.0,
            "min": 9.0,
            "max": 15.0,
        },
        "inputs_ms": 0.7,
        "display_fps": 59.7,
        "display_hz": 120.0,
        "sustained": [
            {
                "seconds": 60.0,
                "frames": 5400,
                "p50": 10.5,
                "p90": 12.5,
                "p99": 15.0,
                "fps": 90.0,
                "frames_by_second": [90, 91],
                "thermal_by_second": ["nominal", "fair"],
            }
        ],
        "battery": {"start": 0.8, "end": 0.79, "charging": False},
        "memory": {"before": 40_000_000, "after_load": 60_000_000, "peak": 71_000_000},
        "thermal": {"start": "nominal", "end": "fair"},
        "placement": {"neural_engine": 72, "gpu": 0, "cpu": 3, "unknown": 1},
        "placement_by_operation": {"ios17.conv": {"neural_engine": 72}, "ios17.cast": {"cpu": 3}},
        "placement_cost": {"neural_engine": 0.98, "cpu": 0.02},
        "neural_engine_supported": 74,
        "self_check": {
            "frames": 2,
            "psnr_db": [61.5, 60.25],
            "worst_psnr_db": 60.25,
            "passed": True,
        },
        **changes,
    }


def synthetic_result(manifest: Manifest, *runs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Returns a file of a device for a bundle, with one run if none are given."""
    return {
        "schema": 1,
        "device": {
            "model": "Synthetic1,1",
            "os": "TestOS 1.0",
            "app_version": "0.1.0",
            "low_power": False,
            "memory": 8_000_000_000,
            "adapter": "Synthetic GPU",
            "user_agent": "Synthetic/1.0",
        },
        "date": "2026-11-23T10:00:00Z",
        "bundle": {
            "name": manifest.name,
            "weights_sha256": manifest.contract.weights_sha256,
        },
        "runs": list(runs) or [one_run(manifest)],
        **changes,
    }


def edited(result: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Returns a copy with another value at a path such as `runs.0.latency_ms.p50`."""
    copy = json.loads(json.dumps(result))
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place = copy
    for key in parents:
        place = place[key]
    place[last] = value
    return copy
